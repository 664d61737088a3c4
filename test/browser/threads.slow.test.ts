// Threads of WebAssembly in a real browser: shared where the page is isolated, one and a notice where it is not, and the bits of Node in all cases.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { getDefaultDevice, getNumThreads, setDefaultDevice, setNumThreads } from '../../compiler/frontend/device.ts';
import { bundle, isolating, launch, open, type Remote, type Site, serve } from './page.ts';
import * as here from './pages/threads.ts';

type Module = typeof here;
let browser: Browser;
let files: ReadonlyMap<string, Uint8Array>;
let expected: string;
const sites: Site[] = [];
let notices: string[] = [];

beforeAll(async () => {
  [browser, files] = await Promise.all([launch(), bundle('test/browser/pages/threads.ts')]);
  const before = [getDefaultDevice(), getNumThreads()] as const;
  expected = (await here.train(1)).digest;
  setDefaultDevice(before[0]);
  setNumThreads(before[1]);
});
beforeEach(() => {
  notices = [];
});
afterAll(async () => {
  await browser.close();
  await Promise.all(sites.map((s) => s.close()));
});

async function page(headers?: Readonly<Record<string, string>>): Promise<Remote<Module>> {
  const site = await serve(files, headers);
  sites.push(site);
  return open<Module>(browser, site, 'threads', notices);
}

test('an isolated page shares the work among 1, 2 and 3 threads, with the bits of Node', async () => {
  const { train } = await page();
  for (const threads of [1, 2, 3]) expect(await train(threads)).toEqual({ digest: expected, helpers: threads });
  expect(notices).toEqual([]);
});

test('a worker of an isolated page shares its work too', async () => {
  const { trainInWorker } = await page();
  expect(await trainInWorker(3)).toEqual({ digest: expected, helpers: 3 });
});

test('a page that is not isolated uses one thread, and is told once which headers it lacks', async () => {
  const { train } = await page({});
  for (const threads of [1, 2, 3]) expect(await train(threads)).toEqual({ digest: expected, helpers: 1 });
  expect(notices).toHaveLength(1);
  for (const header of Object.entries(isolating)) expect(notices[0]).toContain(header.join(': '));
});

test('a page whose policy forbids workers uses one thread, and is told once', async () => {
  const policy = "script-src 'self' 'unsafe-eval'; worker-src 'none'";
  const { train } = await page({ ...isolating, 'Content-Security-Policy': policy });
  for (const threads of [2, 3]) expect(await train(threads)).toEqual({ digest: expected, helpers: 1 });
  const ours = notices.filter((text) => text.startsWith('fluxion:'));
  expect(ours).toHaveLength(1);
  expect(ours[0]).toContain('worker-src blob:');
});

test('a thread that was ended is an error, and the next step has new threads', async () => {
  const { trainThroughDeath } = await page();
  expect(await trainThroughDeath()).toEqual({ error: 'WorkerError', digest: expected, helpers: 2 });
});
