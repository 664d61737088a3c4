// Datasets, samplers and the loader: orders that PyTorch 2.13 gave, and what happens when something goes wrong.
import { beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { tensor } from '../../compiler/frontend/creation.ts';
import {
  BatchSampler,
  ChainDataset,
  ConcatDataset,
  DataLoader,
  type DataLoaderOptions,
  Dataset,
  DistributedSampler,
  defaultCollate,
  defaultConvert,
  IterableDataset,
  RandomSampler,
  randomSplit,
  type Sampler,
  SequentialSampler,
  StackDataset,
  Subset,
  SubsetRandomSampler,
  TensorDataset,
  WeightedRandomSampler,
} from '../../compiler/frontend/data/index.ts';
import { defaultGenerator, Generator, manualSeed } from '../../compiler/frontend/random.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { ArgumentError, DataError, FluxionError, IndexError, KeyError, ShapeError } from '../../runtime/errors.ts';

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
/** Keeps samples as they are, so that orders can be read off. */
const keep = <T>(samples: T[]): T[] => samples;
const order = (sampler: Sampler, generator?: Generator): number[] => [
  ...new DataLoader<number, number>(count(10), {
    batchSize: null,
    sampler,
    collateFn: (x) => x as unknown as number,
    ...(generator && { generator }),
  }),
];

beforeEach(() => void manualSeed(0));

describe('orders for seed 0', () => {
  const nextUniform = (): number => defaultGenerator.uniform24();

  test('shuffle draws a seed for workers, then one for the order, from the default generator', () => {
    const loader = new DataLoader(count(10), { batchSize: 4, shuffle: true, collateFn: keep });
    expect([...loader]).toEqual([
      [6, 7, 1, 4],
      [2, 0, 9, 8],
      [3, 5],
    ]);
    expect([...loader]).toEqual([
      [2, 4, 7, 0],
      [8, 9, 5, 3],
      [6, 1],
    ]);
  });

  test('shuffle with a generator goes on in the next epoch where the first ended', () => {
    const loader = new DataLoader(count(10), { batchSize: 10, shuffle: true, generator: new Generator().manualSeed(0), collateFn: keep });
    expect([...loader, ...loader]).toEqual([
      [3, 7, 5, 2, 0, 8, 1, 6, 9, 4],
      [1, 3, 2, 7, 5, 9, 0, 6, 4, 8],
    ]);
  });

  test('a loader without shuffle draws once all the same', () => {
    expect([...new DataLoader(count(3), { collateFn: keep })]).toEqual([[0], [1], [2]]);
    expect(nextUniform()).toBe(0.08847743272781372);
  });

  test('a sampler alone seeds itself from one draw', () => {
    expect([...new RandomSampler(count(10))]).toEqual([6, 9, 0, 7, 3, 5, 4, 2, 1, 8]);
    expect(nextUniform()).toBe(0.08847743272781372);
  });

  test.each<[string, () => Sampler, number[], number]>([
    [
      'with replacement, in draws of 32',
      () => new RandomSampler(count(10), { replacement: true, numSamples: 37 }),
      [6, 3, 7, 0, 7, 1, 7, 9, 0, 6, 1, 8, 4, 1, 9, 3, 5, 2, 9, 2, 8, 9, 1, 7, 7, 4, 2, 7, 5, 7, 6, 3, 1, 8, 4, 7, 9],
      0.30742281675338745,
    ],
    [
      'more samples than there are',
      () => new RandomSampler(count(10), { numSamples: 25 }),
      [6, 7, 1, 4, 2, 0, 9, 8, 3, 5, 6, 7, 0, 1, 5, 9, 4, 3, 8, 2, 9, 4, 6, 1, 7],
      0.30742281675338745,
    ],
    ['a subset', () => new SubsetRandomSampler([5, 6, 7, 8]), [6, 5, 8, 7], 0.6340786814689636],
    ['by weight', () => new WeightedRandomSampler([0.1, 0.2, 0.3, 0.4], 6), [3, 2, 3, 3, 3, 1], 0.2938884496688843],
    [
      'by weight without replacement',
      () => new WeightedRandomSampler([0.1, 0.2, 0.3, 0.4], 3, { replacement: false }),
      [3, 1, 2],
      0.3488934636116028,
    ],
    ['one by weight', () => new WeightedRandomSampler([0.1, 0.2, 0.3, 0.4], 1), [3], 0.3488934636116028],
  ])('%s, and what the default generator gives next', (_name, make, expected, next) => {
    expect(order(make())).toEqual(expected);
    expect(nextUniform()).toBe(next);
  });

  test('randomSplit permutes, and fractions leave what remains to the first', () => {
    expect(randomSplit(count(10), [3, 7]).map((s) => s.indices)).toEqual([
      [4, 1, 7],
      [5, 3, 9, 0, 8, 6, 2],
    ]);
    expect(randomSplit(count(11), [0.3, 0.3, 0.4]).map((s) => s.length)).toEqual([4, 3, 4]);
    expect(() => randomSplit(count(10), [3, 3])).toThrow(/sum of input lengths does not equal/);
    expect(() => randomSplit(count(10), [1.5, -0.5])).toThrow(ArgumentError);
  });
});

describe('the shares of processes', () => {
  const shares = (options: object): number[][] =>
    count(3).map((rank) => [...new DistributedSampler(count(10), { numReplicas: 3, rank, ...options })]);

  test('cover all samples, and some twice so that they are equal', () => {
    expect(shares({ shuffle: false })).toEqual([
      [0, 3, 6, 9],
      [1, 4, 7, 0],
      [2, 5, 8, 1],
    ]);
    expect(shares({})).toEqual([
      [4, 5, 0, 2],
      [1, 3, 8, 4],
      [7, 9, 6, 1],
    ]);
    expect([...new DistributedSampler([0, 1], { numReplicas: 5, rank: 4, shuffle: false })]).toEqual([0]);
  });

  test('leave out the rest with dropLast', () => {
    expect(shares({ shuffle: false, dropLast: true })).toEqual([
      [0, 3, 6],
      [1, 4, 7],
      [2, 5, 8],
    ]);
  });

  test('are shuffled anew by the number of the epoch', () => {
    const sampler = new DistributedSampler(count(10), { numReplicas: 1, rank: 0 });
    const first = [...sampler];
    expect([...sampler]).toEqual(first);
    sampler.setEpoch(1);
    expect([...sampler]).toEqual([...new DistributedSampler(count(10), { numReplicas: 1, rank: 0, seed: 1 })]);
    expect([...sampler]).not.toEqual(first);
    expect(() => new DistributedSampler(count(10), { numReplicas: 2, rank: 2 })).toThrow(
      'invalid rank 2, rank should be in the interval [0, 1]',
    );
  });
});

describe('datasets', () => {
  const x = tensor([
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
  const y = tensor([10, 11, 12], { dtype: 'int64' });

  test('a TensorDataset gives rows, and batches by one gather of each tensor', () => {
    const data = new TensorDataset(x, y);
    expect(data.length).toBe(3);
    expect(data.get(-1).map((t) => t.tolistSync())).toEqual([[4, 5], 12]);
    const batches = [...new DataLoader(data, { batchSize: 2 })];
    expect(batches.map(([a, b]) => [a.tolistSync(), b.tolistSync()])).toEqual([
      [
        [
          [0, 1],
          [2, 3],
        ],
        [10, 11],
      ],
      [[[4, 5]], [12]],
    ]);
    expect(batches[0]![1].dtype).toBe('int64');
    expect(() => data.get(3)).toThrow(IndexError);
    expect(() => data.getBatch([0, 5])).toThrow(IndexError);
    expect(() => new TensorDataset(x, tensor([1, 2]))).toThrow(ShapeError);
    expect(() => new TensorDataset(tensor(1))).toThrow(ShapeError);
    expect(() => new TensorDataset()).toThrow(ShapeError);
  });

  test('a custom collation gets the samples one by one, also of a dataset that can do batches', () => {
    const sizes = [...new DataLoader(new TensorDataset(x, y), { batchSize: 2, collateFn: (s) => s.map(([row]) => row.shape) })];
    expect(sizes).toEqual([[[2], [2]], [[2]]]);
  });

  test('a Subset passes batches through', () => {
    const seen: number[][] = [];
    class Noted extends TensorDataset<[Tensor]> {
      override getBatch(indices: readonly number[]): [Tensor] {
        seen.push([...indices]);
        return super.getBatch(indices);
      }
    }
    const [[batch]] = [...new DataLoader(new Subset(new Noted(y), [2, 0]), { batchSize: 2 })] as [[Tensor]];
    expect(batch.tolistSync()).toEqual([12, 10]);
    expect(seen).toEqual([[2, 0]]);
    expect(() => new Subset(count(3), [0]).get(1)).toThrow(IndexError);
  });

  test('ConcatDataset counts through its parts, from the end as well', () => {
    const all = new ConcatDataset([count(2), [], count(3)]);
    expect(all.length).toBe(5);
    expect([0, 1, 2, 4, -1, -5].map((i) => all.get(i))).toEqual([0, 1, 0, 2, 2, 0]);
    expect(() => all.get(5)).toThrow(IndexError);
    expect(() => new ConcatDataset([])).toThrow(ArgumentError);
    expect(() => new ConcatDataset([new Set([1]) as never])).toThrow(/does not support iterable-style/);
  });

  test('StackDataset puts datasets side by side, as a list or by name', () => {
    expect(new StackDataset([count(2), ['a', 'b']]).get(1)).toEqual([1, 'b']);
    const named = new StackDataset({ image: count(2), text: ['a', 'b'] }).get(0);
    expect(named).toEqual({ image: 0, text: 'a' });
    expect(() => new StackDataset([count(2), count(3)])).toThrow(/size mismatch/);
  });

  test('ChainDataset and async iterables are walked by for await', async () => {
    class Upto extends IterableDataset<number> {
      readonly n: number;
      constructor(n: number) {
        super();
        this.n = n;
      }
      async *[Symbol.asyncIterator](): AsyncGenerator<number> {
        yield* count(this.n);
      }
    }
    const batches: number[][] = [];
    const loader = new DataLoader(new ChainDataset([new Upto(2), count(3)]), { batchSize: 2, collateFn: keep });
    for await (const b of loader) batches.push(b);
    expect(batches).toEqual([[0, 1], [0, 1], [2]]);
    expect(() => [...loader]).toThrow(/use for await/);
  });

  test('getItems is asked for whole batches', () => {
    const asked: (readonly number[])[] = [];
    const getItems = (indices: readonly number[]): number[] => {
      asked.push(indices);
      return indices.map((k) => k * 10);
    };
    const data = { length: 5, get: () => -1, getItems };
    expect([...new DataLoader(data, { batchSize: 3, collateFn: keep })]).toEqual([
      [0, 10, 20],
      [30, 40],
    ]);
    expect(asked).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });
});

describe('collation', () => {
  test('numbers, booleans, bigints and strings', () => {
    const whole = defaultCollate([1, 2]);
    expect([whole.dtype, whole.tolistSync()]).toEqual(['int64', [1, 2]]);
    expect(defaultCollate([1, 2.5]).dtype).toBe('float64');
    expect(defaultCollate([true, false]).dtype).toBe('bool');
    expect(defaultCollate([1n, 2n]).dtype).toBe('int64');
    expect(defaultCollate(['a', 'b'])).toEqual(['a', 'b']);
  });

  test('structure is kept: tuples become columns, objects objects', () => {
    const batch = defaultCollate([
      { pair: [tensor([1]), 'x'] as const, row: new Float32Array([1, 2]) },
      { pair: [tensor([2]), 'y'] as const, row: new Float32Array([3, 4]) },
    ]);
    expectTypeOf(batch.pair).toEqualTypeOf<[Tensor, string[]]>();
    expect(batch.pair[0].tolistSync()).toEqual([[1], [2]]);
    expect(batch.pair[1]).toEqual(['x', 'y']);
    expect(batch.row.shape).toEqual([2, 2]);
  });

  test('hostile keys stay keys', () => {
    const sample = JSON.parse('{"__proto__": 1, "constructor": 2}') as Record<string, number>;
    const batch = defaultCollate([sample, sample]);
    expect(Object.keys(batch)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(batch)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['1']).toBeUndefined();
  });

  test.each<[string, () => unknown, RegExp]>([
    ['tensors of two shapes', () => defaultCollate([tensor([1, 2]), tensor([1, 2, 3])]), /but got \[2\] at entry 0 and \[3\] at entry 1/],
    ['ragged lists', () => defaultCollate([[1, 2], [1]]), /should be of equal size/],
    ['null', () => defaultCollate([null]), /found null/],
    ['undefined', () => defaultCollate([undefined]), /found undefined/],
    ['instances', () => defaultCollate([new Date()]), /found Date/],
    ['a key that one sample lacks', () => defaultCollate<object>([{ a: 1 }, {}]), /no 'a'/],
    ['mixed kinds, with the place', () => defaultCollate<object>([{ a: [1] }, { a: ['b'] }]), /number and string \(at sample\.a\[0\]\)/],
    ['nothing', () => defaultCollate([]), /empty batch/],
  ])('%s are refused', (_name, act, message) => {
    expect(act).toThrow(message);
    expect(act).toThrow(DataError);
  });

  test('without batches samples are only converted', () => {
    const [first] = [...new DataLoader([[new Float32Array([1, 2]), 3, 'a'] as const], { batchSize: null })] as unknown as [
      [Tensor, number, string],
    ];
    expect([first[0].tolistSync(), first[1], first[2]]).toEqual([[1, 2], 3, 'a']);
    expect(defaultConvert({ a: 1 })).toEqual({ a: 1 });
  });
});

describe('a loader', () => {
  test('knows its length, with and without the rest', () => {
    expect(new DataLoader(count(10), { batchSize: 4 }).length).toBe(3);
    expect(new DataLoader(count(10), { batchSize: 4, dropLast: true }).length).toBe(2);
    expect(new DataLoader(count(10), { batchSize: null }).length).toBe(10);
    expect(new DataLoader(count(10), { batchSampler: new BatchSampler(new SequentialSampler(count(7)), 2, true) }).length).toBe(3);
    expect(() => new DataLoader(new Set([1])).length).toThrow(/has no length/);
  });

  test('drops the last batch of iterables too, and warns of more samples than announced', async () => {
    const source = Object.assign(new Set(count(5)), { length: 3 });
    const warn = console.warn;
    const warnings: string[] = [];
    console.warn = (text: string) => void warnings.push(text);
    try {
      const loader = new DataLoader<number, number[]>(source, { batchSize: 2, dropLast: true, collateFn: keep });
      expect(loader.length).toBe(1);
      expect([...loader]).toEqual([
        [0, 1],
        [2, 3],
      ]);
      const again: number[][] = [];
      for await (const b of loader) again.push(b);
      expect(again).toHaveLength(2);
    } finally {
      console.warn = warn;
    }
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/announced 3 samples/);
  });

  test('awaits promises of the dataset under for await, and refuses them in a plain loop', async () => {
    class Slow extends Dataset<number> {
      readonly length = 4;
      async get(i: number): Promise<number> {
        await Promise.resolve();
        return i * i;
      }
    }
    const seen: number[][] = [];
    const loader = new DataLoader(new Slow(), { batchSize: 3, collateFn: keep });
    for await (const b of loader) seen.push(b);
    expect(seen).toEqual([[0, 1, 4], [9]]);
    expect(() => [...loader]).toThrow(/use for await/);
  });

  test.each(count(6))('an error at sample %i comes with epoch and index, and the next epoch is clean', async (bad) => {
    let broken = true;
    const data = {
      length: 6,
      get: (i: number): number => {
        if (broken && i === bad) throw new RangeError('disk on fire');
        return i;
      },
    };
    const loader = new DataLoader<number, number[]>(data, { batchSize: 2, collateFn: keep });
    const failure = (): DataError => {
      try {
        for (const _ of loader);
      } catch (error) {
        return error as DataError;
      }
      throw new Error('did not fail');
    };
    const error = failure();
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(`sample ${bad} of epoch 0 failed: disk on fire`);
    expect(error.cause).toBeInstanceOf(RangeError);
    await expect(drain(loader)).rejects.toThrow(`sample ${bad} of epoch 1`);
    broken = false;
    expect([...loader].flat()).toEqual(count(6));
  });

  test('a rejected sample among others leaves no unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const data = {
      length: 4,
      get: (i: number): Promise<number> => (i % 2 === 1 ? Promise.reject(new Error(`no ${i}`)) : Promise.resolve(i)),
    };
    const loader = new DataLoader<number, number[]>(data, { batchSize: 4, collateFn: keep });
    await expect(drain(loader)).rejects.toThrow('sample 1 of epoch 0 failed: no 1');
    expect(() => [...loader]).toThrow(DataError);
    await new Promise((r) => setTimeout(r, 5));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  test('leaving the loop closes the source', async () => {
    let open = 0;
    const source = {
      *[Symbol.iterator](): globalThis.Generator<number> {
        open++;
        try {
          for (let i = 0; ; i++) yield i;
        } finally {
          open--;
        }
      },
    };
    const loader = new DataLoader<number, number[]>(source, { batchSize: 2, collateFn: keep });
    for (const _ of loader) break;
    for await (const _ of loader) break;
    expect(open).toBe(0);
    expect(() => {
      for (const _ of loader) throw new Error('mine');
    }).toThrow('mine');
    expect(open).toBe(0);
  });

  test('for await lets timers run even when nothing is ever pending', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const loader = new DataLoader<number, number[]>(count(1000), { collateFn: keep });
    const seen = [];
    for await (const _ of loader) {
      const until = performance.now() + 25;
      while (performance.now() < until);
      seen.push(ticks);
      if (seen.length === 8) break;
    }
    clearInterval(timer);
    expect(seen[7]).toBeGreaterThanOrEqual(2);
  });

  const bad = (o: object): DataLoaderOptions<number, number[]> => o as DataLoaderOptions<number, number[]>;
  test.each<[string, object, RegExp]>([
    ['sampler with shuffle', { sampler: new SequentialSampler(count(3)), shuffle: true }, /mutually exclusive with shuffle/],
    ['batchSampler with batchSize', { batchSampler: [[0]], batchSize: 2 }, /batchSampler option is mutually exclusive/],
    ['no batches with dropLast', { batchSize: null, dropLast: true }, /disables auto-batching/],
    ['a batch of zero', { batchSize: 0 }, /batchSize should be a positive integer value, but got batchSize=0/],
    ['half a sample', { batchSize: 0.5 }, /positive integer/],
    ['negative workers', { numWorkers: -1 }, /non-negative/],
    ['half a worker', { numWorkers: 0.5 }, /an integer/],
    ['workers for a dataset that cannot be sent', { numWorkers: 1 }, /workers cannot make this dataset.*workerDataset/],
    ['prefetching without workers', { prefetchFactor: 2 }, /prefetchFactor option could only be specified with workers/],
    ['a byte limit without workers', { prefetchBytes: 2 }, /prefetchBytes option could only be specified/],
    ['persistence without workers', { persistentWorkers: true }, /persistentWorkers option needs numWorkers > 0/],
    ['a timeout without workers', { timeout: 1 }, /timeout option needs numWorkers > 0/],
    ['a negative timeout', { timeout: -1 }, /timeout option should be non-negative/],
  ])('%s is refused', (_name, options, message) => {
    expect(() => new DataLoader(count(3), bad(options))).toThrow(message);
    expect(() => new DataLoader(count(3), bad(options))).toThrow(ArgumentError);
  });

  test('attributes stay as they were set', () => {
    const loader = new DataLoader(count(3)) as { batchSize: number | null };
    expect(() => {
      loader.batchSize = 2;
    }).toThrow('batchSize attribute should not be set after DataLoader is initialized');
    expect(loader.batchSize).toBe(1);
  });

  test('getItems must give as many samples as it was asked for', () => {
    const data = { length: 4, get: (i: number) => i, getItems: () => [1] };
    expect(() => [...new DataLoader(data, { batchSize: 2 })]).toThrow(/as many samples as indices: 1 for 2/);
  });

  test('unknown options, and options that iterables cannot have, are refused', () => {
    expect(() => new DataLoader(count(3), bad({ batch_size: 2 }))).toThrow(KeyError);
    expect(() => new DataLoader(new Set(count(3)), { shuffle: true })).toThrow(/expected unspecified shuffle/);
    expect(() => new DataLoader(new Set(count(3)), { sampler: [1] })).toThrow(/unspecified sampler/);
    expect(() => new DataLoader({} as number[])).toThrow(FluxionError);
    expect(() => new DataLoader(7 as unknown as number[])).toThrow(FluxionError);
    expect(() => new RandomSampler([])).toThrow(/numSamples=0/);
    expect(() => new RandomSampler(count(3), { numSamples: -1 })).toThrow(/numSamples=-1/);
    expect(() => new BatchSampler([0], 0, false)).toThrow(/batchSize=0/);
  });
});

async function drain(loader: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of loader);
}
