// What of the forward pass a derivative reads, and graphs that hold no data of it.
import { isFloat } from '../../../runtime/dtype.ts';
import { AutogradError } from '../../../runtime/errors.ts';
import { pullback } from '../../autodiff/reverse.ts';
import { build, recordWith } from '../../ir/builder.ts';
import { avalOf, isLeaf, makeNode, type Node, nodesOf, type Value } from '../../ir/node.ts';
import { rules } from '../../ops/table.ts';
import type { SavedGraph } from './graph.ts';

export const freed = (op: string): AutogradError =>
  new AutogradError(
    'trying to backward through the graph a second time, or to read saved values after they were freed: backward() and grad() free them',
    { op, fix: 'specify retainGraph: true the first time' },
  );

/** Gradients of the border's inputs, null where they are not useful or zero. */
export function derive(border: SavedGraph, seeds: readonly (Value | null)[], useful: readonly boolean[]): (Value | null)[] {
  const found = pullback(
    border.outputs,
    seeds,
    border.inputs.filter((_, i) => useful[i]),
    // An operand without gradient may be computed from one that has one: detach() shares its value.
    border.inputs.filter((_, i) => !useful[i]),
  );
  let at = 0;
  return border.inputs.map((_, i) => (useful[i] ? (found[at++] ?? null) : null));
}

/** Builds nodes again, over the values that `twin` has for those of the old graph, and adds theirs to it. Leaves stay. */
export function copyInto(nodes: readonly Node[], twin: Map<Value, Value>): void {
  for (const n of nodes) {
    if (n.values.every((v) => twin.has(v))) continue;
    const copy = isLeaf(n.op)
      ? n
      : build(
          n.op,
          n.inputs.map((v) => twin.get(v) ?? v),
          n.attrs,
          n.regions,
        );
    n.values.forEach((v, i) => void (twin.has(v) || twin.set(v, copy.values[i]!)));
  }
}

/** Whether the derivative needs values of the forward pass: sums and views do not, and PyTorch lets those be walked twice. */
export function readsValues(saved: SavedGraph): boolean {
  return nodesOf(saved).some((n) => (n.op === 'composite' ? nodesOf(n.regions[0]!).some(readsOperands) : readsOperands(n)));
}

function readsOperands(n: Node): boolean {
  // The composites that are linear, such as the mean, divide by a literal.
  if ((n.op === 'mul' || n.op === 'div') && n.inputs[1].node.op === 'literal') return false;
  const { derivative } = rules[n.op];
  return derivative.kind !== 'none' && !(derivative.kind === 'linear' && derivative.in === 'jointly');
}

/** The same graph over inputs without data: enough for a derivative that reads no values, and it keeps no buffer alive. */
export function withoutData(saved: SavedGraph): SavedGraph {
  return outside(() => {
    const twin = new Map(saved.inputs.map((v) => [v, bare(v)]));
    copyInto(nodesOf(saved), twin);
    return { inputs: saved.inputs.map((v) => twin.get(v)!), outputs: saved.outputs.map((v) => twin.get(v) ?? v) };
  });
}

export function bare(v: Value): Value {
  const { dtype, shape } = avalOf(v);
  return makeNode('input', [], { dtype, shape }, [], [{ dtype, shape }]).values[0]!;
}

/** Builds nodes that are not part of the recording. */
export function outside<T>(f: () => T): T {
  const before = recordWith(undefined);
  try {
    return f();
  } finally {
    recordWith(before);
  }
}

/** Which operands and results the derivative reads. A result is preferred to what it is computed from. */
export function residualsOf(graph: SavedGraph, useful: readonly boolean[]): { inputs: boolean[]; outputs: boolean[] } {
  return outside(() => {
    const seeds = graph.outputs.map((v) => (isFloat(avalOf(v).dtype) ? bare(v) : null));
    const grads = derive(graph, seeds, useful).filter((v) => v !== null);
    const read = readBy(grads, new Set([...graph.outputs, ...graph.inputs]));
    return { inputs: graph.inputs.map((v) => read.has(v)), outputs: graph.outputs.map((v) => read.has(v) && !graph.inputs.includes(v)) };
  });
}

/** Values of `border` that `roots` are computed from, not looking behind them. */
export function readBy(roots: readonly Value[], border: ReadonlySet<Value>): Set<Value> {
  const read = new Set<Value>();
  const stack = [...roots];
  const seen = new Set(stack);
  for (let v = stack.pop(); v !== undefined; v = stack.pop()) {
    if (border.has(v)) read.add(v);
    else
      for (const x of v.node.inputs)
        if (!seen.has(x)) {
          seen.add(x);
          stack.push(x);
        }
  }
  return read;
}
