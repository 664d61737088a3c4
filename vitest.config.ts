// How the tests run: in a forked process for each core, one file after the other; packages are resolved to the sources, never to dist.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const onEveryDevice = ['frontend', 'oracle', 'linalg', 'composite', 'hostile', 'counts'].map((folder) => `test/${folder}/**/*.test.ts`);

/**
 * `npm run check` (mode `check`) leaves out the dear tests, which are end to end, of thousands of steps or in processes of their own, and tries
 * less hard in random and deep ones. Most code then runs a few times only: optimised as early as V8 does it, it costs more than it saves.
 */
const quick = {
  exclude: ['test/**/*.slow.test.ts'],
  env: { FLUXION_CACHE: 'off', FLUXION_TEST_EFFORT: process.env.FLUXION_TEST_EFFORT ?? '0.1' },
  execArgv: ['--max-semi-space-size=64', '--interrupt-budget=1000000'],
};

/** These need JAX, in the Python that FLUXION_SCALE_PYTHON names: `npm run test:scale`. */
const withPython = process.env.FLUXION_SCALE_PYTHON === undefined ? ['test/scale/*.slow.test.ts'] : [];
/** What goes on beside tensors, in threads and processes of its own, names its device itself, or is about formulas of graphs, is run once. */
const onOneDevice = [
  'test/counts/memory.slow.test.ts',
  'test/frontend/dataWorkers.slow.test.ts',
  'test/frontend/func/differentiable.slow.test.ts',
  'test/frontend/memory.slow.test.ts',
  'test/hostile/deep.slow.test.ts',
];

export default defineConfig(({ mode }) => ({
  resolve: {
    alias: [
      { find: /^fluxion$/, replacement: source('compiler/index.ts') },
      { find: /^fluxion\/runtime$/, replacement: source('runtime/index.ts') },
      { find: /^fluxion\/scale$/, replacement: source('compiler/scale/index.ts') },
      { find: /^fluxion\/worker$/, replacement: source('compiler/worker/index.ts') },
    ],
  },
  test: {
    // Files share a process, which halves the time: loading the compiler anew costs more than most files do.
    // So each file leaves the process as it found it (mocks, generators, environment); a crash takes one process with it, not the run.
    pool: 'forks',
    isolate: false,
    // Sources stripped of their types are kept in node_modules from run to run, by a hash of their text.
    experimental: { fsModuleCache: true },
    // Whoever tests the cache on disk says where: all else compiles anew, and leaves the developer's folder alone.
    env: { FLUXION_CACHE: 'off' },
    setupFiles: ['test/stack-traces.ts', 'test/fresh.ts'],
    maxWorkers: '100%',
    // Recording makes many short-lived objects: with more room for young ones, far fewer live long enough to be copied.
    execArgv: ['--max-semi-space-size=64'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', './.ci/reporter.ts'],
    // Everything runs on the default device, wasm. What users rely on whatever the device runs once more on the reference; what is about one
    // device (emitters, conformance, random graphs) names it.
    projects: [
      { extends: true, test: { name: 'wasm', include: ['test/**/*.test.ts'], exclude: withPython, ...(mode === 'check' && quick) } },
      ...(mode === 'check'
        ? []
        : [
            {
              extends: true as const,
              test: { name: 'js', include: onEveryDevice, exclude: onOneDevice, env: { FLUXION_CACHE: 'off', FLUXION_DEVICE: 'js' } },
            },
          ]),
    ],
  },
}));
