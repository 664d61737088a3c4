// Collation: how a list of samples becomes a batch, by PyTorch's rules for each kind of sample.
import type { TypedArray } from '../../../runtime/dtype.ts';
import { DataError } from '../../../runtime/errors.ts';
import { fromTypedArray, tensor } from '../creation.ts';
import { stack } from '../functional/shape.ts';
import { Tensor } from '../tensor.ts';

/** The batch that the default collation makes of samples of type `T`. */
export type Collated<T> = T extends Tensor | number | bigint | boolean | TypedArray
  ? Tensor
  : T extends string
    ? string[]
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: Collated<T[K]> }
      : T extends object
        ? { -readonly [K in keyof T]: Collated<T[K]> }
        : never;

/** What `defaultConvert` makes of one sample. */
export type Converted<T> = T extends TypedArray
  ? Tensor
  : T extends Tensor | number | bigint | boolean | string
    ? T
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: Converted<T[K]> }
      : T extends object
        ? { -readonly [K in keyof T]: Converted<T[K]> }
        : T;

const op = 'defaultCollate';

/**
 * Batches samples by structure: tensors and typed arrays are stacked; numbers become int64 if all are integers, else float64; booleans bool,
 * bigints int64; strings stay a list; of tuples and objects each member is collated. Throws DataError for anything else.
 */
export function defaultCollate<T>(samples: readonly T[]): Collated<T> {
  return collate(samples, '') as Collated<T>;
}

/** `path` says where in the sample we are: `[1].label`. */
function collate(samples: readonly unknown[], path: string): unknown {
  const first = samples[0];
  if (first === undefined && samples.length === 0) throw new DataError('an empty batch cannot be collated', { op });
  if (first instanceof Tensor) return stackAll(samples, path);
  if (isTyped(first))
    return stackAll(
      samples.map((s) => (isTyped(s) ? fromTypedArray(s, [s.length]) : s)),
      path,
    );
  switch (typeof first) {
    case 'number': {
      const all = demandAll(samples, 'number', path);
      return tensor(all, { dtype: all.every(Number.isInteger) ? 'int64' : 'float64' });
    }
    case 'bigint':
      return tensor(demandAll(samples, 'bigint', path), { dtype: 'int64' });
    case 'boolean':
      return tensor(demandAll(samples, 'boolean', path), { dtype: 'bool' });
    case 'string':
      return demandAll(samples, 'string', path);
  }
  if (Array.isArray(first)) {
    if (!samples.every((s) => Array.isArray(s) && s.length === first.length))
      throw new DataError(`each element in list of batch should be of equal size${where(path)}`, {
        op,
        fix: 'pad the samples, or give a collateFn',
      });
    return first.map((_, i) =>
      collate(
        (samples as unknown[][]).map((s) => s[i]),
        `${path}[${i}]`,
      ),
    );
  }
  if (isPlain(first)) {
    const keys = Object.keys(first);
    const missing = keys.find((key) => samples.some((s) => !isPlain(s) || !Object.hasOwn(s, key)));
    if (missing !== undefined) throw new DataError(`a sample of the batch has no '${missing}'${where(path)}`, { op });
    return Object.fromEntries(
      keys.map((key) => [
        key,
        collate(
          (samples as Record<string, unknown>[]).map((s) => s[key]),
          `${path}.${key}`,
        ),
      ]),
    );
  }
  throw unsupported(first, path);
}

/** Makes tensors of the typed arrays in one sample, and leaves everything else: what a loader without batches applies. */
export function defaultConvert<T>(sample: T): Converted<T> {
  const convert = (x: unknown): unknown => {
    if (x instanceof Tensor) return x;
    if (isTyped(x)) return fromTypedArray(x, [x.length]);
    if (Array.isArray(x)) return x.map(convert);
    return isPlain(x) ? Object.fromEntries(Object.keys(x).map((key) => [key, convert(x[key])])) : x;
  };
  return convert(sample) as Converted<T>;
}

function stackAll(samples: readonly unknown[], path: string): Tensor {
  const first = samples[0] as Tensor;
  const tensors = samples.map((s, i) => {
    if (!(s instanceof Tensor)) throw unsupported(s, path);
    if (s.shape.length !== first.shape.length || s.shape.some((n, axis) => n !== first.shape[axis]))
      throw new DataError(
        `stack expects each tensor to be equal size, but got [${first.shape}] at entry 0 and [${s.shape}] at entry ${i}${where(path)}`,
        { op, fix: 'pad the samples, or give a collateFn' },
      );
    return s;
  });
  return stack(tensors);
}

type Primitives = { number: number; bigint: bigint; boolean: boolean; string: string };

function demandAll<K extends keyof Primitives>(samples: readonly unknown[], kind: K, path: string): Primitives[K][] {
  for (const s of samples) {
    if (typeof s !== kind) throw new DataError(`samples of one batch are ${kind} and ${kindOf(s)}${where(path)}`, { op });
  }
  return samples as Primitives[K][];
}

const isTyped = (x: unknown): x is TypedArray => ArrayBuffer.isView(x) && !(x instanceof DataView);

/** Objects made by literals, `Object.create(null)` or JSON; instances of classes are not taken apart. */
export function isPlain(x: unknown): x is Record<string, unknown> {
  if (typeof x !== 'object' || x === null) return false;
  const prototype: unknown = Object.getPrototypeOf(x);
  return prototype === null || prototype === Object.prototype;
}

const where = (path: string): string => (path === '' ? '' : ` (at sample${path})`);
const kindOf = (x: unknown): string => (x === null ? 'null' : typeof x === 'object' ? (x.constructor?.name ?? 'object') : typeof x);
const unsupported = (x: unknown, path: string): DataError =>
  new DataError(`batch must contain tensors, typed arrays, numbers, objects or lists; found ${kindOf(x)}${where(path)}`, {
    op,
    fix: 'give a collateFn',
  });
