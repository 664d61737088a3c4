// compile() over a dimension that varies: how often fn is run, how many Programs there are, and that results are those of eager code.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compile, F, manualSeed, nn, optim, randn, setDefaultDevice, type Tensor } from '../../../compiler/index.ts';
import { forgetStructures, onCompile } from '../../../compiler/jit/structure.ts';

let programs = 0;
let stop = (): void => {};
beforeEach(() => {
  forgetStructures();
  stop = onCompile(() => void programs++);
});
afterEach(() => {
  stop();
  setDefaultDevice('js');
});

const close = (a: Tensor, e: Tensor): void => {
  expect(a.shape).toEqual(e.shape);
  const [x, y] = [a.dataSync(), e.dataSync()];
  x.forEach((v, i) => void expect(Math.abs(Number(v) - Number(y[i]))).toBeLessThan(1e-5));
};

/** Calls with each size; the numbers of traces and of Programs after each. */
function counts(f: ((x: Tensor) => Tensor) & { traces: () => number }, plain: (x: Tensor) => Tensor, sizes: readonly number[], width = 6) {
  return sizes.map((n) => {
    const x = randn([n, width]);
    programs = 0;
    const before = f.traces();
    const found = f(x);
    const counted = [f.traces() - before, programs] as const;
    close(found, plain(x));
    return counted;
  });
}

describe.each(['js', 'wasm'] as const)('on %s', (device) => {
  beforeEach(() => {
    setDefaultDevice(device);
    manualSeed(1);
  });

  test('one Program serves all sizes from the second on, each of which is recorded once', () => {
    const net = new nn.Sequential(new nn.Linear(6, 8), new nn.ReLU(), new nn.Linear(8, 3));
    const plain = (x: Tensor): Tensor => (net(x) as Tensor).softmax(1).detach();
    const f = compile(plain);
    expect(counts(f, plain, [16, 9, 16, 9, 12, 12, 3, 9])).toEqual([
      [1, 1],
      [1, 1],
      [0, 0],
      [0, 0],
      [1, 0],
      [0, 0],
      [1, 0],
      [0, 0],
    ]);
    expect(f.explain().toString()).toContain('one program for dimension 0 of args[0] of 3, 9, 12, 16');
  });

  test('a whole training step, whose last batch is shorter', () => {
    const made = () => {
      manualSeed(3);
      const net = new nn.Sequential(new nn.Linear(6, 16), new nn.Tanh(), new nn.Linear(16, 3));
      return { net, adam: new optim.Adam(net.parameters(), { lr: 0.01 }) };
    };
    const step =
      ({ net, adam }: ReturnType<typeof made>) =>
      (x: Tensor, y: Tensor): Tensor => {
        adam.zeroGrad();
        const loss = F.crossEntropy(net(x) as Tensor, y);
        loss.backward();
        adam.step();
        return loss;
      };
    const [a, b] = [made(), made()];
    const [compiled, eager] = [compile(step(a)), step(b)];
    const batches = [16, 16, 9, 16, 16, 9, 4, 4, 16].map((n) => [randn([n, 6]), randn([n, 3]).argmax(1)] as const);
    for (const [x, y] of batches) close(compiled(x, y), eager(x, y));
    expect(compiled.traces()).toBe(3);
    a.net.parameters().forEach((p, i) => void close(p.detach(), b.net.parameters()[i]!.detach()));
    expect(compiled.explain().specialisations).toHaveLength(2);
    expect(compiled.explain().toString()).toContain('one program for dimension 0 of args[0] of 4, 9');
  });

  test('convolutions, pooling and batch norm', () => {
    const net = new nn.Sequential(
      new nn.Conv2d(1, 4, 3, { padding: 1 }),
      new nn.BatchNorm2d(4),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(36, 3),
    );
    const sgd = new optim.SGD(net.parameters(), { lr: 0.01 });
    const twin = new nn.Sequential(
      new nn.Conv2d(1, 4, 3, { padding: 1 }),
      new nn.BatchNorm2d(4),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(36, 3),
    );
    twin.loadStateDict(net.stateDict());
    const other = new optim.SGD(twin.parameters(), { lr: 0.01 });
    const step = (m: typeof net, o: typeof sgd) => (x: Tensor) => {
      o.zeroGrad();
      const loss = (m(x) as Tensor).square().mean();
      loss.backward();
      o.step();
      return loss;
    };
    const [f, plain] = [compile(step(net, sgd)), step(twin, other)];
    for (const n of [8, 5, 8, 5, 3, 3]) {
      const x = randn([n, 1, 6, 6]);
      close(f(x), plain(x));
    }
    expect(f.traces()).toBe(3);
    expect(f.explain().toString()).toContain('one program for dimension 0 of args[0] of 3, 5');
  });

  test('of a marked dimension, sizes between two that were recorded are not recorded', () => {
    const plain = (x: Tensor): Tensor => x.mul(2).sum(1);
    const f = compile(plain, { dynamic: { 0: [0] } });
    expect(counts(f, plain, [16, 4, 9, 12, 5, 32, 20, 17])).toEqual([
      [1, 1],
      [1, 1],
      [0, 0],
      [0, 0],
      [0, 0],
      [1, 1],
      [0, 0],
      [0, 0],
    ]);
    expect(f.explain().toString()).toContain('of 4 to 32');
  });

  test('a function that does something else at some sizes is right at all of them', () => {
    const plain = (x: Tensor): Tensor => (x.shape[0]! % 4 === 0 ? x.exp() : x.shape[0]! > 10 ? x.abs() : x.neg());
    const f = compile(plain);
    for (const n of [16, 8, 12, 11, 13, 10, 9, 8, 5, 20, 16, 11]) {
      const x = randn([n, 6]);
      close(f(x), plain(x));
    }
  });

  test('numbers that are made of the size keep each size a Program of its own, unless the library makes them', () => {
    const plain = (x: Tensor): Tensor => x.sum().div(x.shape[0]!).add(x.mean());
    const f = compile(plain);
    for (const n of [16, 8, 12, 16, 8, 12]) {
      const x = randn([n, 6]);
      close(f(x), plain(x));
    }
    expect(f.traces()).toBe(3);
  });

  test('one row is a case of its own', () => {
    const plain = (x: Tensor): Tensor => x.softmax(0);
    const f = compile(plain);
    for (const n of [6, 4, 1, 0, 1, 4, 6]) {
      const x = randn([n, 6]);
      close(f(x), plain(x));
    }
    expect(f.traces()).toBe(4);
  });

  test('views, results of the shape of the argument, and gradients of arguments', () => {
    const plain = (x: Tensor): readonly Tensor[] => {
      const y = x.mul(3);
      return [y, y.narrow(1, 0, 2), y.t(), y.reshape([-1])];
    };
    const f = compile(plain);
    for (const n of [6, 4, 6, 5, 4, 5]) {
      const x = randn([n, 6], { requiresGrad: true });
      const found = f(x);
      const expected = plain(x.detach());
      found.forEach((t, i) => void close(t.detach(), expected[i]!));
      found[1]!.sum().backward();
      expect(x.grad!.shape).toEqual([n, 6]);
      expect(x.grad!.sum().itemSync()).toBeCloseTo(2 * 3 * n);
    }
    expect(f.traces()).toBe(3);
  });

  test('two dimensions that vary on their own', () => {
    const plain = (x: Tensor): Tensor => x.softmax(1).mul(x);
    const f = compile(plain);
    const shapes = [
      [8, 10],
      [4, 6],
      [4, 10],
      [8, 6],
      [5, 10],
      [5, 6],
      [8, 10],
      [5, 10],
      [5, 6],
      [4, 6],
      [4, 10],
      [8, 6],
    ] as const;
    for (const [n, m] of shapes) {
      const x = randn([n, m]);
      close(f(x), plain(x));
    }
    expect(f.traces()).toBe(6);
    expect(f.explain().specialisations.length).toBe(4);
  });

  test('dynamic: false makes a Program for each size', () => {
    const plain = (x: Tensor): Tensor => x.mul(2);
    const f = compile(plain, { dynamic: false });
    expect(counts(f, plain, [16, 4, 8, 16])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
  });
});
