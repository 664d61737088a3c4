// Threads: they share the work, whatever their number; they may die at any barrier, and nothing is lost by it but the step.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Buffer, hostBuffer, readSync } from '../../../runtime/buffer.ts';
import { LinAlgError, WorkerError } from '../../../runtime/errors.ts';
import type { Executable } from '../../../runtime/executable.ts';
import { bindWasm, type Machine, makeMachine } from '../../../runtime/wasm/execute.ts';
import { openMemory } from '../../../runtime/wasm/memory.ts';
import { reserve } from '../../../runtime/wasm/residency.ts';
import { isReady, makeThreads, setThreads, startPool } from '../../../runtime/wasm/threads.ts';
import { nodeSource } from '../../../runtime/wasm/worker.ts';
import { isThorough } from '../../effort.ts';
import { relay, relayRounds, wasmProgram } from './programs.ts';

const n = 4096;
const x = hostBuffer(
  'f32',
  Float32Array.from({ length: n }, (_, i) => i),
);
/** After four moves by a quarter all are where they began. */
const expected = Float32Array.from({ length: n }, (_, i) => i + relayRounds);

const made: Machine[] = [];
let disaster: () => void = () => {};
function machineOf(threads: number, pages = 1024, isShared = true): Machine {
  const machine = makeMachine(
    openMemory(pages, isShared),
    (name) => (name === 'disaster' ? () => disaster() : undefined),
    makeThreads(threads),
  );
  made.push(machine);
  return machine;
}
beforeEach(() => {
  disaster = () => {};
});
afterEach(() => {
  for (const { threads } of made.splice(0)) setThreads(threads, 1);
});

const run = (executable: Executable, at = -1): Buffer[] => executable.execute([x], Float64Array.of(at));
/** How many threads took part: each has noted what it was told. */
function helpers([, marks]: readonly Buffer[]): number {
  const told = readSync(marks!) as Int32Array;
  expect(new Set(told.subarray(0, told[0]))).toEqual(new Set([told[0]]));
  return told[0]!;
}

async function ready({ threads }: Machine): Promise<void> {
  while (threads.pool === undefined || !isReady(threads.pool)) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Starts threads whose `Math.disaster` is the given code, since functions of Math are what modules may import. */
async function startDoomed(machine: Machine, code: string, source = nodeSource): Promise<void> {
  const node = `Math.disaster = () => { ${code} };\n${source}`;
  const { threads, residency } = machine;
  threads.pool = startPool(residency.linear, reserve(residency, 4096, 'test').address, threads.wanted, { node, web: '' });
  await ready(machine);
}

test('the first step does not wait for threads, and later ones use all of them', async () => {
  const machine = machineOf(3);
  const executable = bindWasm(relay(n), machine);
  const first = run(executable);
  expect(helpers(first)).toBe(1);
  expect(readSync(first[0]!)).toEqual(expected);
  await ready(machine);
  const second = run(executable);
  expect(helpers(second)).toBe(3);
  expect(readSync(second[0]!)).toEqual(expected);
});

test('the number of threads can change, and changes no result', async () => {
  const machine = machineOf(1);
  const executable = bindWasm(relay(n), machine);
  for (const threads of isThorough ? [4, 2, 1, 2] : [2, 1]) {
    setThreads(machine.threads, threads);
    run(executable);
    if (threads > 1) await ready(machine);
    for (let step = 0; step < 20; step++) {
      const outputs = run(executable);
      expect(helpers(outputs)).toBe(threads);
      expect(readSync(outputs[0]!)).toEqual(expected);
    }
  }
});

test('sleeping threads wake up, and learn new modules after memory has grown', async () => {
  const machine = machineOf(2, 8192);
  run(bindWasm(relay(n), machine));
  await ready(machine);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const many = 4_000_000;
  const executable = bindWasm(relay(many), machine);
  const outputs = executable.execute([hostBuffer('f32', new Float32Array(many))], Float64Array.of(-1));
  expect(helpers(outputs)).toBe(2);
  expect(new Set(readSync(outputs[0]!) as Float32Array)).toEqual(new Set([relayRounds]));
});

test('a program that shares nothing runs on the main thread alone', () => {
  const machine = machineOf(2);
  bindWasm(wasmProgram({ body: () => {} }), machine).run([], new Float64Array(0));
  expect(machine.threads.pool).toBeUndefined();
});

const deaths = { throws: "throw new Error('out of luck')", exits: 'process.exit(0)' } as const;
const cases = (['throws', 'exits'] as const).flatMap((how) =>
  [1, 2].flatMap((thread) => [0, 2, relayRounds - 1].map((round) => [how, thread, round] as const)),
);
const some = cases.filter(([, thread, round]) => thread === 1 && round === 2);

test.each(isThorough ? cases : some)('a worker that %s is an error: thread %i in round %i', async (how, thread, round) => {
  const machine = machineOf(3);
  const executable = bindWasm(relay(n), machine);
  const [before] = run(executable);
  await startDoomed(machine, deaths[how]);
  expect(helpers(run(executable))).toBe(3);
  const { used } = machine.residency.linear.heap;
  const attempt = (): unknown => run(executable, 100 * thread + round);
  expect(attempt).toThrow(WorkerError);
  expect(machine.residency.linear.heap.used).toBe(used);
  // Nothing is lost, the next step is right, and has threads again as soon as they are there.
  expect(readSync(before!)).toEqual(expected);
  expect(readSync(x)[7]).toBe(7);
  expect(readSync(run(executable)[0]!)).toEqual(expected);
  await ready(machine);
  const after = run(executable);
  expect(helpers(after)).toBe(3);
  expect(readSync(after[0]!)).toEqual(expected);
});

test.runIf(isThorough)('where the operating system does not list threads, one that ends without a word is given up', async () => {
  const machine = machineOf(2);
  const executable = bindWasm(relay(n), machine);
  run(executable);
  await startDoomed(machine, deaths.exits, nodeSource.replace("process.platform === 'linux'", 'false'));
  expect(() => run(executable, 102)).toThrow(/worker thread 1 is gone: it ended without a word/);
  expect(readSync(run(executable)[0]!)).toEqual(expected);
});

test('one that is gone is given up also where others have the processor most of the time', async () => {
  const machine = machineOf(2);
  const executable = bindWasm(relay(n), machine);
  run(executable);
  await startDoomed(machine, deaths.exits, nodeSource.replace("process.platform === 'linux'", 'false'));
  // Each look comes 30 ms after the one before: what is counted as work of its own would never be outweighed.
  let now = performance.now();
  let looks = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
    if (++looks > 2000) throw new Error('waits for ever');
    now += 30;
    return now;
  });
  try {
    expect(() => run(executable, 102)).toThrow(WorkerError);
  } finally {
    clock.mockRestore();
  }
});

test('the error says what the worker said', async () => {
  const machine = machineOf(2);
  const executable = bindWasm(relay(n), machine);
  run(executable);
  await startDoomed(machine, deaths.throws);
  expect(() => run(executable, 100)).toThrow(/worker thread 1 is gone: Error: out of luck/);
});

test('an error of the main thread ends the step on all threads, which go on', async () => {
  const machine = machineOf(3);
  const executable = bindWasm(relay(n), machine);
  run(executable);
  await ready(machine);
  const { pool } = machine.threads;
  disaster = () => {
    throw new LinAlgError('the matrix is singular', { op: 'linalg' });
  };
  for (let round = 0; round < relayRounds; round++) {
    expect(() => run(executable, round)).toThrow(LinAlgError);
    const outputs = run(executable);
    expect(helpers(outputs)).toBe(3);
    expect(readSync(outputs[0]!)).toEqual(expected);
  }
  expect(machine.threads.pool).toBe(pool);
});

test('without shared memory there is one thread, which is said once', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  try {
    const machine = machineOf(4, 1024, false);
    const executable = bindWasm(relay(n), machine);
    for (let step = 0; step < 3; step++) expect(readSync(run(executable)[0]!)).toEqual(expected);
    expect(helpers(run(executable))).toBe(1);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/on one thread: memory cannot be shared here.*Cross-Origin-Opener-Policy/)]]);
  } finally {
    warn.mockRestore();
  }
});

test('where workers cannot be started there is one thread, which is said once', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const forbidden = vi.spyOn(process, 'getBuiltinModule').mockImplementation(() => {
    throw new Error('no workers here');
  });
  try {
    const machine = machineOf(4);
    const executable = bindWasm(relay(n), machine);
    for (let step = 0; step < 3; step++) expect(readSync(run(executable)[0]!)).toEqual(expected);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/on one thread: no worker can be started .*no workers here/)]]);
  } finally {
    forbidden.mockRestore();
    warn.mockRestore();
  }
});

test('where workers end before they begin there is one thread, which is said once', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  try {
    const machine = machineOf(2);
    const { threads, residency } = machine;
    const executable = bindWasm(relay(n), machine);
    threads.pool = startPool(residency.linear, reserve(residency, 4096, 'test').address, 2, { node: 'process.exit(1)', web: '' });
    while (warn.mock.calls.length === 0) {
      expect(readSync(run(executable)[0]!)).toEqual(expected);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    run(executable);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/on one thread: workers end before they begin/)]]);
  } finally {
    warn.mockRestore();
  }
});
