// Datasets: where samples come from, by index or one after another, and how datasets are cut and put together.
import { ArgumentError, DataError, IndexError, ShapeError } from '../../../runtime/errors.ts';
import { fromTypedArray } from '../creation.ts';
import { select } from '../functional/indexing.ts';
import { indexSelect } from '../functional/scatter.ts';
import { defaultGenerator, fillRandperm, type Generator } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import type { Collated } from './collate.ts';

/** A map-style dataset: samples by index. Extend it, or give any object with these members. */
export abstract class Dataset<T> {
  abstract readonly length: number;
  /** One sample; a promise is awaited by `for await`. */
  abstract get(index: number): T | Promise<T>;
  /** Many samples at once, where that is cheaper: PyTorch's `__getitems__`. They are collated like single ones. */
  getItems?(indices: readonly number[]): readonly T[] | Promise<readonly T[]>;
  /** A whole batch, as the default collation would make it of the samples; asked for only when that is the collation. */
  getBatch?(indices: readonly number[]): Collated<T> | Promise<Collated<T>>;
}

/** An iterable-style dataset: samples one after another. Extend it, or give any object that iterates; `length` is optional. */
export abstract class IterableDataset<T> implements AsyncIterable<T> {
  readonly length?: number;
  abstract [Symbol.asyncIterator](): AsyncIterator<T>;
}

/** What a loader takes: a map-style dataset, an array of samples, or anything that iterates. */
export type MapStyle<T> = Pick<Dataset<T>, 'length' | 'get' | 'getItems' | 'getBatch'> | readonly T[];
export type IterableStyle<T> = (Iterable<T> | AsyncIterable<T>) & { readonly length?: number };

/** Whether samples are found by index: an array, or an object with `get`. */
export const isMapStyle = <T>(source: MapStyle<T> | IterableStyle<T>): source is MapStyle<T> =>
  Array.isArray(source) || typeof (source as { get?: unknown }).get === 'function';

/** One sample of a map-style dataset. Arrays refuse what lies outside; other datasets do so themselves. */
export function sampleAt<T>(source: MapStyle<T>, index: number): T | Promise<T> {
  if (!isArray(source)) return source.get(index);
  return source[position('get', index, source.length)] as T;
}

/** Many samples, by `getItems` where the dataset has it. */
export function samplesAt<T>(source: MapStyle<T>, indices: readonly number[]): readonly (T | Promise<T>)[] | Promise<readonly T[]> {
  if (!isArray(source) && typeof source.getItems === 'function') return source.getItems(indices);
  return indices.map((i) => sampleAt(source, i));
}

const isArray = <T>(source: MapStyle<T>): source is readonly T[] => Array.isArray(source);

/** An index counted from the front; negative ones count from the end. */
function position(op: string, index: number, length: number): number {
  if (!Number.isInteger(index) || index < -length || index >= length)
    throw new IndexError(`index ${index} is out of range for ${length} samples`, { op });
  return index < 0 ? index + length : index;
}

function demandMapStyle(op: string, source: unknown): void {
  if (!isMapStyle(source as MapStyle<unknown>))
    throw new ArgumentError(`${op} does not support iterable-style datasets`, { op, fix: 'give datasets with length and get(index)' });
}

/** Rows of tensors that have as many: sample i is the i-th row of each. A batch is one gather per tensor. */
export class TensorDataset<T extends readonly Tensor[] = readonly Tensor[]> extends Dataset<{ readonly [K in keyof T]: Tensor }> {
  readonly tensors: T;
  readonly length: number;

  constructor(...tensors: T) {
    super();
    const sizes = tensors.map((t) => t.shape[0]);
    if (sizes.length === 0 || sizes.includes(undefined))
      throw new ShapeError('wants tensors of at least one dimension', {
        op: 'TensorDataset',
        fix: 'give each tensor a first dimension that counts samples',
      });
    if (sizes.some((n) => n !== sizes[0]))
      throw new ShapeError(`size mismatch between tensors: first dimensions are ${sizes.join(', ')}`, { op: 'TensorDataset' });
    this.tensors = tensors;
    this.length = sizes[0]!;
  }

  get(index: number): { readonly [K in keyof T]: Tensor } {
    const row = position('TensorDataset', index, this.length);
    return this.rows((t) => select(t, 0, row));
  }

  override getBatch(indices: readonly number[]): Collated<{ readonly [K in keyof T]: Tensor }> {
    const rows = Int32Array.from(indices, (i) => position('TensorDataset', i, this.length));
    const index = fromTypedArray(rows, [rows.length]);
    return this.rows((t) => indexSelect(t, 0, index)) as Collated<{ readonly [K in keyof T]: Tensor }>;
  }

  private rows(pick: (t: Tensor) => Tensor): { readonly [K in keyof T]: Tensor } {
    return this.tensors.map(pick) as unknown as { readonly [K in keyof T]: Tensor };
  }
}

/** The samples of a dataset at given indices. */
export class Subset<T> extends Dataset<T> {
  readonly dataset: MapStyle<T>;
  readonly indices: readonly number[];

  constructor(dataset: MapStyle<T>, indices: readonly number[]) {
    super();
    demandMapStyle('Subset', dataset);
    this.dataset = dataset;
    this.indices = indices;
    const { getBatch } = dataset as Dataset<T>;
    if (getBatch !== undefined) this.getBatch = (at) => getBatch.call(dataset, this.inner(at));
  }

  get length(): number {
    return this.indices.length;
  }

  get(index: number): T | Promise<T> {
    return sampleAt(this.dataset, this.indexOf(index));
  }

  /** Where a sample lies in the dataset behind. */
  indexOf(index: number): number {
    return this.indices[position('Subset', index, this.length)]!;
  }

  override getItems(indices: readonly number[]): readonly T[] | Promise<readonly T[]> {
    const samples = samplesAt(this.dataset, this.inner(indices));
    return samples instanceof Promise
      ? samples
      : samples.some((s) => s instanceof Promise)
        ? Promise.all(samples)
        : (samples as readonly T[]);
  }

  private inner(indices: readonly number[]): number[] {
    return indices.map((i) => this.indexOf(i));
  }
}

/** Datasets one behind the other. */
export class ConcatDataset<T> extends Dataset<T> {
  readonly datasets: readonly MapStyle<T>[];
  /** Samples up to and including each dataset. */
  readonly cumulativeSizes: readonly number[];

  constructor(datasets: Iterable<MapStyle<T>>) {
    super();
    this.datasets = [...datasets];
    if (this.datasets.length === 0) throw new ArgumentError('datasets should not be an empty iterable', { op: 'ConcatDataset' });
    for (const d of this.datasets) demandMapStyle('ConcatDataset', d);
    const sizes: number[] = [];
    for (const d of this.datasets) sizes.push((sizes.at(-1) ?? 0) + d.length);
    this.cumulativeSizes = sizes;
  }

  get length(): number {
    return this.cumulativeSizes[this.cumulativeSizes.length - 1]!;
  }

  get(index: number): T | Promise<T> {
    if (index < -this.length) throw new IndexError('absolute value of index should not exceed dataset length', { op: 'ConcatDataset' });
    const at = position('ConcatDataset', index, this.length);
    let low = 0;
    let high = this.cumulativeSizes.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.cumulativeSizes[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return sampleAt(this.datasets[low]!, low === 0 ? at : at - this.cumulativeSizes[low - 1]!);
  }
}

/** Iterable-style datasets one after another. */
export class ChainDataset<T> extends IterableDataset<T> {
  readonly datasets: readonly IterableStyle<T>[];

  constructor(datasets: Iterable<IterableStyle<T>>) {
    super();
    this.datasets = [...datasets];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (const d of this.datasets) yield* d;
  }
}

type Stacked<D> = { readonly [K in keyof D]: D[K] extends MapStyle<infer T> ? T : never };

/** Datasets of one length side by side: a sample has one sample of each, as a list or under the given names. */
export class StackDataset<const D extends readonly MapStyle<unknown>[] | Readonly<Record<string, MapStyle<unknown>>>> extends Dataset<
  Stacked<D>
> {
  readonly datasets: D;
  readonly length: number;

  constructor(datasets: D) {
    super();
    const parts = Object.values(datasets) as MapStyle<unknown>[];
    if (parts.length === 0) throw new ArgumentError('at least one dataset should be passed', { op: 'StackDataset' });
    for (const d of parts) demandMapStyle('StackDataset', d);
    if (parts.some((d) => d.length !== parts[0]!.length))
      throw new ArgumentError(`size mismatch between datasets: lengths are ${parts.map((d) => d.length).join(', ')}`, {
        op: 'StackDataset',
      });
    this.datasets = datasets;
    this.length = parts[0]!.length;
  }

  get(index: number): Stacked<D> | Promise<Stacked<D>> {
    const at = position('StackDataset', index, this.length);
    const names = Object.keys(this.datasets);
    const parts = (Object.values(this.datasets) as MapStyle<unknown>[]).map((d) => sampleAt(d, at));
    const assemble = (samples: unknown[]): Stacked<D> =>
      (Array.isArray(this.datasets) ? samples : Object.fromEntries(names.map((name, i) => [name, samples[i]]))) as Stacked<D>;
    return parts.some((p) => p instanceof Promise) ? Promise.all(parts).then(assemble) : assemble(parts);
  }
}

/**
 * Disjoint subsets in random order. `lengths` sum to the number of samples, or are fractions that sum to 1: each is rounded down and what
 * remains goes to the first ones, one each.
 */
export function randomSplit<T>(
  dataset: MapStyle<T>,
  lengths: readonly number[],
  options: { readonly generator?: Generator } = {},
): Subset<T>[] {
  const op = 'randomSplit';
  demandMapStyle(op, dataset);
  const sum = lengths.reduce((a, b) => a + b, 0);
  const fractions = sum <= 1 && Math.abs(sum - 1) <= 1e-9;
  if (fractions) lengths.forEach((f, i) => void demandFraction(f, i));
  const sizes = fractions ? sizesOf(lengths, dataset.length) : lengths;
  if (sizes.some((n) => !Number.isInteger(n) || n < 0) || sizes.reduce((a, b) => a + b, 0) !== dataset.length)
    throw new DataError(
      `sum of input lengths does not equal the length of the input dataset: [${lengths.join(', ')}] of ${dataset.length}`,
      { op },
    );
  const order = new Int32Array(dataset.length);
  fillRandperm(order, options.generator ?? defaultGenerator);
  let end = 0;
  return sizes.map((n) => {
    end += n;
    return new Subset(dataset, Array.from(order.subarray(end - n, end)));
  });
}

function demandFraction(f: number, i: number): void {
  if (!(f >= 0 && f <= 1)) throw new ArgumentError(`fraction ${f} at index ${i} is not between 0 and 1`, { op: 'randomSplit' });
}

function sizesOf(fractions: readonly number[], length: number): number[] {
  const sizes = fractions.map((f) => Math.floor(length * f));
  const rest = length - sizes.reduce((a, b) => a + b, 0);
  for (let i = 0; i < rest; i++) sizes[i % sizes.length]!++;
  return sizes;
}
