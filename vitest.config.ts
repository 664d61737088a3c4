// How the tests run: in forked processes, each file isolated; packages are resolved to the sources, never to dist.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^fluxion$/, replacement: source('compiler/index.ts') },
      { find: /^fluxion\/runtime$/, replacement: source('runtime/index.ts') },
    ],
  },
  test: {
    // Dear tests (end to end, thousands of steps, processes of their own) are named *.slow.test.ts; `npm run check` leaves them out.
    include: ['test/**/*.test.ts'],
    // A crash in native code then takes one file with it, not the run.
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', './.ci/reporter.ts'],
  },
});
