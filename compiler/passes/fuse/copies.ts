// Copies that control flow needs: a loop takes over the memory of what it carries, and a region leaves each result in a place of its own.
import { build, region } from '../../ir/builder.ts';
import { avalOf, dtypeOf, type Graph, isAlias, type Node, type NodeOf, nodesOf, shapeOf, storedAs, type Value } from '../../ir/node.ts';
import { rebuilt } from '../rebuild.ts';
import { type Control, isControl } from '../regions.ts';

/** A kernel that computes nothing. */
export function copyOf(value: Value): Value {
  const leaf = value.node.op === 'slot' ? build('slot', [], { dtype: dtypeOf(value) }).values : region([avalOf(value)], () => []).inputs;
  const attrs = { name: 'copy', form: 'pointwise', space: shapeOf(value), reduce: [] } as const;
  const node = build('kernel', [value], attrs, [{ inputs: leaf, outputs: leaf }]);
  node.loc = value.node.loc;
  node.name = value.node.name?.split(',')[value.index];
  return node.values[0]!;
}

/** Which carries of a loop its body gives back as they were: they need no memory of their own. */
export function constantCarries(node: NodeOf<'whileLoop'> | NodeOf<'scan'>): readonly boolean[] {
  const body = node.regions.at(-1)!;
  const carries = node.op === 'scan' ? node.attrs.carries : node.inputs.length;
  return body.inputs.map((v, i) => i < carries && storedAs(body.outputs[i]!) === v);
}

/**
 * Afterwards no operand of control flow is a slot, nor is what a reshape or a barrier gives another name; each result of a branch, and each result of a loop's body but for constant carries, is
 * the result of a kernel of its own; and what a loop carries is the result of a kernel that nothing else reads.
 */
export function withCopies(graph: Graph): Graph {
  const nodes = nodesOf(graph);
  if (!nodes.some((n) => isControl(n) || isAlias(n.op))) return graph;
  const uses = new Map<Value, number>();
  const use = (v: Value): void => void uses.set(storedAs(v), (uses.get(storedAs(v)) ?? 0) + 1);
  for (const node of nodes) if (!isAlias(node.op)) for (const v of node.inputs) use(v);
  for (const v of graph.outputs) use(v);

  const built = new Map<Value, Value>();
  const now = (v: Value): Value => built.get(v) ?? v;
  const inMemory = (v: Value): Value => (v.node.op === 'slot' ? copyOf(v) : now(v));
  for (const node of nodes) {
    const copy = isControl(node) ? withOwnPlaces(node, now, uses) : rebuilt(node, node.inputs.map(isAlias(node.op) ? inMemory : now));
    for (const [i, v] of node.values.entries()) built.set(v, copy.values[i]!);
    if (node.op === 'whileLoop' || node.op === 'scan')
      for (const [i, isConstant] of constantCarries(node).entries()) if (isConstant) built.set(node.values[i]!, copy.inputs[i]!);
  }
  return { inputs: graph.inputs, outputs: graph.outputs.map(now) };
}

function withOwnPlaces(node: Control, now: (v: Value) => Value, uses: ReadonlyMap<Value, number>): Node {
  const constant = node.op === 'cond' ? [] : constantCarries(node);
  const carries = node.op === 'cond' ? 0 : node.op === 'scan' ? node.attrs.carries : node.inputs.length;
  const inputs = node.inputs.map((v, i) => {
    const stored = storedAs(v);
    const isOwn = stored.node.op === 'kernel' && uses.get(stored) === 1;
    const mustOwn = i < carries && !constant[i];
    return stored.node.op === 'slot' || (mustOwn && !isOwn) ? copyOf(now(v)) : now(v);
  });
  // The test of a loop is only looked at.
  const regions = node.regions.map((g, i) => (node.op === 'whileLoop' && i === 0 ? g : withOwnResults(g, constant)));
  return rebuilt(node, inputs, regions);
}

function withOwnResults(graph: Graph, constant: readonly boolean[]): Graph {
  const taken = new Set<Value>();
  const outputs = graph.outputs.map((v, i) => {
    const stored = storedAs(v);
    if (constant[i]) return v;
    if (stored.node.op !== 'kernel' || graph.inputs.includes(stored) || taken.has(stored)) return copyOf(v);
    taken.add(stored);
    return v;
  });
  return outputs.every((v, i) => v === graph.outputs[i]) ? graph : { inputs: graph.inputs, outputs };
}
