// Compares what graphs mean: both are evaluated in float64 on the same seeded data.
import { expect } from 'vitest';
import type { Graph } from '../compiler/ir/node.ts';
import { evaluate } from '../compiler/ops/evaluate.ts';
import type { Reference } from '../compiler/ops/rules.ts';
import { bindSizes, sizeNames } from './bind-sizes.ts';
import { dataFor } from './graph-data.ts';

/** Evaluates both graphs in float64 on seeded data; symbolic sizes are bound to small numbers first. */
export function expectSameMeaning(before: Graph, after: Graph, { seed = 1, tolerance = 1e-9 } = {}): void {
  const sizes = new Map(sizeNames(before).map((name, i) => [name, 3 + i]));
  const [bound, other] = [bindSizes(before, sizes), bindSizes(after, sizes)];
  const data = dataFor(bound, seed);
  expectClose(evaluate(other, data), evaluate(bound, data), tolerance);
}

/** `tolerance` is relative to the larger of 1 and the expected number. NaN is close to NaN only. */
export function expectClose(actual: readonly Reference[], expected: readonly Reference[], tolerance: number): void {
  expect(actual.map((r) => `${r.dtype}[${r.shape}]`)).toEqual(expected.map((r) => `${r.dtype}[${r.shape}]`));
  expected.forEach(({ data }, result) => {
    const far = data.findIndex((e, i) => !isClose(actual[result]!.data[i]!, e, tolerance));
    if (far >= 0) expect.fail(`result ${result} differs at element ${far}: ${actual[result]!.data[far]} instead of ${data[far]}`);
  });
}
const isClose = (a: number, e: number, tolerance: number): boolean =>
  Object.is(a, e) || a === e || Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e));
