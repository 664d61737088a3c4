// A page in whose bundle the datasets are: where they came from, no worker can tell.
import { DataLoader, data, manualSeed } from 'fluxion';
import { failing, keep } from './datasets.ts';

const worker = (): Worker => new Worker(new URL('./dataWorker.js', import.meta.url), { type: 'module' });
const flag = (up: boolean): Int32Array => new Int32Array(new SharedArrayBuffer(4)).fill(Number(up));

/** The labels of an epoch that two workers load. */
export async function epoch(): Promise<unknown> {
  manualSeed(0);
  const batches: unknown[] = [];
  const options = { batchSize: 4, shuffle: true, numWorkers: 2, collateFn: keep, worker };
  for await (const batch of new DataLoader(failing(10, 'throws', flag(false)), options)) batches.push(batch);
  return batches;
}

/** How an epoch fails whose samples throw, whose dataset the worker does not have, or whose worker is none. */
export async function failure(what: 'failing' | 'unserved' | 'no worker'): Promise<string> {
  const unserved = data.workerDataset(import.meta.url, 'unserved', () => ({ length: 8, get: (i: number): unknown => i }));
  const dataset = what === 'unserved' ? unserved() : failing(8, 'throws', flag(true));
  const options = { numWorkers: 1, worker: what === 'no worker' ? () => ({}) as Worker : worker };
  try {
    for await (const _ of new DataLoader(dataset, options));
    return 'nothing';
  } catch (error) {
    return String(error);
  }
}
