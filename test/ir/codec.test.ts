import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Codec,
  dims,
  dtype,
  flag,
  int,
  ints,
  oneOf,
  type Params,
  pairs,
  params,
  quote,
  text,
  unquote,
} from '../../compiler/ir/codec.ts';
import { dimMul, sym } from '../../compiler/ir/dim.ts';
import { IRError } from '../../runtime/errors.ts';

const anyInt = fc.maxSafeInteger();
const param = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.string(), fc.array(anyInt, { maxLength: 3 }));
const size = fc.constantFrom(0, 3, sym('n'), dimMul(2, sym('n')));

describe('what a codec prints it reads back as equal, with the same key', () => {
  const check = <T>(codec: Codec<T>, values: fc.Arbitrary<T>): void => {
    fc.assert(
      fc.property(values, (value) => {
        const again = codec.parse(codec.print(value));
        expect(codec.equal(again, value)).toBe(true);
        expect(codec.key(again)).toBe(codec.key(value));
        expect(codec.key(value)).toBe(codec.key(value) | 0);
        expect(codec.print(again)).toBe(codec.print(value));
      }),
    );
  };
  test('int', () => check(int, anyInt));
  test('ints', () => check(ints, fc.array(anyInt)));
  test('dims', () => check(dims, fc.array(size)));
  test('flag', () => check(flag, fc.boolean()));
  test('text', () => check(text, fc.string({ unit: 'binary' })));
  test('dtype', () => check(dtype, fc.constantFrom('f32', 'bool')));
  test('pairs', () => check(pairs, fc.array(fc.tuple(anyInt, anyInt))));
  test('params', () => check(params, fc.dictionary(fc.string(), param) as fc.Arbitrary<Params>));
});

describe('what a codec does not print it refuses', () => {
  const cases: readonly (readonly [string, Codec<unknown>, readonly string[]])[] = [
    ['int', int as Codec<unknown>, ['', 'x', '1.5', '1e3', '0x1', '9007199254740993', '--1']],
    ['ints', ints as Codec<unknown>, ['', '1', '[1', '1]', '[,]', '[1,,2]', '[1.5]', '[[1]]']],
    ['dims', dims as Codec<unknown>, ['n', '[n', '[+]', '[2**n]']],
    ['flag', flag as Codec<unknown>, ['', 'yes', 'True', '1']],
    ['text', text as Codec<unknown>, ['', 'a', '"', '"a', '"a""b"', '"\\x"', '"a\nb"', '1', 'null']],
    ['one of', oneOf('a', 'b') as Codec<unknown>, ['', 'c', 'A', 'constructor']],
    ['pairs', pairs as Codec<unknown>, ['', '[]', '[0]x[', '[0]x[1,2]', '[0]y[1]', '[0]x[1]x[2]']],
    ['params', params as Codec<unknown>, ['', '{', '[]', 'null', '1', '{"a":null}', '{"a":[1.5]}', '{"a":{}}', '{a:1}', '{"a":1e999}']],
  ];
  test.each(cases)('%s', (_, codec, texts) => {
    for (const t of texts) expect(() => codec.parse(t), JSON.stringify(t)).toThrow(IRError);
  });
});

test('options are a set of names: their order does not count, their values do', () => {
  expect(params.equal({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
  expect(params.key({ a: 1, b: 2 })).toBe(params.key({ b: 2, a: 1 }));
  expect(params.print({ b: [1, -2], a: -0 })).toBe('{"a":-0,"b":[1,-2]}');
  expect(params.equal({ a: 0 }, { a: -0 })).toBe(false);
});

test('an option that has no text is refused when it is first used', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, undefined, null, [0.5]])
    expect(() => params.key({ a: value } as Params)).toThrow(IRError);
});

test('quoted text has no line ends of any kind in it', () => {
  const hostile = 'a\n\r\u2028\u2029"\\';
  expect(quote(hostile)).not.toMatch(/[\n\r\u2028\u2029]/);
  expect(unquote(quote(hostile))).toBe(hostile);
});
