// Loading with workers: the same batches in the same order as without, and nothing left behind whatever goes wrong.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { tensor } from '../../compiler/frontend/creation.ts';
import { DataLoader, getWorkerInfo, Subset, workerDataset } from '../../compiler/frontend/data/index.ts';
import { defaultGenerator, Generator, manualSeed, randomInt64 } from '../../compiler/frontend/random.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { ArgumentError, DataError, WorkerError } from '../../runtime/errors.ts';
import * as given from './dataForWorkers.ts';

// Each worker loads the library anew, which takes seconds where the machine is busy.
vi.setConfig({ testTimeout: 240_000 });

const { keep } = given;
const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const shared = (): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(4));

async function all<B>(loader: AsyncIterable<B>): Promise<B[]> {
  const batches: B[] = [];
  for await (const b of loader) batches.push(b);
  return batches;
}
async function failure(loader: AsyncIterable<unknown>): Promise<{ error: DataError; before: unknown[] }> {
  const before: unknown[] = [];
  try {
    for await (const b of loader) before.push(b);
  } catch (error) {
    return { error: error as DataError, before };
  }
  throw new Error('did not fail');
}

// Every thread that is started, and every rejection that nobody handled.
const module = process.getBuiltinModule('node:worker_threads');
const { Worker } = module;
const threads: InstanceType<typeof Worker>[] = [];
const alive = (): number => threads.filter((t) => t.threadId !== -1).length;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => {
  process.on('unhandledRejection', note);
  Object.assign(module, {
    Worker: class extends Worker {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args);
        threads.push(this);
      }
    },
  });
});
afterAll(() => {
  process.off('unhandledRejection', note);
  Object.assign(module, { Worker });
});
beforeEach(() => void manualSeed(0));
afterEach(() => {
  expect(alive()).toBe(0);
  expect(unhandled).toEqual([]);
});

describe('with workers, batches are those without', () => {
  test.each([1, 2, 3])('shuffled, by %i workers, epoch after epoch, with the same draws left', async (numWorkers) => {
    const options = { batchSize: 3, shuffle: true, collateFn: keep<number>, generator: new Generator().manualSeed(7) };
    const loader = new DataLoader(given.numbers(20), { ...options, numWorkers });
    const batches = [...(await all(loader)), ...(await all(loader))];
    const alone = { ...options, generator: new Generator().manualSeed(7) };
    const expected = new DataLoader(given.numbers(20), alone);
    expect(batches).toEqual([...expected, ...expected]);
    expect(randomInt64(options.generator)).toBe(randomInt64(alone.generator));
  });

  test("PyTorch's order for seed 0", async () => {
    const loader = new DataLoader(given.numbers(10), { batchSize: 4, shuffle: true, numWorkers: 2, collateFn: keep<number> });
    expect(await all(loader)).toEqual([
      [6, 7, 1, 4],
      [2, 0, 9, 8],
      [3, 5],
    ]);
  });

  test('samples that take longer the earlier they are', async () => {
    const loader = new DataLoader(given.late(9), { batchSize: 2, numWorkers: 2, collateFn: keep<number> });
    expect((await all(loader)).flat()).toEqual(count(9).map((i) => i * i));
    const loose = new DataLoader(given.late(9), { batchSize: 2, numWorkers: 2, inOrder: false, collateFn: keep<number> });
    expect((await all(loose)).flat().sort((a, b) => a - b)).toEqual(count(9).map((i) => i * i));
  });

  test('tensors of every dtype, strings and structure', async () => {
    const data = given.rows(5, tensor(2));
    const lists = (batches: readonly { row: Tensor; label: Tensor; name: string[]; even: Tensor }[]): unknown[] =>
      batches.map((b) => [b.row.dtype, b.row.tolistSync(), b.label.dtype, b.label.tolistSync(), b.name, b.even.dtype, b.even.tolistSync()]);
    expect(lists(await all(new DataLoader(data, { batchSize: 2, numWorkers: 2 })))).toEqual(
      lists([...new DataLoader(data, { batchSize: 2 })]),
    );
    const nested = new DataLoader(given.numbers(2), { batchSize: 2, numWorkers: 1, collateFn: given.nested });
    const [batch] = await all(nested);
    const [[ints], text] = batch!.list as [[Tensor], string];
    expect([ints.dtype, ints.tolistSync(), text, [...batch!.bytes]]).toEqual(['int32', [0, 1], 'text', [0, 1]]);
    expect(Object.keys(batch!.held)).toEqual(['__proto__']);
    expect((Object.getOwnPropertyDescriptor(batch!.held, '__proto__')!.value as Tensor).tolistSync()).toEqual([0, 1]);
  });

  test('a tensor that the dataset keeps survives being sent', async () => {
    const batches = (await all(new DataLoader(given.kept(), { batchSize: 1, numWorkers: 1 }))) as Tensor[];
    expect(batches.map((b) => b.tolistSync())).toEqual([1, 1, 1, 1].map(() => [1, 2, 3]));
  });

  test('single samples, and subsets of what workers can make', async () => {
    expect(await all(new DataLoader(given.numbers(5), { batchSize: null, numWorkers: 2 }))).toEqual(count(5));
    const part = new Subset(new Subset(given.numbers(10), [9, 7, 5, 3]), [3, 0, 1]);
    expect(await all(new DataLoader(part, { batchSize: 2, numWorkers: 2, collateFn: keep<number> }))).toEqual([[3, 9], [7]]);
  });
});

describe('iterables', () => {
  const options = { batchSize: 2, numWorkers: 2, collateFn: keep<number> };

  test('give each worker its share, and drop the rest of each', async () => {
    expect(await all(new DataLoader(given.sharded(10), options))).toEqual([[0, 2], [1, 3], [4, 6], [5, 7], [8], [9]]);
    expect(await all(new DataLoader(given.sharded(10), { ...options, dropLast: true }))).toEqual([
      [0, 2],
      [1, 3],
      [4, 6],
      [5, 7],
    ]);
  });

  test('of different lengths are asked in turn until all have ended', async () => {
    const loader = new DataLoader(given.uneven(), { ...options, numWorkers: 3, batchSize: 1 });
    expect((await all(loader)).flat()).toEqual([0, 10, 20, 11, 21, 12, 22, 13, 14]);
  });

  test('close what they have open when the loop is left', async () => {
    const open = shared();
    let seen = 0;
    for await (const _ of new DataLoader(given.opened(open, Number.POSITIVE_INFINITY), options)) if (++seen === 3) break;
    expect(open[0]).toBe(0);
  });
});

describe('workers', () => {
  type Identity = { id: number; numWorkers: number; seed: bigint; knows: number; prepared: number; draw: number };

  test('are seeded by the base seed plus their number, and know who they are', async () => {
    const loader = new DataLoader(given.identity(4), { batchSize: null, numWorkers: 2, workerInitFn: given.prepare });
    const told = (await all(loader)) as Identity[];
    const base = randomInt64(new Generator().manualSeed(0));
    expect(told.map((t) => [t.id, t.numWorkers, t.seed, t.knows, t.prepared])).toEqual(
      [0, 1, 0, 1].map((id) => [id, 2, base + BigInt(id), 4, 100 * id]),
    );
    const own = new Generator().manualSeed(base);
    for (let i = 0; i < 3; i++) own.uniform24();
    expect([told[0]!.draw, told[2]!.draw]).toEqual([own.uniform24(), own.uniform24()]);
    expect(getWorkerInfo()).toBeNull();
    expect(defaultGenerator.uniform24()).toBe(0.08847743272781372);
  });

  test('that persist keep the state of the dataset, and their threads', async () => {
    const before = threads.length;
    const loader = new DataLoader(given.counting(4), { batchSize: null, numWorkers: 2, persistentWorkers: true });
    expect(await all(loader)).toEqual([0, 0, 1, 1]);
    for await (const _ of loader) break;
    const third = (await all(loader)) as unknown as number[];
    // How many samples of the second round a worker had loaded when the loop was left is up to the machine.
    expect(third.every((n, i) => n >= 2 && (i < 2 || n === third[i - 2]! + 1))).toBe(true);
    expect(threads.length - before).toBe(2);
    const overtaken = loader[Symbol.asyncIterator]();
    await overtaken.next();
    await all(loader);
    await expect(overtaken.next()).rejects.toThrow('another loop over the same persistent workers began');
    await loader.close();
  });

  test('load no more in advance than count and bytes allow', async () => {
    const megabyte = 2 ** 20;
    for (const [limits, most] of [
      [{ prefetchFactor: 3 }, 6],
      [{ prefetchFactor: 50, prefetchBytes: 4 * megabyte }, 4],
      [{ prefetchFactor: 50, prefetchBytes: 0 }, 2],
    ] as const) {
      const asked = shared();
      let taken = 0;
      for await (const _ of new DataLoader(given.heavy(30, asked), { numWorkers: 2, ...limits })) {
        taken++;
        await new Promise((r) => setTimeout(r, 20));
        expect(asked[0]! - taken).toBeLessThanOrEqual(most);
      }
      expect(taken).toBe(30);
    }
  });
});

describe('faults', () => {
  test.each(count(5))('an error at sample %i comes after the batches before it, with message, stack and line', async (at) => {
    const loader = new DataLoader(given.faulty(5, at, at % 2 ? 'rejects' : 'throws'), { batchSize: null, numWorkers: 2 });
    const { error, before } = await failure(loader);
    expect(before).toEqual(count(at));
    expect(error).toBeInstanceOf(DataError);
    const [name, text] = at % 2 ? ['TypeError', 'no such file'] : ['RangeError', 'disk on fire'];
    expect(error.message).toContain(`sample ${at} of epoch 0 failed: Caught ${name} in DataLoader worker process ${at % 2}.`);
    expect(error.message).toMatch(new RegExp(`Original stack:\\n${name}: ${text}\\n +at .*dataForWorkers\\.ts:\\d+`));
    expect(error.loc).toMatch(/^dataForWorkers\.ts:\d+$/);
    expect(error.cause).toBeInstanceOf(at % 2 ? TypeError : RangeError);
  });

  test('the next epoch starts clean, with persistent workers as well', async () => {
    for (const persistentWorkers of [false, true]) {
      const flag = shared();
      await using loader = new DataLoader(given.mended(flag), { batchSize: null, numWorkers: 2, persistentWorkers });
      expect((await failure(loader)).before).toEqual([0]);
      flag[0] = 1;
      expect(await all(loader)).toEqual([0, 1, 2, 3]);
    }
  });

  test.each<[string, () => AsyncIterable<unknown>, RegExp]>([
    [
      'a dataset that cannot be made',
      () => new DataLoader(given.numbers(3), { numWorkers: 1, workerInitFn: given.failToPrepare }),
      /workerInitFn failed: Caught TypeError .*\n.*\n.*cannot prepare 0/,
    ],
    [
      'a collation',
      () => new DataLoader(given.numbers(3), { numWorkers: 1, collateFn: given.failToCollate }),
      /collating the sample 0 of epoch 0 failed: Caught SyntaxError/,
    ],
    [
      'a batch that cannot be copied',
      () => new DataLoader(given.faulty(2, 0, 'uncopyable'), { numWorkers: 1, batchSize: null }),
      /sending the batch of epoch 0 failed: Caught DataCloneError/,
    ],
    [
      'a module that is not there',
      () => new DataLoader(workerDataset('file:///nowhere/data.mjs', 'x', () => [1])(), { numWorkers: 1 }),
      /importing file:\/\/\/nowhere\/data\.mjs failed/,
    ],
    [
      'an export that is not there',
      () => new DataLoader(workerDataset(new URL('./dataForWorkers.ts', import.meta.url), 'x', () => [1])(), { numWorkers: 1 }),
      /has no export 'x' made by workerDataset/,
    ],
  ])('%s is told as what it is', async (_name, make, message) => {
    const { error } = await failure(make());
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
  });

  test('a worker that ends itself, or an error outside of loading, ends the epoch', async () => {
    for (const persistentWorkers of [false, true]) {
      const loader = new DataLoader(given.faulty(6, 3, 'exits'), { batchSize: 2, numWorkers: 2, persistentWorkers, collateFn: keep });
      const { error } = await failure(loader);
      expect(error).toBeInstanceOf(WorkerError);
      expect(error.message).toContain('worker 1 exited with code 0, asked for the batch of samples 2, 3, at sample 3 of epoch 0');
      expect((await failure(loader)).error.message).toContain('of epoch 1');
    }
    const stray = await failure(new DataLoader(given.faulty(4000, 0, 'strays'), { batchSize: null, numWorkers: 1 }));
    expect(stray.error).toBeInstanceOf(WorkerError);
    expect(stray.error.message).toContain('worker 0 ended with Error: stray');
  });

  test.each(['hangs', 'waits'] as const)('a worker that %s is named with its sample when time is up', async (fault) => {
    const loader = new DataLoader(given.faulty(8, 3, fault), { batchSize: 2, numWorkers: 2, timeout: 8, collateFn: keep });
    const { error, before } = await failure(loader);
    expect(before).toEqual([[0, 1]]);
    expect(error).toBeInstanceOf(WorkerError);
    expect(error.message).toContain(
      'timed out after 8 seconds: worker 1 does not answer, asked for the batch of samples 2, 3, at sample 3',
    );
  });

  test('leaving a loop, or a body that throws, ends workers that hang', async () => {
    for await (const _ of new DataLoader(given.faulty(8, 3, 'hangs'), { numWorkers: 2 })) break;
    const body = async (): Promise<void> => {
      for await (const _ of new DataLoader(given.faulty(8, 3, 'hangs'), { numWorkers: 2 })) throw new Error('mine');
    };
    await expect(body()).rejects.toThrow('mine');
  });

  test('what cannot be sent is refused before any thread is started', async () => {
    const data = workerDataset(import.meta.url, 'data', (_f: () => void) => [1, 2]);
    await expect(
      failure(
        new DataLoader(
          data(() => undefined),
          { numWorkers: 1 },
        ),
      ).then((f) => f.error),
    ).resolves.toBeInstanceOf(ArgumentError);
    expect(() => new DataLoader(given.numbers(3), { numWorkers: 1, collateFn: (s) => s })).toThrow(
      /collateFn cannot be sent.*workerFunction/,
    );
    expect(() => [...new DataLoader(given.numbers(3), { numWorkers: 1 })]).toThrow(/use for await/);
    expect(() => workerDataset('./data.ts', 'data', () => [])).toThrow(/must be an absolute URL/);
  });
});

describe('the process', () => {
  const program = fileURLToPath(new URL('./dataInterrupted.ts', import.meta.url));
  const run = (how: string, signal?: NodeJS.Signals): Promise<number | null> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, ['--import', 'tsx', program, how], { stdio: ['ignore', 'pipe', 'inherit'] });
      child.stdout.once('data', () => void (signal && child.kill(signal)));
      child.once('exit', (code) => resolve(code));
    });

  test('hears Ctrl-C while a worker hangs', async () => {
    expect(await run('hanging', 'SIGINT')).toBe(130);
  });
  test('ends though a loop was abandoned without being left', async () => {
    expect(await run('abandoned')).toBe(0);
  });
});
