// Datasets that workers import: well-behaved ones, and one for each way to go wrong.

import { rand, tensor } from '../../compiler/frontend/creation.ts';
import { Dataset, getWorkerInfo, workerDataset, workerFunction } from '../../compiler/frontend/data/index.ts';
import { defaultGenerator } from '../../compiler/frontend/random.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';

const here = import.meta.url;

/** 0, 1, 2, ... as numbers. */
export const numbers = workerDataset(here, 'numbers', (length: number) => ({ length, get: (i: number) => i }));

/** Squares that arrive late, later ones first. */
export const late = workerDataset(here, 'late', (length: number) => ({
  length,
  get: async (i: number): Promise<number> => {
    await new Promise((r) => setTimeout(r, 2 * (length - i)));
    return i * i;
  },
}));

/** Rows with a label, of every kind that a batch may hold. */
class Rows extends Dataset<{ readonly row: Tensor; readonly label: bigint; readonly name: string; readonly even: boolean }> {
  readonly length: number;
  readonly scale: Tensor;
  constructor(length: number, scale: Tensor) {
    super();
    this.length = length;
    this.scale = scale;
  }
  get(i: number): { row: Tensor; label: bigint; name: string; even: boolean } {
    return { row: tensor([i, i + 0.5]).mul(this.scale), label: BigInt(i), name: `row ${i}`, even: i % 2 === 0 };
  }
}
export const rows = workerDataset(here, 'rows', (length: number, scale: Tensor) => new Rows(length, scale));

/** Hands out the very tensor it keeps. */
export const kept = workerDataset(here, 'kept', () => {
  const keep = tensor([1, 2, 3]);
  return { length: 4, get: () => keep, getBatch: () => keep };
});

/** An iterable that gives each worker its share. */
export const sharded = workerDataset(here, 'sharded', (length: number) => ({
  length,
  *[Symbol.iterator](): globalThis.Generator<number, void, undefined> {
    const { id, numWorkers } = getWorkerInfo() ?? { id: 0, numWorkers: 1 };
    for (let i = id; i < length; i += numWorkers) yield i;
  },
}));
/** An iterable that every worker gives in full, and that counts in shared memory who has it open. */
export const opened = workerDataset(here, 'opened', (open: Int32Array, length: number) => ({
  async *[Symbol.asyncIterator](): AsyncGenerator<number, void, undefined> {
    Atomics.add(open, 0, 1);
    try {
      for (let i = 0; i < length; i++) yield i;
    } finally {
      Atomics.sub(open, 0, 1);
    }
  },
}));
/** Worker 0 has one sample, worker 1 five, worker 2 three. */
export const uneven = workerDataset(here, 'uneven', () => ({
  *[Symbol.iterator](): globalThis.Generator<number, void, undefined> {
    const { id } = getWorkerInfo()!;
    for (let i = 0; i < [1, 5, 3][id]!; i++) yield 10 * id + i;
  },
}));

export type Fault = 'throws' | 'rejects' | 'exits' | 'hangs' | 'waits' | 'strays' | 'uncopyable';
/** Goes wrong at sample `at`. */
export const faulty = workerDataset(here, 'faulty', (length: number, at: number, fault: Fault) => ({
  length,
  get: (i: number): unknown => {
    if (i !== at) return i;
    switch (fault) {
      case 'throws':
        throw new RangeError('disk on fire');
      case 'rejects':
        return Promise.reject(new TypeError('no such file'));
      case 'exits':
        return process.exit(0);
      case 'hangs':
        for (;;);
      case 'waits':
        return new Promise(() => undefined);
      case 'strays':
        return void setTimeout(() => {
          throw new Error('stray');
        });
      case 'uncopyable':
        return () => undefined;
    }
  },
}));
/** Throws unless a shared flag says that the fault is mended. */
export const mended = workerDataset(here, 'mended', (flag: Int32Array) => ({
  length: 4,
  get: (i: number): number => {
    if (i === 1 && flag[0] === 0) throw new Error('not yet');
    return i;
  },
}));
export const unmakable = workerDataset(here, 'unmakable', (parentMayMakeIt: boolean) => {
  if (getWorkerInfo() !== null || !parentMayMakeIt) throw new Error('no data here');
  return [1, 2, 3];
});

/** What each worker is told about itself, its first draws, and whether it was prepared. */
export const identity = workerDataset(here, 'identity', (length: number) => ({
  length,
  get: (): unknown => {
    const { id, numWorkers, seed, dataset } = getWorkerInfo()!;
    return { id, numWorkers, seed, knows: (dataset as { length: number }).length, prepared, draw: defaultGenerator.uniform24() };
  },
}));
let prepared = -1;
export const prepare = workerFunction(here, 'prepare', (id: number) => {
  prepared = id * 100;
  rand([3]).dataSync();
});
export const failToPrepare = workerFunction(here, 'failToPrepare', (id: number) => {
  throw new TypeError(`cannot prepare ${id}`);
});

/** Counts how often it was asked, in the worker's own memory. */
export const counting = workerDataset(here, 'counting', (length: number) => {
  let asked = 0;
  return { length, get: () => asked++ };
});

/** Megabytes that were ever asked for, in shared memory. */
export const heavy = workerDataset(here, 'heavy', (length: number, asked: Int32Array) => ({
  length,
  get: (i: number): Float32Array => {
    Atomics.add(asked, 0, 1);
    return new Float32Array(1 << 18).fill(i);
  },
}));

export const keep = workerFunction(here, 'keep', <T>(samples: T[]): T[] => samples);
export const failToCollate = workerFunction(here, 'failToCollate', (): never => {
  throw new SyntaxError('cannot collate');
});
/** Tensors deep in a structure with hostile names. */
export const nested = workerFunction(here, 'nested', (samples: number[]) => {
  const held = Object.create(null) as Record<string, unknown>;
  Object.defineProperty(held, '__proto__', { value: tensor(samples), enumerable: true });
  return { list: [[tensor(samples, { dtype: 'int32' })], 'text'], held, bytes: new Uint8Array(samples) };
});
