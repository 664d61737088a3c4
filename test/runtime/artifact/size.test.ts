// The door `fluxion/runtime` as a page loads it: how many bytes, and nothing that evaluates text.

import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type OutputFile } from 'esbuild';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What is loaded at once; what is loaded when it is needed stays outside. */
async function bundle(code: string, lazy: RegExp): Promise<OutputFile> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: root, loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    plugins: [
      {
        name: 'lazy',
        setup: (b) =>
          b.onResolve({ filter: /./ }, ({ kind, path }) =>
            kind === 'dynamic-import' && lazy.test(path) ? { path, external: true } : undefined,
          ),
      },
    ],
  });
  return outputFiles[0]!;
}

test.each([
  ['the whole door', "export * from './runtime/index.ts'"],
  ['what a module with all targets links', "export { artifact, js, wasm, webgpu } from './runtime/index.ts'"],
])('%s is 15 kB compressed at most', async (_, code) => {
  const { contents } = await bundle(code, /./);
  expect(gzipSync(contents, { level: 9 }).length).toBeLessThanOrEqual(15_000);
});

test('nothing in it evaluates text, in what is loaded later neither', async () => {
  const { text } = await bundle("export * from './runtime/index.ts'", /^$/);
  expect(text).toContain('createComputePipeline');
  // The worker of Node is a text, which a page never starts.
  expect(text.replaceAll('{eval:!0,', '')).not.toMatch(/(?<!-)\beval\b|\bFunction\s*\(|import\s*\(\s*["'`]data:/);
});

test('a module without WebGPU, threads or saved states does not load their code', async () => {
  const { text } = await bundle("export { artifact, js, wasm } from './runtime/index.ts'", /./);
  expect(text).not.toMatch(/createComputePipeline|worker_threads|data_offsets/);
});
