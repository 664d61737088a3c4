// A built model in a worker: its whole module is served, it loads at the first call, and there is no compiler on either side.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { close, host } from 'fluxion/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type WrittenArtifact, writeArtifact } from '../../compiler/build/artifact/write.ts';
import { launch, open, serve } from '../browser/page.ts';
import { bundled, type Called, classifier, imported, noise, removeFolders } from '../build/artifact/models.ts';

type Result = { readonly probabilities: Float32Array; readonly best: Float32Array };
type Model = { classify(image: Float32Array): Result };

const image = noise(16);
let expected: Result;
let folder: string;
beforeAll(async () => {
  const classify: Called = (await imported(classifier())).classify!;
  expected = (await classify.async(image)) as Result;
  const { files, ...rest } = writeArtifact(classifier(), { inlineBytes: 0 });
  const text = (code: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(code) as Uint8Array<ArrayBuffer>;
  const hosted = text(`import * as model from './model.js'; import { serve } from 'fluxion/worker'; serve(model);`);
  const page = text(`import { host } from 'fluxion/worker';
    const remote = host(new Worker(new URL('./hosted.mjs', import.meta.url), { type: 'module' }));
    export const classify = async (image) => (await remote).classify(Float32Array.from(image));`);
  const written: WrittenArtifact = { ...rest, files: new Map([...files, ['hosted.js', hosted], ['page.js', page]]) };
  folder = await bundled(written, { entry: 'hosted.js', minify: true });
  const pages = await bundled(written, { entry: 'page.js', minify: true });
  for (const name of readdirSync(pages).filter((file) => file.endsWith('.mjs')))
    writeFileSync(join(folder, name), readFileSync(join(pages, name)));
});
afterAll(removeFolders);

test('in Node', async () => {
  const remote = await host<Model>(new Worker(join(folder, 'hosted.mjs')));
  expect(await remote.classify(image)).toEqual(expected);
  await close(remote);
});

test('in a page', async () => {
  const browser = await launch();
  const files = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile());
  const site = await serve(new Map(files.map((name) => [`/${name.replace('page.mjs', 'page.js')}`, readFileSync(join(folder, name))])));
  try {
    const page = await open<{ classify(image: number[]): Result }>(browser, site, 'page');
    expect(await page.classify([...image])).toEqual(expected);
  } finally {
    await browser.close();
    await site.close();
  }
});

test('the page is a few kilobytes', () => {
  expect(statSync(join(folder, 'page.mjs')).size).toBeLessThan(16_384);
  expect(statSync(join(folder, 'hosted.mjs')).size).toBeLessThan(65_536);
});
