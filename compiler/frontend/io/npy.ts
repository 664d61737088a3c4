// NumPy's files: .npy, one array, and .npz, a zip archive of them. Pickled objects are refused.
import { bytesPerElement } from '../../../runtime/dtype.ts';
import { DTypeError, FormatError } from '../../../runtime/errors.ts';
import { type StoredDType, storedBytes } from '../../../runtime/safetensors.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { plainBytes, readAll, type Source, writeFile } from './files.ts';
import { entriesOf, type Named, tensorFrom } from './safetensors.ts';
import { readZip, writeZip, type ZipEntry } from './zip.ts';

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** NumPy's letter and size of an element, and what it is. */
const kinds: { readonly [descr: string]: StoredDType } = {
  b1: 'BOOL',
  u1: 'U8',
  i1: 'I8',
  i2: 'I16',
  u2: 'U16',
  i4: 'I32',
  u4: 'U32',
  i8: 'I64',
  f2: 'F16',
  f4: 'F32',
  f8: 'F64',
};
const descrOf = { f32: '<f4', f64: '<f8', f16: '<f2', i32: '<i4', i64: '<i8', u8: '|u1', bool: '|b1' } as const;

type Header = {
  readonly kind: StoredDType;
  readonly isBig: boolean;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
  readonly dataAt: number;
};

/** Magic, version and the length of the dictionary that follows. */
const prefixBytes = 12;

/** Where a header ends, from the first bytes of a file. */
function headerEnd(op: string, bytes: Uint8Array): number {
  if (bytes.length < prefixBytes || magic.some((b, i) => bytes[i] !== b))
    throw new FormatError('the file is no .npy file', { op, offset: 0 });
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw new FormatError(`the file is of version ${version}, known are 1 to 3`, { op, offset: 6 });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return version === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
}

/** The dictionary: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, and nothing that would have to be evaluated. */
const dictionary = /^\{'descr': ?'([<>|=])([a-zA-Z]\d+)', ?'fortran_order': ?(True|False), ?'shape': ?\(((?:\d+, ?)*\d*)\), ?\} *\n?$/;

function readHeader(op: string, head: Uint8Array): Header {
  const begin = head[6] === 1 ? 10 : 12;
  const text = new TextDecoder().decode(head.subarray(begin));
  const refuse = (what: string): FormatError => new FormatError(what, { op, offset: begin });
  if (/'descr': ?'\|?O/.test(text)) throw new DTypeError('the array holds pickled Python objects, which are never read', { op });
  const [, order, descr, fortran, sizes] = dictionary.exec(text) ?? [];
  if (sizes === undefined) throw refuse(`the header ${JSON.stringify(text.slice(0, 80).trim())} describes no plain array`);
  const kind = Object.hasOwn(kinds, descr!) ? kinds[descr!]! : undefined;
  if (kind === undefined) throw new DTypeError(`no tensor has elements of '${order}${descr}'`, { op, fix: 'save as float32 or int64' });
  const shape = sizes
    .split(',')
    .filter((n) => n.trim() !== '')
    .map(Number);
  return { kind, isBig: order === '>', isFortran: fortran === 'True', shape, dataAt: head.length };
}

/** Bytes of the whole file that has this header. Throws FormatError if no file is that large. */
function fileBytes(op: string, { kind, shape, dataAt }: Header): number {
  let count: number = storedBytes[kind];
  for (const size of shape) if (size > 0) count *= size;
  if (!Number.isSafeInteger(count)) throw new FormatError(`the product of the shape [${shape}] overflows`, { op, offset: prefixBytes });
  return dataAt + (shape.includes(0) ? 0 : count);
}

/** The array of an .npy file. */
export function decodeNpy(file: Uint8Array, op = 'decodeNpy'): Tensor {
  const bytes = plainBytes(file);
  const end = headerEnd(op, bytes);
  if (end > bytes.length) throw new FormatError(`the header ends at ${end} of ${bytes.length} bytes`, { op, offset: 8 });
  const header = readHeader(op, bytes.subarray(0, end));
  const wanted = fileBytes(op, header);
  if (bytes.length !== wanted)
    throw new FormatError(`the file has ${bytes.length} bytes, its header asks for ${wanted}`, { op, offset: end });
  const { kind, isBig, isFortran, shape } = header;
  const data = bytes.subarray(end);
  const stored = { dtype: kind, shape: isFortran ? [...shape].reverse() : shape, data: isBig ? turned(data, storedBytes[kind]) : data };
  const t = tensorFrom(op, stored);
  return isFortran && shape.length > 1 ? t.permute(shape.map((_, i) => shape.length - 1 - i)).contiguous() : t;
}

/** Elements with their bytes the other way round. */
function turned(data: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) out[i - (i % size) + size - 1 - (i % size)] = data[i]!;
  return out;
}

/** The bytes of an .npy file. */
export async function encodeNpy(t: Tensor): Promise<Uint8Array> {
  const { buffer, byteOffset, byteLength, length } = await t.data();
  const sizes = t.shape.length === 1 ? `${t.shape[0]},` : t.shape.join(', ');
  const text = `{'descr': '${descrOf[t.element]}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // The data begin at a multiple of 64.
  const dataAt = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(dataAt + length * bytesPerElement[t.element]).fill(0x20, 10, dataAt);
  bytes.set(magic);
  bytes[6] = 1;
  new DataView(bytes.buffer).setUint16(8, dataAt - 10, true);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[dataAt - 1] = 0x0a;
  bytes.set(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength), dataAt);
  return bytes;
}

/** The arrays of an .npz file by name. Each is inflated as far as its own header allows. */
export async function decodeNpz(bytes: Uint8Array, op = 'decodeNpz'): Promise<{ [name: string]: Tensor }> {
  const dict: { [name: string]: Tensor } = Object.create(null);
  for (const entry of readZip(op, plainBytes(bytes)).values()) dict[entry.name.replace(/\.npy$/, '')] = await arrayOf(op, entry);
  return dict;
}

async function arrayOf(op: string, entry: ZipEntry): Promise<Tensor> {
  const end = headerEnd(op, await entry.read(prefixBytes));
  if (end > entry.bytes) throw new FormatError(`'${entry.name}': its header ends behind its end`, { op });
  const wanted = fileBytes(op, readHeader(op, await entry.read(end)));
  if (entry.bytes !== wanted) throw new FormatError(`'${entry.name}' has ${entry.bytes} bytes, its header asks for ${wanted}`, { op });
  return decodeNpy(await entry.read(), op);
}

/** The bytes of an .npz file, not compressed, as `numpy.savez` writes them. */
export async function encodeNpz(named: Named): Promise<Uint8Array> {
  const arriving = entriesOf('encodeNpz', named).map(async ([name, t]) => [`${name}.npy`, await encodeNpy(t)] as const);
  return writeZip(await Promise.all(arriving));
}

/** Reads an .npy file. */
export const loadNpy = async (source: Source): Promise<Tensor> => decodeNpy(await readAll('loadNpy', source), 'loadNpy');
/** Reads the arrays of an .npz file. */
export const loadNpz = async (source: Source): Promise<{ [name: string]: Tensor }> =>
  decodeNpz(await readAll('loadNpz', source), 'loadNpz');

/** Writes an .npy file. */
export async function saveNpy(path: string | URL, t: Tensor): Promise<void> {
  if (!isTensor(t)) throw new DTypeError('an .npy file holds one tensor', { op: 'saveNpy', fix: 'use saveNpz for several' });
  await writeFile('saveNpy', path, await encodeNpy(t));
}
/** Writes an .npz file. */
export const saveNpz = async (path: string | URL, named: Named): Promise<void> => writeFile('saveNpz', path, await encodeNpz(named));
