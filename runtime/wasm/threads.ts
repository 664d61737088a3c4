// The threads that share a Program's work: workers over one memory, woken by a word in it, watched while they are waited for.
//
// All threads call the module's `run`, which divides the work by a rule that knows only the number of threads, and meets at barriers.
// The main thread is thread 0. Node delivers no event to a thread that waits, so a worker says in memory how it is.
import { WorkerError } from '../errors.ts';
import { argumentBlock } from '../program.ts';
import type { LinearMemory } from './memory.ts';
import { closed, control, nodeSource, pause, record, state, webSource } from './worker.ts';

export type Pool = {
  readonly linear: LinearMemory;
  /** Of shared memory as it was when the pool began: the control block lies below its end for good. */
  readonly words: Int32Array;
  /** Where the control block begins, in words. */
  readonly base: number;
  /** With the main thread. */
  readonly threads: number;
  readonly workers: readonly Handle[];
  job: number;
  readonly watch: Watch;
};

/**
 * Of a job, in ms: when the main thread last looked after the others, how long it has worked itself and how long waited, and when it looks
 * closely. `at` is the barrier where it waits.
 */
type Watch = { looked: number; worked: number; waited: number; lookCloselyAt: number; at: number };

/** As much of a worker as both kinds of host have. */
type Handle = { readonly terminate: () => unknown };

/** What all threads shall run: a module by id and place, and the address of its arguments. */
export type Job = { readonly module: number; readonly address: number; readonly length: number; readonly args: number };

const controlBytes = (threads: number): number => 4 * (control.workers + record.words * (threads - 1));

/** Processors that this process may use. */
export const availableParallelism = (): number =>
  globalThis.process?.getBuiltinModule?.('node:os').availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;

/** How many threads there shall be, and the pool that has them, if it was needed yet. `isRefused`: the host allows no workers, of which `warn` hears. */
export type Threads = {
  wanted: number;
  pool: Pool | undefined;
  isRefused: boolean;
  readonly warn: (text: string) => void;
  /** What runs them, which need not be loaded where there is one thread. */
  readonly crew: Crew | undefined;
};
export type Crew = { readonly poolFor: typeof poolFor; readonly runOnAll: typeof runOnAll; readonly stalled: typeof stalled };

export const makeThreads = (wanted: number, warn = (text: string): void => console.warn(text)): Threads => ({
  wanted,
  pool: undefined,
  isRefused: false,
  warn,
  crew: { poolFor, runOnAll, stalled },
});

/** Starts workers, which are of use some time later (`isReady`). `address`: of `controlBytes(threads)`. Throws what the host throws where it allows none. */
export function startPool(linear: LinearMemory, address: number, threads: number, sources = { node: nodeSource, web: webSource }): Pool {
  const base = address / 4;
  const { words } = linear;
  words.fill(0, base, base + controlBytes(threads) / 4);
  words[base + control.job] = 1;
  const workers = Array.from({ length: threads - 1 }, (_, i) => {
    const data = { memory: linear.memory, base, thread: i + 1 };
    const died = (): void => void Atomics.store(words, recordAt(base, i) + record.state, state.dead);
    return globalThis.process?.getBuiltinModule === undefined ? startWeb(sources.web, data, died) : startNode(sources.node, data, died);
  });
  return { linear, words, base, threads, workers, job: 1, watch: { looked: 0, worked: 0, waited: 0, lookCloselyAt: 0, at: working } };
}

type WorkerData = { readonly memory: WebAssembly.Memory; readonly base: number; readonly thread: number };

/** A worker that keeps no process alive, and inherits no loaders. */
function startNode(source: string, workerData: WorkerData, died: () => void): Handle {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const worker = new Worker(source, { eval: true, workerData, execArgv: [] });
  worker.unref();
  worker.on('error', died);
  worker.on('exit', died);
  return { terminate: () => worker.terminate() };
}

function startWeb(source: string, data: WorkerData, died: () => void): Handle {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url);
  worker.onerror = died;
  worker.postMessage(data);
  // Not before: some engines fetch the text late.
  const terminate = (): void => {
    worker.terminate();
    URL.revokeObjectURL(url);
  };
  return { terminate };
}

const recordAt = (base: number, i: number): number => base + control.workers + record.words * i;
const stateOf = ({ words, base }: Pool, i: number): number => Atomics.load(words, recordAt(base, i) + record.state);

/** Whether all workers wait for a job. */
export const isReady = (pool: Pool): boolean => pool.workers.every((_, i) => stateOf(pool, i) === state.idle);

/** Whether a worker ended before it ever was of use: the host allows none. */
const isUseless = (pool: Pool): boolean => pool.job === 1 && pool.workers.some((_, i) => stateOf(pool, i) === state.dead);

/** Runs a job on all threads; `own` is the main thread's part. Throws what `own` throws, and WorkerError where a worker died. */
export function runOnAll(pool: Pool, job: Job, own: () => void): void {
  const { words, base } = pool;
  words[base + control.module] = job.module;
  words[base + control.address] = job.address;
  words[base + control.length] = job.length;
  words[base + control.args] = job.args;
  words[base + control.threads] = pool.threads;
  words[base + control.pending] = pool.workers.length;
  pool.job = (pool.job % 0x3fffffff) + 1;
  Object.assign(pool.watch, { looked: performance.now(), worked: 0, waited: 0, lookCloselyAt: closeLook, at: working });
  Atomics.store(words, base + control.job, pool.job);
  if (Atomics.load(words, base + control.asleep) > 0) Atomics.notify(words, base + control.job);
  try {
    own();
    waitForAll(pool);
  } catch (error) {
    Atomics.store(words, base + control.abort, pool.job);
    waitForLiving(pool);
    throw error;
  }
}

/** Loads before the main thread sleeps: it is spared the sleep by workers that finish at about the same time. */
const spins = 20_000;

function waitForAll(pool: Pool): void {
  const { words, base } = pool;
  for (let i = 0; i < spins; i++) if (Atomics.load(words, base + control.pending) === 0) return;
  for (;;) {
    const pending = Atomics.load(words, base + control.pending);
    if (pending === 0) return;
    wait(words, base + control.pending, pending);
    demandLiving(pool, atEnd);
  }
}

/** After a failure: until no living worker touches memory any more. */
function waitForLiving(pool: Pool): void {
  const { words, base } = pool;
  for (;;) {
    const pending = Atomics.load(words, base + control.pending);
    const isClose = goesBy(pool, atEnd);
    if (pending <= pool.workers.filter((_, i) => isDead(pool, i, isClose)).length) return;
    wait(words, base + control.pending, pending);
  }
}

/** A sleep of at most `ms`, unless the word changes; on a page's main thread, which may not sleep, none. */
function wait(words: Int32Array, at: number, value: number, ms = 1): void {
  if (maySleep) Atomics.wait(words, at, value, ms);
}
const maySleep = ((): boolean => {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
})();

/** Called by a barrier that has kept the main thread waiting for a while. Throws WorkerError if a worker will never come. */
export function stalled(pool: Pool): void {
  // Short, since nobody wakes a thread that waits at a barrier.
  const { words, base, linear } = pool;
  const at = base + control.pending;
  wait(words, at, Atomics.load(words, at), pause);
  // Arguments may lie in memory that is younger than the pool.
  demandLiving(pool, Atomics.load(linear.words, (words[base + control.args]! + argumentBlock.generation) >>> 2));
}

function demandLiving(pool: Pool, at: number): void {
  const isClose = goesBy(pool, at);
  for (let i = 0; i < pool.workers.length; i++) if (isDead(pool, i, isClose)) throw lost(pool, i);
}

/** Time between close looks, in ms: they cost a few microseconds each. */
const closeLook = 50;
/** How long, in ms, all may wait for a worker of which nothing is known, unless they were busy themselves for long. */
const patience = 1800;

/** Where the main thread is, other than at one of the barriers, which have numbers. */
const working = -1;
const atEnd = -2;

/**
 * Counts the time that went by since the last look, and says whether to look closely. What is long between two looks of one wait is no
 * waiting: the process was stopped, or others had the processor.
 */
function goesBy({ watch }: Pool, at: number): boolean {
  const now = performance.now();
  const time = now - watch.looked;
  if (watch.at === at) watch.waited += Math.min(5, time);
  else watch.worked += time;
  watch.at = at;
  watch.looked = now;
  if (watch.waited < watch.lookCloselyAt) return false;
  watch.lookCloselyAt = watch.waited + closeLook;
  return true;
}

/**
 * A worker says so itself when it ends by an exception. One that was terminated, or ran out of memory, does not: the operating system knows,
 * or else it is given up when it takes far longer than the main thread did with an equal part.
 */
function isDead({ words, base, watch }: Pool, i: number, isClose: boolean): boolean {
  const at = recordAt(base, i);
  if (Atomics.load(words, at + record.state) === state.dead) return true;
  if (!isClose) return false;
  const task = words[at + record.task]!;
  const isGone =
    task === 0
      ? watch.waited > Math.max(patience, 4 * watch.worked)
      : !process.getBuiltinModule('node:fs').existsSync(`/proc/self/task/${task}`);
  if (isGone) Atomics.store(words, at + record.state, state.dead);
  return isGone;
}

function lost({ words, base }: Pool, i: number): WorkerError {
  const at = recordAt(base, i);
  const units = words.subarray(at + record.text, at + record.text + words[at + record.length]!);
  const reason = units.length === 0 ? 'it ended without a word' : String.fromCharCode(...units);
  return new WorkerError(`worker thread ${i + 1} is gone: ${reason}; the step is undone, and the next one starts new threads`, {
    op: 'run',
  });
}

/** Whether a worker is gone, so that the pool is of no use any more. */
const isBroken = (pool: Pool): boolean => pool.workers.some((_, i) => stateOf(pool, i) === state.dead);

/** Sends all workers home. */
function closePool(pool: Pool): void {
  Atomics.store(pool.words, pool.base + control.job, closed);
  Atomics.notify(pool.words, pool.base + control.job);
  for (const worker of pool.workers) void worker.terminate();
}

/**
 * The pool, if it is of use by now; started at first need, and anew after a worker died. Until it is ready the main thread works alone, since
 * starting takes longer than most steps. Where threads cannot be had, that is said once.
 */
export function poolFor(threads: Threads, linear: LinearMemory, reserve: (bytes: number) => number): Pool | undefined {
  if (threads.wanted < 2 || threads.isRefused) return undefined;
  if (!linear.isShared)
    return refuse(
      threads,
      'memory cannot be shared here; in a page, send the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
    );
  if (threads.pool !== undefined && isBroken(threads.pool)) {
    if (isUseless(threads.pool))
      return refuse(threads, 'workers end before they begin; in a page, the content security policy must allow worker-src blob:');
    closeThreads(threads);
  }
  try {
    // The control block is never given back: a worker on its way out may still write to it.
    threads.pool ??= startPool(linear, reserve(controlBytes(threads.wanted)), threads.wanted);
  } catch (cause) {
    return refuse(threads, `no worker can be started (${String(cause)})`);
  }
  return isReady(threads.pool) ? threads.pool : undefined;
}

/** How long, in ms, `settled` waits for threads that neither begin nor fail. */
const longestStart = 5000;

/** When the pool is of use, or clearly will not be. */
export async function settled({ pool }: Threads): Promise<void> {
  const end = performance.now() + longestStart;
  while (pool !== undefined && !isReady(pool) && !isBroken(pool) && performance.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 2));
}

function refuse(threads: Threads, why: string): undefined {
  closeThreads(threads);
  threads.isRefused = true;
  threads.warn(`fluxion: WebAssembly runs on one thread: ${why}`);
}

/** Changes the number of threads; the next step that can use them starts them. */
export function setThreads(threads: Threads, wanted: number): void {
  if (threads.pool?.threads !== wanted) closeThreads(threads);
  threads.wanted = wanted;
}

function closeThreads(threads: Threads): void {
  if (threads.pool !== undefined) closePool(threads.pool);
  threads.pool = undefined;
}
