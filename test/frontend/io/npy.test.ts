// NumPy's files: what NumPy wrote is read, what is written is what NumPy writes, and what would run code or fill memory is refused.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { readZip, writeZip } from '../../../compiler/frontend/io/zip.ts';
import { arange, io, type Tensor, tensor } from '../../../compiler/index.ts';
import { FluxionError } from '../../../runtime/errors.ts';
import { isThorough } from '../../effort.ts';
import { bytesOf, expected, fileOf } from './files.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-npy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const held = (dict: { [name: string]: Tensor }): object =>
  Object.fromEntries(Object.entries(dict).map(([name, t]) => [name, { shape: t.shape, data: [...t.dataSync()].map(Number) }]));
const words: { readonly [word: string]: number } = { True: 1, False: 0, inf: Infinity };
const wanted = Object.fromEntries(
  Object.entries(expected.arrays as { [name: string]: { shape: number[]; data: string[] } }).map(([name, { shape, data }]) => [
    name,
    { shape, data: data.map((x) => words[x] ?? Number(x)) },
  ]),
);

test.each(['arrays.npz', 'compressed.npz'])('%s holds what NumPy put there', async (name) => {
  expect(held(await io.loadNpz(fileOf(name)))).toEqual(wanted);
});

test('arrays are read from a Buffer of Node wherever it lies', async () => {
  const bytes = bytesOf('arrays.npz');
  for (let shift = 0; shift < 8; shift++) {
    const buffer = Buffer.from(new ArrayBuffer(bytes.length + 8), shift, bytes.length);
    buffer.set(bytes);
    expect(held(await io.decodeNpz(buffer))).toEqual(wanted);
    expect(held(await io.loadNpz(buffer))).toEqual(wanted);
  }
});

test('element types are ours, or the next wider', async () => {
  const dict = await io.loadNpz(bytesOf('arrays.npz'));
  expect(Object.fromEntries(Object.entries(dict).map(([name, t]) => [name, t.dtype]))).toEqual({
    f4: 'float32',
    'f8-fortran': 'float64',
    'f4-big': 'float32',
    f2: 'float32',
    i2: 'int32',
    u4: 'int64',
    i8: 'int64',
    b1: 'bool',
    scalar: 'int32',
    empty: 'float32',
  });
});

test('an array is written byte for byte as NumPy writes it', async () => {
  const file = join(folder, 'array.npy');
  await io.saveNpy(file, arange(6, { dtype: 'float32' }).reshape([2, 3]));
  expect(new Uint8Array(readFileSync(file))).toEqual(bytesOf('array.npy'));
  expect((await io.loadNpy(file)).tolistSync()).toEqual([
    [0, 1, 2],
    [3, 4, 5],
  ]);
});

test('arrays come back from the archive that they went into', async () => {
  const dict = { w: arange(6).reshape([3, 2]), __proto__x: tensor([true, false]), 'a/b': tensor(2, { dtype: 'int64' }), one: tensor([1]) };
  const file = join(folder, 'arrays.npz');
  await io.saveNpz(file, dict);
  expect(held(await io.loadNpz(file))).toEqual(held(dict));
});

test('names are keys, whatever they are', async () => {
  const [npy] = [await io.encodeNpy(tensor([1]))];
  const dict = await io.decodeNpz(writeZip(['../../evil.npy', '/etc/passwd', '__proto__.npy', 'constructor'].map((name) => [name, npy])));
  expect(Object.keys(dict)).toEqual(['../../evil', '/etc/passwd', '__proto__', 'constructor']);
});

test.each([
  ['objects.npy', 'the array holds pickled Python objects, which are never read'],
  ['complex.npy', "no tensor has elements of '<c16'"],
])('%s is refused', async (name, what) => {
  await expect(io.loadNpy(fileOf(name))).rejects.toThrow(what);
});

/** An .npy file with this text in its header. */
function npy(header: string, data = new Uint8Array(8)): Uint8Array {
  const text = new TextEncoder().encode(`${header}\n`);
  return Uint8Array.from([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, text.length & 255, text.length >> 8, ...text, ...data]);
}

test.each([
  ["{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 'its header asks for'],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': (9007199254740993, 4), }", 'overflows'],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 'describes no plain array'],
  ["{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", 'describes no plain array'],
  ["{'descr': '<f4', 'fortran_order': __import__('os'), 'shape': (2,), }", 'describes no plain array'],
  ["{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }", "no tensor has elements of '<U4'"],
  ["{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 'pickled Python objects'],
])('the header %s is refused', (header, what) => {
  expect(() => io.decodeNpy(npy(header))).toThrow(what);
});

/** An archive of one deflated entry whose directory claims other sizes. */
function deflated(content: Uint8Array, claimed: number): Uint8Array {
  const packed = deflateRawSync(content);
  const file = writeZip([['x.npy', packed]]);
  const view = new DataView(file.buffer);
  const central = file.length - 22 - 46 - 5;
  view.setUint16(8, 8, true);
  view.setUint16(central + 10, 8, true);
  view.setUint32(central + 24, claimed, true);
  return file;
}

test('an archive inflates as far as the header of an array allows, and no further', async () => {
  const bomb = new Uint8Array(64 << 20);
  bomb.set(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"));
  const file = deflated(bomb, bomb.length);
  expect(bomb.length / file.length).toBeGreaterThan(900);
  await expect(io.decodeNpz(file)).rejects.toThrow('its header asks for');
  // The directory says what the header says, and the content is longer: what is behind is never inflated.
  await expect(io.decodeNpz(deflated(bomb, 76))).rejects.toThrow('does not have the sum');
});

test('sizes that lie are found', async () => {
  const content = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }");
  await expect(io.decodeNpz(deflated(content.subarray(0, 70), content.length))).rejects.toThrow('inflates to 70 bytes');
});

test('any byte changed or cut off: the same arrays, or an error of ours', async () => {
  const whole = bytesOf('compressed.npz');
  for (let at = 0; at < whole.length; at += isThorough ? 5 : 53) {
    const changed = whole.slice();
    changed[at]! ^= 1 << (at % 8);
    for (const bytes of [changed, whole.subarray(0, at)])
      try {
        // An entry that is found under another name or not at all is no damage to those that are found.
        for (const [name, array] of Object.entries(held(await io.decodeNpz(bytes))))
          if (name in wanted) expect(array).toEqual(wanted[name]);
      } catch (error) {
        expect(error, `byte ${at}`).toBeInstanceOf(FluxionError);
      }
  }
  expect(readZip('test', whole).size).toBe(Object.keys(wanted).length);
});
