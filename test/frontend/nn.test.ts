// Modules: what they find, what they save and load, and how they contain one another.
import { inspect } from 'node:util';
import { beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { arange, ones, randn, tensor, zeros } from '../../compiler/frontend/creation.ts';
import * as F from '../../compiler/frontend/functional/index.ts';
import * as nn from '../../compiler/frontend/nn/index.ts';
import { SGD } from '../../compiler/frontend/optim/index.ts';
import { manualSeed } from '../../compiler/frontend/random.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { ArgumentError, AutogradError, DeviceError, DTypeError, IndexError, KeyError, ShapeError } from '../../runtime/errors.ts';

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
