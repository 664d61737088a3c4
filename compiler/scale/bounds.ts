// Below what the integers of a graph's inputs must stay because they end up as positions on an axis: the runner checks batches by this.
import { fixedShape } from '../ir/dim.ts';
import { type Graph, type Node, nodesOf, shapeOf, type Value } from '../ir/node.ts';

/** From users back to inputs, through what only moves values. */
export function indexBounds(graph: Graph): ReadonlyMap<Value, number> {
  const bounds = new Map<Value, number>();
  const lower = (v: Value, bound: number | undefined): void => {
    if (bound !== undefined) bounds.set(v, Math.min(bound, bounds.get(v) ?? bound));
  };
  for (const node of nodesOf(graph).toReversed()) {
    if (node.op === 'gather' || node.op === 'scatterAdd' || node.op === 'scatterSet')
      lower(node.inputs[1], fixedShape(shapeOf(node.inputs[0]))[node.attrs.axis]);
    else if (onlyMoves.has(node.op)) for (const v of node.inputs) lower(v, bounds.get(node.values[0]!));
  }
  return new Map(graph.inputs.flatMap((v) => (bounds.has(v) ? [[v, bounds.get(v)!] as const] : [])));
}

/** Each of their values is one of their first operand's; an op that leaves some out would ask too much of those. */
const onlyMoves: ReadonlySet<Node['op']> = new Set<Node['op']>(['reshape', 'permute', 'expand', 'flip', 'cast']);
