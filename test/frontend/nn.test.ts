// Modules: what they find, what they save and load, how they start, and that their layers call the functions of their names.
import { inspect } from 'node:util';
import { beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { compile } from '../../compiler/frontend/compile.ts';
import { arange, ones, randn, tensor, zeros } from '../../compiler/frontend/creation.ts';
import * as F from '../../compiler/frontend/functional/index.ts';
import * as nn from '../../compiler/frontend/nn/index.ts';
import { SGD } from '../../compiler/frontend/optim/index.ts';
import { manualSeed } from '../../compiler/frontend/random.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { ArgumentError, AutogradError, DeviceError, DTypeError, IndexError, KeyError, ShapeError } from '../../runtime/errors.ts';
import { difference, readOracle, type Stored } from '../oracle/tensors.ts';

const { init } = nn;

class Net extends nn.Module {
  fc1 = new nn.Linear(4, 3);
  bn = new nn.BatchNorm1d(3);
  act = new nn.ReLU();
  fc2 = new nn.Linear(3, 2, { bias: false });
  scale = new nn.Parameter(ones([1]));
  offset = this.registerBuffer('offset', zeros([2]));
  cache = this.registerBuffer('cache', zeros([5]), { persistent: false });
  notState = ones([7]);
  forward(x: Tensor): Tensor {
    return this.fc2(this.act(this.bn(this.fc1(x))))
      .mul(this.scale)
      .add(this.offset);
  }
}

beforeEach(() => void manualSeed(0));

describe('a module', () => {
  test('finds parameters, buffers and children among its properties, in order of definition', () => {
    const net = new Net();
    expect(net.namedParameters().map(([name]) => name)).toEqual(['scale', 'fc1.weight', 'fc1.bias', 'bn.weight', 'bn.bias', 'fc2.weight']);
    expect(net.namedParameters({ recurse: false }).map(([name]) => name)).toEqual(['scale']);
    expect(net.namedBuffers().map(([name]) => name)).toEqual(['offset', 'cache', 'bn.runningMean', 'bn.runningVar']);
    expect(net.namedChildren().map(([name]) => name)).toEqual(['fc1', 'bn', 'act', 'fc2']);
    expect(net.namedModules().map(([name]) => name)).toEqual(['', 'fc1', 'bn', 'act', 'fc2']);
    expect(net.parameters().every((p) => p instanceof nn.Parameter && p.requiresGrad && p.isLeaf)).toBe(true);
  });

  test('is called like a function, with the types of its forward', () => {
    const net = new Net().eval();
    const x = randn([2, 4]);
    expect(net(x).tolistSync()).toEqual(net.forward(x).tolistSync());
    expectTypeOf(net).parameters.toEqualTypeOf<[x: Tensor]>();
    expectTypeOf(net).returns.toEqualTypeOf<Tensor>();
    // @ts-expect-error a number is no tensor
    expect(() => net(3)).toThrow();
  });

  test('counts a shared parameter once, and saves it under each of its names', () => {
    class Tied extends nn.Module {
      a = new nn.Linear(2, 2);
      b = new nn.Linear(2, 2);
      again = this.a;
      forward(): void {}
    }
    const tied = new Tied();
    tied.b.weight = tied.a.weight;
    expect(tied.namedParameters().map(([name]) => name)).toEqual(['a.weight', 'a.bias', 'b.bias']);
    expect(Object.keys(tied.stateDict())).toEqual(['a.weight', 'a.bias', 'b.weight', 'b.bias', 'again.weight', 'again.bias']);
    expect(tied.modules()).toHaveLength(3);
  });

  test('that contains itself is walked, and refuses to be saved', () => {
    class Loop extends nn.Module {
      self: nn.Module = this;
      forward(): void {}
    }
    expect(new Loop().modules()).toHaveLength(1);
    expect(() => new Loop().stateDict()).toThrow(/contains itself/);
  });

  test('switches everything below it to evaluation and back', () => {
    const net = new Net();
    expect(
      net
        .eval()
        .modules()
        .some((m) => m.training),
    ).toBe(false);
    expect(
      net
        .train()
        .modules()
        .every((m) => m.training),
    ).toBe(true);
  });

  test('freezes its parameters', () => {
    const net = new Net().requiresGrad_(false);
    expect(net(randn([2, 4])).requiresGrad).toBe(false);
  });

  test('applies a function to children first', () => {
    const seen: string[] = [];
    new Net().apply((m) => void seen.push(m.constructor.name));
    expect(seen).toEqual(['Linear', 'BatchNorm1d', 'ReLU', 'Linear', 'Net']);
  });

  test('drops gradients, or fills them with zeros', () => {
    const net = new Net();
    net(randn([3, 4]))
      .sum()
      .backward();
    net.zeroGrad({ setToNull: false });
    expect(net.scale.grad?.tolistSync()).toEqual([0]);
    net.zeroGrad();
    expect(net.parameters().every((p) => p.grad === null)).toBe(true);
  });

  test('converts its floating state in place, gradients as well', () => {
    const net = new Net();
    const weight = net.fc1.weight;
    net(randn([3, 4]))
      .sum()
      .backward();
    expect(net.double()).toBe(net);
    expect([weight.dtype, weight.grad!.dtype, net.bn.runningMean!.dtype, net.cache.dtype]).toEqual(Array(4).fill('float64'));
    expect(net.fc1.weight).toBe(weight);
    expect(net(randn([3, 4], { dtype: 'float64' })).dtype).toBe('float64');
    expect(net.to('cpu').to('float32').scale.dtype).toBe('float32');
    expect(() => net.to('cuda' as 'cpu')).toThrow(DeviceError);
    expect(() => net.to('int64')).toThrow(ArgumentError);
    expect(() => net.to('float31' as 'float32')).toThrow(DTypeError);
  });

  test('prints as a tree', () => {
    const text = `Sequential(
  (0): Linear(inFeatures=2, outFeatures=1, bias=true)
  (1): Sequential(
    (act): LeakyReLU(negativeSlope=0.01)
  )
)`;
    const model = new nn.Sequential(new nn.Linear(2, 1), new nn.Sequential({ act: new nn.LeakyReLU() }));
    expect(String(model)).toBe(text);
    expect(inspect(model)).toBe(text);
  });

  test('takes any name for a child but those that cannot be part of a path', () => {
    const net = new Net();
    for (const name of ['', 'a.b', '__proto__', 'forward', 'training']) {
      expect(() => net.addModule(name, new nn.ReLU())).toThrow(KeyError);
      expect(() => net.registerBuffer(name, zeros([1]))).toThrow(KeyError);
      expect(() => net.registerParameter(name, null)).toThrow(KeyError);
    }
    const hostile = new nn.ModuleDict({ constructor: new nn.Linear(1, 1), toString: new nn.ReLU() });
    expect(Object.keys(hostile.stateDict())).toEqual(['constructor.weight', 'constructor.bias']);
    expect(String(hostile)).toContain('ModuleDict(');
    expect(() => net.registerBuffer('x', 3 as never)).toThrow(ArgumentError);
    expect(() => net.registerParameter('x', ones([1]) as never)).toThrow(ArgumentError);
    expect(() => net.addModule('x', {} as never)).toThrow(ArgumentError);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test('a parameter shares the storage of its tensor, and copies a view', () => {
    const data = zeros([2, 2]);
    const p = new nn.Parameter(data);
    data.add_(1);
    expect(p.tolistSync()).toEqual([
      [1, 1],
      [1, 1],
    ]);
    const row = new nn.Parameter(data.select(0, 0));
    data.add_(1);
    expect(row.tolistSync()).toEqual([1, 1]);
    expect(new nn.Parameter(arange(3), false).requiresGrad).toBe(false);
    expect(() => new nn.Parameter(arange(3))).toThrow(AutogradError);
    expect(() => new nn.Parameter([1] as never)).toThrow(ArgumentError);
  });
});

describe('a state dict', () => {
  test('has parameters, persistent buffers and the count of batches, and shares their storage', () => {
    const net = new Net();
    const dict = net.stateDict();
    expect(Object.keys(dict)).toEqual([
      'scale',
      'offset',
      'fc1.weight',
      'fc1.bias',
      'bn.weight',
      'bn.bias',
      'bn.runningMean',
      'bn.runningVar',
      'bn.numBatchesTracked',
      'fc2.weight',
    ]);
    expect([dict['bn.numBatchesTracked']!.dtype, dict['bn.numBatchesTracked']!.shape]).toEqual(['int64', []]);
    expect(dict.scale!.requiresGrad).toBe(false);
    init.constant_(net.scale, 5);
    expect(dict.scale!.itemSync()).toBe(5);
  });

  test('makes another model compute the same, from a record or a Map', () => {
    const [a, b, c] = [new Net(), new Net(), new Net()];
    const x = randn([5, 4]);
    a(x).sum().backward();
    expect(b.loadStateDict(a.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    c.loadStateDict(new Map(Object.entries(a.stateDict())));
    expect(b.bn.numBatchesTracked!.value).toBe(1);
    const expected = a.eval()(x).tolistSync();
    expect(b.eval()(x).tolistSync()).toEqual(expected);
    expect(c.eval()(x).tolistSync()).toEqual(expected);
    init.zeros_(a.scale);
    expect(b.scale.itemSync()).toBe(1);
  });

  test('is converted to the dtype of the module', () => {
    const net = new nn.Linear(1, 1);
    net.loadStateDict({ weight: tensor([[0.5]], { dtype: 'float64' }), bias: tensor([1], { dtype: 'int64' }) });
    expect([net.weight.dtype, net.weight.itemSync(), net.bias!.itemSync()]).toEqual(['float32', 0.5, 1]);
  });

  test('that does not fit changes nothing, and the error names all that is wrong', () => {
    const net = new nn.Linear(2, 2);
    const before = net.weight.tolistSync();
    const good = { weight: ones([2, 2]), bias: ones([2]) };
    expect(() => net.loadStateDict({ weight: ones([2, 2]), extra: ones([1]) })).toThrow(
      'Linear.loadStateDict: unexpected key(s) in state dict: "extra"; missing key(s) in state dict: "bias"; pass { strict: false } to load what fits',
    );
    expect(() => net.loadStateDict({ ...good, bias: ones([3]), weight: ones([2]) })).toThrow(
      /size mismatch for weight: copying a tensor of shape \[2\] where the module has \[2,2\]; size mismatch for bias/,
    );
    expect(() => net.loadStateDict({ weight: ones([2, 2]), bias: ones([3]) }, { strict: false })).toThrow(ShapeError);
    expect(() => net.loadStateDict({ ...good, bias: 1 as never })).toThrow(ArgumentError);
    expect(() => net.loadStateDict(null as never)).toThrow(ArgumentError);
    expect(net.weight.tolistSync()).toEqual(before);
    expect(net.loadStateDict({ weight: ones([2, 2]), extra: ones([1]) }, { strict: false })).toEqual({
      missingKeys: ['bias'],
      unexpectedKeys: ['extra'],
    });
    expect(net.weight.tolistSync()).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  test('with hostile keys pollutes nothing', () => {
    const net = new nn.Linear(1, 1);
    const entries: [string, Tensor][] = ['__proto__', 'constructor.prototype.polluted', 'toString'].map((key) => [key, ones([1])]);
    const dict = Object.fromEntries(entries);
    expect(() => net.loadStateDict(dict)).toThrow(KeyError);
    expect(net.loadStateDict(dict, { strict: false }).unexpectedKeys).toEqual(entries.map(([key]) => key));
    expect(Object.getPrototypeOf(net.stateDict())).toBeNull();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('loaded between two steps is what the next one starts from', () => {
    const net = new nn.Linear(1, 1, { bias: false });
    const sgd = new SGD(net.parameters(), { lr: 1 });
    const step = (): void => {
      sgd.zeroGrad();
      net(ones([1, 1]))
        .sum()
        .backward();
      sgd.step();
    };
    step();
    net.loadStateDict({ weight: tensor([[10]]) });
    step();
    expect(net.weight.itemSync()).toBe(9);
  });
});

describe('containers', () => {
  test('Sequential runs its layers in order, by position or by name', () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU()).append(new nn.Flatten());
    expect(model.length).toBe(3);
    expect([...model].map((m) => m.constructor.name)).toEqual(['Linear', 'ReLU', 'Flatten']);
    expect(model.at(-1)).toBeInstanceOf(nn.Flatten);
    expect(() => model.at(3)).toThrow(IndexError);
    expect(Object.keys(model.stateDict())).toEqual(['0.weight', '0.bias']);
    const x = randn([3, 2]);
    expect(model(x).tolistSync()).toEqual(F.relu(model.at(0)(x)).tolistSync());
    expect(() => new nn.Sequential(3 as never)).toThrow(ArgumentError);
    expect(() => new nn.Sequential(new nn.ReLU(), {} as never)).toThrow(ArgumentError);
    expect(new nn.Sequential()(x)).toBe(x);
  });

  test('ModuleList and ModuleDict hold modules that a forward walks as it likes', () => {
    const list = new nn.ModuleList([new nn.Linear(1, 1), new nn.Linear(1, 1)]);
    list.set(-1, new nn.Linear(1, 2));
    expect(list.namedParameters().map(([name, p]) => [name, p.shape])).toEqual([
      ['0.weight', [1, 1]],
      ['0.bias', [1]],
      ['1.weight', [2, 1]],
      ['1.bias', [2]],
    ]);
    expect(() => list()).toThrow(/no forward/);
    const dict = new nn.ModuleDict<nn.Module>({ a: new nn.ReLU() }).set('b', list);
    expect([...dict].map(([name]) => name)).toEqual(['a', 'b']);
    expect(dict.get('b')).toBe(list);
    expect(() => dict.get('c')).toThrow(/no module 'c'; it has a, b/);
    expect(dict.delete('a')).toBe(true);
    expect([dict.has('a'), dict.length]).toEqual([false, 1]);
    expect(() => dict.set('a.b', list)).toThrow(KeyError);
  });
});

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
    'xavierUniform_(zeros([4, 3]), gain 2)': () => [init.xavierUniform_(zeros([4, 3]), { gain: 2 })],
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
    expect(() => layer(ones([2, 3]))).toThrow(/at nn\.test\.ts:\d+$/);
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
