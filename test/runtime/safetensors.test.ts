// What is no safetensors file is refused by the rule that it breaks, before its data are read; everything else comes back as it was.
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../runtime/errors.ts';
import { elementsOf, readSafetensors, type StoredTensor, storedOf, writeSafetensors } from '../../runtime/safetensors.ts';

/** A file of this header text, with so many bytes of data; `claimed` is the length that it states. */
function fileOf(header: string | Uint8Array, data = 0, claimed?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + text.length + data);
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  file.set(text, 8);
  return file;
}
const tensor = (shape: string, begin: number | string, end: number | string, dtype = '"F32"'): string =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":[${begin},${end}]}`;

const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['an empty file', new Uint8Array(0), /has no header/],
  ['a length of 2^63', fileOf('{}', 0, 2n ** 63n), /claims 9223372036854775808 bytes, at most/],
  ['a length of 100 MB and one', fileOf('{}', 0, 100_000_001n), /at most 100000000/],
  ['a length past the end', fileOf('{}', 0, 3n), /claims 3 bytes, the file has 2/],
  ['a header that is no UTF-8', fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), /no UTF-8/],
  ['no brace', fileOf('[]'), /begin with '\{'/],
  ['a byte order mark', fileOf('\uFEFF{}'), /begin with '\{'/],
  ['JSON that does not end', fileOf('{"a":'), /no JSON/],
  ['a deep header', fileOf(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`), /not described by a record|no JSON/],
  ['a key twice', fileOf(`{"a":${tensor('[1]', 0, 4)},"a":${tensor('[1]', 0, 4)}}`, 4), /"a" stands twice/],
  ['a key twice, once escaped', fileOf(`{"a":${tensor('[1]', 0, 4)},"\\u0061":${tensor('[1]', 0, 4)}}`, 4), /"a" stands twice/],
  ['a field twice', fileOf('{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}}', 4), /"shape" stands twice/],
  ['an overlap', fileOf(`{"a":${tensor('[2]', 0, 8)},"b":${tensor('[2]', 4, 12)}}`, 12), /"b" overlaps the one before it by 4/],
  ['a hole', fileOf(`{"a":${tensor('[1]', 0, 4)},"b":${tensor('[1]', 8, 12)}}`, 12), /hole of 4 bytes before tensor "b"/],
  ['a hole at the start', fileOf(`{"a":${tensor('[1]', 4, 8)}}`, 8), /hole of 4 bytes/],
  ['an end before its begin', fileOf(`{"a":${tensor('[1]', 4, 0)}}`, 4), /ends at 0, before it begins at 4/],
  ['a negative offset', fileOf(`{"a":${tensor('[1]', -4, 0)}}`, 4), /data_offsets are not two sizes/],
  ['a negative size', fileOf(`{"a":${tensor('[-1]', 0, 4)}}`, 4), /shape is no list of sizes/],
  ['a fraction', fileOf(`{"a":${tensor('[1.5]', 0, 6)}}`, 6), /shape is no list of sizes/],
  ['1e300', fileOf(`{"a":${tensor('[1e300]', 0, 4)}}`, 4), /shape is no list of sizes/],
  ['a product that wraps to 4', fileOf(`{"a":${tensor('[4194305,4194305,211106198978564]', 0, 16)}}`, 16), /overflows/],
  ['a product that overflows before a 0', fileOf(`{"a":${tensor('[4194305,4194305,211106198978564,0]', 0, 0)}}`), /overflows/],
  ['bytes behind the last tensor', fileOf(`{"a":${tensor('[1]', 0, 4)}}`, 5), /1 bytes stand behind the last tensor/],
  ['an unknown dtype', fileOf(`{"a":${tensor('[1]', 0, 4, '"F33"')}}`, 4), /dtype "F33" is unknown/],
  ['a dtype of the prototype', fileOf(`{"a":${tensor('[1]', 0, 4, '"constructor"')}}`, 4), /dtype "constructor" is unknown/],
  ['a shape that does not fit its bytes', fileOf(`{"a":${tensor('[3]', 0, 4)}}`, 4), /takes 12 bytes, its data_offsets span 4/],
  ['a tensor past the end', fileOf(`{"a":${tensor('[2]', 0, 8)}}`, 4), /ends at 8 of 4 bytes/],
  ['metadata of numbers', fileOf('{"__metadata__":{"a":1}}'), /metadata are no texts/],
  ['a tensor that is a number', fileOf('{"a":1}'), /not described by a record/],
];

const sample = (): Uint8Array =>
  writeSafetensors(
    [
      ['fc.weight', storedOf('f32', [2, 3], Float32Array.of(1, -2, 3, 4.5, NaN, -0))],
      ['__proto__', storedOf('u8', [3], Uint8Array.of(1, 2, 3))],
      ['steps', storedOf('i64', [], BigInt64Array.of(-7n))],
      ['none', storedOf('f64', [0, 2], new Float64Array(0))],
      ['q', { dtype: 'I8', shape: [2], data: Uint8Array.of(255, 1) }],
    ],
    [['format', 'pt']],
  );

describe('a hostile file', () => {
  test.each(refused)('%s is refused', (_, file, message) => {
    expect(() => readSafetensors(file)).toThrow(FormatError);
    expect(() => readSafetensors(file)).toThrow(message);
    expect(() => readSafetensors(file)).toThrow(/\(byte \d+\)/);
  });

  test('is refused at whichever of its first 200 bytes it is cut off', () => {
    const file = sample();
    for (let n = 0; n < 200; n++) expect(() => readSafetensors(file.subarray(0, n))).toThrow(FormatError);
  });

  test('of 100 000 entries is read by one pass', () => {
    const file = fileOf(`{${Array.from({ length: 100_000 }, (_, i) => `"t${i}":${tensor('[1]', 4 * i, 4 * i + 4)}`).join()}}`, 400_000);
    expect(readSafetensors(file).tensors.size).toBe(100_000);
  });

  test('with any byte changed gives tensors or FormatError, and nothing else', () => {
    const file = sample();
    for (let at = 0; at < file.length; at++)
      for (const flip of [0x01, 0x20, 0x80]) {
        const damaged = file.slice();
        damaged[at]! ^= flip;
        try {
          for (const { dtype, shape, data } of readSafetensors(damaged).tensors.values()) {
            expect(data.length % shape.reduce((n, d) => n * d, 1) || 0, dtype).toBe(0);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }
  });

  test('names the byte at which its entry stands', () => {
    const file = fileOf(`{"ä":${tensor('[1]', 0, 4)},"b":${tensor('[1]', 0, 3)}}`, 4);
    const error = thrown(() => readSafetensors(file)) as FormatError;
    const text = new TextDecoder('latin1').decode(file);
    expect(error.offset).toBe(text.indexOf('"b"'));
  });
});

test('what is written is read back, whatever its keys are', () => {
  const { tensors, metadata } = readSafetensors(sample());
  expect([...metadata]).toEqual([['format', 'pt']]);
  expect([...tensors.keys()].sort()).toEqual(['__proto__', 'fc.weight', 'none', 'q', 'steps']);
  expect(elementsOf(tensors.get('fc.weight')!)).toEqual({ dtype: 'f32', elements: Float32Array.of(1, -2, 3, 4.5, NaN, -0) });
  expect(elementsOf(tensors.get('__proto__')!)).toEqual({ dtype: 'u8', elements: Uint8Array.of(1, 2, 3) });
  expect(elementsOf(tensors.get('steps')!)).toEqual({ dtype: 'i64', elements: BigInt64Array.of(-7n) });
  expect(elementsOf(tensors.get('q')!)).toBeUndefined();
  expect(tensors.get('none')!.shape).toEqual([0, 2]);
});

test('elements come out right from a file that lies anywhere in memory', () => {
  const file = sample();
  const shifted = new Uint8Array(file.length + 3).subarray(3);
  shifted.set(file);
  expect(elementsOf(readSafetensors(shifted).tensors.get('steps')!)!.elements).toEqual(BigInt64Array.of(-7n));
  // A slice of Node's Buffer shares its memory, where that of an array is a copy.
  const buffer = Buffer.from(shifted.buffer, shifted.byteOffset, shifted.length);
  expect(elementsOf(readSafetensors(buffer).tensors.get('steps')!)!.elements).toEqual(BigInt64Array.of(-7n));
});

test('tensors of no elements may share an offset', () => {
  const file = fileOf(`{"a":${tensor('[0]', 0, 0)},"b":${tensor('[1]', 0, 4)},"c":${tensor('[0,3]', 0, 0)},"d":${tensor('[0]', 4, 4)}}`, 4);
  expect([...readSafetensors(file).tensors.keys()]).toEqual(['a', 'b', 'c', 'd']);
});

test('what cannot be read back is not written', () => {
  const one: StoredTensor = { dtype: 'U8', shape: [1], data: Uint8Array.of(1) };
  expect(() =>
    writeSafetensors([
      ['a', one],
      ['a', one],
    ]),
  ).toThrow(/"a" cannot be used twice/);
  expect(() => writeSafetensors([['__metadata__', one]])).toThrow(/cannot be used/);
  expect(() => writeSafetensors([['\ud800', one]])).toThrow(/no Unicode/);
  expect(() => writeSafetensors([['a', { ...one, shape: [2] }]])).toThrow(/takes 2 bytes, got 1/);
});

function thrown(f: () => unknown): unknown {
  try {
    f();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
