// Reductions at the edges of floating point and of shapes, and how far long sums may drift.
import { describe, expect, test } from 'vitest';
import { b } from '../../compiler/ir/builder.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { dataFor } from '../graph-data.ts';
import { expectClose } from '../meaning.ts';
import { run } from '../run-program.ts';

const reduce = (
  op: 'sum' | 'amax' | 'amin' | 'argmax' | 'argmin',
  data: TypedArray,
  dtype: DType,
  shape: readonly number[],
  axis: number,
): TypedArray => {
  const x = b.input({ dtype, shape });
  const y = op === 'argmax' || op === 'argmin' ? b[op](x, { axis }) : b[op](x, { axes: [axis] });
  return load(compileGraph({ inputs: [x], outputs: [y] }, jsTarget)).run([data], new Float64Array())[0]!;
};

describe.each([
  ['along rows', 1],
  ['along columns', 0],
] as const)('%s', (_, axis) => {
  /** Rows of `of`, laid out so that each is reduced. */
  const laid = (rows: readonly (readonly number[])[]): { data: Float32Array; shape: readonly number[] } => {
    const [n, m] = [rows.length, rows[0]!.length];
    if (axis === 1) return { data: Float32Array.from(rows.flat()), shape: [n, m] };
    return { data: Float32Array.from({ length: n * m }, (_, i) => rows[i % n]![Math.floor(i / n)]!), shape: [m, n] };
  };
  const inf = Number.POSITIVE_INFINITY;
  const { data, shape } = laid([
    [1, 3, 3, 2],
    [Number.NaN, 5, Number.NaN, 9],
    [-inf, -inf, -inf, -inf],
    [0, -0, 0, -0],
  ]);

  test('the first of the largest is found, and the first NaN before all', () => {
    expect(reduce('argmax', data, 'f32', shape, axis)).toEqual(BigInt64Array.of(1n, 0n, 0n, 0n));
    expect(reduce('argmin', data, 'f32', shape, axis)).toEqual(BigInt64Array.of(0n, 0n, 0n, 0n));
  });

  test('extrema hand NaN on', () => {
    expect(reduce('amax', data, 'f32', shape, axis)).toEqual(Float32Array.of(3, Number.NaN, -inf, 0));
    expect(reduce('amin', data, 'f32', shape, axis)).toEqual(Float32Array.of(1, Number.NaN, -inf, -0));
  });

  test('the largest of negative integers is not the start of the search', () => {
    const shapeOf = axis === 1 ? [1, 3] : [3, 1];
    expect(reduce('amax', Int32Array.of(-5, -3, -4), 'i32', shapeOf, axis)).toEqual(Int32Array.of(-3));
    expect(reduce('argmax', BigInt64Array.of(-5n, -3n, -4n), 'i64', shapeOf, axis)).toEqual(BigInt64Array.of(1n));
  });
});

test('a long float32 sum is as exact as its result', () => {
  const n = 1 << 20;
  const [sum] = reduce('sum', new Float32Array(n).fill(0.1), 'f32', [n], 0);
  expect(sum).toBe(Math.fround(n * Math.fround(0.1)));
});

test('a long float64 sum drifts by at most two square roots of its length in roundings', () => {
  const n = 1 << 20;
  const data = Float64Array.from({ length: n }, (_, i) => 1 / (i + 1));
  // Summed from the small end with compensation: the reference.
  let [sum, lost] = [0, 0];
  for (let i = n - 1; i >= 0; i--) {
    const next = sum + (data[i]! + lost);
    lost = data[i]! + lost - (next - sum);
    sum = next;
  }
  const [actual] = reduce('sum', data, 'f64', [n], 0) as Float64Array;
  expect(Math.abs(actual! - sum)).toBeLessThanOrEqual(2 * Math.sqrt(n) * 2 ** -53 * sum);
});

test.each([
  ['columns in blocks', [5, 100], [0]],
  ['columns between rows', [3, 40, 5, 50], [0, 2]],
  ['rows inside of columns', [4, 3, 6], [1]],
  ['everything', [20, 30], [0, 1]],
  ['axes of one element', [1, 7, 1], [0, 2]],
] as const)('softmax over %s agrees with its meaning, with much scratch and with little', (_, shape, axes) => {
  const x = b.input({ dtype: 'f64', shape });
  const spread = (v: Parameters<typeof b.exp>[0]) => b.expand(v, { shape, at: axes });
  const e = b.exp(b.sub(x, spread(b.amax(x, { axes }))));
  const total = b.sum(e, { axes });
  const y = b.div(e, spread(b.add(total, b.log(total))));
  const graph = { inputs: [x], outputs: [y, total] };
  const data = dataFor(graph);
  for (const maxScratchBytes of [1 << 20, 3000, 600, 100])
    expectClose(run(graph, data, { ...jsTarget, maxScratchBytes }), evaluate(graph, data));
});

test.each([[[1 << 20]], [[1024, 1024]], [[1 << 14, 64]], [[64, 1 << 14]], [[3, 5, 70_000]]])(
  'a long float32 sum over all of %j in lanes errs by less than a millionth',
  (shape) => {
    const x = b.input({ dtype: 'f32', shape });
    const y = b.sum(x, { axes: shape.map((_, d) => d) });
    const n = shape.reduce((p, d) => p * d, 1);
    const [sum] = load(compileGraph({ inputs: [x], outputs: [y] }, wasmTarget('mul+add'))).run(
      [new Float32Array(n).fill(0.1)],
      new Float64Array(),
    )[0] as Float32Array;
    expect(Math.abs(sum! / (n * Math.fround(0.1)) - 1)).toBeLessThan(1e-6);
  },
);
