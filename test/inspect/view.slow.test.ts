// The report of `fluxion view`, opened and clicked through in a real browser.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from './chromium.ts';

const launcher = fileURLToPath(new URL('../../compiler/cli/fluxion.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fluxion-view-'));
let browser: Browser;
let page: Page;
/** What the page complained about, and what it asked servers for. */
const complaints: string[] = [];

beforeAll(async () => {
  writeFileSync(
    join(folder, 'train.ts'),
    `import { nn, optim, randn } from 'fluxion';
const model = new nn.Sequential(new nn.Linear(8, 16), new nn.ReLU(), new nn.Linear(16, 4));
const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
const x = randn([32, 8]);
for (let i = 0; i < 3; i++) {
  const loss = model.forward(x).square().mean();
  optimizer.zeroGrad();
  loss.backward();
  optimizer.step();
}
`,
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, 'view', 'train.ts'], { cwd: folder, encoding: 'utf8' });
  expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: expect.stringContaining('train.html shows') });
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => request.url().startsWith('file:') || complaints.push(request.url()));
  await page.goto(pathToFileURL(join(folder, 'train.html')).href);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Only one tab is to be seen. */
const visible = (): Promise<string[]> => page.$$eval('main', (all) => all.filter((m) => m.checkVisibility()).map((m) => m.id));

test('it opens with a graph that can be zoomed', async () => {
  expect(await visible()).toEqual(['graph']);
  const graph = page.locator('svg.graph').first();
  const before = await graph.getAttribute('viewBox');
  await page.locator('[data-zoom="0.8"]').first().click();
  const [, , width] = (await graph.getAttribute('viewBox'))!.split(' ').map(Number);
  expect(width).toBeCloseTo(0.8 * Number(before!.split(' ')[2]), 6);
  await page.locator('[data-zoom="fit"]').first().click();
  expect(await graph.getAttribute('viewBox')).toBe(before);
  const boxes = await graph
    .locator('.box rect')
    .evaluateAll((all) => all.map((r) => r.getBoundingClientRect()).map(({ x, y, width, height }) => ({ x, y, width, height })));
  const apart = boxes.every((a, i) =>
    boxes.every((b, j) => i === j || a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y),
  );
  expect(apart).toBe(true);
});

test('a kernel in the graph leads to its code and to its lines', async () => {
  const kernel = page.locator('svg.graph .kernel').first();
  const name = await kernel.getAttribute('data-kernel');
  await kernel.click();
  expect(await visible()).toEqual(['kernels']);
  const code = page.locator(`main#kernels .code[data-kernel="${name}"]`).first();
  expect(await code.getAttribute('open')).not.toBeNull();
  expect(await code.locator('pre').first().textContent()).toContain('kernel @');
  expect(await page.locator('.source.on').allInnerTexts()).toEqual(expect.arrayContaining([expect.stringContaining('model.forward(x)')]));
});

test('a line of the source selects the kernels that came of it', async () => {
  await page.locator('.source', { hasText: 'optimizer.step()' }).first().click();
  const selected = await page.locator('main#kernels .code.on').count();
  expect(selected).toBeGreaterThan(0);
  await page.locator('.source', { hasText: 'import { nn' }).first().click();
  expect(await page.locator('main#kernels .code.on').count()).toBe(0);
});

test('a value is highlighted in all passes', async () => {
  await page.locator('[data-tab="passes"]').click();
  expect(await visible()).toEqual(['passes']);
  const columns = page.locator('main#passes section').first().locator('.column');
  const value = columns.first().locator('.value').first();
  await value.click();
  const lit = await columns.evaluateAll((all) => all.filter((c) => c.querySelector('.value.on') !== null).length);
  expect(lit).toBe(await columns.count());
  await value.click();
  expect(await page.locator('.value.on').count()).toBe(0);
});

test('memory and time have their pictures', async () => {
  await page.locator('[data-tab="memory"]').click();
  expect(await page.locator('main#memory svg.memory .block').count()).toBeGreaterThan(0);
  expect(await page.locator('main#memory').textContent()).toContain('saved for backward');
  await page.locator('[data-tab="time"]').click();
  expect(await page.locator('main#time svg.timeline .launch').count()).toBeGreaterThan(0);
  expect(await page.locator('main#time').textContent()).toContain('this machine at best');
});

test('the page complains of nothing and asks no server for anything', () => {
  expect(complaints).toEqual([]);
});
