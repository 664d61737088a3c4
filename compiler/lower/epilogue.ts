// What contractions share: products in the precision of their sums, and the epilogue that stands where a finished sum is stored.
import type { Expr, Position } from '../../kernels/loop.ts';
import { dtypeOf, type Node } from '../ir/node.ts';
import type { Known } from './expression.ts';
import type { Nest } from './nest.ts';
import { type Region, store } from './region.ts';

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
