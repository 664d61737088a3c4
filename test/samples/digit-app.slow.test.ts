// The page on which one draws a digit: built by Vite from the model's source, served, and drawn upon in a real browser.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { launch } from '../browser/page.ts';
import { root } from '../package/project.ts';

vi.setConfig({ testTimeout: 240_000 });

const app = join(root, 'samples/digit-app');
const configFile = join(app, 'vite.config.ts');
const types = join(app, 'model.fluxion.d.ts');
const typesBefore = readFileSync(types, 'utf8');
let out: string;
let server: PreviewServer;
let browser: Browser;
beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'fluxion-digit-'));
  await build({ root: app, configFile, logLevel: 'error', build: { outDir: out, emptyOutDir: true } });
  server = await preview({ root: app, configFile, build: { outDir: out }, preview: { port: 0, host: 'localhost' } });
  browser = await launch();
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(out, { recursive: true, force: true });
});

type Stroke = readonly (readonly [x: number, y: number])[];
const arc = (x: number, y: number, rx: number, ry: number, from: number, to: number): Stroke =>
  Array.from({ length: 25 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / 24) * Math.PI) / 180;
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  });

/** As people write them, on a paper of side 1. */
const digits: readonly (readonly Stroke[])[] = [
  [arc(0.5, 0.5, 0.2, 0.32, -90, 270)],
  [
    [
      [0.5, 0.2],
      [0.5, 0.8],
    ],
  ],
  [[...arc(0.5, 0.34, 0.17, 0.15, -170, 30), [0.34, 0.78], [0.7, 0.78]]],
  [[...arc(0.47, 0.35, 0.17, 0.15, -160, 90), ...arc(0.47, 0.65, 0.2, 0.16, -90, 150)]],
  [
    [
      [0.4, 0.2],
      [0.33, 0.52],
      [0.68, 0.52],
    ],
    [
      [0.6, 0.3],
      [0.6, 0.82],
    ],
  ],
  [[[0.66, 0.2], [0.4, 0.2], [0.37, 0.46], ...arc(0.48, 0.62, 0.18, 0.17, -110, 140)]],
  [[[0.6, 0.18], [0.42, 0.4], ...arc(0.5, 0.64, 0.16, 0.16, 180, 540)]],
  [
    [
      [0.32, 0.22],
      [0.68, 0.22],
      [0.46, 0.8],
    ],
  ],
  [[...arc(0.5, 0.35, 0.14, 0.14, 90, 450), ...arc(0.5, 0.65, 0.17, 0.16, -90, 270)]],
  [[...arc(0.48, 0.36, 0.15, 0.15, 0, 360), [0.63, 0.4], [0.58, 0.82]]],
];

/** Waits until the network is there. */
async function open(page: Page): Promise<void> {
  await page.goto(server.resolvedUrls!.local[0]!);
  await page.waitForFunction(() => document.getElementById('facts')!.textContent!.startsWith('The network was there'));
}

async function draw(page: Page, strokes: readonly Stroke[]): Promise<void> {
  await page.getByRole('button', { name: 'Clear' }).click();
  const { x: left, y: top, width } = (await page.locator('#pad').boundingBox())!;
  for (const [first, ...rest] of strokes) {
    await page.mouse.move(left + first![0] * width, top + first![1] * width);
    await page.mouse.down();
    for (const [x, y] of rest) await page.mouse.move(left + x * width, top + y * width);
    await page.mouse.up();
  }
  // Answers come with the next frame.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

test('who draws a digit is told which it is, under a policy that allows no eval', async () => {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  const said: string[] = [];
  page.on('console', (message) => void said.push(message.text()));
  page.on('pageerror', (error) => void said.push(String(error)));
  await open(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  const guesses: (string | null)[] = [];
  for (const strokes of digits) {
    await draw(page, strokes);
    guesses.push(await page.locator('#guess').textContent());
  }
  expect(guesses).toEqual(digits.map((_, digit) => String(digit)));
  const shares = await page.locator('#bars progress').evaluateAll((bars) => bars.map((bar) => (bar as HTMLProgressElement).value));
  expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.getElementById('guess')!.textContent === '?');
  expect(said).toEqual([]);
  await page.close();
});

test('all that a visitor downloads beside the weights is less than 40 kB', async () => {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  const bodies = new Map<string, Promise<Buffer>>();
  page.on('response', (response) => void bodies.set(response.url(), response.body()));
  await open(page);
  const sizes: Record<string, number> = {};
  for (const [url, body] of bodies) sizes[new URL(url).pathname] = gzipSync(await body, { level: 9 }).length;
  const weights = Object.keys(sizes).filter((path) => path.endsWith('.safetensors'));
  expect(weights).toHaveLength(1);
  delete sizes[weights[0]!];
  expect(
    Object.values(sizes).reduce((a, b) => a + b, 0),
    JSON.stringify(sizes),
  ).toBeLessThan(40_000);
  await page.close();
});

test('the types beside the model are those that it is built with', () => {
  expect(readFileSync(types, 'utf8')).toBe(typesBefore);
});
