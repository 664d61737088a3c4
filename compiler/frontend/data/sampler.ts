// Samplers: in which order indices are visited, singly or in batches. Orders are PyTorch's for a seed.
import { ArgumentError } from '../../../runtime/errors.ts';
import { defaultGenerator, fillRandint, fillRandperm, Generator, multinomial, randomInt64 } from '../random.ts';

/** Anything that gives indices anew each time it is iterated; `length` says how many, where known. */
export type Sampler<I = number> = Iterable<I> & { readonly length?: number };
type Sized = { readonly length: number };
type Drawn = { readonly generator?: Generator | undefined };

function demandCount(op: string, name: string, value: number): number {
  if (!Number.isInteger(value) || value <= 0)
    throw new ArgumentError(`${name} should be a positive integer value, but got ${name}=${value}`, { op });
  return value;
}

function permutation(n: number, generator: Generator): Int32Array {
  const order = new Int32Array(n);
  fillRandperm(order, generator);
  return order;
}

/** 0, 1, 2, ... */
export class SequentialSampler implements Sampler {
  readonly dataSource: Sized;
  constructor(dataSource: Sized) {
    this.dataSource = dataSource;
  }
  get length(): number {
    return this.dataSource.length;
  }
  *[Symbol.iterator](): Indices<number> {
    for (let i = 0; i < this.length; i++) yield i;
  }
}
type Indices<T> = globalThis.Generator<T, void, undefined>;

/** How many indices are drawn in one go with replacement: the boundary shows when a generator is shared. */
const drawnTogether = 32;

/** Indices in random order; with replacement, or more than there are, they repeat. Without a generator of its own, each pass seeds one from the default. */
export class RandomSampler implements Sampler {
  readonly dataSource: Sized;
  readonly replacement: boolean;
  readonly generator: Generator | undefined;
  readonly #count: number | undefined;

  constructor(dataSource: Sized, options: Drawn & { readonly replacement?: boolean; readonly numSamples?: number } = {}) {
    this.dataSource = dataSource;
    this.replacement = options.replacement ?? false;
    this.generator = options.generator;
    this.#count = options.numSamples;
    demandCount('RandomSampler', 'numSamples', this.length);
    demandCount('RandomSampler', 'length of the data source', dataSource.length);
  }

  get length(): number {
    return this.#count ?? this.dataSource.length;
  }

  *[Symbol.iterator](): Indices<number> {
    const n = this.dataSource.length;
    const generator = this.generator ?? new Generator().manualSeed(randomInt64());
    const size = this.replacement ? drawnTogether : n;
    for (let left = this.length; left >= size; left -= size) yield* this.draw(size, n, generator);
    // The rest is drawn even where it is empty, as PyTorch does: the next pass over a shared generator depends on it.
    yield* this.draw(this.length % size, n, generator);
  }

  private draw(count: number, n: number, generator: Generator): Int32Array {
    if (!this.replacement) return permutation(n, generator).subarray(0, count);
    const indices = new Int32Array(count);
    if (count > 0) fillRandint(indices, 0, n, generator);
    return indices;
  }
}

/** Given indices in random order. */
export class SubsetRandomSampler implements Sampler {
  readonly indices: readonly number[];
  readonly generator: Generator;
  constructor(indices: readonly number[], options: Drawn = {}) {
    this.indices = indices;
    this.generator = options.generator ?? defaultGenerator;
  }
  get length(): number {
    return this.indices.length;
  }
  *[Symbol.iterator](): Indices<number> {
    for (const i of permutation(this.indices.length, this.generator)) yield this.indices[i]!;
  }
}

/** Indices drawn in proportion to weights, which need not sum to one. */
export class WeightedRandomSampler implements Sampler {
  readonly weights: readonly number[] | Float64Array;
  readonly length: number;
  readonly replacement: boolean;
  readonly generator: Generator;
  constructor(weights: readonly number[] | Float64Array, numSamples: number, options: Drawn & { readonly replacement?: boolean } = {}) {
    this.weights = weights;
    this.length = demandCount('WeightedRandomSampler', 'numSamples', numSamples);
    this.replacement = options.replacement ?? true;
    this.generator = options.generator ?? defaultGenerator;
  }
  *[Symbol.iterator](): Indices<number> {
    yield* multinomial(this.weights, this.length, this.replacement, this.generator);
  }
}

/** Indices of another sampler in lists of `batchSize`; the last may be shorter, or is dropped. */
export class BatchSampler implements Sampler<number[]> {
  readonly sampler: Sampler;
  readonly batchSize: number;
  readonly dropLast: boolean;
  constructor(sampler: Sampler, batchSize: number, dropLast: boolean) {
    this.sampler = sampler;
    this.batchSize = demandCount('BatchSampler', 'batchSize', batchSize);
    this.dropLast = dropLast;
  }
  get length(): number {
    const n = this.sampler.length;
    if (n === undefined) throw new ArgumentError('the sampler has no length', { op: 'BatchSampler', fix: 'give the sampler a length' });
    return this.dropLast ? Math.floor(n / this.batchSize) : Math.ceil(n / this.batchSize);
  }
  *[Symbol.iterator](): Indices<number[]> {
    let batch: number[] = [];
    for (const i of this.sampler) {
      batch.push(i);
      if (batch.length < this.batchSize) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0 && !this.dropLast) yield batch;
  }
}

export type DistributedSamplerOptions = {
  /** How many processes share the samples. */
  readonly numReplicas: number;
  /** Which of them this is, from 0. */
  readonly rank: number;
  /** In random order, the default, which is the same for all ranks. */
  readonly shuffle?: boolean;
  readonly seed?: number;
  /** Leave out what does not divide evenly; otherwise the first samples come again. */
  readonly dropLast?: boolean;
};

/** The share of one process of many: every `numReplicas`-th index. Call `setEpoch` before each epoch, or all have the same order. */
export class DistributedSampler implements Sampler {
  readonly dataset: Sized;
  readonly numReplicas: number;
  readonly rank: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  #epoch = 0;

  constructor(dataset: Sized, options: DistributedSamplerOptions) {
    const { numReplicas, rank } = options;
    this.dataset = dataset;
    this.numReplicas = demandCount('DistributedSampler', 'numReplicas', numReplicas);
    if (!Number.isInteger(rank) || rank < 0 || rank >= numReplicas)
      throw new ArgumentError(`invalid rank ${rank}, rank should be in the interval [0, ${numReplicas - 1}]`, { op: 'DistributedSampler' });
    this.rank = rank;
    this.shuffle = options.shuffle ?? true;
    this.seed = options.seed ?? 0;
    this.dropLast = options.dropLast ?? false;
  }

  /** Indices of each rank. */
  get length(): number {
    const share = this.dataset.length / this.numReplicas;
    return this.dropLast ? Math.floor(share) : Math.ceil(share);
  }

  /** The order of an epoch depends on the seed and this number alone. */
  setEpoch(epoch: number): void {
    this.#epoch = epoch;
  }

  *[Symbol.iterator](): Indices<number> {
    const n = this.dataset.length;
    const order = this.shuffle ? permutation(n, new Generator().manualSeed(this.seed + this.#epoch)) : undefined;
    for (let i = this.rank; i < this.length * this.numReplicas; i += this.numReplicas) yield order === undefined ? i % n : order[i % n]!;
  }
}
