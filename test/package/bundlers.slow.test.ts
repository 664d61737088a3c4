import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { isolating, launch, type Site, serve } from '../browser/page.ts';
import { type BundlerName, bundlers, filesIn } from './bundlers.ts';
import { type Project, project } from './project.ts';

vi.setConfig({ testTimeout: 240_000 }); // Each starts processes, and bundles hundreds of modules.

let user: Project;
let browser: Browser;
beforeAll(async () => {
  user = project();
  browser = await launch();
}, 240_000);
afterAll(async () => {
  await browser?.close();
  user?.remove();
});

/** Trains a small network; gives its losses. Sets a global, since an entry has no exports in all bundlers. */
const training = `
import { compile, F, getNumThreads, manualSeed, nn, optim, randn, setDefaultDevice, tensor } from 'fluxion';
globalThis.train = (device) => {
  setDefaultDevice(device);
  manualSeed(0);
  const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 2));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
  const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
  const y = tensor([0, 1, 1, 0], { dtype: 'int64' });
  const step = compile(() => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model(x), y);
    loss.backward();
    optimizer.step();
    return loss.detach();
  });
  const losses = [];
  for (let i = 0; i < 60; i++) losses.push(step().itemSync());
  return { losses, threads: getNumThreads() };
};
`;

const policy = { 'Content-Security-Policy': "script-src 'self' 'wasm-unsafe-eval'; worker-src blob:" };

type Trained = { readonly losses: readonly number[]; readonly threads: number };
const train = (page: Page, device: string): Promise<Trained> =>
  page.evaluate((name) => (globalThis as unknown as { train: (device: string) => Trained }).train(name), device);

/** Loads the bundle into a page with these headers, and does something there; nothing may be said on its console. */
async function inPage<R>(
  files: ReadonlyMap<string, Uint8Array>,
  headers: Readonly<Record<string, string>>,
  act: (page: Page) => Promise<R>,
): Promise<R> {
  const site: Site = await serve(files, headers);
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  const said: string[] = [];
  page.on('console', (message) => void said.push(message.text()));
  page.on('pageerror', (error) => void said.push(String(error)));
  try {
    await page.goto(site.origin);
    await page.addScriptTag({ url: '/main.js', type: 'module' });
    const result = await act(page);
    expect(said).toEqual([]);
    return result;
  } finally {
    await page.close();
    await site.close();
  }
}

test.each(Object.keys(bundlers) as BundlerName[])('%s takes the library as it is, and a page trains with it', async (name) => {
  user.write({ 'jit.js': training });
  const out = `out-${name}`;
  expect(await bundlers[name]({ folder: user.folder, entry: 'jit.js', out, plugins: [] })).toEqual([]);
  const files = filesIn(join(user.folder, out));
  const { stdout, stderr } = user.node('--input-type=module', '-e', `${training}console.log(JSON.stringify(['wasm', 'js'].map(train)));`);
  expect(stderr).toBe('');
  const [wasm, js] = JSON.parse(stdout) as [Trained, Trained];
  expect(wasm.losses.at(-1)).toBeLessThan(0.1);
  // WebAssembly is compiled where eval is forbidden; JavaScript needs it.
  expect((await inPage(files, { ...isolating, ...policy }, (page) => train(page, 'wasm'))).losses).toEqual(wasm.losses);
  expect((await inPage(files, isolating, (page) => train(page, 'js'))).losses).toEqual(js.losses);
});

/** Gzipped, of a page that trains with modules, optimisers and `compile`; as esbuild makes it. A little above what it is. */
const budget = 280_000;
test(`training in a page is a download of at most ${budget / 1000} kB`, async () => {
  user.write({ 'jit.js': training });
  await bundlers.esbuild({ folder: user.folder, entry: 'jit.js', out: 'out-size', plugins: [] });
  const files = [...filesIn(join(user.folder, 'out-size')).values()];
  const sum = files.reduce((n, bytes) => n + gzipSync(bytes, { level: 9 }).length, 0);
  expect(sum).toBeLessThan(budget);
  expect(sum).toBeGreaterThan(budget / 2);
});
