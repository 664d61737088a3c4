// Below what the integers of a graph's inputs must stay because they end up as positions on an axis: the runner checks batches by this.
import { fixedShape } from '../ir/dim.ts';
import { literalNumber } from '../ir/literal.ts';
import { type Graph, type Node, nodesOf, shapeOf, type Value } from '../ir/node.ts';

/** Positions lie in 0..below-1, but for one value that marks what is to be ignored. */
export type Bound = { readonly below: number; readonly except?: number };

/** From users back to inputs, through what only moves values. */
export function indexBounds(graph: Graph): ReadonlyMap<Value, Bound> {
  const bounds = new Map<Value, Bound>();
  const lower = (v: Value, bound: Bound | undefined): void => {
    const known = bounds.get(v);
    if (bound !== undefined && (known === undefined || bound.below < known.below)) bounds.set(v, bound);
  };
  for (const node of nodesOf(graph).toReversed()) {
    const bound = bounds.get(node.values[0]!);
    if (node.op === 'gather' || node.op === 'scatterAdd' || node.op === 'scatterSet')
      lower(node.inputs[1], { below: fixedShape(shapeOf(node.inputs[0]))[node.attrs.axis]! });
    else if (onlyMoves.has(node.op)) for (const v of node.inputs) lower(v, bound);
    else if (node.op === 'select' && bound !== undefined) {
      const [test, , kept] = node.inputs;
      const except = markOf(test, kept);
      if (except !== undefined) lower(kept, { ...bound, except });
    }
  }
  return new Map(graph.inputs.flatMap((v) => (bounds.has(v) ? [[v, bounds.get(v)!] as const] : [])));
}

/** Each of their values is one of their first operand's; an op that leaves some out would ask too much of those. */
const onlyMoves: ReadonlySet<Node['op']> = new Set<Node['op']>(['reshape', 'permute', 'expand', 'flip', 'cast']);

/** The constant that `test` compares `v` with: labels that are ignored. */
function markOf({ node: test }: Value, v: Value): number | undefined {
  if (test.op !== 'eq') return undefined;
  const other = test.inputs[0] === v ? test.inputs[1] : test.inputs[1] === v ? test.inputs[0] : undefined;
  const constant = other?.node.op === 'expand' ? other.node.inputs[0].node : other?.node;
  return constant?.op === 'literal' ? literalNumber(constant.attrs.value) : undefined;
}
