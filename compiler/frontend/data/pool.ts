// The worker threads of a loader: started together, heard through one inbox, ended together.
import { ArgumentError } from '../../../runtime/errors.ts';
import { buffersOf, type FromWorker, pack, type Start, type ToWorker } from './message.ts';
import type { Origin } from './origin.ts';
import { type Listener, type StartedWorker, startThread, type Thread } from './thread.ts';

/** What all workers of a pool are told at the start. */
export type Crew = Omit<Start, 'kind' | 'id' | 'seed' | 'epoch' | 'dataset' | 'progress'> & {
  readonly dataset: Origin;
  /** Whether the dataset is iterable: then a worker has a source to close. */
  readonly iterable: boolean;
  /** How the user starts a worker. */
  readonly worker: (() => StartedWorker) | undefined;
};

export type Arrival =
  | { readonly worker: number; readonly message: FromWorker }
  | { readonly worker: number; readonly died: string; readonly cause: unknown };

export type Pool = {
  readonly threads: readonly Thread[];
  /** Per worker, where memory can be shared: the position in its batch that it waits for. */
  readonly progress: readonly (Int32Array | undefined)[];
  /** The epoch it works for; a later one takes over from an earlier one. */
  epoch: number;
  /** A worker died or could not begin: of no further use. */
  broken: boolean;
  closed: Promise<void> | undefined;
  readonly crew: Crew;
  inbox: Arrival[];
  /** Wakes whoever waits for the inbox. */
  wake: () => void;
  /** Workers that have let go of their source. */
  readonly released: Set<number>;
};

export function startPool(crew: Crew, seed: bigint, epoch: number): Pool {
  const { dataset, iterable, worker, ...common } = crew;
  demandCopyable(dataset);
  const pool: Pool & { threads: Thread[]; progress: (Int32Array | undefined)[] } = {
    threads: [],
    progress: [],
    epoch,
    broken: false,
    closed: undefined,
    crew,
    inbox: [],
    wake: () => undefined,
    released: new Set(),
  };
  const arrive = (arrival: Arrival): void => {
    if ('died' in arrival) {
      pool.released.add(arrival.worker);
      pool.broken = true;
    } else if (arrival.message.kind === 'closed') pool.released.add(arrival.worker);
    pool.inbox.push(arrival);
    pool.wake();
  };
  try {
    for (let id = 0; id < crew.numWorkers; id++) {
      const listener: Listener = {
        message: (message) => arrive({ worker: id, message }),
        died: (died, cause) => arrive({ worker: id, died, cause }),
      };
      const thread = startThread(id, listener, worker);
      pool.threads.push(thread);
      const progress = sharedNumber();
      pool.progress.push(progress);
      const args = pack([...dataset.args]); // for each worker: the buffers of tensors are handed over
      const { module, export: name } = dataset;
      thread.post(
        { kind: 'start', ...common, id, seed: seed + BigInt(id), epoch, dataset: { module, export: name, args }, progress },
        buffersOf(args),
      );
    }
  } catch (error) {
    void closePool(pool);
    throw error;
  }
  return pool;
}

/** In a page, memory is shared only where it is isolated from others. */
const sharedNumber = (): Int32Array | undefined =>
  typeof SharedArrayBuffer === 'function' && (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false
    ? new Int32Array(new SharedArrayBuffer(4))
    : undefined;

/** Before any thread is started. */
function demandCopyable({ args, export: name }: Origin): void {
  try {
    structuredClone(pack([...args]).value);
  } catch (cause) {
    throw new ArgumentError(`the arguments of '${name}' cannot be sent to workers: ${(cause as Error).message}`, {
      op: 'DataLoader',
      fix: 'make what cannot be copied inside the module',
      cause,
    });
  }
}

export const tell = (pool: Pool, worker: number, message: ToWorker): void => pool.threads[worker]!.post(message);

/** Has the workers begin another epoch; a loop that is still under way ends. */
export function beginEpoch(pool: Pool, epoch: number): void {
  pool.epoch = epoch;
  pool.inbox = pool.inbox.filter((a) => 'died' in a || a.message.kind === 'broken');
  pool.threads.forEach((_, worker) => void tell(pool, worker, { kind: 'epoch', epoch }));
  pool.wake();
}

/** The next thing heard from any worker; 'timeout' after so many milliseconds (0: never). The process stays alive meanwhile. */
export async function hear(pool: Pool, timeout: number): Promise<Arrival | 'timeout'> {
  if (pool.inbox.length === 0) {
    for (const t of pool.threads) t.hold(true);
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      pool.wake = resolve;
      if (timeout > 0) timer = setTimeout(resolve, timeout);
    });
    clearTimeout(timer);
    for (const t of pool.threads) t.hold(false);
  }
  return pool.inbox.shift() ?? 'timeout';
}

/** How long workers have to close their sources, in milliseconds. */
const grace = 500;

/** Ends the threads; those with an open source may close it first. */
export function closePool(pool: Pool): Promise<void> {
  pool.closed ??= (async () => {
    pool.wake(); // whoever still waits for a batch
    if (pool.crew.iterable) await letGo(pool);
    pool.inbox = [];
    await Promise.all(pool.threads.map((t) => t.stop()));
    pool.inbox = [];
  })();
  return pool.closed;
}

async function letGo(pool: Pool): Promise<void> {
  pool.threads.forEach((_, worker) => void (pool.released.has(worker) || tell(pool, worker, { kind: 'close' })));
  const end = performance.now() + grace;
  while (pool.released.size < pool.threads.length && performance.now() < end) {
    pool.inbox = [];
    await hear(pool, Math.max(1, end - performance.now()));
  }
}
