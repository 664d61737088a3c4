// Hosts and workers in a real browser: the scenarios over Web Workers.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectedOf, scenarioNames, unhostedExpected } from '../worker/scenarios.ts';
import { bundle, launch, open, type Remote, type Site, serve } from './page.ts';
import type * as Page from './pages/worker.ts';

let browser: Browser;
let site: Site;
let page: Remote<typeof Page>;

beforeAll(async () => {
  [browser, site] = await Promise.all([launch(), bundle('test/browser/pages/worker.ts', 'test/worker/served.ts').then(serve)]);
  page = await open<typeof Page>(browser, site, 'worker');
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

test.each(scenarioNames)('%s', async (name) => {
  expect(await page.play(name)).toEqual({ told: expectedOf(name), living: 0 });
});

test('a tensor on a GPU of the worker comes with its elements', async () => {
  expect(await page.fromGpu()).toEqual({ there: 'webgpu', here: 'cpu', elements: [2, 4, 6] });
});

test('a worker that never serves, or cannot be started, is an error', async () => {
  expect(await page.unhosted()).toEqual({ told: unhostedExpected, living: 0 });
});
