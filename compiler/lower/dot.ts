// General dot products: one accumulator for each element of the result, the epilogue where it is stored. Tiles and packing are the schedule's.
import type { Position } from '../../kernels/loop.ts';
import { dtypeOf, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { extentOf } from '../ops/extent.ts';
import { product, storeResults } from './epilogue.ts';
import { expressions, zeroOf } from './expression.ts';
import { axisFor, declare, emit, loops, type Nest } from './nest.ts';
import type { Region } from './region.ts';

export function lowerDot(nest: Nest, region: Region, node: NodeOf<'dot'>): void {
  const { inputs, attrs } = node;
  const [x, y] = inputs;
  const dtype = region.target.accumulate[dtypeOf(x)];
  const free = shapeOf(x).length - attrs.batch.length - attrs.contract.length;
  const axes = region.space.map((extent, d) =>
    axisFor(nest, d < attrs.batch.length ? 'b' : d < attrs.batch.length + free ? 'i' : 'j', extent),
  );
  const contracted = attrs.contract.map(([l]) => axisFor(nest, 'k', extentOf(shapeOf(x)[l]!, nest.sizes)));
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
