// Data that loaders do not expect: none at all, one sample, rows that are no numbers or do not fit, and consumers slower or faster than the source.
import { describe, expect, it } from 'vitest';
import { ArgumentError, DataLoader, type Tensor, TensorDataset, tensor, zeros } from '../../compiler/index.ts';

describe('a dataset', () => {
  const of = (n: number) => new TensorDataset(zeros([n, 2]), zeros([n]));

  it('of nothing has no batches, and no random order', async () => {
    expect([...new DataLoader(of(0), { batchSize: 4 })]).toEqual([]);
    expect(new DataLoader(of(0), { batchSize: 4 }).length).toBe(0);
    for await (const _ of new DataLoader(of(0))) expect.fail('a batch of nothing');
    expect(() => new DataLoader(of(0), { shuffle: true })).toThrow(ArgumentError);
  });

  it('of one sample is one batch, or none with dropLast', () => {
    const shapes = (dropLast: boolean): number[][] =>
      [...new DataLoader(of(1), { batchSize: 4, dropLast })].map(([x]) => [...(x as Tensor).shape]);
    expect(shapes(false)).toEqual([[1, 2]]);
    expect(shapes(true)).toEqual([]);
  });

  it('of NaN gives NaN', () => {
    const data = new TensorDataset(tensor([1, Number.NaN, 3]));
    expect([...new DataLoader(data, { batchSize: 2 })].flatMap(([x]) => [...x!.dataSync()])).toEqual([1, Number.NaN, 3]);
  });

  it('of ragged rows is refused at the batch that they meet in, and goes on next time', () => {
    let ragged = true;
    const data = { length: 4, get: (i: number) => tensor(ragged && i === 3 ? [1] : [1, 2]) };
    const seen: number[] = [];
    expect(() => {
      for (const x of new DataLoader(data, { batchSize: 2 })) seen.push(x.shape[0]!);
    }).toThrow(/batch.*of epoch 0.*equal size/s);
    expect(seen).toEqual([2]);
    ragged = false;
    expect([...new DataLoader(data, { batchSize: 2 })]).toHaveLength(2);
  });
});

describe('a source', () => {
  /** Counts what was taken of it and whether it was closed. */
  class Source implements Iterable<number> {
    taken = 0;
    closed = 0;
    *[Symbol.iterator](): Generator<number, void, undefined> {
      try {
        for (; this.taken < 100_000; ) yield this.taken++;
      } finally {
        this.closed++;
      }
    }
  }

  it('of a hundred thousand samples is taken no faster than it is consumed', async () => {
    const source = new Source();
    let consumed = 0;
    for await (const batch of new DataLoader(source, { batchSize: 10 })) {
      consumed += batch.numel();
      expect(source.taken - consumed).toBeLessThanOrEqual(10);
      if (consumed === 500) break;
    }
    expect(source.closed).toBe(1);
  });

  it('is closed where the loop throws, and opened anew afterwards', async () => {
    const source = new Source();
    const loader = new DataLoader(source, { batchSize: 10 });
    const run = async (): Promise<void> => {
      for await (const _ of loader) throw new RangeError('of the body');
    };
    await expect(run()).rejects.toThrow('of the body');
    expect(source.closed).toBe(1);
    source.taken = 0;
    for await (const batch of loader) {
      expect([...batch.dataSync()].map(Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      break;
    }
    expect(source.closed).toBe(2);
  });
});
