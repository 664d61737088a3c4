import { describe, expect, it } from 'vitest';
import { literal } from '../../../kernels/literal.ts';
import type { Expr, Kernel } from '../../../kernels/loop.ts';
import { axis } from '../../../kernels/position.ts';
import { erf, type ScalarName, scalar, scalarNames } from '../../../kernels/scalar.ts';
import type { DType } from '../../../runtime/dtype.ts';
import { Refused, run } from '../run.ts';

type Operand = { readonly dtype: DType; readonly values: readonly number[] };

/** A kernel that applies `value` to operands a, b, c element by element. */
function apply(operands: readonly Operand[], result: DType, value: (args: readonly Expr[]) => Expr): (number | bigint)[] {
  const length = operands[0]!.values.length;
  const params = operands.map((o, i) => ({ name: 'abc'[i]!, dtype: o.dtype, access: 'read' as const, length }));
  const args = params.map((p): Expr => ({ kind: 'load', dtype: p.dtype, buffer: p.name, at: axis('i') }));
  const kernel: Kernel = {
    name: 'apply',
    params: [...params, { name: 'y', dtype: result, access: 'write', length }],
    slots: [],
    comment: [],
    body: [
      {
        kind: 'loop',
        axis: 'i',
        extent: length,
        mode: 'par',
        body: [
          { kind: 'let', name: 't', value: value(args) },
          { kind: 'store', buffer: 'y', at: axis('i'), value: { kind: 'ref', dtype: result, name: 't' } },
        ],
      },
    ],
  };
  return Array.from<number | bigint>(run(kernel, Object.fromEntries(operands.map((o, i) => ['abc'[i]!, o.values]))).y as Float64Array);
}

const resultOf = (fn: ScalarName, dtype: DType): DType => (['compare', 'logical'].includes(scalar[fn].dtype) ? 'bool' : dtype);
const call =
  (fn: ScalarName, dtype: DType) =>
  (args: readonly Expr[]): Expr => ({ kind: 'call', dtype, fn, args });
const meaning = (fn: ScalarName, args: readonly number[]): number => (scalar[fn].f64 as (...x: number[]) => number)(...args);

const floats = [0, -0, 1, -1, 0.5, -2.5, 3, Infinity, -Infinity, NaN, 1e-40, -3.4e38];
const wideFloats = [...floats.slice(0, 10), 5e-324, -1.7e308];
const specials: Readonly<Record<Exclude<DType, 'f16'>, readonly number[]>> = {
  f32: floats.map(Math.fround),
  f64: wideFloats,
  i32: [0, 1, -1, 2, -2, 3, 7, -7, 31, 2 ** 31 - 1, -(2 ** 31), 1 << 16],
  // i64 within the integers that its float64 meaning has exactly.
  i64: [0, 1, -1, 2, -2, 3, 7, -7, 31, 2 ** 20, -(2 ** 25), 12345],
  u8: [0, 1, 2, 3, 5, 7, 31, 64, 127, 128, 254, 255],
  bool: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1],
};
const pairs = (values: readonly number[]): readonly [number[], number[]] => [
  values.flatMap((v) => values.map(() => v)),
  values.flatMap(() => [...values]),
];

const takes = (fn: ScalarName, dtype: DType): boolean => {
  const isFloat = dtype === 'f32' || dtype === 'f64';
  switch (scalar[fn].dtype) {
    case 'same':
      return dtype !== 'bool';
    case 'float':
      return isFloat;
    case 'compare':
      return true;
    case 'logical':
      return dtype === 'bool';
    case 'bits':
      return !isFloat && fn !== 'threefry';
    case 'select':
      return false;
  }
};

/** What the float64 meaning is in a dtype: rounded, wrapped, or exact by BigInt where float64 is too narrow. */
function expected(fn: ScalarName, dtype: DType, args: readonly number[]): number | bigint {
  const isLogical = ['compare', 'logical'].includes(scalar[fn].dtype);
  const [x = 0, y = 0] = args;
  if (fn === 'mul' && dtype === 'i32') return Number(BigInt.asIntN(32, BigInt(x) * BigInt(y)));
  if (fn === 'mul' && dtype === 'i64') return BigInt(x) * BigInt(y);
  if (dtype === 'i64' && !isLogical && scalar[fn].dtype === 'bits') {
    const [a, b] = [BigInt(x), BigInt(y)];
    const bits = { bitAnd: a & b, bitOr: a | b, bitXor: a ^ b, bitNot: ~a, shl: a << (b & 63n), shr: a >> (b & 63n) };
    return BigInt.asIntN(64, bits[fn as keyof typeof bits]);
  }
  if (fn === 'pow' && dtype !== 'f32' && dtype !== 'f64') {
    const power = y >= 0 ? BigInt(x) ** BigInt(Math.min(y, 300)) : x === 1 ? 1n : x === -1 ? (y % 2 === 0 ? 1n : -1n) : 0n;
    return dtype === 'i64' ? BigInt.asIntN(64, power) : Number(dtype === 'u8' ? BigInt.asUintN(8, power) : BigInt.asIntN(32, power));
  }
  const value = meaning(fn, args);
  if (fn === 'bitNot' && dtype === 'bool') return 1 - x;
  if (isLogical) return value;
  switch (dtype) {
    case 'f32':
      return Math.fround(value);
    case 'f64':
      return value;
    case 'i32':
      return Math.trunc(value) | 0;
    case 'i64':
      return BigInt(Math.trunc(value));
    case 'u8':
      return value & 255;
    case 'bool':
      return value & 1;
    case 'f16':
      throw new Error('f16 is not printed');
  }
}

const integerDivision = new Set<ScalarName>(['floorDiv', 'rem', 'fmod']);
/** Powers with exponents beyond 300 wrap in ways that the reference above does not follow. */
const within = (fn: ScalarName, dtype: DType, y: number): boolean =>
  dtype === 'f32' || dtype === 'f64' || ((fn !== 'pow' || y <= 300) && !(integerDivision.has(fn) && y === 0));

describe.each(['f32', 'f64', 'i32', 'i64', 'u8', 'bool'] as const)('binary functions of %s', (dtype) => {
  it.each(scalarNames.filter((fn) => scalar[fn].arity === 2 && takes(fn, dtype)))(
    '%s means on special values what its float64 meaning says',
    (fn) => {
      const [xs, ys] = pairs(specials[dtype]);
      const kept = xs.map((x, i) => [x, ys[i]!] as const).filter(([, y]) => within(fn, dtype, y));
      const [a, b] = [kept.map(([x]) => x), kept.map(([, y]) => y)];
      const result = resultOf(fn, dtype);
      const actual = apply(
        [
          { dtype, values: a },
          { dtype, values: b },
        ],
        result,
        call(fn, result),
      );
      kept.forEach((pair, i) => {
        const wanted = expected(fn, dtype, pair);
        const isInteger = dtype !== 'f32' && dtype !== 'f64';
        const got = isInteger && typeof wanted === 'number' ? Number(actual[i]) + 0 : actual[i];
        expect([fn, ...pair, got]).toEqual([fn, ...pair, typeof wanted === 'number' && isInteger ? wanted + 0 : wanted]);
      });
    },
  );
});

describe.each(['f32', 'f64', 'i32', 'i64', 'u8', 'bool'] as const)('unary functions of %s', (dtype) => {
  it.each(scalarNames.filter((fn) => scalar[fn].arity === 1 && takes(fn, dtype)))(
    '%s means on special values what its float64 meaning says',
    (fn) => {
      const values = [...new Set(specials[dtype])];
      const result = resultOf(fn, dtype);
      const actual = apply([{ dtype, values }], result, call(fn, result));
      values.forEach((x, i) => {
        const wanted = expected(fn, dtype, [x]);
        const [got, want] = [Number(actual[i]), Number(wanted)];
        // erf is another formula than the reference's series.
        if (fn === 'erf') expect(Math.abs(got - want) <= 1e-15 * Math.abs(want) || Object.is(got, want)).toBe(true);
        else
          expect([fn, x, dtype === 'f32' || dtype === 'f64' ? got : got + 0]).toEqual([
            fn,
            x,
            dtype === 'f32' || dtype === 'f64' ? want : want + 0,
          ]);
      });
    },
  );
});

describe('select', () => {
  it.each(['f32', 'i64', 'bool'] as const)('takes one of two %s', (dtype) => {
    const actual = apply(
      [
        { dtype: 'bool', values: [0, 1] },
        { dtype, values: [1, 1] },
        { dtype, values: [0, 0] },
      ],
      dtype,
      call('select', dtype),
    );
    expect(actual.map(Number)).toEqual([0, 1]);
  });
});

describe('integer division by zero', () => {
  it.each(['i32', 'i64', 'u8'] as const)('is refused for %s', (dtype) => {
    for (const fn of integerDivision) {
      expect(() =>
        apply(
          [
            { dtype, values: [7] },
            { dtype, values: [0] },
          ],
          dtype,
          call(fn, dtype),
        ),
      ).toThrow(new Refused('division by zero'));
    }
  });
});

describe('threefry', () => {
  it('wraps to the width of other integers', () => {
    const word = scalar.threefry.f64(1, 2, 3);
    const draw = (dtype: DType, values: readonly number[]): number =>
      Number(
        apply(
          values.map((v) => ({ dtype, values: [v] })),
          dtype,
          call('threefry', dtype),
        )[0],
      );
    expect(draw('i64', [1, 2, 3])).toBe(word);
    expect(draw('i64', [2 ** 32 + 1, 2, 3])).toBe(word);
    expect(draw('u8', [1, 2, 3])).toBe(word & 255);
    expect(draw('bool', [1, 0, 1])).toBe(scalar.threefry.f64(1, 0, 1) & 1);
  });

  it('draws the bits that the reference draws', () => {
    const [keys, streams, indices] = [
      [0, 1, -1, 123456789],
      [0, 2, 7, -5],
      [0, 3, 1 << 30, 99],
    ];
    const operands = [keys!, streams!, indices!].map((values) => ({ dtype: 'i32' as const, values }));
    expect(apply(operands, 'i32', call('threefry', 'i32'))).toEqual(
      keys!.map((k, i) => scalar.threefry.f64(k, streams![i]!, indices![i]!)),
    );
  });
});

describe('accuracy of float32 functions over the whole range', () => {
  /** Every 65 537th bit pattern, and its neighbours around the places where functions turn. */
  const samples = (() => {
    const bits = new Uint32Array(66_000);
    let n = 0;
    for (let b = 0; b < 2 ** 32 && n < 65_500; b += 65_537) bits[n++] = b;
    for (const centre of [0, 1, -1, 1e-6, 88.72, -87.3, -103.9, 1e7, 0.99999, 2 ** 31, 9, 0.55]) {
      const at = new Uint32Array(Float32Array.of(centre).buffer)[0]!;
      for (let d = -20; d <= 20; d++) bits[n++] = at + d;
    }
    return Array.from(new Float32Array(bits.buffer, 0, n));
  })();
  const spacing = (v: number): number => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(v)))) - 23);

  it.each(scalarNames.filter((fn) => scalar[fn].dtype === 'float' && scalar[fn].arity === 1))(
    '%s is the float64 function rounded once',
    (fn) => {
      const actual = apply([{ dtype: 'f32', values: samples }], 'f32', call(fn, 'f32'));
      samples.forEach((x, i) => {
        const wanted = meaning(fn, [x]);
        const got = actual[i] as number;
        const isClose = Object.is(got, Math.fround(wanted)) || Math.abs(got - wanted) <= 0.5000001 * spacing(wanted);
        if (!isClose) expect([fn, x, got]).toEqual([fn, x, Math.fround(wanted)]);
      });
      expect(actual).toHaveLength(samples.length);
    },
  );

  it('erf of float64 agrees with the series and with known values', () => {
    const known = [
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [1.2, 0.9103139782296353],
      [1.5, 0.9661051464753108],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
      [4.5, 0.9999999998033839],
      [-2.5, -0.999593047982555],
    ] as const;
    const at = apply([{ dtype: 'f64', values: known.map(([x]) => x) }], 'f64', call('erf', 'f64'));
    known.forEach(([, wanted], i) => {
      expect(Math.abs((at[i] as number) - wanted)).toBeLessThanOrEqual(2 ** -53);
    });
    const values = Array.from({ length: 4000 }, (_, i) => (i - 2000) / 300 + 1e-4);
    const actual = apply([{ dtype: 'f64', values }], 'f64', call('erf', 'f64'));
    values.forEach((x, i) => {
      expect(Math.abs((actual[i] as number) - erf(x))).toBeLessThanOrEqual(1e-15 * Math.abs(erf(x)));
    });
  });

  it.each([
    ['log', 0.99999, -1.0013631e-5],
    ['exp', 88.4, 2.46395552e38],
    ['tanh', 1e-6, 1e-6],
    ['sin', 1e7, 0.42054778],
  ] as const)('%s(%f) is not the answer that others shipped', (fn, x, wanted) => {
    const [got] = apply([{ dtype: 'f32', values: [x] }], 'f32', call(fn, 'f32'));
    expect(Math.abs((got as number) - wanted)).toBeLessThanOrEqual(1e-6 * Math.abs(wanted));
  });
});

describe('casts', () => {
  const cast = (from: DType, to: DType, values: readonly number[]): (number | bigint)[] =>
    apply([{ dtype: from, values }], to, ([x]) => ({ kind: 'cast', dtype: to, value: x! }));

  it('truncate floats to integers; NaN and what is out of range are documented', () => {
    expect(cast('f64', 'i32', [1.9, -1.9, 2 ** 31, NaN, Infinity])).toEqual([1, -1, -(2 ** 31), 0, 0]);
    expect(cast('f32', 'i64', [1.9, -1.9, 2 ** 40, NaN, -Infinity])).toEqual([1n, -1n, 2n ** 40n, 0n, 0n]);
    expect(cast('f64', 'u8', [-1, 300, 2.7])).toEqual([255, 44, 2]);
    expect(cast('i32', 'u8', [-1, 256])).toEqual([255, 0]);
    expect(cast('i64', 'i32', [2 ** 32 + 5, -1])).toEqual([5, -1]);
  });

  it('test for non-zero to bool, and give 0 and 1 back', () => {
    expect(cast('f32', 'bool', [0, -0, 0.5, NaN])).toEqual([0, 0, 1, 1]);
    expect(cast('i64', 'bool', [0, 7])).toEqual([0, 1]);
    expect(cast('bool', 'f32', [0, 1])).toEqual([0, 1]);
    expect(cast('bool', 'i64', [0, 1])).toEqual([0n, 1n]);
  });

  it('round integers to float32 once', () => {
    expect(cast('i32', 'f32', [16777217])).toEqual([16777216]);
    // 2^60 + 2^36 + 1 lies just above a tie of float32; through float64 it would become the tie and round down.
    const value = 2n ** 60n + 2n ** 36n + 1n;
    const [got] = apply([{ dtype: 'bool', values: [0] }], 'f32', () => ({ kind: 'cast', dtype: 'f32', value: literal(value, 'i64') }));
    expect(got).toBe(2 ** 60 + 2 ** 37);
    expect(apply([{ dtype: 'bool', values: [0] }], 'f32', () => ({ kind: 'cast', dtype: 'f32', value: literal(-value, 'i64') }))).toEqual([
      -(2 ** 60 + 2 ** 37),
    ]);
  });

  it('bitcast keeps the bits', () => {
    const bitcast = (from: DType, to: DType, values: readonly number[]): (number | bigint)[] =>
      apply([{ dtype: from, values }], to, ([x]) => ({ kind: 'bitcast', dtype: to, value: x! }));
    expect(bitcast('f32', 'i32', [1, -0])).toEqual([0x3f800000, -(2 ** 31)]);
    expect(bitcast('i32', 'f32', [0x40490fdb])).toEqual([Math.fround(Math.PI)]);
    expect(bitcast('f64', 'i64', [1])).toEqual([0x3ff0000000000000n]);
  });

  it('bitcast between bool and u8 keeps one bit', () => {
    const value = (from: DType, to: DType, values: readonly number[]): (number | bigint)[] =>
      apply([{ dtype: from, values }], to, ([x]) => ({ kind: 'bitcast', dtype: to, value: x! }));
    expect(value('bool', 'u8', [0, 1])).toEqual([0, 1]);
    expect(value('u8', 'bool', [0, 1, 254, 255])).toEqual([0, 1, 0, 1]);
  });

  it('refuse float16 by name', () => {
    expect(() => cast('f32', 'f16', [1])).toThrow(/no float16/);
  });
});

describe('wrap-around', () => {
  it('of i64 is exact', () => {
    const add = (a: bigint, b: bigint, fn: ScalarName = 'add'): (number | bigint)[] =>
      apply([{ dtype: 'bool', values: [0] }], 'i64', () => ({
        kind: 'call',
        dtype: 'i64',
        fn,
        args: [literal(a, 'i64'), literal(b, 'i64')],
      }));
    expect(add(2n ** 63n - 1n, 1n)).toEqual([-(2n ** 63n)]);
    expect(add(2n ** 62n, 2n, 'mul')).toEqual([-(2n ** 63n)]);
    expect(add(-(2n ** 63n), -1n, 'floorDiv')).toEqual([-(2n ** 63n)]);
    expect(add(3n, 40n, 'pow')).toEqual([BigInt.asIntN(64, 3n ** 40n)]);
  });
});
