// The options of a loader and what is refused about them, in PyTorch's words where it has words.
import { ArgumentError, KeyError } from '../../../runtime/errors.ts';
import type { Generator } from '../random.ts';
import { type IterableStyle, isMapStyle, type MapStyle, Subset } from './dataset.ts';
import { addressOfFunction, originOf } from './origin.ts';
import type { Sampler } from './sampler.ts';
import { insideWorker, type StartedWorker } from './thread.ts';

export type DataLoaderOptions<T, B> = {
  /** Samples per batch, 1 by default; null gives single samples, unbatched. */
  readonly batchSize?: number | null;
  /** Visit in random order, anew in each epoch; PyTorch's order for a seed. */
  readonly shuffle?: boolean;
  /** Order of the indices, instead of `shuffle`. */
  readonly sampler?: Sampler;
  /** Lists of indices, instead of `batchSize`, `shuffle`, `sampler` and `dropLast`. */
  readonly batchSampler?: Sampler<readonly number[]>;
  /** Leave out a last batch that is not full. With workers and an iterable, that of each worker. */
  readonly dropLast?: boolean;
  /** Makes a batch of a list of samples; with `batchSize: null`, of one sample. Synchronous. For workers, made by `workerFunction`. */
  readonly collateFn?: (samples: T[]) => B;
  /** Source of the order; the default generator otherwise. */
  readonly generator?: Generator;
  /** Threads that load while the caller computes; 0, the default, loads in the calling thread. Needs a dataset made by `workerDataset`. */
  readonly numWorkers?: number;
  /** Batches that each worker loads in advance, 2 by default. */
  readonly prefetchFactor?: number;
  /** Bytes that all workers together load in advance, 256 MiB by default; one batch is loaded whatever its size. */
  readonly prefetchBytes?: number;
  /** Keep the workers, and the state of their datasets, from one epoch to the next; `close()` ends them. */
  readonly persistentWorkers?: boolean;
  /** Seconds to wait for a batch of the workers; 0, the default, waits as long as it takes. */
  readonly timeout?: number;
  /** Called in each worker with its id, after seeding and before loading. Made by `workerFunction`. */
  readonly workerInitFn?: (workerId: number) => unknown;
  /**
   * Starts a worker whose module calls `serveDatasets`: `() => new Worker(new URL('./datasets.ts', import.meta.url), { type: 'module' })`, which
   * bundlers understand. Without it, workers import the dataset's module by its URL, which a bundler may have moved.
   */
  readonly worker?: () => StartedWorker;
  /** Give batches in the order of their indices, the default; false gives them as they come. */
  readonly inOrder?: boolean;
};

const op = 'DataLoader';
const names: Readonly<Record<keyof DataLoaderOptions<never, never>, true>> = {
  batchSize: true,
  shuffle: true,
  sampler: true,
  batchSampler: true,
  dropLast: true,
  collateFn: true,
  generator: true,
  numWorkers: true,
  prefetchFactor: true,
  prefetchBytes: true,
  persistentWorkers: true,
  timeout: true,
  workerInitFn: true,
  worker: true,
  inOrder: true,
};

function refuse(what: string, fix?: string): never {
  throw new ArgumentError(what, { op, fix });
}

export function validate<T, B>(dataset: MapStyle<T> | IterableStyle<T>, o: DataLoaderOptions<T, B>): void {
  const unknown = Object.keys(o).find((name) => !Object.hasOwn(names, name));
  if (unknown !== undefined)
    throw new KeyError(`there is no option '${unknown}'`, { op, fix: `choose from ${Object.keys(names).join(', ')}` });
  validateDataset(dataset, o);
  validateBatching(o);
  validateWorkers(dataset, o);
}

function validateDataset<T, B>(dataset: MapStyle<T> | IterableStyle<T>, o: DataLoaderOptions<T, B>): void {
  if (typeof dataset !== 'object' || dataset === null) refuse(`a dataset has length and get(index), or iterates; got ${typeof dataset}`);
  if (dataset instanceof Promise) refuse('the dataset is a promise', 'await it first');
  if (isMapStyle(dataset)) {
    if (typeof dataset.length !== 'number') refuse('a map-style dataset must have a length', 'add a length beside get(index)');
    return;
  }
  if (!(Symbol.iterator in dataset || Symbol.asyncIterator in dataset))
    refuse('a dataset has length and get(index), or iterates; this has neither');
  if (o.shuffle !== undefined)
    refuse(
      `iterable-style dataset: expected unspecified shuffle option, but got shuffle=${o.shuffle}`,
      'shuffle where the samples are made',
    );
  if (o.sampler !== undefined) refuse('iterable-style dataset: expected unspecified sampler option');
  if (o.batchSampler !== undefined) refuse('iterable-style dataset: expected unspecified batchSampler option');
}

function validateBatching<T, B>(o: DataLoaderOptions<T, B>): void {
  if (o.sampler !== undefined && o.shuffle) refuse('sampler option is mutually exclusive with shuffle');
  const batching = (o.batchSize !== undefined && o.batchSize !== 1) || o.shuffle || o.sampler !== undefined || o.dropLast;
  if (o.batchSampler !== undefined && batching)
    refuse('batchSampler option is mutually exclusive with batchSize, shuffle, sampler, and dropLast');
  if (o.batchSize === null && o.dropLast) refuse('batchSize=null option disables auto-batching and is mutually exclusive with dropLast');
  if (o.batchSize !== undefined && o.batchSize !== null && !(Number.isInteger(o.batchSize) && o.batchSize > 0))
    refuse(`batchSize should be a positive integer value, but got batchSize=${o.batchSize}`);
}

function validateWorkers<T, B>(dataset: MapStyle<T> | IterableStyle<T>, o: DataLoaderOptions<T, B>): void {
  const { numWorkers = 0, timeout = 0, prefetchFactor, prefetchBytes } = o;
  if (!(Number.isInteger(numWorkers) && numWorkers >= 0))
    refuse(
      `numWorkers option should be non-negative, an integer, but got numWorkers=${numWorkers}`,
      'use numWorkers: 0 to load in the calling thread',
    );
  if (!(timeout >= 0 && timeout < 2 ** 31 / 1000)) refuse(`timeout option should be non-negative, in seconds, but got timeout=${timeout}`);
  if (numWorkers === 0) {
    for (const name of ['prefetchFactor', 'prefetchBytes'] as const)
      if (o[name] !== undefined)
        refuse(`${name} option could only be specified with workers`, `let numWorkers > 0, otherwise leave ${name} out`);
    if (o.persistentWorkers) refuse('persistentWorkers option needs numWorkers > 0');
    if (timeout > 0) refuse('timeout option needs numWorkers > 0');
    if (o.worker !== undefined) refuse('worker option needs numWorkers > 0');
    return;
  }
  if (o.worker !== undefined && typeof o.worker !== 'function') refuse('worker option should be a function that starts a Worker');
  if (prefetchFactor !== undefined && !(Number.isInteger(prefetchFactor) && prefetchFactor > 0))
    refuse(`prefetchFactor should be a positive integer value, but got prefetchFactor=${prefetchFactor}`);
  if (prefetchBytes !== undefined && !(prefetchBytes >= 0))
    refuse(`prefetchBytes should be non-negative, but got prefetchBytes=${prefetchBytes}`);
  if (insideWorker())
    refuse(
      'data workers are not allowed to have workers of their own',
      'put the dataset into a module that does not start the training: workers import it',
    );
  if (originOf(loadedBy(dataset)) === undefined)
    refuse(
      'workers cannot make this dataset: an object with methods cannot be sent to a thread',
      "export it from a module: export const digits = workerDataset(import.meta.url, 'digits', () => new Digits())",
    );
  for (const name of ['collateFn', 'workerInitFn'] as const) {
    const f = o[name];
    if (f !== undefined && addressOfFunction(f) === undefined)
      refuse(
        `${name} cannot be sent to a thread: it is a function`,
        `export it from a module: export const f = workerFunction(import.meta.url, 'f', ...)`,
      );
  }
  const most = processors();
  if (numWorkers > most) console.warn(`DataLoader: ${numWorkers} workers on a machine of ${most} processors may be slower than ${most}`);
}

/** The dataset that workers make. A subset is one in the calling thread only: workers are given the indices behind it. */
export function loadedBy<T>(dataset: MapStyle<T> | IterableStyle<T>): MapStyle<T> | IterableStyle<T> {
  let inner = dataset;
  while (originOf(inner) === undefined && inner instanceof Subset && inner.constructor === Subset) inner = inner.dataset as MapStyle<T>;
  return inner;
}

/** The index in `loadedBy(dataset)` of a sample of the dataset. */
export function indexBehind<T>(dataset: MapStyle<T>, index: number): number {
  const end = loadedBy(dataset);
  let at = index;
  for (let d: MapStyle<T> = dataset; d !== end; d = (d as Subset<T>).dataset) at = (d as Subset<T>).indexOf(at);
  return at;
}

function processors(): number {
  const builtin = (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule;
  return builtin !== undefined
    ? builtin('node:os').availableParallelism()
    : (globalThis.navigator?.hardwareConcurrency ?? Number.POSITIVE_INFINITY);
}
