// Layers: how they start (PyTorch's numbers), that they call the functions of their names, and batch norm's statistics.
import { beforeEach, describe, expect, test } from 'vitest';
import { compile } from '../../compiler/frontend/compile.ts';
import { ones, randn, tensor, zeros } from '../../compiler/frontend/creation.ts';
import * as F from '../../compiler/frontend/functional/index.ts';
import * as nn from '../../compiler/frontend/nn/index.ts';
import { SGD } from '../../compiler/frontend/optim/index.ts';
import { manualSeed } from '../../compiler/frontend/random.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { ArgumentError, AutogradError, DTypeError, ShapeError } from '../../runtime/errors.ts';
import { difference, readOracle, type Stored } from '../oracle/tensors.ts';

const { init } = nn;

beforeEach(() => void manualSeed(0));

describe('initialisation', () => {
  const oracle = readOracle<{
    readonly draws: readonly { readonly name: string; readonly seed: number; readonly tensors: readonly Stored[] }[];
  }>('draws');
  const programs: Readonly<Record<string, () => Tensor[]>> = {
    'Linear(3, 4): weight, bias': () => new nn.Linear(3, 4).parameters(),
    'Linear(30, 2, bias: false): weight': () => new nn.Linear(30, 2, { bias: false }).parameters(),
    'Linear(4, 8), Linear(8, 2): all parameters': () => new nn.Sequential(new nn.Linear(4, 8), new nn.Linear(8, 2)).parameters(),
    'Conv2d(2, 3, 3): weight, bias': () => new nn.Conv2d(2, 3, 3).parameters(),
    'Conv1d(4, 2, 3, groups: 2): weight, bias': () => new nn.Conv1d(4, 2, 3, { groups: 2 }).parameters(),
    'Embedding(5, 3): weight': () => new nn.Embedding(5, 3).parameters(),
    'kaimingUniform_(zeros([4, 3]), nonlinearity relu)': () => [init.kaimingUniform_(zeros([4, 3]), { nonlinearity: 'relu' })],
    'kaimingNormal_(zeros([4, 5]), fanOut, relu)': () => [init.kaimingNormal_(zeros([4, 5]), { mode: 'fanOut', nonlinearity: 'relu' })],
    'xavierUniform_(zeros([4, 3]), gain 2)': () => [init.xavierUniform_(zeros([4, 3]), 2)],
    'xavierNormal_(zeros([2, 3, 3]))': () => [init.xavierNormal_(zeros([2, 3, 3]))],
  };
  const cases = oracle.draws.filter((d) => Object.hasOwn(programs, d.name));

  test('every program has its numbers', () => {
    expect(new Set(cases.map((c) => c.name)).size).toBe(Object.keys(programs).length);
  });

  test.each(cases.map((c) => [c.name, c.seed, c.tensors] as const))('%s for seed %i as PyTorch', (name, seed, expected) => {
    manualSeed(seed);
    const ours = programs[name]!();
    expect(ours).toHaveLength(expected.length);
    ours.forEach((t, i) => void expect(difference(t, expected[i]!)).toBeUndefined());
  });

  test('truncated normal numbers are redrawn a tensor at a time', () => {
    // torch 2.13, seed 0
    const expected = [
      1.5409960746765137, -0.293428897857666, -0.7192575931549072, 0.5684312582015991, -1.0845223665237427, -1.3985954523086548,
    ];
    expect(init.truncNormal_(zeros([6])).tolistSync()).toEqual(expected);
    const tail = init.truncNormal_(zeros([200]), 0, 1, 3, 4).dataSync();
    expect(tail.every((x) => x >= 3 && x <= 4)).toBe(true);
  });

  test('fills in place what is there, a view as well', () => {
    const t = zeros([2, 3]);
    expect(init.eye_(t)).toBe(t);
    init.ones_(t.select(0, 1));
    expect(t.tolistSync()).toEqual([
      [1, 0, 0],
      [1, 1, 1],
    ]);
    expect(init.constant_(zeros([1], { dtype: 'int64' }), 3).itemSync()).toBe(3);
    expect(init.calculateGain('leakyRelu', 0)).toBe(Math.SQRT2);
    expect(() => init.calculateGain('toString' as never)).toThrow(ArgumentError);
    expect(() => init.xavierUniform_(zeros([3]))).toThrow(ShapeError);
    expect(() => init.eye_(zeros([3]))).toThrow(ShapeError);
    expect(() => init.uniform_(zeros([2], { dtype: 'int64' }))).toThrow(DTypeError);
    expect(() => init.truncNormal_(zeros([2]), 0, 1, 2, 1)).toThrow(ArgumentError);
    expect(init.kaimingUniform_(zeros([0, 3])).shape).toEqual([0, 3]);
  });
});

describe('layers', () => {
  const x = randn([2, 3, 6]);
  const image = randn([2, 4, 5, 5]);
  const same = (layer: nn.Layer, input: Tensor, expected: Tensor): void => expect(layer(input).tolistSync()).toEqual(expected.tolistSync());

  test('activations call the function of their name', () => {
    same(new nn.ReLU(), x, F.relu(x));
    same(new nn.ReLU6(), x, F.relu6(x));
    same(new nn.SELU(), x, F.selu(x));
    same(new nn.SiLU(), x, F.silu(x));
    same(new nn.Mish(), x, F.mish(x));
    same(new nn.Sigmoid(), x, x.sigmoid());
    same(new nn.LogSigmoid(), x, x.sigmoid().log());
    same(new nn.Tanh(), x, x.tanh());
    same(new nn.Softsign(), x, F.softsign(x));
    same(new nn.Hardswish(), x, F.hardswish(x));
    same(new nn.Hardsigmoid(), x, F.hardsigmoid(x));
    same(new nn.GELU({ approximate: 'tanh' }), x, F.gelu(x, { approximate: 'tanh' }));
    same(new nn.LeakyReLU(0.3), x, F.leakyRelu(x, 0.3));
    same(new nn.ELU(2), x, F.elu(x, 2));
    same(new nn.Softplus(2, 3), x, F.softplus(x, 2, 3));
    same(new nn.Hardtanh(-0.5, 0.25), x, F.hardtanh(x, -0.5, 0.25));
    same(new nn.PReLU(3, { init: 0.125 }), x, F.leakyRelu(x, 0.125));
    same(new nn.Softmax(1), x, F.softmax(x, 1));
    same(new nn.LogSoftmax(-1), x, F.logSoftmax(x, -1));
    same(new nn.Identity(), x, x);
    same(new nn.Flatten(), x, x.reshape([2, 18]));
    same(new nn.Unflatten(2, [2, 3]), x, x.reshape([2, 3, 2, 3]));
  });

  test('convolution and pooling pass their options on', () => {
    const conv = new nn.Conv2d(4, 6, [3, 2], { stride: 2, padding: 1, groups: 2 });
    expect(conv.weight.shape).toEqual([6, 2, 3, 2]);
    same(conv, image, F.conv2d(image, conv.weight, { bias: conv.bias!, stride: 2, padding: 1, groups: 2 }));
    const line = new nn.Conv1d(3, 2, 3, { padding: 'same', dilation: 2, bias: false });
    same(line, x, F.conv1d(x, line.weight, { padding: 'same', dilation: 2 }));
    same(new nn.MaxPool1d(2), x, F.maxPool1d(x, 2));
    same(new nn.AvgPool1d(2, { stride: 1 }), x, F.avgPool1d(x, 2, { stride: 1 }));
    same(new nn.MaxPool2d(3, { padding: 1 }), image, F.maxPool2d(image, 3, { padding: 1 }));
    same(new nn.AvgPool2d(2, { ceilMode: true }), image, F.avgPool2d(image, 2, { ceilMode: true }));
    same(new nn.AdaptiveAvgPool2d(1), image, F.adaptiveAvgPool2d(image, 1));
  });

  test('an embedding starts with zeros at its padding, which gets no gradient', () => {
    const table = new nn.Embedding(4, 2, { paddingIdx: -1 });
    expect(table.weight.select(0, 3).tolistSync()).toEqual([0, 0]);
    table(tensor([3, 0], { dtype: 'int64' }))
      .sum()
      .backward();
    expect(table.weight.grad!.tolistSync()).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  test('dropout keeps everything in evaluation, and draws anew and the same after seeding', () => {
    const drop = new nn.Dropout(0.5);
    const wide = ones([1000]);
    const first = drop(wide).tolistSync() as number[];
    const kept = first.filter((v) => v === 2).length;
    expect(first.every((v) => v === 0 || v === 2)).toBe(true);
    expect(kept).toBeGreaterThan(400);
    expect(kept).toBeLessThan(600);
    expect(drop(wide).tolistSync()).not.toEqual(first);
    manualSeed(0);
    expect(drop(wide).tolistSync()).toEqual(first);
    expect(drop.eval()(wide).tolistSync()).toEqual(wide.tolistSync());
    const channels = new nn.Dropout2d(0.5)(ones([1, 64, 2, 2]))
      .reshape([64, 4])
      .tolistSync() as number[][];
    expect(channels.every((c) => c.every((v) => v === c[0]))).toBe(true);
  });

  test('losses pass their options on, and keep weights as buffers', () => {
    const logits = randn([4, 3]);
    const labels = tensor([0, 1, 2, 1], { dtype: 'int64' });
    const weight = tensor([1, 2, 3]);
    const close = (a: Tensor, b: Tensor): void => expect(a.itemSync()).toBe(b.itemSync());
    const entropy = new nn.CrossEntropyLoss({ weight, labelSmoothing: 0.1, ignoreIndex: 1 });
    close(entropy(logits, labels), F.crossEntropy(logits, labels, { weight, labelSmoothing: 0.1, ignoreIndex: 1 }));
    expect(Object.keys(entropy.stateDict())).toEqual(['weight']);
    close(new nn.NLLLoss({ reduction: 'sum' })(logits, labels), F.nllLoss(logits, labels, { reduction: 'sum' }));
    const [a, b] = [randn([5]), randn([5])];
    close(new nn.MSELoss()(a, b), F.mseLoss(a, b));
    close(new nn.L1Loss({ reduction: 'sum' })(a, b), F.l1Loss(a, b, { reduction: 'sum' }));
    close(new nn.SmoothL1Loss({ beta: 0.5 })(a, b), F.smoothL1Loss(a, b, { beta: 0.5 }));
    close(new nn.HuberLoss({ delta: 2 })(a, b), F.huberLoss(a, b, { delta: 2 }));
    const p = a.sigmoid();
    close(new nn.BCELoss()(p, p), F.binaryCrossEntropy(p, p));
    const posWeight = tensor([2]);
    close(new nn.BCEWithLogitsLoss({ posWeight })(a, p), F.binaryCrossEntropyWithLogits(a, p, { posWeight }));
    close(new nn.KLDivLoss({ reduction: 'batchmean' })(p.log(), p), F.klDiv(p.log(), p, { reduction: 'batchmean' }));
  });

  test.each<[string, () => unknown, new (...a: never[]) => Error]>([
    ['negative features', () => new nn.Linear(-1, 2), ShapeError],
    ['half a feature', () => new nn.Linear(1.5, 2), ShapeError],
    ['an integer dtype', () => new nn.Linear(1, 2, { dtype: 'int64' }), AutogradError],
    ['channels that groups do not divide', () => new nn.Conv2d(3, 4, 3, { groups: 2 }), ArgumentError],
    ['a kernel of wrong rank', () => new nn.Conv2d(3, 4, [3]), ArgumentError],
    ['padding outside of the table', () => new nn.Embedding(3, 2, { paddingIdx: 3 }), ArgumentError],
    ['a probability above one', () => new nn.Dropout(1.5), ArgumentError],
    ['softmax over nothing named', () => new nn.Softmax(undefined as never), ArgumentError],
    ['bounds in the wrong order', () => new nn.Hardtanh(1, 0), ArgumentError],
    ['groups that do not divide', () => new nn.GroupNorm(2, 3), ArgumentError],
    ['features that do not fit', () => new nn.Linear(4, 2)(ones([2, 3])), ShapeError],
    ['images for a line', () => new nn.BatchNorm1d(4)(ones([2, 4, 3, 3])), ShapeError],
    ['one value per channel', () => new nn.BatchNorm1d(4)(ones([1, 4])), ShapeError],
    ['a norm over a shape that is no suffix', () => new nn.LayerNorm([3])(ones([2, 4])), ShapeError],
  ])('%s is refused', (_name, act, kind) => {
    expect(act).toThrow(kind);
  });

  test('an error names the line of the user', () => {
    const layer = new nn.Linear(4, 2);
    expect(() => layer(ones([2, 3]))).toThrow(/at nnLayers\.test\.ts:\d+$/);
  });
});

describe('batch norm', () => {
  // torch 2.13: BatchNorm1d(2, momentum=m) on these batches in turn.
  const batches = [
    tensor([
      [1, 2],
      [3, 6],
      [5, 4],
    ]),
    tensor([
      [0, 1],
      [2, 1],
      [4, 7],
    ]),
  ];
  const statistics = (bn: nn.BatchNorm1d): number[] => [
    ...(bn.runningMean!.tolistSync() as number[]),
    ...(bn.runningVar!.tolistSync() as number[]),
  ];
  const closeTo = (ours: readonly number[], expected: readonly number[]): void =>
    ours.forEach((v, i) => void expect(v).toBeCloseTo(expected[i]!, 5));

  test('tracks statistics by momentum, with the unbiased variance', () => {
    const bn = new nn.BatchNorm1d(2);
    for (const b of batches) bn(b);
    closeTo(statistics(bn), [0.47, 0.66, 1.57, 2.37]);
    expect(bn.numBatchesTracked!.value).toBe(2);
  });

  test('without momentum averages over all batches, also in compiled code, which counts on', () => {
    const eager = new nn.BatchNorm1d(2, { momentum: null, affine: false });
    const compiled = new nn.BatchNorm1d(2, { momentum: null, affine: false });
    const run = compile((b: Tensor) => compiled(b));
    for (let k = 0; k < 4; k++) {
      const b = batches[k % 2]!;
      expect(run(b).tolistSync()).toEqual(eager(b).tolistSync());
    }
    closeTo(statistics(eager), [2.5, 3.5, 4, 8]);
    expect(statistics(compiled)).toEqual(statistics(eager));
    expect(compiled.numBatchesTracked!.value).toBe(4);
  });

  test('uses its statistics in evaluation, and the batch where it keeps none', () => {
    const bn = new nn.BatchNorm1d(2);
    bn(batches[0]!);
    const before = statistics(bn);
    const y = bn.eval()(batches[1]!);
    expect(statistics(bn)).toEqual(before);
    closeTo((y.tolistSync() as number[][])[0]!, [
      (0 - before[0]!) / Math.sqrt(before[2]! + 1e-5),
      (1 - before[1]!) / Math.sqrt(before[3]! + 1e-5),
    ]);
    const stateless = new nn.BatchNorm1d(2, { trackRunningStats: false }).eval();
    closeTo(stateless(batches[0]!).mean(0).tolistSync() as number[], [0, 0]);
    expect(Object.keys(stateless.stateDict())).toEqual(['weight', 'bias']);
    bn.resetRunningStats();
    expect(statistics(bn)).toEqual([0, 0, 1, 1]);
  });
});

test('a small network learns, and its loss falls as in PyTorch', () => {
  manualSeed(0);
  const net = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Linear(8, 3));
  const x = randn([6, 4]);
  const y = tensor([0, 1, 2, 0, 1, 2], { dtype: 'int64' });
  const sgd = new SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
  const criterion = new nn.CrossEntropyLoss();
  const losses = [];
  for (let k = 0; k < 5; k++) {
    sgd.zeroGrad();
    const loss = criterion(net(x), y);
    loss.backward();
    sgd.step();
    losses.push(loss.itemSync());
  }
  // torch 2.13
  const expected = [1.1366300582885742, 1.0662118196487427, 0.9789107441902161, 0.895918071269989, 0.8236479163169861];
  losses.forEach((l, i) => void expect(l).toBeCloseTo(expected[i]!, 5));
});
