// Sorting in WebAssembly: every method gives what the reference gives, down to the places of equal elements.
import { describe, expect, it } from 'vitest';
import { parseKernel } from '../../../kernels/parse.ts';
import { type DType, isFloat } from '../../../runtime/dtype.ts';
import { run } from '../run.ts';
import { runWasm } from './run.ts';

/** Many equal ones, both zeros, NaN of either sign, infinities; integers of either sign. */
function elements(dtype: DType, n: number): number[] {
  const special = [0, -0, Number.NaN, -Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-40, -1e-40];
  const random = (i: number): number => ((Math.imul(i + 1, 2654435761) >>> 0) % 2001) - 1000;
  if (isFloat(dtype))
    return Array.from({ length: n }, (_, i) => (i % 5 === 2 ? special[((i / 5) % 8) | 0]! : random(i) / (i % 2 ? 8 : 3e-3)));
  if (dtype === 'bool') return Array.from({ length: n }, (_, i) => random(i) & 1);
  return Array.from({ length: n }, (_, i) => (dtype === 'u8' ? random(i) & 255 : random(i) * (i % 3 ? 1 : 1_000_003)));
}

describe.each(['f32', 'f64', 'i32', 'i64', 'u8', 'bool'] as const)('of %s', (dtype) => {
  it.each([
    ['few elements', 3, 7, 1, -1],
    ['many', 2, 300, 1, -1],
    ['columns', 2, 70, 3, -1],
    ['the first of many', 3, 203, 1, 8],
    ['the first of columns', 1, 150, 2, 5],
    ['the first half', 1, 100, 1, 50],
    ['one of few', 2, 9, 1, 1],
    ['single ones', 4, 1, 1, -1],
    ['a single row, shared scratch', 1, 5000, 1, -1],
  ])('%s', (_, outer, extent, inner, k) => {
    const kept = k < 0 ? extent : k;
    for (const descending of [0, 1]) {
      for (const order of ['i64', 'i32']) {
        const kernel = parseKernel(`
          kernel @k(x: read ${dtype}[${outer * extent * inner}], y: write ${dtype}[${outer * kept * inner}], z: write ${order}[${outer * kept * inner}]) {
            library sort(x, y, z) extents(${outer}, ${extent}, ${inner}) flags(${descending}, ${k})
          }
        `);
        const x = elements(dtype, outer * extent * inner);
        const expected = run(kernel, { x });
        const { y, z } = runWasm(kernel, { x });
        expect(z).toEqual(expected.z);
        expect(y).toEqual(expected.y);
      }
    }
  });
});

it('nothing is sorted into nothing', () => {
  const kernel = parseKernel(`
    kernel @k(x: read f32[0], y: write f32[0], z: write i64[0]) {
      library sort(x, y, z) extents(3, 0, 1) flags(0, -1)
    }
  `);
  expect(runWasm(kernel).y).toHaveLength(0);
});
