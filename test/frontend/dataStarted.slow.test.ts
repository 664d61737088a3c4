// Loading with workers that the user starts, as bundled programs of Node have to: their module is one file, and serves the datasets by name.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DataLoader, serveDatasets } from '../../compiler/frontend/data/index.ts';
import { manualSeed } from '../../compiler/frontend/random.ts';
import { bundle } from '../browser/page.ts';
import { failing, keep } from '../browser/pages/datasets.ts';

let folder: string;
const workers: Worker[] = [];
const worker = (): Worker => {
  const started = new Worker(join(folder, 'dataWorker.js'));
  workers.push(started);
  return started;
};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fluxion-data-'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const [path, contents] of await bundle('test/browser/pages/dataWorker.ts')) writeFileSync(join(folder, path), contents);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => expect(workers.filter((w) => w.threadId !== -1)).toEqual([]));

const flag = (up: boolean): Int32Array => new Int32Array(new SharedArrayBuffer(4)).fill(Number(up));

test('they load the batches that are loaded without workers', async () => {
  const batches = async (options: object): Promise<unknown[]> => {
    manualSeed(0);
    const loaded: unknown[] = [];
    const loader = new DataLoader(failing(10, 'throws', flag(false)), { batchSize: 3, shuffle: true, collateFn: keep, ...options });
    for await (const batch of loader) loaded.push(batch);
    return loaded;
  };
  expect(await batches({ numWorkers: 2, worker })).toEqual(await batches({}));
  expect(workers).toHaveLength(2);
});

test('their errors are those of data workers', async () => {
  const loader = new DataLoader(failing(8, 'throws', flag(true)), { batchSize: 2, numWorkers: 1, worker });
  await expect(async () => {
    for await (const _ of loader);
  }).rejects.toThrow(/Caught RangeError in DataLoader worker process 0/);
});

test('the option is refused without workers, and where it starts none', async () => {
  const dataset = failing(8, 'throws', flag(false));
  expect(() => new DataLoader(dataset, { worker })).toThrow('worker option needs numWorkers > 0');
  expect(() => new DataLoader(dataset, { numWorkers: 1, worker: 'datasets.ts' as never })).toThrow('should be a function');
  await expect(async () => {
    for await (const _ of new DataLoader(dataset, { numWorkers: 1, worker: () => ({}) as Worker }));
  }).rejects.toThrow("the option 'worker' does not give a Worker");
});

test('only workers serve datasets', () => {
  expect(() => serveDatasets({})).toThrow('this is no worker');
});
