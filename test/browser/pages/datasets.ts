// Datasets that Web Workers import.
import { data, type Tensor, tensor } from 'fluxion';

const { getWorkerInfo, workerDataset, workerFunction } = data;
const here = import.meta.url;

/** A row and a label. */
export const digits = workerDataset(here, 'digits', (length: number) => ({
  length,
  get: (i: number): [row: Tensor, label: number] => [tensor([i, i + 0.5]).mul(2), i],
}));

/** An iterable of which each worker gives its share. */
export const shards = workerDataset(here, 'shards', (length: number) => ({
  *[Symbol.iterator](): globalThis.Generator<number, void, undefined> {
    const { id, numWorkers } = getWorkerInfo()!;
    for (let i = id; i < length; i += numWorkers) yield i;
  },
}));

export type Fault = 'throws' | 'hangs' | 'closes' | 'strays';
/** Goes wrong at sample 5, as long as the flag is up. */
export const failing = workerDataset(here, 'failing', (length: number, fault: Fault, broken: Int32Array) => ({
  length,
  get: (i: number): unknown => {
    if (i !== 5 || broken[0] === 0) return i;
    switch (fault) {
      case 'throws':
        throw new RangeError('disk on fire');
      case 'hangs':
        for (;;);
      case 'closes':
        return close();
      case 'strays':
        setTimeout(() => {
          throw new Error('stray');
        });
        return new Promise(() => undefined);
    }
  },
}));

export const keep = workerFunction(here, 'keep', <T>(samples: T[]): T[] => samples);
