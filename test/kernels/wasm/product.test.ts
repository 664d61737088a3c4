// Micro-kernels: every tile gives the same bits, those of the sum in its order, and writes nothing beyond its last column.
import { describe, expect, it } from 'vitest';
import { buildModule } from '../../../kernels/wasm/binary.ts';
import { type ProductShape, productFunction } from '../../../kernels/wasm/product.ts';
import { newUnit } from '../../../kernels/wasm/unit.ts';
import { wasmNumerics } from '../../../runtime/wasm/features.ts';

const depth = 7;
const classes = [false, ...(wasmNumerics() === 'madd' ? [true] : [])];
const untouched = 77;

type Given = Omit<ProductShape, 'dtype' | 'depth'> & { readonly dtype?: ProductShape['dtype'] };

/** Runs one micro-kernel on numbers that do not round alike in every order. The result's rows lie `c.row` apart. */
function run(
  given: Given,
  fused: boolean,
): { readonly c: number[]; readonly a: (k: number, r: number) => number; readonly b: (k: number, j: number) => number } {
  const shape = { dtype: 'f32', depth, ...given } as const;
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array };
  const all = new arrays[shape.dtype](memory.buffer);
  const bytes = all.BYTES_PER_ELEMENT;
  const [a, b, c] = [64, 1024, 2048];
  for (let i = 0; i < 1900; i++) all[i] = shape.dtype === 'i32' ? (i * 7919) % 100_003 : Math.sin(i * 12.9898) * 43.7;
  all.fill(untouched, c);
  const module = buildModule();
  module.importMemory('env', 'memory', { min: 1, max: 1, shared: false });
  module.exportFunction('run', productFunction(newUnit(module, fused), shape));
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(module.finish().binary), { env: { memory } }).exports;
  const before = Array.from(all);
  (run as (...args: number[]) => void)(a * bytes, b * bytes, c * bytes, depth);
  return {
    c: Array.from(all.subarray(c, c + 400)),
    a: (k, r) => before[a + k * shape.a.k + r * shape.a.row]!,
    b: (k, j) => before[b + k * shape.b.k + j]!,
  };
}

/** The sum with each product and each sum rounded. */
function expected(dtype: ProductShape['dtype'], from: number, a: readonly number[], b: readonly number[]): number {
  let sum = from;
  for (const [k, x] of a.entries()) {
    if (dtype === 'f32') sum = Math.fround(sum + Math.fround(x * b[k]!));
    else if (dtype === 'f64') sum += x * b[k]!;
    else sum = (sum + Math.imul(x, b[k]!)) | 0;
  }
  return sum;
}

const ks = Array.from({ length: depth }, (_, k) => k);
const tileOf = (rows: number, columns: number, spread: 'load' | 'shuffle' = 'load', from: 'zero' | 'c' = 'zero'): Given => ({
  rows,
  columns,
  from,
  a: { k: rows, row: 1, spread },
  b: { k: columns },
  c: { row: 24 },
});

describe('micro-kernels', () => {
  it.each(['f32', 'f64', 'i32'] as const)('of %s sum along k in order, and store no more than their columns', (dtype) => {
    for (const from of ['zero', 'c'] as const) {
      for (const rows of [1, 2, 5]) {
        for (const columns of [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 22]) {
          const { a, b, c } = run({ ...tileOf(rows, columns, 'load', from), dtype }, false);
          const sums = c.map((_, i) => {
            const [r, j] = [Math.floor(i / 24), i % 24];
            if (r >= rows || j >= columns) return untouched;
            return expected(
              dtype,
              from === 'c' ? untouched : 0,
              ks.map((k) => a(k, r)),
              ks.map((k) => b(k, j)),
            );
          });
          expect(c, `${rows}x${columns}`).toEqual(sums);
        }
      }
    }
  });

  it.each(classes)('give the same bits whatever the tile (fused: %s)', (fused) => {
    const sums = (given: Given): number[][] => {
      const { c } = run({ ...given, a: { ...given.a, k: 6 }, b: { k: 16 } }, fused);
      return Array.from({ length: Math.min(given.rows, 2) }, (_, r) => c.slice(r * 24, r * 24 + 8));
    };
    const first = sums(tileOf(2, 16));
    for (const tile of [tileOf(5, 8, 'shuffle'), tileOf(6, 8), tileOf(4, 8, 'shuffle'), tileOf(3, 12), tileOf(2, 8), tileOf(2, 20)])
      expect(sums(tile)).toEqual(first);
  });

  it('read rows that lie apart', () => {
    const { a, b, c } = run(
      { rows: 4, columns: 8, from: 'zero', a: { k: 1, row: 30, spread: 'load' }, b: { k: 20 }, c: { row: 9 } },
      false,
    );
    expect(c[3 * 9 + 5]).toBe(
      expected(
        'f32',
        0,
        ks.map((k) => a(k, 3)),
        ks.map((k) => b(k, 5)),
      ),
    );
  });

  it('are shared by products of one shape', () => {
    const unit = newUnit(buildModule(), false);
    const shape: ProductShape = { ...tileOf(5, 8, 'shuffle'), dtype: 'f32', depth };
    expect(productFunction(unit, shape)).toBe(productFunction(unit, { ...shape }));
    expect(productFunction(unit, shape)).not.toBe(productFunction(unit, { ...shape, from: 'c' }));
  });
});
