// Random numbers for a seed: PyTorch's, number for number.
import { describe, expect, it } from 'vitest';
import * as fx from '../../compiler/index.ts';
import { difference, readOracle, type Stored } from './tensors.ts';

type Draw = { readonly name: string; readonly seed: number; readonly tensors: readonly Stored[] };
const { nn } = fx;
const data = (n: number) => new fx.TensorDataset(fx.arange(n));
async function epochs(loader: AsyncIterable<unknown>): Promise<fx.Tensor[]> {
  const batches: fx.Tensor[] = [];
  for (let epoch = 0; epoch < 2; epoch++) for await (const batch of loader) batches.push((batch as fx.Tensor[])[0]!);
  return batches;
}
const integers = (list: Iterable<number>): fx.Tensor => fx.tensor(BigInt64Array.from([...list], BigInt));

type Program = () => readonly fx.Tensor[] | Promise<readonly fx.Tensor[]>;
const programs: Readonly<Record<string, Program>> = {
  'rand([5])': () => [fx.rand([5])],
  'rand([20])': () => [fx.rand([20])],
  'rand([4], float64)': () => [fx.rand([4], { dtype: 'float64' })],
  'randn([1])': () => [fx.randn([1])],
  'randn([5])': () => [fx.randn([5])],
  'randn([15])': () => [fx.randn([15])],
  'randn([16])': () => [fx.randn([16])],
  'randn([5, 7])': () => [fx.randn([5, 7])],
  'randn([4], float64)': () => [fx.randn([4], { dtype: 'float64' })],
  'randn([20], float64)': () => [fx.randn([20], { dtype: 'float64' })],
  'randn([3]), randn([2]), rand([2])': () => [fx.randn([3]), fx.randn([2]), fx.rand([2])],
  'randn([17]), rand([3]), randn([16])': () => [fx.randn([17]), fx.rand([3]), fx.randn([16])],
  'randint(0, 10, [8])': () => [fx.randint(0, 10, [8])],
  'randint(-5, 1000000, [8])': () => [fx.randint(-5, 1000000, [8])],
  'randperm(10)': () => [fx.randperm(10)],
  'randperm(1), randperm(0), randperm(7)': () => [fx.randperm(1), fx.randperm(0), fx.randperm(7)],
  'normal(2, 3, [6])': () => [fx.normal(2, 3, [6])],
  'zeros([6]).uniform_(-1, 3)': () => [fx.zeros([6]).uniform_(-1, 3)],
  'zeros([6]).normal_(1, 2)': () => [fx.zeros([6]).normal_(1, 2)],
  'zeros([20]).normal_(1, 2)': () => [fx.zeros([20]).normal_(1, 2)],
  'bernoulli(full([10], 0.3))': () => [fx.bernoulli(fx.full([10], 0.3))],
  'zeros([10]).bernoulli_(0.3)': () => [fx.zeros([10]).bernoulli_(0.3)],
  'Linear(3, 4): weight, bias': () => [...new nn.Linear(3, 4).parameters()],
  'Linear(30, 2, bias: false): weight': () => [...new nn.Linear(30, 2, { bias: false }).parameters()],
  'Linear(4, 8), Linear(8, 2): all parameters': () => [...new nn.Sequential(new nn.Linear(4, 8), new nn.Linear(8, 2)).parameters()],
  'Conv2d(2, 3, 3): weight, bias': () => [...new nn.Conv2d(2, 3, 3).parameters()],
  'Conv1d(4, 2, 3, groups: 2): weight, bias': () => [...new nn.Conv1d(4, 2, 3, { groups: 2 }).parameters()],
  'Embedding(5, 3): weight': () => [...new nn.Embedding(5, 3).parameters()],
  'kaimingUniform_(zeros([4, 3]), nonlinearity relu)': () => [nn.init.kaimingUniform_(fx.zeros([4, 3]), { nonlinearity: 'relu' })],
  'kaimingNormal_(zeros([4, 5]), fanOut, relu)': () => [nn.init.kaimingNormal_(fx.zeros([4, 5]), { mode: 'fanOut', nonlinearity: 'relu' })],
  'xavierUniform_(zeros([4, 3]), gain 2)': () => [nn.init.xavierUniform_(fx.zeros([4, 3]), 2)],
  'xavierNormal_(zeros([2, 3, 3]))': () => [nn.init.xavierNormal_(fx.zeros([2, 3, 3]))],
  'RandomSampler of 10': () => [integers(new fx.data.RandomSampler({ length: 10 }))],
  'RandomSampler of 5 with replacement, 8 samples': () => [
    integers(new fx.data.RandomSampler({ length: 5 }, { replacement: true, numSamples: 8 })),
  ],
  'DataLoader of arange(10), batches of 4, shuffled, two epochs': () =>
    epochs(new fx.DataLoader(data(10), { batchSize: 4, shuffle: true })),
  'DataLoader of arange(10), batches of 4, dropLast, two epochs': () =>
    epochs(new fx.DataLoader(data(10), { batchSize: 4, shuffle: true, dropLast: true })),
  'DataLoader of arange(7), batches of 3, a generator of its own with seed 5, two epochs': () =>
    epochs(new fx.DataLoader(data(7), { batchSize: 3, shuffle: true, generator: new fx.Generator().manualSeed(5) })),
  'DataLoader of arange(3) in order, then rand([2])': async () => [
    ...(await epochs(new fx.DataLoader(data(3), { batchSize: 2 }))),
    fx.rand([2]),
  ],
  'multinomial([0.1, 0.2, 0.7], 5 with replacement)': () => [fx.multinomial(fx.tensor([0.1, 0.2, 0.7]), 5, { replacement: true })],
};

/** Where we mean to differ, and why. */
const deliberate: Readonly<Record<string, string>> = {
  'dropout(ones([12]), 0.5) of PyTorch': 'dropout draws from a counter, so that replays of compiled code drop anew',
  'randomSplit of 10 by [7, 3]: indices': 'tested with the data sets, which know their indices',
};

describe('draws', () => {
  const { draws } = readOracle<{ draws: readonly Draw[] }>('draws');
  it.each(draws.filter((d) => !(d.name in deliberate)).map((d) => [d.name, d.seed, d] as const))(
    '%s, seed %i',
    async (name, seed, draw) => {
      fx.manualSeed(seed);
      const tensors = await programs[name]!();
      expect(tensors.length).toBe(draw.tensors.length);
      tensors.forEach((t, i) => {
        expect(difference(t, draw.tensors[i]!)).toBeUndefined();
      });
    },
  );
});
