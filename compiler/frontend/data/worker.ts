// The loop of a data worker: makes its dataset, then loads one batch after another as it is told. Runs in a thread of its own.
import { DataError } from '../../../runtime/errors.ts';
import { manualSeed } from '../random.ts';
import type { IterableStyle, MapStyle } from './dataset.ts';
import { type Fetch, fetchIndices, fetchSample, finish, openStream, type Stream, take } from './fetch.ts';
import { type Address, buffersOf, type FromWorker, type Load, pack, type Start, type ToWorker, thrownOf, unpack } from './message.ts';
import { turn } from './turn.ts';

export type WorkerInfo = {
  readonly id: number;
  readonly numWorkers: number;
  /** What this worker's default generator was seeded with: the epoch's base seed plus the id. */
  readonly seed: bigint;
  /** This worker's copy; undefined while it is being made. */
  readonly dataset: unknown;
};

let info: WorkerInfo | null = null;

/** Which worker this is; null in the main thread. An iterable-style dataset asks to know which share of the samples is its own. */
export const getWorkerInfo = (): WorkerInfo | null => info;

/** The worker's side of the line to the loader. */
export type Port = {
  postMessage(message: FromWorker, transfer?: ArrayBuffer[]): void;
  onmessage: ((event: { readonly data: ToWorker }) => void) | null;
};
/** `inbox` holds the start message and what came since; `find` gets the user's functions, by import if nothing else is said. */
export type Serve = (port: Port, inbox: readonly ToWorker[], find?: Find) => Promise<void>;
export type Find = (address: Address) => Promise<unknown>;
type Callable = (...args: readonly unknown[]) => unknown;

const imported: Find = async ({ module, export: name }) =>
  ((await import(/* @vite-ignore */ /* webpackIgnore: true */ module)) as Readonly<Record<string, unknown>>)[name];

/** What this worker has, besides the order of messages. */
type Session = {
  readonly start: Start;
  readonly dataset: MapStyle<unknown> | IterableStyle<unknown>;
  readonly fetch: Fetch<unknown, unknown>;
  /** The pass over an iterable, from the first batch of an epoch on. */
  stream: Stream<unknown> | undefined;
};

/** Carries what went wrong to where it is told to the loader: `what` says during what. */
const failure = (what: string, cause: unknown): DataError => new DataError(what, { cause });

export const serve: Serve = async (port, inbox, find = imported) => {
  const queue: ToWorker[] = inbox.slice(1);
  let epoch = (inbox[0] as Start).epoch;
  let wake = (): void => undefined;
  port.onmessage = ({ data }) => {
    queue.push(data);
    if (data.kind === 'epoch') epoch = data.epoch;
    wake();
  };
  let session: Session;
  try {
    session = await begin(inbox[0] as Start, find);
  } catch (error) {
    const { what, cause } = error as DataError;
    port.postMessage({ kind: 'broken', what, thrown: thrownOf(cause) });
    return;
  }
  for (;;) {
    const message = queue.shift();
    switch (message?.kind) {
      case undefined:
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        break;
      case 'load':
        if (message.epoch === epoch) await load(session, message, port);
        await turn(); // or what is to be closed would not hear of it
        break;
      case 'epoch':
        await leaveStream(session);
        break;
      case 'close':
        await leaveStream(session);
        port.postMessage({ kind: 'closed' });
        return;
      case 'start':
        throw new DataError('a worker starts once');
      default:
        message satisfies never;
    }
  }
};

/** Makes the dataset; in PyTorch's order: seed, then the user's function, then the first sample. */
async function begin(start: Start, findExport: Find): Promise<Session> {
  const { id, numWorkers, seed, progress } = start;
  const find = async (address: Address): Promise<Callable> => {
    const f = await findExport(address);
    if (typeof f !== 'function') throw new TypeError(`${address.module} exports no function '${address.export}'`);
    return f as Callable;
  };
  const attempt = async <R>(what: string, f: () => Promise<R>): Promise<R> => {
    try {
      return await f();
    } catch (error) {
      throw failure(what, error);
    }
  };
  info = { id, numWorkers, seed, dataset: undefined };
  manualSeed(seed);
  const dataset = await attempt(`making the dataset by '${start.dataset.export}'`, async () => {
    const make = await find(start.dataset);
    return (await make(...(unpack(start.dataset.args) as unknown[]))) as Session['dataset'];
  });
  info = { id, numWorkers, seed, dataset };
  manualSeed(seed);
  const { init, collate } = start;
  if (init !== undefined) await attempt('workerInitFn', async () => (await find(init))(id));
  const collateFn = collate && (await attempt('importing collateFn', () => find(collate)));
  return {
    start,
    dataset,
    fetch: {
      collate: collateFn,
      batched: start.batched,
      fail: failure,
      waitFor: progress && ((position) => void Atomics.store(progress, 0, position)),
    },
    stream: undefined,
  };
}

async function load(session: Session, { epoch, task, request }: Load, port: Port): Promise<void> {
  try {
    const batch = await fetched(session, request);
    if (batch === undefined) return port.postMessage({ kind: 'ended', epoch, task });
    // Pending kernels run now: their errors are the batch's.
    const packed = pack(batch.value);
    port.postMessage({ kind: 'batch', epoch, task, samples: batch.samples, batch: packed }, buffersOf(packed));
  } catch (error) {
    const [what, cause] =
      error instanceof DataError && error.cause !== undefined ? [error.what, error.cause] : ['sending the batch', error];
    port.postMessage({ kind: 'failed', epoch, task, what, thrown: thrownOf(cause) });
  }
}

async function fetched(
  session: Session,
  request: Load['request'],
): Promise<{ readonly value: unknown; readonly samples: number } | undefined> {
  const { fetch, dataset, start } = session;
  if (typeof request !== 'number') {
    const source = dataset as MapStyle<unknown>;
    const value = await (start.batched ? fetchIndices(fetch, source, request) : fetchSample(fetch, source, request[0]!));
    return { value, samples: request.length };
  }
  session.stream ??= openStream(fetch, dataset as IterableStyle<unknown>, () => undefined);
  const samples = await take(fetch, session.stream, request);
  if (samples.length === 0 || (start.dropLast && samples.length < request)) return undefined;
  return { value: finish(fetch, samples, session.stream.seen), samples: samples.length };
}

/** Lets the iterable's source close what it has open. */
async function leaveStream(session: Session): Promise<void> {
  const { stream } = session;
  session.stream = undefined;
  if (stream !== undefined && !stream.ended) await stream.source.return?.();
}
