// Float64 tensors and comparisons for tests of transforms.
import { expect } from 'vitest';
import { onRun } from '../../../compiler/frontend/boundary.ts';
import { type Nested, type Tensor, tensor } from '../../../compiler/index.ts';

export const f64 = (values: Nested): Tensor => tensor(values as never, { dtype: 'float64' });
export const elements = (t: Tensor): number[] => Array.from(t.dataSync() as Float64Array, Number);

export function expectNear(actual: Tensor | readonly number[], expected: readonly number[], tolerance = 1e-9): void {
  const list = Array.isArray(actual) ? (actual as number[]) : elements(actual as Tensor);
  expect(list.length).toBe(expected.length);
  for (const [i, v] of list.entries()) {
    const off = Math.abs(v - expected[i]!);
    if (!(off <= tolerance * Math.max(1, Math.abs(expected[i]!)))) expect(list, `element ${i}`).toEqual([...expected]);
  }
}

/** How many Programs run while `f` does. */
export function runs(f: () => void): number {
  let count = 0;
  const stop = onRun(() => void count++);
  try {
    f();
  } finally {
    stop();
  }
  return count;
}
