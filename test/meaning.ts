// Compares what graphs mean: both are evaluated in float64 on the same seeded data.
import { expect } from 'vitest';
import type { Graph } from '../compiler/ir/node.ts';
import { evaluate } from '../compiler/ops/evaluate.ts';
import type { Reference } from '../compiler/ops/rules.ts';
import type { DType } from '../runtime/dtype.ts';
import { bindSizes, sizeNames } from './bind-sizes.ts';
import { dataFor } from './graph-data.ts';

/** Within what results of a dtype agree. Evaluation is in float64, but a folded constant has been rounded to its dtype. */
const tolerances: Readonly<Record<DType, number>> = { f64: 1e-9, f32: 1e-6, f16: 4e-3, i32: 0, i64: 0, u8: 0, bool: 0 };

/** Evaluates both graphs in float64 on seeded data; symbolic sizes are bound to small numbers first. */
export function expectSameMeaning(
  before: Graph,
  after: Graph,
  { seed = 1, tolerance }: { seed?: number; tolerance?: number | undefined } = {},
): void {
  const sizes = new Map(sizeNames(before).map((name, i) => [name, 3 + i]));
  const [bound, other] = [bindSizes(before, sizes), bindSizes(after, sizes)];
  const data = dataFor(bound, seed);
  expectClose(evaluate(other, data), evaluate(bound, data), tolerance);
}

/** The tolerance is relative to the larger of 1 and the expected number; unless given, it is that of the dtype. NaN is close to NaN only. */
export function expectClose(actual: readonly Reference[], expected: readonly Reference[], tolerance?: number): void {
  expect(actual.map((r) => `${r.dtype}[${r.shape}]`)).toEqual(expected.map((r) => `${r.dtype}[${r.shape}]`));
  expected.forEach(({ data, dtype }, result) => {
    const far = data.findIndex((e, i) => !isClose(actual[result]!.data[i]!, e, tolerance ?? tolerances[dtype]));
    if (far >= 0) expect.fail(`result ${result} differs at element ${far}: ${actual[result]!.data[far]} instead of ${data[far]}`);
  });
}
const isClose = (a: number, e: number, tolerance: number): boolean =>
  Object.is(a, e) || a === e || Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e));
