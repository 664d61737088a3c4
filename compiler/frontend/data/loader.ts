// DataLoader: walks a dataset in the order of a sampler, collates samples into batches, and hands them out by `for` or `for await`.
import { ArgumentError, DataError, KeyError } from '../../../runtime/errors.ts';
import { type Generator, randomInt64 } from '../random.ts';
import { type Collated, defaultCollate, defaultConvert } from './collate.ts';
import { type Dataset, type IterableStyle, isMapStyle, type MapStyle, sampleAt, samplesAt } from './dataset.ts';
import { BatchSampler, RandomSampler, type Sampler, SequentialSampler } from './sampler.ts';

export type DataLoaderOptions<T, B> = {
  /** Samples per batch, 1 by default; null gives single samples, unbatched. */
  readonly batchSize?: number | null;
  /** Visit in random order, anew in each epoch; PyTorch's order for a seed. */
  readonly shuffle?: boolean;
  /** Order of the indices, instead of `shuffle`. */
  readonly sampler?: Sampler;
  /** Lists of indices, instead of `batchSize`, `shuffle`, `sampler` and `dropLast`. */
  readonly batchSampler?: Sampler<readonly number[]>;
  /** Leave out a last batch that is not full. */
  readonly dropLast?: boolean;
  /** Makes a batch of a list of samples; with `batchSize: null`, of one sample. Synchronous. */
  readonly collateFn?: (samples: T[]) => B;
  /** Source of the order; the default generator otherwise. */
  readonly generator?: Generator;
  /** Only 0: samples are loaded in the calling thread. */
  readonly numWorkers?: 0;
};

const op = 'DataLoader';
const optionNames = ['batchSize', 'shuffle', 'sampler', 'batchSampler', 'dropLast', 'collateFn', 'generator', 'numWorkers'];

/**
 * Batches of a dataset, once through per loop:
 *
 *     for (const [x, y] of new DataLoader(data, { batchSize: 64, shuffle: true })) ...
 *
 * `for await` also takes datasets that answer with promises, and lets signals and timers in between batches. Leaving a loop early leaves
 * nothing behind. An error of the dataset comes as a DataError that names epoch and index, with the original as its `cause`.
 */
export class DataLoader<T, B = Collated<T>> implements Iterable<B>, AsyncIterable<B> {
  readonly dataset: MapStyle<T> | IterableStyle<T>;
  readonly batchSize: number | null;
  readonly dropLast: boolean;
  readonly sampler: Sampler | undefined;
  readonly batchSampler: Sampler<readonly number[]> | undefined;
  readonly generator: Generator | undefined;
  readonly #collate: ((samples: T[]) => B) | undefined;
  #epochs = 0;

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
    this.#collate = options.collateFn;
    Object.freeze(this);
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
    const epoch = this.#begin();
    const { dataset } = this;
    if (isMapStyle(dataset)) return this.#byIndex(dataset, epoch);
    if (!(Symbol.iterator in dataset)) throw new DataError('the dataset iterates asynchronously', { op, fix: 'use for await' });
    return this.#oneByOne(dataset, epoch);
  }

  [Symbol.asyncIterator](): AsyncIterator<B, void, undefined> & AsyncIterable<B> {
    const epoch = this.#begin();
    const { dataset } = this;
    return breathing(isMapStyle(dataset) ? this.#byIndexAsync(dataset, epoch) : this.#oneByOneAsync(dataset, epoch));
  }

  /** Starts an epoch. PyTorch draws a seed for workers here, before the sampler draws, whether or not there are workers. */
  #begin(): number {
    randomInt64(this.generator);
    return this.#epochs++;
  }

  *#byIndex(dataset: MapStyle<T>, epoch: number): globalThis.Generator<B, void, undefined> {
    if (this.batchSampler === undefined) {
      for (const i of this.sampler!)
        yield this.#convert(now(guard(() => sampleAt(dataset, i), `sample ${i}`, epoch)), `sample ${i}`, epoch);
      return;
    }
    for (const indices of this.batchSampler) yield now(this.#fetch(dataset, indices, epoch));
  }

  async *#byIndexAsync(dataset: MapStyle<T>, epoch: number): AsyncGenerator<B, void, undefined> {
    if (this.batchSampler === undefined) {
      for (const i of this.sampler!)
        yield this.#convert(await guard(() => sampleAt(dataset, i), `sample ${i}`, epoch), `sample ${i}`, epoch);
      return;
    }
    for (const indices of this.batchSampler) yield await this.#fetch(dataset, indices, epoch);
  }

  /** The batch of some indices; a promise if the dataset gives promises. All samples are asked for before any is awaited. */
  #fetch(dataset: MapStyle<T>, indices: readonly number[], epoch: number): B | Promise<B> {
    const span =
      indices.length === 1
        ? `sample ${indices[0]}`
        : `batch of samples ${indices.slice(0, 8).join(', ')}${indices.length > 8 ? ', ...' : ''}`;
    const { getBatch } = dataset as Dataset<T>;
    if (getBatch !== undefined && this.#collate === undefined)
      return guard(() => getBatch.call(dataset, indices) as B | Promise<B>, span, epoch);
    const collate = (samples: readonly T[]): B => guard(() => this.#collated(samples), `collating the ${span}`, epoch) as B;
    if (typeof (dataset as Dataset<T>).getItems === 'function') {
      const samples = guard(() => samplesAt(dataset, indices) as readonly T[] | Promise<readonly T[]>, span, epoch);
      return samples instanceof Promise ? samples.then(collate) : collate(samples);
    }
    const samples = indices.map((i) => guard(() => sampleAt(dataset, i), `sample ${i}`, epoch));
    return samples.some((s) => s instanceof Promise) ? Promise.all(samples).then(collate) : collate(samples as T[]);
  }

  *#oneByOne(dataset: Iterable<T>, epoch: number): globalThis.Generator<B, void, undefined> {
    const source = guard(() => dataset[Symbol.iterator](), 'the first sample', epoch) as Iterator<T>;
    const gather = new Gather(this, epoch);
    let done = false;
    try {
      while (!done) {
        const next = guard(() => source.next(), `sample ${gather.seen}`, epoch) as IteratorResult<T>;
        done = next.done === true;
        const samples = done ? gather.rest() : gather.add(next.value);
        if (samples !== undefined) yield this.#finish(samples, gather.seen, epoch);
      }
    } finally {
      if (!done) source.return?.();
    }
  }

  async *#oneByOneAsync(dataset: IterableStyle<T>, epoch: number): AsyncGenerator<B, void, undefined> {
    const open = (): Iterator<T> | AsyncIterator<T> =>
      Symbol.asyncIterator in dataset ? dataset[Symbol.asyncIterator]() : dataset[Symbol.iterator]();
    const source = guard(open, 'the first sample', epoch) as Iterator<T> | AsyncIterator<T>;
    const gather = new Gather(this, epoch);
    let done = false;
    try {
      while (!done) {
        const next = await guard(() => source.next(), `sample ${gather.seen}`, epoch);
        done = next.done === true;
        const samples = done ? gather.rest() : gather.add(next.value);
        if (samples !== undefined) yield this.#finish(samples, gather.seen, epoch);
      }
    } finally {
      if (!done) await source.return?.();
    }
  }

  #finish(samples: T[], seen: number, epoch: number): B {
    if (this.batchSize === null) return this.#convert(samples[0]!, `sample ${seen - 1}`, epoch);
    return guard(() => this.#collated(samples), `collating the batch that ends with sample ${seen - 1}`, epoch) as B;
  }

  #collated(samples: readonly T[]): B {
    return this.#collate === undefined ? (defaultCollate(samples) as B) : this.#collate([...samples]);
  }

  /** Without batches the collation gets the sample itself. */
  #convert(sample: T, what: string, epoch: number): B {
    const collate = this.#collate as ((sample: unknown) => B) | undefined;
    return guard(() => (collate === undefined ? (defaultConvert(sample) as B) : collate(sample)), `converting ${what}`, epoch) as B;
  }
}

/** Collects the samples of an iterable-style dataset into batches, and notices when there are more than it announced. */
class Gather<T> {
  seen = 0;
  private batch: T[] = [];
  private readonly size: number;
  private readonly dropLast: boolean;
  private readonly announced: number | undefined;
  private readonly epoch: number;

  constructor(loader: DataLoader<T, unknown>, epoch: number) {
    this.size = loader.batchSize ?? 1;
    this.dropLast = loader.dropLast;
    this.announced = (loader.dataset as { readonly length?: number }).length;
    this.epoch = epoch;
  }

  add(sample: T): T[] | undefined {
    if (this.seen++ === this.announced)
      console.warn(`DataLoader: the dataset announced ${this.announced} samples and gives more (epoch ${this.epoch})`);
    this.batch.push(sample);
    return this.batch.length === this.size ? this.take() : undefined;
  }

  rest(): T[] | undefined {
    return this.batch.length === 0 || this.dropLast ? undefined : this.take();
  }

  private take(): T[] {
    const full = this.batch;
    this.batch = [];
    return full;
  }
}

/** Runs a piece of the user's code; what it throws, or rejects with, becomes a DataError that says where. */
function guard<R>(f: () => R | Promise<R>, what: string, epoch: number): R | Promise<R> {
  const failed = (cause: unknown): never => {
    if (cause instanceof DataError && cause.op === op) throw cause;
    throw new DataError(`${what} of epoch ${epoch} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { op, cause });
  };
  try {
    const result = f();
    return result instanceof Promise ? result.catch(failed) : result;
  } catch (error) {
    return failed(error);
  }
}

function now<R>(result: R | Promise<R>): R {
  if (!(result instanceof Promise)) return result;
  result.catch(() => undefined); // refused below; must not be reported as unhandled as well
  throw new DataError('the dataset answers with promises', { op, fix: 'use for await' });
}

/** Longest time without a turn of the event loop: a loop that only awaits settled promises starves signals and timers. */
const breathAfter = 40;

async function* breathing<B>(batches: AsyncGenerator<B, void, undefined>): AsyncGenerator<B, void, undefined> {
  let last = performance.now();
  for await (const batch of batches) {
    if (performance.now() - last > breathAfter) {
      await macrotask();
      last = performance.now();
    }
    yield batch;
  }
}

const macrotask = (): Promise<void> =>
  new Promise((resolve) => void (typeof setImmediate === 'function' ? setImmediate(resolve) : setTimeout(resolve, 0)));

function validate<T, B>(dataset: MapStyle<T> | IterableStyle<T>, o: DataLoaderOptions<T, B>): void {
  const refuse = (what: string, fix?: string): never => {
    throw new ArgumentError(what, { op, fix });
  };
  const unknown = Object.keys(o).find((name) => !optionNames.includes(name));
  if (unknown !== undefined) throw new KeyError(`there is no option '${unknown}'`, { op, fix: `choose from ${optionNames.join(', ')}` });
  const workers: number = o.numWorkers ?? 0;
  if (!(workers >= 0)) refuse('numWorkers option should be non-negative', 'use numWorkers: 0');
  if (workers > 0) refuse(`this version loads in the calling thread: numWorkers is ${workers}`, 'use numWorkers: 0');
  if (typeof dataset !== 'object' || dataset === null) refuse(`a dataset has length and get(index), or iterates; got ${typeof dataset}`);
  if (isMapStyle(dataset)) {
    if (typeof dataset.length !== 'number') refuse('a map-style dataset must have a length', 'add a length beside get(index)');
  } else if (!(Symbol.iterator in dataset || Symbol.asyncIterator in dataset)) {
    refuse('a dataset has length and get(index), or iterates; this has neither');
  } else {
    if (o.shuffle !== undefined)
      refuse(
        `iterable-style dataset: expected unspecified shuffle option, but got shuffle=${o.shuffle}`,
        'shuffle where the samples are made',
      );
    if (o.sampler !== undefined || o.batchSampler !== undefined)
      refuse('iterable-style dataset: expected unspecified sampler and batchSampler options');
  }
  if (o.sampler !== undefined && o.shuffle) refuse('sampler option is mutually exclusive with shuffle');
  const batching = (o.batchSize !== undefined && o.batchSize !== 1) || o.shuffle || o.sampler !== undefined || o.dropLast;
  if (o.batchSampler !== undefined && batching)
    refuse('batchSampler option is mutually exclusive with batchSize, shuffle, sampler, and dropLast');
  if (o.batchSize === null && o.dropLast) refuse('batchSize=null option disables auto-batching and is mutually exclusive with dropLast');
  if (o.batchSize !== undefined && o.batchSize !== null && !(Number.isInteger(o.batchSize) && o.batchSize > 0))
    refuse(`batchSize should be a positive integer value, but got batchSize=${o.batchSize}`);
}
