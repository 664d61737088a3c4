// NaN, infinities, signed zeros, subnormals: every pair of twelve special values through every binary op, and orderings that must let NaN through.
import { describe, expect, it } from 'vitest';
import { fromTypedArray, tensor } from '../../compiler/frontend/creation.ts';
import '../../compiler/frontend/tensor.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { type ScalarName, scalar } from '../../kernels/scalar.ts';

const largest = 3.4028234663852886e38;
const special = [0, -0, 1, -1, 2.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, -1e-45, largest, -largest].map(
  Math.fround,
);
const pairs = special.flatMap((x) => special.map((y) => [x, y] as const));
const binary = {
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  div: 'div',
  floorDivide: 'floorDiv',
  remainder: 'rem',
  fmod: 'fmod',
  pow: 'pow',
  maximum: 'max',
  minimum: 'min',
  eq: 'eq',
  ne: 'ne',
  lt: 'lt',
  le: 'le',
} as const satisfies Readonly<Record<string, ScalarName>>;

const dtypes = [
  ['float32', (values: number[]) => Float32Array.from(values), Math.fround],
  ['float64', (values: number[]) => Float64Array.from(values), (v: number) => v],
] as const;

describe.each(dtypes)('in %s', (_, arrayOf, round) => {
  const column = (which: 0 | 1): Tensor => fromTypedArray(arrayOf(pairs.map((p) => p[which])), [pairs.length]);

  it.each(Object.entries(binary))('%s of every pair is what one number gives', (method, fn) => {
    const actual = column(0)[method as keyof typeof binary](column(1)).dataSync();
    const f = scalar[fn].f64 as (x: number, y: number) => number;
    pairs.forEach(([x, y], i) => {
      const expected = round(f(x, y));
      const same = Object.is(Number(actual[i]), expected) || Math.abs(Number(actual[i]) - expected) <= Math.abs(expected) * 2 ** -22;
      if (!same) expect.fail(`${method}(${x}, ${y}) is ${actual[i]}, not ${expected}`);
    });
  });
});

describe('NaN', () => {
  const x = tensor([1, Number.NaN, 3, Number.NEGATIVE_INFINITY]);

  it('wins every maximum and minimum', () => {
    for (const t of [x.amax(), x.amin(), x.max() as Tensor, x.min() as Tensor, x.maximum(5).index(1), tensor(5).minimum(x).index(1)])
      expect(t.itemSync()).toBeNaN();
    expect([x.argmax().itemSync(), x.argmin().itemSync()]).toEqual([1, 1]);
  });

  it('is sorted last, and first when descending', () => {
    expect(x.sort().values.tolistSync()).toEqual([Number.NEGATIVE_INFINITY, 1, 3, Number.NaN]);
    expect(x.sort(0, { descending: true }).values.tolistSync()).toEqual([Number.NaN, 3, 1, Number.NEGATIVE_INFINITY]);
    expect(x.topk(2).values.tolistSync()).toEqual([Number.NaN, 3]);
  });

  it('passes clamp and relu, and has no sign', () => {
    expect(x.clamp(0, 2).tolistSync()).toEqual([1, Number.NaN, 2, 0]);
    expect(x.relu().tolistSync()).toEqual([1, Number.NaN, 3, 0]);
    expect(x.sign().tolistSync()).toEqual([1, 0, 1, -1]);
    expect(Object.is(tensor([-0]).sign().itemSync(), 0)).toBe(true);
  });
});

describe('integers', () => {
  it.each(['int32', 'int64', 'uint8'] as const)('of %s are not divided by zero', (dtype) => {
    const [x, zero] = [tensor([1, 2], { dtype }), tensor([1, 0], { dtype })];
    for (const f of [
      () => x.floorDivide(zero),
      () => x.remainder(zero),
      () => x.fmod(zero),
      () => x.div(zero, { roundingMode: 'trunc' }),
      () => x.remainder(0),
    ])
      expect(() => f().dataSync()).toThrow(/division by zero/);
    expect(x.div(zero).tolistSync()).toEqual([1, Number.POSITIVE_INFINITY]);
  });
});
