// Loading with Web Workers: where a platform has no worker threads but `Worker`, as browsers do. Here `Worker` is written on worker threads.
import { resolveObjectURL } from 'node:buffer';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker as Thread } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { DataLoader } from '../../compiler/frontend/data/index.ts';
import { manualSeed } from '../../compiler/frontend/random.ts';
import { DataError, WorkerError } from '../../runtime/errors.ts';
import * as given from './dataForWorkers.ts';

vi.setConfig({ testTimeout: 240_000 });

/** What a Web Worker finds around it. TypeScript is read through tsx, where a bundler would have done that before. */
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx'));
const around = `
process.env.TSX_TSCONFIG_PATH ??= ${JSON.stringify(fileURLToPath(new URL('../../tsconfig.json', import.meta.url)))};
const ready = import(${JSON.stringify(new URL('./esm/api/index.mjs', tsx).href)}).then(({ register }) => void register());
const { parentPort } = require('node:worker_threads');
globalThis.self = globalThis;
self.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
self.close = () => process.exit(0);
Object.defineProperty(self, 'onmessage', { set: (f) => ready.then(() => parentPort.on('message', (data) => f({ data }))) });
`;

const workers: WebWorker[] = [];

/** The part of the Web's Worker that a loader uses. */
class WebWorker {
  onmessage: ((event: { data: unknown }) => void) | undefined;
  onmessageerror: (() => void) | undefined;
  onerror: ((event: { message: string; error: unknown; preventDefault(): void }) => void) | undefined;
  readonly url: string;
  readonly #thread: Promise<Thread>;
  #ended = false;

  constructor(url: string) {
    this.url = url;
    this.#thread = this.#start();
    workers.push(this);
  }

  async #start(): Promise<Thread> {
    const program = await resolveObjectURL(this.url)!.text();
    const thread = new Thread(around + program, { eval: true, execArgv: [] });
    thread.on('message', (data: unknown) => this.onmessage?.({ data }));
    thread.on('error', (error: Error) => this.onerror?.({ message: `Uncaught ${String(error)}`, error, preventDefault: () => undefined }));
    thread.on('exit', () => {
      this.#ended = true;
    });
    return thread;
  }

  get ended(): boolean {
    return this.#ended;
  }
  postMessage(message: unknown, transfer: ArrayBuffer[]): void {
    void this.#thread.then((thread) => thread.postMessage(message, transfer));
  }
  terminate(): void {
    void this.#thread.then((thread) => thread.terminate());
  }
}

const builtin = process.getBuiltinModule;
beforeAll(() => {
  vi.stubGlobal('Worker', WebWorker);
  Object.assign(process, { getBuiltinModule: undefined });
});
afterAll(() => {
  vi.unstubAllGlobals();
  Object.assign(process, { getBuiltinModule: builtin });
});
beforeEach(() => {
  manualSeed(0);
  workers.length = 0;
});
afterEach(async () => {
  expect(workers.length).toBeGreaterThan(0);
  await vi.waitFor(() => expect(workers.every((w) => w.ended)).toBe(true), { timeout: 60_000 });
  for (const { url } of workers) expect(resolveObjectURL(url)).toBeUndefined();
});

async function all<B>(loader: AsyncIterable<B>): Promise<B[]> {
  const batches: B[] = [];
  for await (const b of loader) batches.push(b);
  return batches;
}
async function failure(loader: AsyncIterable<unknown>): Promise<unknown> {
  return all(loader).then(
    () => expect.fail('did not fail'),
    (error: unknown) => error,
  );
}

test('batches are those without workers, shuffled by the same seed', async () => {
  const options = { batchSize: 3, shuffle: true, collateFn: given.keep };
  const expected = await all(new DataLoader(given.numbers(10), options));
  manualSeed(0);
  expect(await all(new DataLoader(given.numbers(10), { ...options, numWorkers: 2 }))).toEqual(expected);
  expect(workers).toHaveLength(2);
});

test('an error comes with message and stack of the worker', async () => {
  const error = await failure(new DataLoader(given.faulty(5, 1, 'throws'), { batchSize: null, numWorkers: 1 }));
  expect(error).toBeInstanceOf(DataError);
  expect((error as DataError).message).toMatch(
    /Caught RangeError in DataLoader worker process 0\.\nOriginal stack:\nRangeError: disk on fire/,
  );
});

test('a worker that hangs is ended when time is up', async () => {
  const error = await failure(
    new DataLoader(given.faulty(8, 3, 'hangs'), { batchSize: 2, numWorkers: 2, timeout: 8, collateFn: given.keep }),
  );
  expect(error).toBeInstanceOf(WorkerError);
  expect((error as WorkerError).message).toMatch(/sample/);
});

test('an error outside of loading ends the epoch', async () => {
  const error = await failure(new DataLoader(given.faulty(4000, 0, 'strays'), { batchSize: null, numWorkers: 1 }));
  expect(error).toBeInstanceOf(WorkerError);
  expect((error as WorkerError).message).toContain('stray');
});
