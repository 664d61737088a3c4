// The lexical forms of MLIR: what must be exact, and what must not be taken for JSON.
import { expect, test } from 'vitest';
import { literalOf } from '../../compiler/ir/literal.ts';
import { constantText, locationSuffix, stringText, typeText } from '../../compiler/scale/stablehlo/text.ts';

test('floats stand as their bits, so that NaN, infinities and -0 survive', () => {
  const f32 = (x: number): string => constantText(literalOf(x, 'f32'));
  expect([1, -0, Number.NaN, Infinity, -Infinity, 0.1].map(f32)).toEqual([
    '0x3F800000',
    '0x80000000',
    '0x7FC00000',
    '0x7F800000',
    '0xFF800000',
    '0x3DCCCCCD',
  ]);
  expect(constantText(literalOf(1, 'f64'))).toBe('0x3FF0000000000000');
  expect(constantText(literalOf(1, 'f16'))).toBe('0x3C00');
});

test('integers and bools stand as they are, to the last bit', () => {
  expect(constantText(literalOf(-(2n ** 63n), 'i64'))).toBe('-9223372036854775808');
  expect(constantText(literalOf(-7, 'i32'))).toBe('-7');
  expect(constantText(literalOf(255, 'u8'))).toBe('255');
  expect(constantText(literalOf(true, 'bool'))).toBe('true');
});

test('what is not printable ASCII stands as bytes in hexadecimal', () => {
  expect(stringText('fc.weight')).toBe('"fc.weight"');
  expect(stringText('a"b\\c\n\u0007')).toBe('"a\\22b\\5Cc\\0A\\07"');
  expect(stringText('é🙂')).toBe('"\\C3\\A9\\F0\\9F\\99\\82"');
});

test('a place is a file with a line where it has one', () => {
  expect(locationSuffix('model.ts:14')).toBe(' loc("model.ts":14:0)');
  expect(locationSuffix('C:\\a b.ts:3')).toBe(' loc("C:\\5Ca b.ts":3:0)');
  expect(locationSuffix('somewhere')).toBe(' loc("somewhere")');
  expect(locationSuffix(undefined)).toBe('');
});

test('types are shape and element', () => {
  expect(typeText('f32', [2, 3])).toBe('tensor<2x3xf32>');
  expect(typeText('i1', [])).toBe('tensor<i1>');
  expect(typeText('ui8', [0])).toBe('tensor<0xui8>');
});
