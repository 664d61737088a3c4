// Hosts and workers in Node: the scenarios over worker threads.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { serve } from 'fluxion/worker';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { bundle } from '../browser/page.ts';
import { expectedOf, play, type Start, scenarioNames, unhosted, unhostedExpected } from './scenarios.ts';

let folder: string;
const workers: Worker[] = [];
const start: Start = (module) => {
  const worker = new Worker(join(folder, `${module}.mjs`));
  workers.push(worker);
  return worker;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fluxion-worker-'));
  for (const [path, contents] of await bundle('test/worker/served.ts'))
    writeFileSync(join(folder, path.replace('served.js', 'served.mjs')), contents);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'silent.mjs'), 'setInterval(() => undefined, 1000);');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  expect(workers.filter((w) => w.threadId !== -1)).toEqual([]);
  workers.length = 0;
});

test.each(scenarioNames)('%s', async (name) => {
  expect(await play(name, start)).toEqual(expectedOf(name));
});

test('a worker that never serves, or cannot be started, is an error', async () => {
  expect(await unhosted(start)).toEqual(unhostedExpected);
});

test('only workers serve', () => {
  expect(() => serve({})).toThrow('this is no worker');
});
