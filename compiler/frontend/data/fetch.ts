// Fetching: how samples of a dataset become one batch, with the place of whatever goes wrong. The calling thread and workers share it.
import { DataError } from '../../../runtime/errors.ts';
import { defaultCollate, defaultConvert } from './collate.ts';
import { type Dataset, type IterableStyle, type MapStyle, sampleAt, samplesAt } from './dataset.ts';

/** What is done with samples, by whom and for which epoch. */
export type Fetch<T, B> = {
  /** Makes a batch of samples, or of one sample where there are no batches; undefined for the default. */
  readonly collate: ((samples: T[]) => B) | undefined;
  readonly batched: boolean;
  /** The error for something that the user's code threw, or rejected with, during `what`. */
  readonly fail: (what: string, cause: unknown) => Error;
  /** Is told which position of a batch is being waited for. */
  readonly waitFor?: ((position: number) => void) | undefined;
};

/** Names samples by their indices. */
export const spanOf = (indices: readonly number[]): string =>
  indices.length === 1 ? `sample ${indices[0]}` : `batch of samples ${indices.slice(0, 8).join(', ')}${indices.length > 8 ? ', ...' : ''}`;

/** Runs a piece of the user's code. */
export function guard<R>(fetch: Pick<Fetch<never, unknown>, 'fail'>, what: string, f: () => R | Promise<R>): R | Promise<R> {
  const failed = (cause: unknown): never => {
    throw fetch.fail(what, cause);
  };
  try {
    const result = f();
    return result instanceof Promise ? result.catch(failed) : result;
  } catch (error) {
    return failed(error);
  }
}

/** The batch of some indices; a promise if the dataset gives promises. All samples are asked for before any is awaited. */
export function fetchIndices<T, B>(fetch: Fetch<T, B>, dataset: MapStyle<T>, indices: readonly number[]): B | Promise<B> {
  const span = spanOf(indices);
  const { getBatch } = dataset as Dataset<T>;
  if (getBatch !== undefined && fetch.collate === undefined)
    return guard(fetch, span, () => getBatch.call(dataset, indices) as B | Promise<B>);
  const collate = (samples: readonly T[]): B => collated(fetch, `collating the ${span}`, samples);
  if (typeof (dataset as Dataset<T>).getItems === 'function') {
    const samples = guard(fetch, span, () => samplesAt(dataset, indices) as readonly T[] | Promise<readonly T[]>);
    const whole = (all: readonly T[]): B => {
      if (all.length === indices.length) return collate(all);
      throw fetch.fail(span, new DataError(`getItems must return as many samples as indices: ${all.length} for ${indices.length}`));
    };
    return samples instanceof Promise ? samples.then(whole) : whole(samples);
  }
  const samples = indices.map((index, position) => {
    fetch.waitFor?.(position);
    return guard(fetch, `sample ${index}`, () => sampleAt(dataset, index));
  });
  return samples.some((s) => s instanceof Promise) ? settle(fetch, samples).then(collate) : collate(samples as T[]);
}

/** All samples; meanwhile the first one that is not there yet is the one waited for. */
function settle<T, B>(fetch: Fetch<T, B>, samples: readonly (T | Promise<T>)[]): Promise<T[]> {
  const all = Promise.all(samples);
  if (fetch.waitFor === undefined) return all;
  const pending = samples.map((s) => s instanceof Promise);
  let low = 0;
  const arrived = (position: number): void => {
    pending[position] = false;
    while (low < pending.length && !pending[low]) low++;
    fetch.waitFor!(low);
  };
  samples.forEach((s, i) => void Promise.resolve(s).then(() => arrived(i), ignore));
  return all;
}
const ignore = (): void => undefined; // whoever awaits all of them hears of it

/** One sample by index, where there are no batches. */
export function fetchSample<T, B>(fetch: Fetch<T, B>, dataset: MapStyle<T>, index: number): B | Promise<B> {
  const sample = guard(fetch, `sample ${index}`, () => sampleAt(dataset, index));
  const convert = (s: T): B => converted(fetch, `converting sample ${index}`, s);
  return sample instanceof Promise ? sample.then(convert) : convert(sample);
}

/** A pass over an iterable-style dataset. */
export type Stream<T, S = Iterator<T> | AsyncIterator<T>> = {
  readonly source: S;
  seen: number;
  ended: boolean;
  /** Is told when a sample has come. */
  readonly count: (seen: number) => void;
};

const first = 'the first sample';

export function openStream<T>(fetch: Fetch<T, unknown>, dataset: IterableStyle<T>, count: (seen: number) => void): Stream<T> {
  const open = (): Iterator<T> | AsyncIterator<T> =>
    Symbol.asyncIterator in dataset ? dataset[Symbol.asyncIterator]() : dataset[Symbol.iterator]();
  return { source: guard(fetch, first, open) as Iterator<T> | AsyncIterator<T>, seen: 0, ended: false, count };
}

export function openStreamSync<T>(fetch: Fetch<T, unknown>, dataset: Iterable<T>, count: (seen: number) => void): Stream<T, Iterator<T>> {
  return { source: guard(fetch, first, () => dataset[Symbol.iterator]()) as Iterator<T>, seen: 0, ended: false, count };
}

/** Up to `size` samples, fewer only at the end. */
export async function take<T>(fetch: Fetch<T, unknown>, stream: Stream<T>, size: number): Promise<T[]> {
  const samples: T[] = [];
  while (samples.length < size && !stream.ended) {
    fetch.waitFor?.(samples.length);
    admit(stream, samples, await guard(fetch, `sample ${stream.seen}`, () => stream.source.next()));
  }
  return samples;
}

/** As `take`, of a source that never answers with promises. */
export function takeSync<T>(fetch: Fetch<T, unknown>, stream: Stream<T, Iterator<T>>, size: number): T[] {
  const samples: T[] = [];
  while (samples.length < size && !stream.ended)
    admit(stream, samples, guard(fetch, `sample ${stream.seen}`, () => stream.source.next()) as IteratorResult<T>);
  return samples;
}

function admit<T>(stream: Stream<T, unknown>, samples: T[], next: IteratorResult<T, unknown>): void {
  if (next.done === true) {
    stream.ended = true;
    return;
  }
  samples.push(next.value);
  stream.count(++stream.seen);
}

/** What becomes of samples that were taken from a stream. */
export function finish<T, B>(fetch: Fetch<T, B>, samples: readonly T[], seen: number): B {
  return fetch.batched
    ? collated(fetch, `collating the batch that ends with sample ${seen - 1}`, samples)
    : converted(fetch, `converting sample ${seen - 1}`, samples[0]!);
}

const collated = <T, B>(fetch: Fetch<T, B>, what: string, samples: readonly T[]): B =>
  guard(fetch, what, () => (fetch.collate === undefined ? (defaultCollate(samples) as B) : fetch.collate([...samples]))) as B;

/** Without batches the collation gets the sample itself. */
function converted<T, B>(fetch: Fetch<T, B>, what: string, sample: T): B {
  const collate = fetch.collate as ((sample: unknown) => B) | undefined;
  return guard(fetch, what, () => (collate === undefined ? (defaultConvert(sample) as B) : collate(sample))) as B;
}
