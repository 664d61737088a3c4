// PyTorch's .pt files: a zip archive of a pickle and the bytes of storages. Read, never executed, never written.
import { allocate, type DType } from '../../../runtime/dtype.ts';
import { FormatError } from '../../../runtime/errors.ts';
import { type StoredDType, storedBytes } from '../../../runtime/safetensors.ts';
import { newTensor } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { storageOfData } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { elementsFrom } from './elements.ts';
import { plainBytes, readAll, type Source } from './files.ts';
import { readPickle } from './pickle.ts';
import { readZip } from './zip.ts';

/** The element type of each class of storages; the classes are found by identity. */
const storageClasses = new Map<string, { readonly kind: StoredDType }>(
  (
    [
      ['FloatStorage', 'F32'],
      ['DoubleStorage', 'F64'],
      ['HalfStorage', 'F16'],
      ['BFloat16Storage', 'BF16'],
      ['LongStorage', 'I64'],
      ['IntStorage', 'I32'],
      ['ShortStorage', 'I16'],
      ['CharStorage', 'I8'],
      ['ByteStorage', 'U8'],
      ['BoolStorage', 'BOOL'],
    ] as const
  ).map(([name, kind]) => [`torch.${name}`, { kind }]),
);
const isStorageClass = (x: unknown): x is { readonly kind: StoredDType } => [...storageClasses.values()].some((c) => c === x);

/** Elements of a storage, in one of our dtypes. */
type Storage = { readonly dtype: DType; readonly elements: ReturnType<typeof allocate> };

/** Elements that a tensor may have beyond those of its storage, which is how a small file would ask for much memory. */
const mostRepeated = 1 << 24;

/**
 * What `torch.save` wrote: state dicts, checkpoints, tensors, in records and arrays. Keys are PyTorch's, so a state dict loads as it is:
 * `model.loadStateDict(await loadTorch('model.pt'))`. Whatever else a pickle could call is refused with a SecurityError that names it.
 */
export async function loadTorch(source: Source): Promise<unknown> {
  return decodeTorch(await readAll('loadTorch', source), 'loadTorch');
}

/** The same of bytes. */
export async function decodeTorch(file: Uint8Array, op = 'decodeTorch'): Promise<unknown> {
  const bytes = plainBytes(file);
  if (bytes[0] === 0x80)
    throw new FormatError('the file is in the format of PyTorch before 1.6', { op, fix: 'load and save it again with a newer PyTorch' });
  const entries = readZip(op, bytes);
  const pickle = [...entries.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) throw new FormatError('the archive holds no data.pkl', { op, fix: 'save with torch.save' });
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  const contents = new Map<string, Uint8Array>();
  let total = 0;
  for (const entry of entries.values()) {
    total += entry.bytes;
    // PyTorch compresses nothing.
    if (total > bytes.length) throw new FormatError('the archive claims to hold more than it does', { op });
    contents.set(entry.name, await entry.read());
  }
  const order = contents.get(`${folder}byteorder`);
  if (order !== undefined && new TextDecoder().decode(order) !== 'little') throw new FormatError('the file is big-endian', { op });
  const read = contents.get(pickle.name)!;
  const storages = new Map<string, Storage>();
  const made = new Set<unknown>();

  /** ('storage', class, key, device, number of elements) */
  function persistent(id: unknown): unknown {
    const [what, kind, key, , length] = Array.isArray(id) ? (id as readonly unknown[]) : [];
    if (what !== 'storage' || !isStorageClass(kind) || typeof key !== 'string' || !isCount(length))
      throw new FormatError('a persistent id names no storage', { op });
    const data = contents.get(`${folder}data/${key}`);
    const needed = length * storedBytes[kind.kind];
    if (data === undefined || data.length < needed)
      throw new FormatError(`storage '${key}' claims ${needed} bytes, the archive has ${data?.length ?? 0}`, { op });
    const known = storages.get(`${kind.kind} ${key}`);
    const { dtype, elements } = known ?? elementsFrom(op, { dtype: kind.kind, shape: [length], data: data.subarray(0, needed) });
    const storage: Storage = known ?? { dtype, elements };
    storages.set(`${kind.kind} ${key}`, storage);
    made.add(storage);
    return storage;
  }

  function rebuildTensor(storage: unknown, offset: unknown, size: unknown, stride: unknown): Tensor {
    if (!made.has(storage)) throw new FormatError('a tensor is made of no storage', { op });
    return strided(op, storage as Storage, offset, size, stride);
  }
  function rebuildParameter(t: unknown, requiresGrad: unknown): Tensor {
    if (!isTensor(t)) throw new FormatError('a parameter is made of no tensor', { op });
    return t.requiresGrad_(requiresGrad === true);
  }
  function size(sizes: unknown): unknown {
    if (!isCounts(sizes)) throw new FormatError('a torch.Size is made of no sizes', { op });
    return sizes;
  }
  const callables = new Map<string, (...args: readonly unknown[]) => unknown>([
    ['torch._utils._rebuild_tensor_v2', rebuildTensor],
    ['torch._utils._rebuild_parameter', rebuildParameter],
    ['torch.Size', size],
  ]);
  return readPickle(read, { op, callables, globals: storageClasses, persistent });
}

const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
const isCounts = (x: unknown): x is readonly number[] => Array.isArray(x) && x.every(isCount);

/** The elements of a view of a storage, one behind the other. Throws FormatError where it reaches outside of the storage. */
function strided(op: string, { dtype, elements }: Storage, offset: unknown, size: unknown, stride: unknown): Tensor {
  if (!isCount(offset) || !isCounts(size) || !isCounts(stride) || size.length !== stride.length || size.length > 64)
    throw new FormatError('a tensor has no proper offset, sizes or strides', { op });
  const count = size.reduce((n, d) => n * d, 1);
  const last = size.reduce((at, d, i) => at + (d - 1) * stride[i]!, offset);
  if (count > 0 && last >= elements.length)
    throw new FormatError(`a tensor [${size}] with strides [${stride}] reaches element ${last} of a storage of ${elements.length}`, { op });
  if (count > elements.length && count > mostRepeated)
    throw new FormatError(`a tensor [${size}] repeats the ${elements.length} elements of its storage too often`, { op });
  const out = allocate(dtype, count);
  const index = new Array<number>(size.length).fill(0);
  for (let i = 0, at = offset; i < count; i++) {
    out[i] = elements[at]!;
    for (let axis = size.length - 1; axis >= 0; axis--) {
      at += stride[axis]!;
      if (++index[axis]! < size[axis]!) break;
      at -= size[axis]! * stride[axis]!;
      index[axis] = 0;
    }
  }
  return newTensor(storageOfData(out, dtype, size));
}
