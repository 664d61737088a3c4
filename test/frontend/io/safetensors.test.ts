// save and load: tensors by name in safetensors files and bytes, whole or one by one, written so that nothing is ever half there.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  ArgumentError,
  arange,
  FileError,
  FormatError,
  io,
  KeyError,
  load,
  manualSeed,
  nn,
  save,
  type Tensor,
  tensor,
} from '../../../compiler/index.ts';
import { readSafetensors, type StoredTensor, writeSafetensors } from '../../../runtime/safetensors.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fluxion-io-'));
  file = join(folder, 'model.safetensors');
});
afterEach(() => {
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true, force: true });
});

const values = (dict: { readonly [name: string]: Tensor }): object =>
  Object.fromEntries(Object.entries(dict).map(([name, t]) => [name, [t.dtype, t.shape, [...t.dataSync()]]]));

test('a model comes back as it was saved', async () => {
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
  await save(file, model.stateDict());
  manualSeed(2);
  const other = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
  expect(other.loadStateDict(await load(file))).toEqual({ missingKeys: [], unexpectedKeys: [] });
  expect(values(other.stateDict())).toEqual(values(model.stateDict()));
});

test('every element type and shape comes back, from paths, URLs, bytes, buffers and blobs', async () => {
  const dict = {
    f: tensor([1.5, Number.NaN, -0]),
    d: tensor([[1e300]], { dtype: 'float64' }),
    i: tensor([-7], { dtype: 'int32' }),
    l: tensor([2n ** 60n]),
    u: tensor([255], { dtype: 'uint8' }),
    b: tensor([true, false]),
    scalar: tensor(3),
    empty: tensor([]).reshape([0, 4]),
    view: arange(6).reshape([2, 3]).t(),
  };
  await save(pathToFileURL(file), dict);
  const bytes = await io.encodeSafetensors(dict);
  expect(new Uint8Array(readFileSync(file))).toEqual(bytes);
  for (const source of [
    file,
    pathToFileURL(file),
    bytes,
    bytes.slice().buffer as ArrayBuffer,
    new Blob([bytes as Uint8Array<ArrayBuffer>]),
  ])
    expect(values(await load(source))).toEqual(values(dict));
});

test('what is saved is what was there when it was called', async () => {
  const t = tensor([1, 2]);
  const saving = save(file, { t });
  t.add_(10);
  await saving;
  expect((await load(file)).t!.tolistSync()).toEqual([1, 2]);
});

test('half and brain floats are read as float32, small integers as int32', async () => {
  const stored = (dtype: StoredTensor['dtype'], words: number[], size: 1 | 2): StoredTensor => ({
    dtype,
    shape: [words.length],
    data: new Uint8Array((size === 1 ? Uint8Array : Uint16Array).from(words).buffer),
  });
  const bytes = writeSafetensors([
    ['half', stored('F16', [0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x8000], 2)],
    ['brain', stored('BF16', [0x3f80, 0xc000, 0x7f80], 2)],
    ['byte', stored('I8', [0xff, 1], 1)],
    ['short', stored('I16', [0xffff], 2)],
    ['word', stored('U16', [0xffff], 2)],
  ]);
  expect(values(await load(bytes))).toEqual({
    half: ['float32', [6], [1, -2, 65504, 2 ** -24, Infinity, -0]],
    brain: ['float32', [3], [1, -2, Infinity]],
    byte: ['int32', [2], [-1, 1]],
    short: ['int32', [1], [-1]],
    word: ['int32', [1], [65535]],
  });
  await expect(load(writeSafetensors([['x', stored('F8_E4M3', [1], 1)]]))).rejects.toThrow('no tensor has elements of F8_E4M3');
});

test('metadata are texts by name', async () => {
  await save(file, { x: tensor([1]) }, { metadata: { author: 'me', note: 'ä\n"' } });
  const opened = await io.open(file);
  expect([...opened.metadata]).toEqual([
    ['author', 'me'],
    ['note', 'ä\n"'],
  ]);
  await opened.close();
});

test('a file that is opened is read as far as it is asked for', async () => {
  await save(file, { a: arange(1000), b: arange(10).reshape([5, 2]) });
  const whole = readFileSync(file);
  const opened = await io.open(file);
  expect(opened.keys).toEqual(['a', 'b']);
  expect(opened.shape('b')).toEqual([5, 2]);
  // What is changed on the disk after the header was read shows that the elements were not.
  whole.fill(0, whole.length - 80);
  writeFileSync(file, whole);
  expect((await opened.get('b')).sum().itemSync()).toBe(0);
  expect((await opened.get('a')).sum().itemSync()).toBe(499500);
  expect(() => opened.shape('c')).toThrow(KeyError);
  await expect(opened.get('c')).rejects.toThrow("open: there is no tensor 'c'");
  await opened.close();
});

test('names are only names', async () => {
  const dict: { [name: string]: Tensor } = Object.create(null);
  for (const name of ['__proto__', 'constructor.prototype.x', 'toString', 'ä"\n']) dict[name] = tensor([1]);
  const read = await load(await io.encodeSafetensors(dict));
  expect(Object.keys(read)).toEqual(Object.keys(dict));
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as { x?: unknown }).x).toBeUndefined();
  expect(() => new nn.Linear(1, 1).loadStateDict(read)).toThrow(KeyError);
});

test('what cannot be saved or loaded is told', async () => {
  await expect(save(file, { x: 3 as unknown as Tensor })).rejects.toThrow("save: 'x' is no tensor");
  await expect(save(file, tensor([1]) as never)).rejects.toThrow(ArgumentError);
  await expect(load(7 as never)).rejects.toThrow(ArgumentError);
  await expect(load(join(folder, 'nowhere'))).rejects.toThrow(FileError);
  await expect(load(folder)).rejects.toThrow(FileError);
  await expect(save(join(folder, 'no', 'where'), {})).rejects.toThrow(/save: .*where cannot be written \(\d+ bytes\): ENOENT/);
  writeFileSync(file, 'nonsense that is longer than eight bytes');
  await expect(load(file)).rejects.toThrow(FormatError);
});

test('without files, paths are refused with the way out', async () => {
  vi.stubGlobal('process', { ...process, getBuiltinModule: undefined });
  await expect(load('model.safetensors')).rejects.toThrow('there are no files here; pass bytes: await (await fetch(url)).arrayBuffer()');
  await expect(save('model.safetensors', {})).rejects.toThrow('there are no files here');
  expect(values(await load(await io.encodeSafetensors({ x: tensor([1]) })))).toEqual({ x: ['float32', [1], [1]] });
});

test('a full disk leaves the file that was there, and no other', async () => {
  await save(file, { x: tensor([1]) });
  const before = readFileSync(file);
  const link = join(folder, 'full');
  mkdirSync(link);
  await expect(save(link, { x: tensor([2]) })).rejects.toThrow(FileError);
  await expect(save('/dev/full/x', { x: tensor([2]) })).rejects.toThrow(FileError);
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(readdirSync(folder).sort()).toEqual(['full', 'model.safetensors']);
});

test('what a process left aside when it was killed is swept up, what others have is not', async () => {
  const dead = await new Promise<number>((resolve) => {
    const child: ChildProcess = spawn(process.execPath, ['-e', '']);
    child.on('exit', () => resolve(child.pid!));
  });
  const [stale, alive, other] = [`${file}.${dead}.0.part`, `${file}.${process.ppid}.0.part`, join(folder, `other.${dead}.0.part`)];
  for (const name of [stale, alive, other]) writeFileSync(name, 'half');
  await save(file, { x: tensor([1]) });
  expect([stale, alive, other].map((name) => existsSync(name))).toEqual([false, true, true]);
  expect(readSafetensors(readFileSync(file)).tensors.size).toBe(1);
});
