// Sequences of calls of compiled functions that look at numbers: what they give, against the same function uncompiled, and how often fn runs.
import { CompileError, compile, F, manualSeed, nn, noGrad, optim, randn, type Tensor, tensor } from 'fluxion';
import { describe, expect, test, vi } from 'vitest';
import { kept } from '../../../compiler/frontend/state.ts';

const list = (t: Tensor): unknown => t.tolistSync();

/** A function with a counter of its runs, and the same function compiled. */
function counted<A extends readonly unknown[], R>(fn: (...args: A) => R): { f: ReturnType<typeof compile<A, R>>; runs: () => number } {
  let runs = 0;
  const f = compile((...args: A) => {
    runs++;
    return fn(...args);
  });
  return { f, runs: () => runs };
}

describe('a branch on a boolean', () => {
  const sign = (x: Tensor): Tensor => (x.sum().gt(0).itemSync() ? x.mul(2) : x.neg());

  test('runs fn once for each outcome', () => {
    const { f, runs } = counted(sign);
    for (const v of [1, 2, -1, 3, -2, -3, 4]) expect(list(f(tensor([v])))).toEqual([v > 0 ? 2 * v : -v]);
    expect(f.traces()).toBe(2);
    expect(runs()).toBe(2);
  });

  test('on an argument itself is a branch too', () => {
    const { f } = counted((flag: Tensor, x: Tensor) => (flag.itemSync() ? x.add(1) : x.sub(1)));
    const [yes, no] = [tensor(true), tensor(false)];
    expect([yes, no, yes, no].map((flag) => list(f(flag, tensor([5]))))).toEqual([[6], [4], [6], [4]]);
    expect(f.traces()).toBe(2);
  });

  test('may follow from a comparison by the engine', () => {
    const f = compile((n: Tensor, x: Tensor) => ((n as unknown as number) > 2 ? x.mul(10) : x));
    expect([1, 3, 1, 3].map((n) => list(f(tensor(n, { dtype: 'int64' }), tensor([1]))))).toEqual([[1], [10], [1], [10]]);
    expect(f.traces()).toBe(2);
  });
});

describe('a loop whose count depends on data', () => {
  /** Halves until all are below 1. */
  const halve = (x: Tensor): Tensor => {
    let y = x;
    while (y.ge(1).any().itemSync()) y = y.mul(0.5);
    return y.add(0.25);
  };

  test('takes known turns again and records what is beyond', () => {
    const { f, runs } = counted(halve);
    for (const v of [8, 2, 8, 32, 1, 0.5, 32, 5]) expect(list(f(tensor([v])))).toEqual(list(halve(tensor([v]))));
    // 4, 2, 6, 1, no and 3 turns.
    expect(f.traces()).toBe(6);
    expect(runs()).toBe(6);
  });

  test('by an integer', () => {
    const f = compile((n: Tensor, x: Tensor) => {
      let y = x;
      for (let i = 0; i < n.itemSync(); i++) y = y.add(n);
      return y;
    });
    for (const n of [2, 3, 2, 3, 0]) expect(list(f(tensor(n, { dtype: 'int64' }), tensor([0])))).toEqual([n * n]);
    expect(f.traces()).toBe(3);
  });

  test('recursion is a loop', () => {
    const collatz = (n: Tensor, steps = 0): number => {
      if (n.eq(1).itemSync()) return steps;
      return n.remainder(2).eq(0).itemSync() ? collatz(n.floorDivide(2), steps + 1) : collatz(n.mul(3).add(1), steps + 1);
    };
    const f = compile((n: Tensor) => collatz(n));
    const eager = [6, 7, 6, 3, 1, 7].map((n) => collatz(tensor(n, { dtype: 'int64' })));
    expect([6, 7, 6, 3, 1, 7].map((n) => f(tensor(n, { dtype: 'int64' })))).toEqual(eager);
  });
});

describe('state and branches', () => {
  test('a new branch may need an inner value of an earlier segment after a write in place', () => {
    const body =
      (w: Tensor) =>
      (x: Tensor): Tensor => {
        const inner = x.mul(w).tanh();
        w.add_(1);
        if (x.sum().gt(0).itemSync()) return inner.add(w);
        w.mul_(2);
        return inner.mul(w).sub(x);
      };
    const [a, b] = [kept(tensor([1, 2])), kept(tensor([1, 2]))];
    const [eager, f] = [body(a), compile(body(b))];
    for (const v of [1, 2, -1, -2, 3, -3]) {
      expect(list(f(tensor([v, v])))).toEqual(list(eager(tensor([v, v]))));
      expect(list(b)).toEqual(list(a));
    }
    expect(f.traces()).toBe(2);
  });

  test('a throw while recording leaves what an uncompiled call would, and caches nothing', () => {
    const body =
      (w: Tensor) =>
      (x: Tensor): Tensor => {
        w.add_(x);
        if (x.lt(0).any().itemSync()) {
          w.mul_(3);
          throw new Error('negative');
        }
        return w.mul(2);
      };
    const [a, b] = [kept(tensor([1])), kept(tensor([1]))];
    const [eager, f] = [body(a), compile(body(b))];
    for (const v of [-1, 1, -2, 2, -3, 3]) {
      const outcome = (g: (x: Tensor) => Tensor): unknown => {
        try {
          return list(g(tensor([v])));
        } catch (error) {
          return (error as Error).message;
        }
      };
      expect(outcome(f)).toEqual(outcome(eager));
      expect(list(b)).toEqual(list(a));
    }
    // The first throws and caches nothing; 1 is recorded; -2 and -3 run to their throw in match mode.
    expect(f.traces()).toBe(4);
  });

  test('randomness before a branch is drawn once, whether or not fn runs again', () => {
    const body =
      () =>
      (x: Tensor): Tensor => {
        const noise = randn([4]);
        const unused = randn([2]);
        const y = F.dropout(x.add(noise), 0.5);
        return y.sum().gt(0).itemSync() ? y.add(randn([4])) : y.sub(unused.sum());
      };
    const x = tensor([0.1, -0.1, 0.2, -0.2]);
    manualSeed(7);
    const eager = body();
    const expected = Array.from({ length: 12 }, () => list(eager(x)));
    manualSeed(7);
    const f = compile(body());
    expect(Array.from({ length: 12 }, () => list(f(x)))).toEqual(expected);
    expect(f.traces()).toBe(2);
  });

  test('what the host counted is taken back before fn runs again', () => {
    const net = new nn.BatchNorm1d(2);
    const twin = new nn.BatchNorm1d(2);
    const body =
      (m: nn.BatchNorm1d) =>
      (x: Tensor): Tensor => {
        const y = m(x);
        return x.sum().gt(0).itemSync() ? y.mul(2) : y;
      };
    const [eager, f] = [body(twin), compile(body(net))];
    for (const v of [1, -1, 2, -2]) {
      const x = () =>
        tensor([
          [v, 2 * v],
          [3 * v, v],
        ]);
      expect(list(f(x()).detach())).toEqual(list(eager(x()).detach()));
    }
    expect(net.numBatchesTracked!.value).toBe(4);
    expect([list(net.runningMean!), list(net.runningVar!)]).toEqual([list(twin.runningMean!), list(twin.runningVar!)]);
  });

  test('a training step that skips what is not finite is one tree', () => {
    const make = () => {
      const w = tensor([1, 2], { requiresGrad: true });
      const adam = new optim.Adam([w], { lr: 0.1 });
      const step = (x: Tensor): Tensor => {
        adam.zeroGrad();
        const loss = w.mul(x).square().sum();
        loss.backward();
        if (w.grad!.isfinite().all().itemSync()) adam.step();
        return loss.detach();
      };
      return { w, adam, step };
    };
    const [e, c] = [make(), make()];
    const f = compile(c.step);
    for (const v of [1, 2, Number.POSITIVE_INFINITY, 1, Number.NaN, 3]) {
      expect(list(f(tensor([v, 1])))).toEqual(list(e.step(tensor([v, 1]))));
      expect(list(c.w.detach())).toEqual(list(e.w.detach()));
      expect(c.adam.state.get(c.w)!.step).toBe(e.adam.state.get(e.w)!.step);
    }
    expect(f.traces()).toBe(2);
  });
});

describe('what ends a specialisation', () => {
  test('a floating number: the rest runs in every call', () => {
    const { f, runs } = counted((x: Tensor) => x.mul(x.sum().itemSync()));
    for (const v of [1, 2, 3]) expect(list(f(tensor([v])))).toEqual([v * v]);
    expect([runs(), f.traces()]).toEqual([3, 1]);
    expect(String(f.explain())).toMatch(/looks at a floating number at branches\.test\.ts:\d+/);
  });

  test('an array', () => {
    const { f, runs } = counted((x: Tensor) => x.add((x.mul(2).dataSync() as Float32Array)[0]!));
    for (const v of [1, 2, 3]) expect(list(f(tensor([v])))).toEqual([3 * v]);
    expect(runs()).toBe(3);
  });

  test('the ninth value of one look', () => {
    const { f, runs } = counted((token: Tensor, x: Tensor) => {
      const t = token.add(1).itemSync();
      return x.mul(t);
    });
    const call = (t: number): unknown => list(f(tensor(t, { dtype: 'int64' }), tensor([2])));
    for (let t = 0; t < 8; t++) expect(call(t)).toEqual([2 * (t + 1)]);
    expect(f.traces()).toBe(8);
    for (let t = 8; t < 20; t++) expect(call(t)).toEqual([2 * (t + 1)]);
    for (let t = 0; t < 8; t++) expect(call(t)).toEqual([2 * (t + 1)]);
    // Known tokens are replayed, others run fn.
    expect(runs()).toBe(8 + 12);
  });

  test('only the way that leads there, when another branch does not', () => {
    const { f, runs } = counted((x: Tensor) => (x.sum().gt(0).itemSync() ? x.mul(2) : x.mul(x.sum().itemSync())));
    for (const v of [1, -2, 3, -3, 5]) expect(list(f(tensor([v])))).toEqual([v > 0 ? 2 * v : v * v]);
    expect(f.traces()).toBe(2);
    expect(runs()).toBe(3);
  });

  test('the first await', async () => {
    const { f, runs } = counted(async (x: Tensor) => {
      const y = x.mul(2);
      const n = await y.sum().item();
      return y.add(n);
    });
    for (const v of [1, 2, 3]) expect(list(await f(tensor([v])))).toEqual([4 * v]);
    expect(runs()).toBe(3);
    expect(String(f.explain())).toMatch(/looks at a floating number|async/);
  });

  test('more than 256 segments, with one warning', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const f = compile((n: Tensor) => {
      let m = n;
      while (m.gt(0).itemSync()) m = m.sub(1);
      return m;
    });
    for (const n of [300, 300, 300]) expect(f(tensor(n, { dtype: 'int64' })).itemSync()).toBe(0);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toMatch(/more than 256 segments/);
    warn.mockRestore();
  });
});

describe('fullgraph', () => {
  test('refuses a look at a number, at the line', () => {
    const f = compile((x: Tensor) => (x.sum().gt(0).itemSync() ? x : x.neg()), { fullgraph: true, name: 'sign' });
    expect(() => f(tensor([1]))).toThrow(CompileError);
    expect(() => f(tensor([1]))).toThrow(/compile: sign looks at a number, which ends the graph; .* at branches\.test\.ts:\d+/);
  });
  test('lets a function through that is one graph', () => {
    const f = compile((x: Tensor) => x.mul(2), { fullgraph: true });
    expect([1, 2].map((v) => list(f(tensor([v]))))).toEqual([[2], [4]]);
  });
});

test('gradients flow through results of either branch', () => {
  const body =
    (w: Tensor) =>
    (x: Tensor): Tensor =>
      x.sum().gt(0).itemSync() ? x.mul(w).sum() : x.mul(w).tanh().sum();
  const [a, b] = [tensor([1, 2], { requiresGrad: true }), tensor([1, 2], { requiresGrad: true })];
  const [eager, f] = [body(a), compile(body(b))];
  for (const v of [1, -1, 2, -2]) {
    for (const [g, w] of [
      [eager, a],
      [f, b],
    ] as const) {
      w.grad = null;
      g(tensor([v, v / 2])).backward();
    }
    expect(list(b.grad!)).toEqual(list(a.grad!));
  }
  expect(f.traces()).toBe(2);
  noGrad(() => void b.fill_(0));
  expect(f(tensor([1, 1])).itemSync()).toBe(0);
});
