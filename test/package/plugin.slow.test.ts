import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { createServer } from 'vite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { isolating, launch, serve } from '../browser/page.ts';
import { type AnyPlugin, type BundlerName, bundlers, filesIn } from './bundlers.ts';
import { type Project, project } from './project.ts';

vi.setConfig({ testTimeout: 240_000 }); // Each starts processes, and bundles hundreds of modules.

const model = `
import { aot, manualSeed, nn, spec, type Tensor } from 'fluxion';
import { scale } from './scale';

manualSeed(0);
const net = new nn.Sequential(new nn.Linear(300, 80), new nn.ReLU(), new nn.Linear(80, 4));

/** What the network sees in a row of numbers. */
export const classify = aot((row: Tensor) => net(row).mul(scale).softmax(1), {
  inputs: { row: spec([2, 300]) },
  targets: ['wasm', 'js'],
});
`;
const page = (spelling: string): string => `
import { classify, load } from ${JSON.stringify(spelling)};
globalThis.run = async () => {
  await load({ threads: 1 });
  return [...classify(Float32Array.from({ length: 600 }, (_, i) => Math.sin(i)))];
};
`;
/** What the JIT says in Node. */
const expected = `
import { tensor } from 'fluxion';
import { classify } from './src/model.ts';
console.log(JSON.stringify([...classify(tensor(Array.from({ length: 600 }, (_, i) => Math.fround(Math.sin(i)))).reshape([2, 300])).dataSync()]));
`;
const policy = { 'Content-Security-Policy': "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:" };

let user: Project;
let browser: Browser;
let plugin: Record<BundlerName, (options?: object) => AnyPlugin>;
let values: readonly number[];
beforeAll(async () => {
  user = project(['tsx']);
  user.write({
    'src/model.ts': model,
    'src/scale.ts': 'export const scale: number = 2;\n',
    'src/page.js': page('./model.ts?fluxion'),
    'src/typed.ts': page('./model.fluxion.js').replace('globalThis.', '(globalThis as any).'),
    'expected.ts': expected,
    'index.html': '<!doctype html><title>test</title><link rel="icon" href="data:,"><script type="module" src="./src/typed.ts"></script>',
  });
  browser = await launch();
  plugin = (await import(pathToFileURL(join(user.folder, 'node_modules/fluxion/dist/compiler/build/plugin/index.js')).href)).default;
  const { stdout, stderr } = user.node('--import', 'tsx', 'expected.ts');
  expect(stderr).toBe('');
  values = JSON.parse(stdout);
}, 240_000);
afterAll(async () => {
  await browser?.close();
  user?.remove();
});

const run = (page: Page): Promise<number[]> => page.evaluate(() => (globalThis as unknown as { run: () => Promise<number[]> }).run());

test.each(Object.keys(bundlers) as BundlerName[])('%s takes a model as an import; its page runs it without eval', async (name) => {
  const out = `out-${name}`;
  const bundle = { folder: user.folder, entry: 'src/page.js', out, plugins: [plugin[name]({ root: user.folder })] };
  expect(await bundlers[name](bundle)).toEqual([]);
  const files = filesIn(join(user.folder, out));
  expect([...files.keys()].filter((path) => path.endsWith('.safetensors'))).toHaveLength(1);
  const site = await serve(files, { ...isolating, ...policy });
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  const said: string[] = [];
  page.on('console', (message) => void said.push(message.text()));
  page.on('pageerror', (error) => void said.push(String(error)));
  await page.goto(site.origin);
  await page.addScriptTag({ url: '/main.js', type: 'module' });
  expect(await run(page)).toEqual(values);
  expect(said).toEqual([]);
  await page.close();
  await site.close();
});

test('what is wrong with a model is told at its line', async () => {
  user.write({
    'src/wrong.ts': `import { aot, ones, spec, type Tensor } from 'fluxion';\nexport const wrong = aot((x: Tensor) => x.add(ones([3])), { inputs: { x: spec([2]) } });\n`,
    'src/uses-wrong.js': `import { wrong } from './wrong.ts?fluxion';\nconsole.log(wrong);\n`,
  });
  const bundle = { folder: user.folder, entry: 'src/uses-wrong.js', out: 'out-wrong', plugins: [plugin.rollup({ root: user.folder })] };
  await expect(bundlers.rollup(bundle)).rejects.toThrow(/src\/wrong\.ts:2:\d+ - .*\[2\].*\[3\]/s);
});

test('Vite serves an isolated page while developing, with types beside the model, and loads it again when the model changes, or is right again', async () => {
  const server = await createServer({
    root: user.folder,
    configFile: false,
    logLevel: 'silent',
    server: { port: 0, host: 'localhost' },
    plugins: [plugin.vite()],
  });
  try {
    await server.listen();
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(server.resolvedUrls!.local[0]!);
    await page.waitForFunction(() => 'run' in globalThis);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    expect(await run(page)).toEqual(values);
    const types = readFileSync(join(user.folder, 'src/model.fluxion.d.ts'), 'utf8');
    expect(types).toContain('What the network sees in a row of numbers.');

    const again = page.waitForEvent('load');
    writeFileSync(join(user.folder, 'src/scale.ts'), 'export const scale: number = 0;\n');
    await again;
    await page.waitForFunction(() => 'run' in globalThis);
    expect(await run(page)).toEqual(values.map(() => 0.25));

    writeFileSync(join(user.folder, 'src/scale.ts'), 'export const scale: number = nowhere;\n');
    const overlay = page.locator('vite-error-overlay');
    await overlay.waitFor();
    expect(await overlay.locator('.message-body').textContent()).toMatch(/src\/scale\.ts:1:\d+.*nowhere/);
    writeFileSync(join(user.folder, 'src/scale.ts'), 'export const scale: number = 2;\n');
    await page.waitForFunction(() => 'run' in globalThis);
    expect(await run(page)).toEqual(values);
    await page.close();
  } finally {
    await server.close();
  }
});
