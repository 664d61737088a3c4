// PyTorch's .pt files: what PyTorch wrote is read as it is, and what is not a state dict of tensors is refused by name.
import { expect, test } from 'vitest';
import { readPickle } from '../../../compiler/frontend/io/pickle.ts';
import { readZip, writeZip } from '../../../compiler/frontend/io/zip.ts';
import { isTensor } from '../../../compiler/frontend/pytree.ts';
import { io, nn, optim, SecurityError, type Tensor } from '../../../compiler/index.ts';
import { FluxionError, FormatError } from '../../../runtime/errors.ts';
import { bytesOf, expected, fileOf, type Plain } from './files.ts';

/** What a file held, as test/oracle/files.py writes it, in the element types that we have. */
function plain(value: unknown): Plain {
  if (isTensor(value)) return { dtype: value.dtype, shape: value.shape, data: [...value.dataSync()].map(Number) };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value as Plain;
}

/** Element types that become others. */
const read: { readonly [dtype: string]: string } = { float16: 'float32', bfloat16: 'float32', int8: 'int32', int16: 'int32' };
function asRead(value: Plain): Plain {
  if (Array.isArray(value)) return value.map(asRead);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([k, v]) => [k, k === 'dtype' && typeof v === 'string' ? (read[v] ?? v) : asRead(v)] as const);
  return Object.fromEntries(entries);
}

test.each(['model.pt', 'checkpoint.pt', 'dtypes.pt', 'views.pt', 'parameter.pt'])('%s holds what PyTorch put there', async (name) => {
  expect(plain(await io.loadTorch(fileOf(name)))).toEqual(asRead(expected[name]!));
});

test.each(['views.pt', 'checkpoint.pt'])('%s is read from a Buffer of Node wherever it lies', async (name) => {
  const bytes = bytesOf(name);
  for (let shift = 0; shift < 8; shift++) {
    const buffer = Buffer.from(new ArrayBuffer(bytes.length + 8), shift, bytes.length);
    buffer.set(bytes);
    expect(plain(await io.decodeTorch(buffer))).toEqual(asRead(expected[name]!));
  }
});

test('a state dict loads into the same network', async () => {
  const model = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
  const result = model.loadStateDict((await io.loadTorch(bytesOf('model.pt'))) as { [name: string]: Tensor });
  expect(result).toEqual({ missingKeys: [], unexpectedKeys: [] });
  const { 'model.pt': names } = expected;
  const ours = Object.entries(names!).map(([name, value]) => [name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase()), value]);
  expect(plain(model.stateDict())).toEqual(Object.fromEntries(ours));
});

test('a parameter wants its gradient', async () => {
  expect(((await io.loadTorch(bytesOf('parameter.pt'))) as Tensor).requiresGrad).toBe(true);
});

test('a pickled module is refused, and the class is named', async () => {
  const refused = io.loadTorch(fileOf('module.pt'));
  await expect(refused).rejects.toThrow(SecurityError);
  await expect(refused).rejects.toThrow('the file wants to use torch.nn.modules.container.Sequential, which could run any code');
});

const pickle = (bytes: string | readonly number[]): Uint8Array =>
  typeof bytes === 'string' ? Uint8Array.from(bytes, (c) => c.charCodeAt(0)) : Uint8Array.from(bytes);
const reader = { op: 'test', callables: new Map(), globals: new Map(), persistent: () => null };

test.each([
  'os.system',
  'builtins.eval',
  'posix.system',
  'subprocess.Popen',
  'torch.load',
  'collections.OrderedDict.__init__',
  '__main__.x',
  'nt.system',
])('the callable %s is refused, by either opcode', (name) => {
  const at = name.lastIndexOf('.');
  const [module, callable] = [name.slice(0, at), name.slice(at + 1)];
  const text = (s: string): string => `\x8c${String.fromCharCode(s.length)}${s}`;
  for (const code of [`c${module}\n${callable}\n(tR.`, `${text(module)}${text(callable)}\x93)R.`]) {
    expect(() => readPickle(pickle(code), reader)).toThrow(SecurityError);
    expect(() => readPickle(pickle(code), reader)).toThrow(name);
  }
});

test.each([
  ['nothing', ''],
  ['no stop', 'N'],
  ['an empty stack', '.'],
  ['an item of a list', ']K\x01K\x02s.'],
  ['an item of a number', 'K\x01K\x01K\x02s.'],
  ['an item of an array that poses as a dictionary', '(tK\x01K\x02s.'],
  ['a key that is a list', '}]K\x01s.'],
  ['an element of a dictionary', '}K\x01a.'],
  ['a call of a number', 'K\x01)R.'],
  ['a call with no arguments', 'ccollections\nOrderedDict\nK\x01R.'],
  ['attributes of a list', ']}b.'],
  ['a place that holds nothing', 'h\x07.'],
  ['a mark that is missing', 't.'],
  ['what lies below a mark', 'K\x01(K\x02\x86.'],
  ['a text that is cut short', 'X\xff\xff\xff\x7fa.'],
  ['a text that is no UTF-8', 'X\x01\x00\x00\x00\xff.'],
  ['a stack that never ends', 'N'.repeat(70_000)],
  ['marks that never end', '('.repeat(2000)],
  ['lists in lists, a million deep', `${']'.repeat(1e6)}${'a'.repeat(1e6 - 1)}.`],
  ...[...Array(256).keys()].map((code) => [`opcode ${code} alone`, String.fromCharCode(code)]),
])('a pickle of %s is refused', (_, code) => {
  expect(() => readPickle(pickle(code!), reader)).toThrow(FluxionError);
});

test('keys are only keys', () => {
  const dict = readPickle(pickle('}X\x09\x00\x00\x00__proto__K\x01sX\x08\x00\x00\x00toStringK\x02s.'), reader) as object;
  expect(Object.entries(dict)).toEqual([
    ['__proto__', 1],
    ['toString', 2],
  ]);
  expect(Object.getPrototypeOf(dict)).toBeNull();
});

/** A tensor over storage '0' of `bytes` bytes that claims to have `length` floats. */
function tensorFile(claims: { length?: number; bytes?: number; offset?: number; size?: number[]; stride?: number[] }): Uint8Array {
  const { length = 4, bytes = 4 * length, offset = 0, size = [2], stride = [1] } = claims;
  const int = (n: number): string => `J${String.fromCharCode(...new Uint8Array(Int32Array.of(n).buffer))}`;
  const text = (s: string): string => `X${String.fromCharCode(s.length)}\0\0\0${s}`;
  const list = (ns: number[]): string => `(${ns.map(int).join('')}t`;
  const storage = `(${text('storage')}ctorch\nFloatStorage\n${text('0')}${text('cpu')}${int(length)}tQ`;
  const code = `ctorch._utils\n_rebuild_tensor_v2\n(${storage}${int(offset)}${list(size)}${list(stride)}\x89ccollections\nOrderedDict\n)RtR.`;
  return writeZip([
    ['archive/data.pkl', pickle(code)],
    ['archive/data/0', new Uint8Array(bytes)],
  ]);
}

test('a tensor lies within its storage, and that within its bytes', async () => {
  expect(((await io.decodeTorch(tensorFile({ offset: 2 }))) as Tensor).shape).toEqual([2]);
  for (const [claims, what] of [
    [{ offset: 3 }, 'reaches element 4 of a storage of 4'],
    [{ stride: [4] }, 'reaches element 4'],
    [{ offset: -1 }, 'no proper offset'],
    [{ stride: [-1] }, 'no proper offset'],
    [{ size: [2, 2] }, 'no proper offset'],
    [{ bytes: 8 }, "storage '0' claims 16 bytes, the archive has 8"],
    [{ size: [2 ** 30, 2 ** 30], stride: [0, 0] }, 'too often'],
    [{ size: [2 ** 30, 2 ** 30, 2 ** 30], stride: [1, 1, 1] }, 'reaches element'],
  ] as const)
    await expect(io.decodeTorch(tensorFile(claims as object))).rejects.toThrow(what);
});

test('an archive that claims more than it holds, or holds no pickle, or is of an older format, is refused', async () => {
  await expect(io.decodeTorch(writeZip([['a', pickle('N.')]]))).rejects.toThrow('the archive holds no data.pkl');
  await expect(io.decodeTorch(pickle('\x80\x02N.'))).rejects.toThrow('before 1.6');
  await expect(io.decodeTorch(bytesOf('compressed.npz'))).rejects.toThrow(FormatError);
});

test('any byte changed or cut off: the same tensors, or an error of ours', async () => {
  const whole = bytesOf('views.pt');
  const entries = readZip('test', whole);
  expect(entries.size).toBeGreaterThan(3);
  for (let at = 0; at < whole.length; at += 7) {
    const changed = whole.slice();
    changed[at]! ^= 1 << (at % 8);
    for (const bytes of [changed, whole.subarray(0, at)])
      try {
        await io.decodeTorch(bytes);
      } catch (error) {
        expect(error, `byte ${at}`).toBeInstanceOf(FluxionError);
      }
  }
});

test('the state of an optimizer of PyTorch is found by its names', async () => {
  const { optimizer } = (await io.loadTorch(bytesOf('checkpoint.pt'))) as {
    optimizer: { state: { [index: string]: { exp_avg: Tensor } } };
  };
  const model = new nn.Linear(3, 2);
  expect(optimizer.state[0]!.exp_avg.shape).toEqual(model.weight.shape);
  expect(new optim.Adam(model.parameters()).stateDict().paramGroups).toHaveLength(1);
});
