// Loading with the Web Workers of a real browser: the batches and the order of loading without, typed errors, and no worker left behind.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, launch, open, type Remote, type Site, serve } from './page.ts';
import type * as BundledPage from './pages/bundledData.ts';
import type * as Page from './pages/data.ts';
import type { Fault } from './pages/datasets.ts';

let browser: Browser;
let site: Site;
let page: Remote<typeof Page>;
const notices: string[] = [];

beforeAll(async () => {
  const modules = ['data', 'datasets', 'bundledData', 'dataWorker'].map((name) => `test/browser/pages/${name}.ts`);
  [browser, site] = await Promise.all([launch(), bundle(...modules).then(serve)]);
  page = await open<typeof Page>(browser, site, 'data', notices);
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

type Epochs = { readonly told: readonly { readonly batches: readonly (readonly [rows: unknown, labels: readonly number[]])[] }[] };

test('epochs with two workers are those without', async () => {
  const { told } = (await page.epochs(0)) as Epochs;
  expect(told.map(({ batches }) => batches.length)).toEqual([3, 3]);
  expect(await page.epochs(2)).toEqual({ told, started: 4, living: 0 });
});

test('workers that persist load all epochs', async () => {
  const { told } = (await page.epochs(0)) as Epochs;
  const persistent = (await page.epochs(2, true)) as Epochs;
  expect(persistent).toMatchObject({ started: 2, living: 0 });
  expect(persistent.told[0]).toEqual(told[0]);
  // As in PyTorch, they draw no seed for the second epoch, which so has an order of its own.
  const labels = persistent.told[1]!.batches.flatMap(([, l]) => l);
  expect(labels.sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("the order is PyTorch's for seed 0", async () => {
  expect((await page.order()).batches).toEqual([
    [6, 7, 1, 4],
    [2, 0, 9, 8],
    [3, 5],
  ]);
});

test('each worker gives its share of an iterable', async () => {
  expect((await page.sharded()).batches).toEqual([[0, 2], [1, 3], [4, 6], [5, 7], [8], [9]]);
});

const whole = [
  [0, 1],
  [2, 3],
  [4, 5],
  [6, 7],
];
const faults: readonly (readonly [fault: Fault, name: string, says: RegExp, timeout: number])[] = [
  ['throws', 'DataError', /Caught RangeError in DataLoader worker process 0\.\nOriginal stack:\nRangeError: disk on fire\n +at /, 0],
  ['hangs', 'WorkerError', /sample/, 2],
  ['closes', 'WorkerError', /closed itself/, 0],
  ['strays', 'WorkerError', /stray/, 0],
];
test.each(faults)('a worker that %s ends the epoch with a %s, and the loader iterates again', async (fault, name, says, timeout) => {
  const told = await page.failures(fault, timeout);
  expect(told).toMatchObject({
    first: { error: { name, isTyped: true, message: expect.stringMatching(says) } },
    second: { batches: whole },
    living: 0,
  });
  // The other worker's batch may be on its way when one ends.
  const { batches } = (told as { readonly first: { readonly batches: readonly unknown[] } }).first;
  expect(batches).toEqual(whole.slice(0, Math.max(1, Math.min(2, batches.length))));
  expect(told).not.toHaveProperty('second.error');
});

test('leaving the loop ends the workers', async () => {
  expect(await page.left()).toBe(0);
});

test('in a bundled page, workers that the user starts load what their module serves', async () => {
  const bundled = await open<typeof BundledPage>(browser, site, 'bundledData', notices);
  expect(await bundled.epoch()).toEqual([
    [6, 7, 1, 4],
    [2, 0, 9, 8],
    [3, 5],
  ]);
  expect(await bundled.failure('failing')).toMatch(/^DataError: .*Caught RangeError in DataLoader worker process/);
  expect(await bundled.failure('unserved')).toMatch(
    /^DataError: .*'unserved' failed: Caught KeyError[\s\S]*this worker has no 'unserved'; it has .*shards/,
  );
  expect(await bundled.failure('no worker')).toMatch(/^ArgumentError: .*does not give a Worker/);
});

test('nothing was said on the console', () => {
  expect(notices).toEqual([]);
});
