// DataLoader: walks a dataset in the order of a sampler, collates samples into batches, and hands them out by `for` or `for await`.
import { ArgumentError, DataError } from '../../../runtime/errors.ts';
import { type Generator, randomInt64 } from '../random.ts';
import type { Collated } from './collate.ts';
import { type IterableStyle, isMapStyle, type MapStyle } from './dataset.ts';
import { type Fetch, fetchIndices, fetchSample, finish, openStream, openStreamSync, take, takeSync } from './fetch.ts';
import type { Request } from './message.ts';
import { type DataLoaderOptions, indexBehind, loadedBy, validate } from './options.ts';
import { addressOfFunction, originOf } from './origin.ts';
import { beginEpoch, type Crew, closePool, type Pool, startPool } from './pool.ts';
import { prefetched } from './prefetch.ts';
import { BatchSampler, RandomSampler, type Sampler, SequentialSampler } from './sampler.ts';
import type { StartedWorker } from './thread.ts';
import { breathing } from './turn.ts';

const op = 'DataLoader';

/**
 * Batches of a dataset, once through per loop:
 *
 *     for (const [x, y] of new DataLoader(data, { batchSize: 64, shuffle: true })) ...
 *
 * `for await` also takes datasets that answer with promises, and lets signals and timers in between batches. With `numWorkers` it is the only
 * way, and gives the same batches in the same order. Leaving a loop early leaves nothing behind: no open source, no thread. An error of the
 * dataset comes as a DataError that names epoch and index, with the original as its `cause`; a worker that dies or stalls, as a WorkerError.
 */
export class DataLoader<T, B = Collated<T>> implements Iterable<B>, AsyncIterable<B>, AsyncDisposable {
  readonly dataset: MapStyle<T> | IterableStyle<T>;
  readonly batchSize: number | null;
  readonly dropLast: boolean;
  readonly sampler: Sampler | undefined;
  readonly batchSampler: Sampler<readonly number[]> | undefined;
  readonly generator: Generator | undefined;
  readonly numWorkers: number;
  readonly prefetchFactor: number;
  readonly prefetchBytes: number;
  readonly persistentWorkers: boolean;
  /** In seconds. */
  readonly timeout: number;
  readonly inOrder: boolean;
  readonly collateFn: ((samples: T[]) => B) | undefined;
  readonly workerInitFn: ((workerId: number) => unknown) | undefined;
  readonly worker: (() => StartedWorker) | undefined;
  #epochs = 0;
  /** Workers that wait for the next epoch. */
  #pool: Pool | undefined;

  constructor(dataset: MapStyle<T> | IterableStyle<T>, options: DataLoaderOptions<T, B> = {}) {
    validate(dataset, options);
    const { shuffle = false, batchSampler, generator } = options;
    const mapStyle = isMapStyle(dataset);
    this.dataset = dataset;
    this.generator = generator;
    this.dropLast = options.dropLast ?? false;
    this.batchSize = batchSampler !== undefined ? null : options.batchSize === undefined ? 1 : options.batchSize;
    const ordered = (source: { readonly length: number }): Sampler =>
      shuffle ? new RandomSampler(source, { generator }) : new SequentialSampler(source);
    this.sampler = options.sampler ?? (mapStyle && batchSampler === undefined ? ordered(dataset) : undefined);
    this.batchSampler =
      batchSampler ??
      (this.sampler !== undefined && this.batchSize !== null ? new BatchSampler(this.sampler, this.batchSize, this.dropLast) : undefined);
    this.collateFn = options.collateFn;
    this.numWorkers = options.numWorkers ?? 0;
    this.prefetchFactor = options.prefetchFactor ?? 2;
    this.prefetchBytes = options.prefetchBytes ?? 2 ** 28;
    this.persistentWorkers = options.persistentWorkers ?? false;
    this.timeout = options.timeout ?? 0;
    this.inOrder = options.inOrder ?? true;
    this.workerInitFn = options.workerInitFn;
    this.worker = options.worker;
    seal(this);
  }

  /** Batches per epoch. DataError where the dataset or sampler does not know its length. */
  get length(): number {
    const n = isMapStyle(this.dataset) ? (this.batchSampler ?? this.sampler)?.length : this.dataset.length;
    if (n === undefined)
      throw new DataError('the dataset or sampler has no length', { op, fix: 'give it a length, or count while iterating' });
    if (isMapStyle(this.dataset) || this.batchSize === null) return n;
    return this.dropLast ? Math.floor(n / this.batchSize) : Math.ceil(n / this.batchSize);
  }

  [Symbol.iterator](): Iterator<B, void, undefined> & Iterable<B> {
    const { dataset } = this;
    if (this.numWorkers > 0) throw new DataError('workers answer with promises', { op, fix: 'use for await, or numWorkers: 0' });
    if (!isMapStyle(dataset) && !(Symbol.iterator in dataset))
      throw new DataError('the dataset iterates asynchronously', { op, fix: 'use for await' });
    this.#baseSeed();
    const epoch = this.#epochs++;
    const fetch = this.#fetch(epoch);
    return isMapStyle(dataset) ? this.#byIndex(dataset, fetch) : this.#oneByOne(dataset as Iterable<T>, fetch, this.#counting(epoch));
  }

  [Symbol.asyncIterator](): AsyncIterator<B, void, undefined> & AsyncIterable<B> {
    const epoch = this.#epochs++;
    if (this.numWorkers > 0) return breathing(this.#withWorkers(epoch, this.#pool?.broken === false ? undefined : this.#baseSeed()));
    this.#baseSeed();
    const { dataset } = this;
    const fetch = this.#fetch(epoch);
    return breathing(isMapStyle(dataset) ? this.#byIndexAsync(dataset, fetch) : this.#oneByOneAsync(dataset, fetch, this.#counting(epoch)));
  }

  /** Ends persistent workers; a loop that is under way ends with a DataError. The next one starts new workers. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool !== undefined) await closePool(pool);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** PyTorch draws a seed for workers before the sampler draws, whether or not there are workers; persistent ones keep theirs. */
  #baseSeed(): bigint {
    return randomInt64(this.generator);
  }

  #fetch(epoch: number): Fetch<T, B> {
    return {
      collate: this.collateFn,
      batched: this.#batched,
      fail: (what, cause) =>
        new DataError(`${what} of epoch ${epoch} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { op, cause }),
    };
  }

  get #batched(): boolean {
    return this.batchSampler !== undefined || this.batchSize !== null;
  }

  *#byIndex(dataset: MapStyle<T>, fetch: Fetch<T, B>): globalThis.Generator<B, void, undefined> {
    if (this.batchSampler === undefined) for (const i of this.sampler!) yield now(fetchSample(fetch, dataset, i));
    else for (const indices of this.batchSampler) yield now(fetchIndices(fetch, dataset, indices));
  }

  async *#byIndexAsync(dataset: MapStyle<T>, fetch: Fetch<T, B>): AsyncGenerator<B, void, undefined> {
    if (this.batchSampler === undefined) for (const i of this.sampler!) yield await fetchSample(fetch, dataset, i);
    else for (const indices of this.batchSampler) yield await fetchIndices(fetch, dataset, indices);
  }

  *#oneByOne(dataset: Iterable<T>, fetch: Fetch<T, B>, count: (seen: number) => void): globalThis.Generator<B, void, undefined> {
    const stream = openStreamSync(fetch, dataset, count);
    try {
      while (!stream.ended) {
        const samples = takeSync(fetch, stream, this.batchSize ?? 1);
        if (this.#isWhole(samples)) yield finish(fetch, samples, stream.seen);
      }
    } finally {
      if (!stream.ended) stream.source.return?.();
    }
  }

  async *#oneByOneAsync(dataset: IterableStyle<T>, fetch: Fetch<T, B>, count: (seen: number) => void): AsyncGenerator<B, void, undefined> {
    const stream = openStream(fetch, dataset, count);
    try {
      while (!stream.ended) {
        const samples = await take(fetch, stream, this.batchSize ?? 1);
        if (this.#isWhole(samples)) yield finish(fetch, samples, stream.seen);
      }
    } finally {
      if (!stream.ended) await stream.source.return?.();
    }
  }

  #isWhole(samples: readonly T[]): boolean {
    return this.dropLast ? samples.length === this.batchSize : samples.length > 0;
  }

  /** Notices when there are more samples than the dataset announced. */
  #counting(epoch: number): (seen: number) => void {
    const announced = (this.dataset as { readonly length?: number }).length ?? Number.POSITIVE_INFINITY;
    let warned = false;
    return (seen) => {
      if (seen <= announced || warned) return;
      warned = true;
      const share = this.numWorkers > 0 ? '; each worker iterates all of it unless it takes its share by getWorkerInfo()' : '';
      console.warn(`DataLoader: the dataset announced ${announced} samples and gives more (epoch ${epoch})${share}`);
    };
  }

  /** `seed` is drawn unless workers of an earlier epoch are there. */
  async *#withWorkers(epoch: number, seed: bigint | undefined): AsyncGenerator<B, void, undefined> {
    const pool = this.#workers(epoch, seed);
    try {
      const { prefetchFactor, prefetchBytes, inOrder } = this;
      const timeout = this.timeout * 1000;
      const requests = this.#requests();
      const count = isMapStyle(this.dataset) ? () => undefined : this.#counting(epoch);
      yield* prefetched(pool, { number: epoch, requests, prefetchFactor, prefetchBytes, timeout, inOrder, count }) as AsyncGenerator<
        B,
        void,
        undefined
      >;
    } finally {
      if (!this.persistentWorkers || pool.broken) {
        if (this.#pool === pool) this.#pool = undefined;
        await closePool(pool);
      }
    }
  }

  #workers(epoch: number, seed: bigint | undefined): Pool {
    const kept = this.#pool;
    if (kept !== undefined && !kept.broken) {
      beginEpoch(kept, epoch);
      return kept;
    }
    const pool = startPool(this.#crew(), seed ?? this.#baseSeed(), epoch);
    if (this.persistentWorkers) this.#pool = pool;
    return pool;
  }

  #crew(): Crew {
    return {
      numWorkers: this.numWorkers,
      dataset: originOf(loadedBy(this.dataset))!,
      iterable: !isMapStyle(this.dataset),
      collate: this.collateFn && addressOfFunction(this.collateFn),
      init: this.workerInitFn && addressOfFunction(this.workerInitFn),
      batched: this.#batched,
      dropLast: this.dropLast,
      worker: this.worker,
    };
  }

  *#requests(): globalThis.Generator<Request, void, undefined> {
    const { dataset } = this;
    if (!isMapStyle(dataset)) for (;;) yield this.batchSize ?? 1;
    if (this.batchSampler === undefined) for (const i of this.sampler!) yield [indexBehind(dataset, i)];
    else for (const indices of this.batchSampler) yield indices.map((i) => indexBehind(dataset, i));
  }
}

/** Makes later assignments fail with words. */
function seal(loader: object): void {
  for (const [name, value] of Object.entries(loader))
    Object.defineProperty(loader, name, {
      enumerable: true,
      get: () => value as unknown,
      set: () => {
        throw new ArgumentError(`${name} attribute should not be set after DataLoader is initialized`, { op, fix: 'make another loader' });
      },
    });
  Object.freeze(loader);
}

function now<R>(result: R | Promise<R>): R {
  if (!(result instanceof Promise)) return result;
  result.catch(() => undefined); // refused below; must not be reported as unhandled as well
  throw new DataError('the dataset answers with promises', { op, fix: 'use for await' });
}
