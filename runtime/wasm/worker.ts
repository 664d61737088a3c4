// What a worker thread runs, as text, so that every bundler takes it and no second file has to be found at run time.

/**
 * The words through which the main thread and its workers talk, in 32-bit words from the start of a block in shared memory.
 * Each line that one side writes while the other spins on it is a cache line of its own.
 */
export const control = {
  /** The number of the current job; `closed` sends all workers home. */
  job: 0,
  /** The job that its workers shall give up. */
  abort: 1,
  /** What the job is: the module, as id and bytes; the address of its arguments; how many threads take part. */
  module: 16,
  address: 17,
  length: 18,
  args: 19,
  threads: 20,
  /** Workers that have not finished the job. */
  pending: 32,
  /** Workers in `Atomics.wait`: nobody else needs to be woken, and waking costs 28 µs. */
  asleep: 48,
  /** From here on a record for each worker. */
  workers: 64,
} as const;

/** Of one worker, in words from the start of its record: where it is, its thread of the operating system, and why it died, in UTF-16. */
export const record = { state: 0, task: 1, length: 2, text: 3, words: 128 } as const;
export const state = { starting: 0, idle: 1, running: 2, dead: 3 } as const;
export const closed = -1;

/** Loads that a worker without work makes before it sleeps, about 100 µs: twice what waking it costs. */
const spins = 20_000;
/** The longest sleep, in ms, after which a worker looks around. */
const slice = 500;
/** How long a thread at a barrier sleeps, in ms, when the others take long. */
export const pause = 0.2;

const { job, abort, module, address, length, args, threads, pending, asleep, workers } = control;

const body = `function work({ memory, base, thread }) {
  const words = new Int32Array(memory.buffer);
  const self = base + ${workers} + ${record.words} * (thread - 1);
  const nap = new Int32Array(new SharedArrayBuffer(4));
  const aborted = {};
  const runs = new Map();
  let current = Atomics.load(words, base + ${job});

  const stalled = () => {
    if (Atomics.load(words, base + ${abort}) === current) throw aborted;
    Atomics.wait(nap, 0, 0, ${pause});
  };

  function next() {
    for (let i = 0; i < ${spins}; i++) {
      const found = Atomics.load(words, base + ${job});
      if (found !== current) return found;
    }
    Atomics.add(words, base + ${asleep}, 1);
    let found;
    do {
      Atomics.wait(words, base + ${job}, current, ${slice});
      found = Atomics.load(words, base + ${job});
    } while (found === current);
    Atomics.sub(words, base + ${asleep}, 1);
    return found;
  }

  function runOf(id) {
    const known = runs.get(id);
    if (known !== undefined) return known;
    // Memory may have grown since this thread last looked.
    memory.grow(0);
    const bytes = new Uint8Array(memory.buffer, words[base + ${address}] >>> 0, words[base + ${length}]).slice();
    const code = new WebAssembly.Module(bytes);
    const env = { memory, stalled };
    for (const { name } of WebAssembly.Module.imports(code))
      env[name] ??= Math[name] ?? (() => { throw new Error(name + ' belongs to the main thread'); });
    const { run } = new WebAssembly.Instance(code, { env }).exports;
    if (runs.size >= 512) runs.clear();
    runs.set(id, run);
    return run;
  }

  function takePart() {
    Atomics.store(words, self + ${record.state}, ${state.running});
    try {
      runOf(words[base + ${module}])(words[base + ${args}], thread, words[base + ${threads}]);
    } catch (error) {
      if (error !== aborted) throw error;
    }
    Atomics.store(words, self + ${record.state}, ${state.idle});
    if (Atomics.sub(words, base + ${pending}, 1) === 1) Atomics.notify(words, base + ${pending});
  }

  try {
    Atomics.store(words, self + ${record.state}, ${state.idle});
    for (;;) {
      current = next();
      if (current === ${closed}) return;
      takePart();
    }
  } catch (error) {
    const text = String(error).slice(0, ${record.words - record.text});
    for (let i = 0; i < text.length; i++) words[self + ${record.text} + i] = text.charCodeAt(i);
    words[self + ${record.length}] = text.length;
  } finally {
    Atomics.store(words, self + ${record.state}, ${state.dead});
    Atomics.notify(words, base + ${pending});
  }
}`;

/** For a worker of Node. Where the operating system lists the threads of a process, the worker says which it is; else it says 0. */
export const nodeSource = `${body}
function taskOfThread() {
  try {
    return process.platform === 'linux' ? Number(require('node:fs').readlinkSync('/proc/thread-self').split('/').at(-1)) : 0;
  } catch {
    return 0;
  }
}
const { workerData } = require('node:worker_threads');
const { memory, base, thread } = workerData;
new Int32Array(memory.buffer)[base + ${workers} + ${record.words} * (thread - 1) + ${record.task}] = taskOfThread();
work(workerData);`;

/** For a worker of a page. */
export const webSource = `${body}
onmessage = ({ data }) => work(data);`;
