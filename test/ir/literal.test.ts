import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { literalBigInt, literalNumber, literalOf, literalText, parseLiteral } from '../../compiler/ir/literal.ts';
import { bytesPerElement, type DType, dtypes } from '../../runtime/dtype.ts';
import { runs } from '../effort.ts';

const bitsOf = (dtype: DType): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: 0n, max: dtype === 'bool' ? 1n : (1n << BigInt(8 * bytesPerElement[dtype])) - 1n });

test.each(dtypes)('every bit pattern of %s prints and reads back', (dtype) => {
  fc.assert(
    fc.property(bitsOf(dtype), (bits) => {
      expect(parseLiteral(literalText({ dtype, bits }))).toEqual({ dtype, bits });
    }),
    { numRuns: runs(1000) },
  );
});

test('texts are the shortest that read back', () => {
  const texts = [
    literalOf(0.1, 'f32'),
    literalOf(0.1, 'f64'),
    literalOf(0.1, 'f16'),
    literalOf(1 / 3, 'f32'),
    literalOf(2 ** 24 + 2, 'f32'),
    literalOf(1e-45, 'f32'),
  ];
  expect(texts.map(literalText)).toEqual(['f32 0.1', 'f64 0.1', 'f16 0.1', 'f32 0.33333334', 'f32 16777218', 'f32 1e-45']);
  const special = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -0, 0].map((v) => literalText(literalOf(v, 'f32')));
  expect(special).toEqual(['f32 Infinity', 'f32 -Infinity', 'f32 0x7fc00000', 'f32 -0', 'f32 0']);
  expect([literalOf(true, 'bool'), literalOf(-1, 'i32'), literalOf(255, 'u8'), literalOf(-(2n ** 63n), 'i64')].map(literalText)).toEqual([
    'bool true',
    'i32 -1',
    'u8 255',
    'i64 -9223372036854775808',
  ]);
});

test('integers wrap, and fractions are cut', () => {
  expect(literalNumber(literalOf(300, 'u8'))).toBe(44);
  expect(literalNumber(literalOf(2 ** 31, 'i32'))).toBe(-(2 ** 31));
  expect(literalBigInt(literalOf(2n ** 63n, 'i64'))).toBe(-(2n ** 63n));
  expect(literalNumber(literalOf(-1.9, 'i32'))).toBe(-1);
});

describe('half precision', () => {
  const value = (bits: number): number => literalNumber({ dtype: 'f16', bits: BigInt(bits) });
  const finite = Array.from({ length: 0x7c00 }, (_, bits) => value(bits));

  test('every value is its own nearest half', () => {
    expect(finite.findIndex((v, bits) => literalOf(v, 'f16').bits !== BigInt(bits))).toBe(-1);
    expect(finite.findIndex((v, bits) => literalOf(-v, 'f16').bits !== BigInt(bits + 0x8000))).toBe(-1);
    expect(finite.every((v, i) => i === 0 || v > finite[i - 1]!)).toBe(true);
  });

  test('numbers between two halves go to the nearer, ties to the even one', () => {
    const wrong = finite.slice(1).findIndex((high, i) => {
      const low = finite[i]!;
      const middle = (low + high) / 2;
      const toEven = BigInt(i % 2 === 0 ? i : i + 1);
      const bits = [middle - (high - low) / 64, middle, middle + (high - low) / 64].map((v) => literalOf(v, 'f16').bits);
      return bits[0] !== BigInt(i) || bits[1] !== toEven || bits[2] !== BigInt(i + 1);
    });
    expect(wrong).toBe(-1);
  });

  test('what is too large is infinite, what is too small zero', () => {
    expect([65519, 65520, 1e10, -65520, 2 ** -25, 2 ** -25 * 1.01].map((v) => literalNumber(literalOf(v, 'f16')))).toEqual([
      65504,
      Infinity,
      Infinity,
      -Infinity,
      0,
      2 ** -24,
    ]);
  });
});
