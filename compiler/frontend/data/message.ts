// What the loader and its workers say to each other, and how tensors travel: their buffers are handed over, not copied.
import type { DType, TypedArray } from '../../../runtime/dtype.ts';
import { DataError } from '../../../runtime/errors.ts';
import { newTensor } from '../op.ts';
import { storageOfData } from '../storage.ts';
import { Tensor } from '../tensor.ts';
import { isPlain } from './collate.ts';

/** An export of a module: what a worker imports. */
export type Address = { readonly module: string; readonly export: string };

/** The first message: who the worker is and what it shall load. */
export type Start = {
  readonly kind: 'start';
  readonly id: number;
  readonly numWorkers: number;
  readonly seed: bigint;
  readonly epoch: number;
  readonly dataset: Address & { readonly args: Packed };
  readonly collate: Address | undefined;
  readonly init: Address | undefined;
  readonly batched: boolean;
  readonly dropLast: boolean;
  /** One shared number, where memory can be shared: the position in the batch that the worker waits for. */
  readonly progress: Int32Array | undefined;
};
/** A batch to load: of indices, or of the next so many samples of an iterable. */
export type Request = readonly number[] | number;
export type Load = { readonly kind: 'load'; readonly epoch: number; readonly task: number; readonly request: Request };
export type ToWorker = Start | Load | { readonly kind: 'epoch'; readonly epoch: number } | { readonly kind: 'close' };

/** What was thrown, as far as it can cross a thread. */
export type Thrown = { readonly name: string; readonly message: string; readonly stack: string };
export type FromWorker =
  | { readonly kind: 'batch'; readonly epoch: number; readonly task: number; readonly samples: number; readonly batch: Packed }
  /** The worker's iterable has no more samples. */
  | { readonly kind: 'ended'; readonly epoch: number; readonly task: number }
  | { readonly kind: 'failed'; readonly epoch: number; readonly task: number; readonly what: string; readonly thrown: Thrown }
  /** The worker could not begin. */
  | { readonly kind: 'broken'; readonly what: string; readonly thrown: Thrown }
  /** The worker let go of its source. */
  | { readonly kind: 'closed' }
  /** The worker ended itself; said only where the platform does not say it. */
  | { readonly kind: 'exit' };

type Path = readonly (string | number)[];
type PackedTensor = {
  readonly path: Path;
  readonly array: TypedArray;
  readonly element: DType;
  readonly shape: readonly number[];
  readonly requiresGrad: boolean;
};
/** A value with its tensors taken out, each with its place. */
export type Packed = { readonly value: unknown; readonly tensors: readonly PackedTensor[] };

/**
 * Takes the tensors out of lists and plain objects. Each gets a buffer of its own, which can be transferred whoever else has the tensor:
 * `elementsOf` gives a copy.
 */
export function pack(value: unknown, elementsOf = (t: Tensor): TypedArray => t.dataSync()): Packed {
  const tensors: PackedTensor[] = [];
  const lift = (x: unknown, path: Path): unknown => {
    if (x instanceof Tensor) {
      if (x.requiresGrad && !x.isLeaf)
        throw new DataError('a tensor with a history of gradients cannot be sent to another thread', { fix: 'detach() it first' });
      tensors.push({ path, array: elementsOf(x), element: x.element, shape: x.shape, requiresGrad: x.requiresGrad });
      return null;
    }
    if (Array.isArray(x)) return x.map((y, i) => lift(y, [...path, i]));
    return isPlain(x) ? Object.fromEntries(Object.keys(x).map((name) => [name, lift(x[name], [...path, name])])) : x;
  };
  return { value: lift(value, []), tensors };
}

/** The buffers that a message may hand over. */
export const buffersOf = (packed: Packed): ArrayBuffer[] => packed.tensors.map((t) => t.array.buffer as ArrayBuffer);

/** Puts the tensors back, over the buffers that came. */
export function unpack(packed: Packed): unknown {
  const root = { value: packed.value };
  for (const t of packed.tensors) {
    const made = newTensor(storageOfData(t.array, t.element, t.shape));
    if (t.requiresGrad) made.requiresGrad_();
    let holder: object = root;
    let name: string | number = 'value';
    for (const step of t.path) {
      holder = (holder as Record<string, object>)[name]!;
      name = step;
    }
    // Defined, not assigned: the name may be __proto__.
    Object.defineProperty(holder, name, { value: made, writable: true, enumerable: true, configurable: true });
  }
  return root.value;
}

/** Bytes of tensors and typed arrays in a batch: what is worth counting. */
export function bytesOf(packed: Packed): number {
  let bytes = 0;
  for (const t of packed.tensors) bytes += t.array.byteLength;
  const stack: unknown[] = [packed.value];
  while (stack.length > 0) {
    const x = stack.pop();
    if (ArrayBuffer.isView(x)) bytes += x.byteLength;
    else if (typeof x === 'string') bytes += 2 * x.length;
    else if (Array.isArray(x) || isPlain(x)) for (const part of Object.values(x)) stack.push(part);
  }
  return bytes;
}

export const thrownOf = (error: unknown): Thrown =>
  error instanceof Error
    ? { name: error.name, message: error.message, stack: error.stack ?? `${error.name}: ${error.message}` }
    : { name: typeof error, message: String(error), stack: String(error) };

const natives: Readonly<Record<string, ErrorConstructor>> = Object.assign(Object.create(null), {
  RangeError,
  TypeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
});

/** The error again, of the same class where the language has it, with the stack of the other thread. */
export function revive(thrown: Thrown): Error {
  const error = new (natives[thrown.name] ?? Error)(thrown.message);
  error.name = thrown.name;
  error.stack = thrown.stack;
  return error;
}
