// The page that learns to read digits: built by Vite, served with its headers, and used in a real browser.
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launch } from '../browser/page.ts';

const configFile = fileURLToPath(new URL('../../samples/web/vite.config.ts', import.meta.url));
let browser: Browser;
let server: PreviewServer;
let page: Page;
let notices: string[];

beforeAll(async () => {
  [browser] = await Promise.all([launch(), build({ configFile, logLevel: 'error' })]);
  server = await preview({ configFile, logLevel: 'error', preview: { port: 0 } });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(async () => {
  notices = [];
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('console', (message) => void notices.push(message.text()));
  page.on('pageerror', (error) => void notices.push(String(error)));
});
afterEach(async () => {
  await page.close();
  expect(notices).toEqual([]);
});

const load = (limit: number): Promise<unknown> => page.goto(`${server.resolvedUrls!.local[0]}?limit=${limit}`);
const text = async (id: string): Promise<string> => (await page.textContent(`#${id}`))!;
const isDone = (): Promise<unknown> => page.waitForFunction(() => document.getElementById('train')!.textContent === 'Train anew');

type Point = readonly [x: number, y: number];
/** Draws on the pad, in shares of its side. */
async function draw([first, ...others]: readonly Point[]): Promise<void> {
  const box = (await page.locator('#pad').boundingBox())!;
  const at = ([x, y]: Point): [number, number] => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(first!));
  await page.mouse.down();
  for (const point of others) await page.mouse.move(...at(point), { steps: 6 });
  await page.mouse.up();
}
const seven: readonly Point[] = [
  [0.25, 0.22],
  [0.75, 0.22],
  [0.55, 0.5],
  [0.42, 0.82],
];
const one: readonly Point[] = [
  [0.52, 0.15],
  [0.48, 0.85],
];

test('learns from a few thousand digits, and reads what is drawn', async () => {
  await load(4000);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.click('#train');
  await isDone();
  expect(await text('status')).toMatch(/^Done/);
  expect(Number.parseFloat(await text('accuracy'))).toBeGreaterThan(80);
  expect(await page.locator('#chart .curve.wasm').count()).toBe(1);
  for (const [digit, strokes] of [
    ['7', seven],
    ['1', one],
  ] as const) {
    await page.click('#clear');
    await draw(strokes);
    await page.waitForFunction((d) => document.getElementById('guess')!.textContent === d, digit);
  }
}, 60_000);

test.each(['js', 'webgpu'])(
  'learns on %s too, reads while it learns, and stops when it is told',
  async (device) => {
    await load(60_000);
    await page.click(`label:has(input[value=${device}])`);
    await page.click('#train');
    await page.waitForFunction(() => document.querySelector('#chart .curve') !== null);
    await draw(seven);
    await page.waitForFunction(() => /sure/.test(document.getElementById('hint')!.textContent!));
    expect(await text('train')).toBe('Stop');
    await page.click('#train');
    await isDone();
    expect(await text('status')).toBe('Stopped.');
  },
  60_000,
);

test.each([390, 1280])('fits a window of %i pixels', async (width) => {
  await page.setViewportSize({ width, height: 800 });
  await load(100);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
});
