// Every op in StableHLO: one entry each, exhaustive by type; and the walk that writes a graph.
import type { ScalarName } from '../../../kernels/scalar.ts';
import { InternalError } from '../../../runtime/errors.ts';
import { fixed, fixedShape } from '../../ir/dim.ts';
import { literalOf } from '../../ir/literal.ts';
import { type Graph, locationText, type Node, type NodeOf, nodesOf, type Value } from '../../ir/node.ts';
import { isScalarName, type OpName, opNames } from '../../ir/opset.ts';
import { axesOf } from '../../ops/composite/constrain.ts';
import { contractionPrinters } from './contraction.ts';
import { barrier, cond, scan, whileLoop } from './control.ts';
import { broadcast, constant, constrained, type Emitter, iota, literal, reshape, type Typed } from './emitter.ts';
import { indexingPrinters } from './indexing.ts';
import { linalgPrinters } from './linalg.ts';
import { movementPrinters } from './movement.ts';
import { pointwise } from './pointwise.ts';
import type { Print, PrintersFor } from './printer.ts';
import { reducePrinters } from './reduce.ts';
import { sortingPrinters } from './sorting.ts';
import { elementOf, locationSuffix } from './text.ts';
import { threefry } from './threefry.ts';

const pointwisePrinters = Object.fromEntries(
  opNames.filter(isScalarName).map((name) => {
    const write = pointwise(name);
    return [name, (xs: readonly Typed[], _: Node, e: Emitter) => [write(e, ...xs)]];
  }),
) as unknown as PrintersFor<ScalarName>; // `pointwise` has an entry for each, which Object.fromEntries cannot say

const given = (op: OpName) => (): never => {
  throw new InternalError(`an ${op} is reached that the graph does not list among its inputs`, { op: 'stablehlo' });
};

/** Row-major position of each element. */
function positions(e: Emitter, shape: readonly number[]): Typed {
  if (shape.length === 0) return constant(e, 0, 'i32');
  const flat = iota(e, { element: 'i32', shape: [shape.reduce((n, d) => n * d, 1)] }, 0);
  return shape.length === 1 ? flat : reshape(e, flat, shape);
}

/** Annotated, not `satisfies`: the mapped type is what ties `printers[n.op]` to `n`. */
const printers: PrintersFor<OpName> = {
  ...pointwisePrinters,
  ...movementPrinters,
  ...reducePrinters,
  ...contractionPrinters,
  ...indexingPrinters,
  ...sortingPrinters,
  ...linalgPrinters,
  input: given('input'),
  slot: given('slot'),
  literal: (_, n, e) => [literal(e, n.attrs.value)],
  size: (_, n, e) => [literal(e, literalOf(fixed(n.attrs.size), n.attrs.dtype))],
  iota: (_, n, e) => [iota(e, { element: elementOf(n.attrs.dtype), shape: fixedShape(n.attrs.shape) }, n.attrs.axis)],
  randomBits: ([key, stream], n, e) => {
    const shape = fixedShape(n.attrs.shape);
    const spread = (x: Typed): Typed => (shape.length === 0 ? x : broadcast(e, x, shape, []));
    return [threefry(e, spread(key!), spread(stream!), positions(e, shape))];
  },
  barrier: ([x, after], _, e) => [barrier(e, x!, after!)],
  cond: (xs, n, e) => cond(block, xs, n, e),
  whileLoop: (xs, n, e) => whileLoop(block, xs, n, e),
  scan: (xs, n, e) => scan(block, xs, n, e),
  composite: (xs, n, e) => (n.attrs.name === 'constrain' ? [constrained(e, xs[0]!, axesOf(n.attrs.params))] : block(e, n.regions[0]!, xs)),
  kernel: (xs, n, e) => block(e, n.regions[0]!, xs),
};

function printed<K extends OpName>(xs: readonly Typed[], n: NodeOf<K>, e: Emitter): readonly Typed[] {
  const print: Print<K> = printers[n.op];
  return print(xs, n, e);
}

/** Writes all nodes of a graph, and gives what stands for its outputs. Recurses over regions, never over nodes. */
export function block(e: Emitter, graph: Graph, inputs: readonly Typed[]): readonly Typed[] {
  const outer = e.location;
  const known = new Map<Value, Typed>();
  const at = (v: Value): Typed => known.get(v)!;
  for (const [i, v] of graph.inputs.entries()) known.set(v, inputs[i]!);
  for (const node of nodesOf(graph)) {
    e.location = locationSuffix(locationText(node.loc)) || outer;
    const results = printed(node.inputs.map(at), node as NodeOf<OpName>, e);
    for (const [i, v] of node.values.entries()) known.set(v, results[i]!);
  }
  e.location = outer;
  return graph.outputs.map(at);
}
