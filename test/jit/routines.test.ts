// The library's routines over linear memory: found by a name that says their dtypes, and right wherever their buffers lie.
import { expect, test } from 'vitest';
import { routineOver } from '../../compiler/jit/routines.ts';
import { LinAlgError } from '../../runtime/errors.ts';
import { openMemory } from '../../runtime/wasm/memory.ts';

test('a sort over float32 with int64 positions', () => {
  const linear = openMemory(4);
  const [x, values, order] = [64, 128, 192];
  linear.views.f32.set([3, Number.NaN, 1, 2] as never, x / 4);
  routineOver('sort_f32_f32_i64', linear)!(x, values, order, 1, 4, 1, 0, -1);
  expect([...linear.views.f32.slice(values / 4, values / 4 + 4)]).toEqual([1, 2, 3, Number.NaN]);
  expect([...linear.views.i64.slice(order / 8, order / 8 + 4)]).toEqual([2n, 3n, 0n, 1n]);
});

test('a factorisation above 2 GiB, where addresses are negative numbers', () => {
  const linear = openMemory(65536);
  linear.heap.extend(2 ** 31 + 4096);
  const [x, factor] = [2 ** 31 + 64, 2 ** 31 + 128];
  linear.views.f64.set([4, 0, 2, 5] as never, x / 8);
  routineOver('cholesky_f64_f64', linear)!(x | 0, factor | 0, 1, 2);
  expect([...linear.views.f64.slice(factor / 8, factor / 8 + 4)]).toEqual([2, 0, 1, 2]);
});

test('what a routine cannot compute with is the error of linear algebra', () => {
  const linear = openMemory(4);
  expect(() => routineOver('cholesky_f32_f32', linear)!(64, 128, 1, 2)).toThrow(LinAlgError);
});

test('names that say no routine, or other buffers than it takes, are nobody’s', () => {
  const linear = openMemory(4);
  for (const name of ['sort', 'sort_f32', 'sort_f32_f32_i64_f32', 'sort_f32_f32_i65', 'shuffle_f32', ''])
    expect(routineOver(name, linear)).toBeUndefined();
});
