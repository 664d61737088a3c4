// One epoch with workers: hands out requests in turn, keeps a bounded number of batches ahead, and gives batches in the order of requests.
import { DataError, userLine, WorkerError } from '../../../runtime/errors.ts';
import { spanOf } from './fetch.ts';
import { bytesOf, type Packed, type Request, revive, type Thrown, unpack } from './message.ts';
import { type Arrival, hear, type Pool, tell } from './pool.ts';

export type Epoch = {
  readonly number: number;
  /** What to load, in order. */
  readonly requests: Iterator<Request>;
  /** Batches in advance, per worker. */
  readonly prefetchFactor: number;
  /** Bytes in advance, in all. */
  readonly prefetchBytes: number;
  /** Milliseconds to wait for a batch; 0 for as long as it takes. */
  readonly timeout: number;
  readonly inOrder: boolean;
  /** Is told how many samples have been handed on. */
  readonly count: (seen: number) => void;
};

type Result = { readonly batch: Packed; readonly bytes: number; readonly samples: number } | { readonly error: Error };
/** A request that a worker was given, and what came of it. */
type Task = { readonly worker: number; readonly request: Request; result: Result | undefined };

/** Where an epoch stands. */
type Flight = {
  readonly pool: Pool;
  readonly epoch: Epoch;
  /** Given out and not yet handed on, in order of their numbers. */
  readonly tasks: Map<number, Task>;
  sent: number;
  /** Samples handed on. */
  seen: number;
  /** The worker whose turn it is. */
  turn: number;
  /** Workers whose iterable has not ended. */
  readonly active: boolean[];
  moreRequests: boolean;
  /** Of batches that came and wait. */
  waitingBytes: number;
  waiting: number;
  /** The largest batch so far: what is expected of those under way. Undefined before the first has come. */
  largest: number | undefined;
};

const op = 'DataLoader';

/** The batches of an epoch. Leaves the pool to its owner, also when it throws: DataError where loading failed, WorkerError where a worker did. */
export async function* prefetched(pool: Pool, epoch: Epoch): AsyncGenerator<unknown, void, undefined> {
  const flight: Flight = {
    pool,
    epoch,
    tasks: new Map(),
    sent: 0,
    seen: 0,
    turn: 0,
    active: pool.threads.map(() => true),
    moreRequests: true,
    waitingBytes: 0,
    waiting: 0,
    largest: undefined,
  };
  try {
    fill(flight);
    while (flight.tasks.size > 0) {
      const next = finished(flight);
      if (next === undefined) {
        const heard = await hear(pool, epoch.timeout);
        demandTurn(flight);
        settle(flight, heard);
        continue;
      }
      yield handOn(flight, next);
      demandTurn(flight);
    }
  } finally {
    epoch.requests.return?.();
  }
}

/** The batch of a finished task; a request takes its place. */
function handOn(flight: Flight, number: number): unknown {
  const result = flight.tasks.get(number)!.result!;
  flight.tasks.delete(number);
  flight.waiting--;
  if ('error' in result) throw result.error;
  flight.waitingBytes -= result.bytes;
  flight.seen += result.samples;
  flight.epoch.count(flight.seen);
  fill(flight);
  return unpack(result.batch);
}

/** Persistent workers serve one loop at a time: the latest. */
function demandTurn({ pool, epoch }: Flight): void {
  if (pool.closed !== undefined) throw new DataError(`epoch ${epoch.number} ended when the loader was closed`, { op });
  if (pool.epoch !== epoch.number)
    throw new DataError(`epoch ${epoch.number} ended when another loop over the same persistent workers began`, { op });
}

/** The task whose batch is to be given next, if it has come. Numbers only grow, so the first in the map is the first in order. */
function finished({ tasks, epoch }: Flight): number | undefined {
  for (const [number, task] of tasks) {
    if (task.result !== undefined) return number;
    if (epoch.inOrder) return undefined;
  }
  return undefined;
}

function fill(flight: Flight): void {
  while (hasRoom(flight) && giveOut(flight));
}

/** Bounded by count and by bytes; one batch is always under way. Until the first has come, its size is unknown: one for each worker. */
function hasRoom({ tasks, largest, waiting, waitingBytes, epoch, pool }: Flight): boolean {
  if (tasks.size === 0) return true;
  if (largest === undefined) return tasks.size < pool.threads.length;
  const underWay = tasks.size - waiting;
  return tasks.size < epoch.prefetchFactor * pool.threads.length && waitingBytes + (underWay + 1) * largest <= epoch.prefetchBytes;
}

/** Gives the next request to the next worker; false if there is neither. */
function giveOut(flight: Flight): boolean {
  const worker = flight.moreRequests ? nextWorker(flight) : undefined;
  if (worker === undefined) return false;
  const { value: request, done } = flight.epoch.requests.next();
  if (done === true) {
    flight.moreRequests = false;
    return false;
  }
  const task = flight.sent++;
  flight.tasks.set(task, { worker, request, result: undefined });
  tell(flight.pool, worker, { kind: 'load', epoch: flight.epoch.number, task, request });
  return true;
}

/** In turn; without order, those that have fallen behind are passed over. */
function nextWorker(flight: Flight): number | undefined {
  const { active, epoch, tasks } = flight;
  const share = Math.floor((epoch.prefetchFactor * active.length) / active.filter(Boolean).length);
  for (let tried = 0; tried < active.length; tried++) {
    const worker = flight.turn;
    flight.turn = (worker + 1) % active.length;
    if (!active[worker]) continue;
    if (epoch.inOrder || [...tasks.values()].filter((t) => t.worker === worker).length < share) return worker;
  }
  return undefined;
}

/** Takes note of what was heard. Throws where a worker is lost. */
function settle(flight: Flight, arrival: Arrival | 'timeout'): void {
  if (arrival === 'timeout') throw stalled(flight);
  if ('died' in arrival) throw lost(flight, arrival);
  const { worker, message } = arrival;
  if (message.kind === 'broken') {
    flight.pool.broken = true;
    throw caught(`${message.what} failed`, worker, message.thrown);
  }
  if (message.kind === 'closed' || message.kind === 'exit' || message.epoch !== flight.epoch.number) return; // of an earlier epoch
  switch (message.kind) {
    case 'batch': {
      const bytes = bytesOf(message.batch);
      flight.largest = Math.max(flight.largest ?? 0, bytes);
      flight.waitingBytes += bytes;
      conclude(flight, message.task, { batch: message.batch, bytes, samples: message.samples });
      break;
    }
    case 'failed':
      conclude(flight, message.task, {
        error: caught(`${message.what} of epoch ${message.epoch} failed`, worker, message.thrown),
      });
      break;
    case 'ended':
      flight.active[worker] = false;
      for (const [number, task] of flight.tasks) if (task.worker === worker && task.result === undefined) flight.tasks.delete(number);
      break;
    default:
      message satisfies never;
  }
  fill(flight);
}

function conclude(flight: Flight, number: number, result: Result): void {
  const task = flight.tasks.get(number);
  if (task === undefined) return;
  task.result = result;
  flight.waiting++;
}

function caught(what: string, worker: number, thrown: Thrown): DataError {
  const cause = revive(thrown);
  return new DataError(`${what}: Caught ${thrown.name} in DataLoader worker process ${worker}.\nOriginal stack:\n${thrown.stack}\n`, {
    op,
    cause,
    at: userLine(thrown.stack),
  });
}

function lost(flight: Flight, { worker, died, cause }: Extract<Arrival, { died: string }>): WorkerError {
  return new WorkerError(`worker ${worker} ${died}${during(flight, worker)}`, { op, cause });
}

function stalled(flight: Flight): WorkerError {
  flight.pool.broken = true;
  const { worker } = flight.tasks.values().next().value as Task;
  return new WorkerError(
    `timed out after ${flight.epoch.timeout / 1000} seconds: worker ${worker} does not answer${during(flight, worker)}`,
    {
      op,
      fix: 'raise timeout, or look at what this sample waits for',
    },
  );
}

/** What the worker is at: its first task without a result. */
function during({ tasks, pool, epoch }: Flight, worker: number): string {
  const mine = [...tasks.values()].filter((t) => t.worker === worker && t.result === undefined);
  const request = mine[0]?.request;
  if (request === undefined) return '';
  const position = pool.progress[worker] === undefined ? undefined : Atomics.load(pool.progress[worker], 0);
  if (typeof request === 'number') {
    const which = position === undefined ? '' : `, at number ${position + 1} of them`;
    return `, asked for the next ${request} samples${which}, of epoch ${epoch.number}`;
  }
  const at = position !== undefined && request.length > 1 && position < request.length ? `, at sample ${request[position]}` : '';
  return `, asked for the ${spanOf(request)}${at} of epoch ${epoch.number}`;
}
