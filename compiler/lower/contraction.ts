// General dot products: one accumulator for each element of the result, the epilogue where it is stored. Tiles and packing are the schedule's.
import type { Expr, Position } from '../../kernels/loop.ts';
import { InternalError } from '../../runtime/errors.ts';
import { fixed } from '../ir/dim.ts';
import { dtypeOf, type Node, type NodeOf, nodesOf, shapeOf, type Value } from '../ir/node.ts';
import { rules } from '../ops/table.ts';
import { lowerConvolution } from './convolution.ts';
import { expressions, type Known, zeroOf } from './expression.ts';
import { axisFor, declare, emit, loops, type Nest } from './nest.ts';
import { elements, type Region, store } from './region.ts';

export function lowerContraction(nest: Nest, region: Region): void {
  if (elements(region.space) === 0) return;
  const node = nodesOf(region.graph).find((n) => rules[n.op].lower.kind === 'contraction');
  switch (node?.op) {
    case 'dot':
      return lowerDot(nest, region, node);
    case 'conv':
    case 'convInputGrad':
    case 'convWeightGrad':
      return lowerConvolution(nest, region, node);
    default:
      throw new InternalError('a kernel of the form contraction holds none', { op: 'lower' });
  }
}

function lowerDot(nest: Nest, region: Region, node: NodeOf<'dot'>): void {
  const { inputs, attrs } = node;
  const [x, y] = inputs;
  const dtype = region.target.accumulate[dtypeOf(x)];
  const free = shapeOf(x).length - attrs.batch.length - attrs.contract.length;
  const axes = region.space.map((extent, d) =>
    axisFor(nest, d < attrs.batch.length ? 'b' : d < attrs.batch.length + free ? 'i' : 'j', extent),
  );
  const contracted = attrs.contract.map(([l]) => axisFor(nest, 'k', fixed(shapeOf(x)[l]!)));
  loops(nest, axes, 'par', (at) => {
    const sum = declare(nest, 'acc');
    emit(nest, { kind: 'var', name: sum, init: zeroOf(dtype) });
    loops(nest, contracted, 'serial', (k) => {
      const [left, right] = operandPlaces(node, at, k);
      const factors = expressions(nest, region.known, [
        { value: x, at: left },
        { value: y, at: right },
      ]);
      emit(nest, { kind: 'accumulate', name: sum, fn: 'add', value: product(factors[0]!, factors[1]!, dtype) });
    });
    storeResults(nest, region, node, { kind: 'ref', dtype, name: sum }, at);
  });
}

/** Coordinates in both operands of the element that `at` of the result and `k` of the contracted axes meet in. */
function operandPlaces(
  { inputs, attrs: { batch, contract } }: NodeOf<'dot'>,
  at: readonly Position[],
  k: readonly Position[],
): readonly [Position[], Position[]] {
  let next = batch.length;
  const place = (value: Value, side: 0 | 1): Position[] =>
    shapeOf(value).map((_, d) => {
      const shared = batch.findIndex((pair) => pair[side] === d);
      if (shared >= 0) return at[shared]!;
      const summed = contract.findIndex((pair) => pair[side] === d);
      return summed >= 0 ? k[summed]! : at[next++]!;
    });
  const left = place(inputs[0], 0);
  return [left, place(inputs[1], 1)];
}

export const converted = (value: Expr, dtype: Expr['dtype']): Expr => (value.dtype === dtype ? value : { kind: 'cast', dtype, value });

/** A product in the precision of the sum that it is added to. */
export const product = (a: Expr, b: Expr, dtype: Expr['dtype']): Expr => ({
  kind: 'call',
  dtype,
  fn: 'mul',
  args: [converted(a, dtype), converted(b, dtype)],
});

/** Stores the region's outputs at one element of the contraction's result, `sum`. */
export function storeResults(nest: Nest, { graph, writes, space, known }: Region, node: Node, sum: Expr, at: readonly Position[]): void {
  const result = converted(sum, dtypeOf(node.values[0]!));
  const withResult: Known = (value, place) => (value.node === node ? result : known(value, place));
  store(
    nest,
    withResult,
    graph.outputs.map((value, i) => ({ value, into: writes[i]!, at, shape: space })),
  );
}
