// Sequences of calls of compiled functions without branches: what makes another specialisation and what does not, and what becomes of tensors that
// are shared, replaced, returned or kept.
import { autograd, CompileError, compile, F, manualSeed, nn, noGrad, ones, optim, type Tensor, tensor, zeros } from 'fluxion';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { kept } from '../../../compiler/frontend/state.ts';

const list = (t: Tensor): unknown => t.tolistSync();
/** A copy of an optimiser's state that shares nothing with it. */
function structuredState(adam: optim.Adam): ReturnType<optim.Adam['stateDict']> {
  const { state, paramGroups } = adam.stateDict();
  const copied = Object.entries(state).map(([index, entry]) => [
    index,
    Object.fromEntries(Object.entries(entry).map(([name, v]) => [name, typeof v === 'number' ? v : v.clone()])),
  ]);
  return { state: Object.fromEntries(copied), paramGroups };
}
afterEach(() => void vi.restoreAllMocks());

describe('arguments', () => {
  test('two that share storage are another case than two that do not', () => {
    const body = (x: Tensor, y: Tensor): Tensor => {
      x.add_(1);
      return x.mul(y);
    };
    const f = compile(body);
    for (const shared of [false, true, false, true, true]) {
      const [a, b] = [tensor([2, 3]), tensor([2, 3])];
      expect(list(f(a, shared ? a : tensor([5, 5])))).toEqual(list(body(b, shared ? b : tensor([5, 5]))));
      expect(list(a)).toEqual(list(b));
    }
    expect(f.traces()).toBe(2);
  });

  test('one that shares storage with a captured tensor is another case', () => {
    const w = kept(tensor([1]));
    const f = compile((x: Tensor) => {
      w.add_(x);
      return x.mul(10);
    });
    const x = tensor([2]);
    expect(list(f(x))).toEqual([20]);
    expect(list(f(w))).toEqual([60]);
    expect(list(f(x))).toEqual([20]);
    expect(list(f(w))).toEqual([160]);
    expect([list(w), list(x)]).toEqual([[16], [2]]);
    expect(f.traces()).toBe(2);
  });

  test('that are views count as what they show, wherever it lies', () => {
    const data = tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const f = compile((x: Tensor) => x.mul(2));
    for (let i = 0; i < 5; i++) expect(list(f(data.narrow(0, 2 * i, 2)))).toEqual([4 * i, 4 * i + 2]);
    expect(f.traces()).toBe(1);
  });

  test('that are views are written through as ever', () => {
    const f = compile((x: Tensor) => void x.add_(1));
    const data = zeros([6]);
    for (let i = 0; i < 3; i++) f(data.narrow(0, 2 * i, 2));
    expect(list(data)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('of two sizes in turn are two variants, and the second epoch records nothing', () => {
    const f = compile((x: Tensor) => x.sum());
    for (let epoch = 0; epoch < 3; epoch++) for (const n of [4, 4, 4, 2]) expect(f(ones([n])).itemSync()).toBe(n);
    expect(f.traces()).toBe(2);
  });

  test('too many variants run uncompiled, after one warning that names guard, line and remedy', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const total = compile((x: Tensor) => x.sum(), { maxVariants: 3, name: 'total' });
    for (let n = 1; n < 9; n++) expect(total(ones([n])).itemSync()).toBe(n);
    expect(total.traces()).toBe(3);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toMatch(
      /^compile\(total\) at calls\.test\.ts:\d+: 3 variants are compiled, .* size of dimension 0 of args\[0\]: expected 3, got 4\. .*raise maxVariants$/,
    );
  });

  test('numbers and other values are part of the case', () => {
    const f = compile((x: Tensor, options: { scale: number; neg?: boolean }) => (options.neg ? x.neg() : x).mul(options.scale));
    for (const o of [{ scale: 2 }, { scale: 2, neg: true }, { scale: 3 }, { scale: 2 }])
      expect(list(f(tensor([1]), o))).toEqual([o.neg ? -o.scale : o.scale]);
    expect(f.traces()).toBe(3);
  });
});

describe('captures', () => {
  class Scale extends nn.Module {
    weight = new nn.Parameter(tensor([2, 3]));
    forward(x: Tensor): Tensor {
      return x.mul(this.weight);
    }
  }

  test('a module’s tensor that is replaced is recorded anew', () => {
    const net = new Scale();
    const f = compile((x: Tensor) => noGrad(() => net(x) as Tensor));
    const x = tensor([1, 1]);
    expect(list(f(x))).toEqual([2, 3]);
    net.weight = new nn.Parameter(tensor([5, 7]));
    expect([list(f(x)), list(f(x))]).toEqual([
      [5, 7],
      [5, 7],
    ]);
    expect(f.traces()).toBe(2);
    expect(f.explain().retraces[0]!.reasons[0]).toMatch(/weight of a Scale: expected a tensor float32\[2\], got a tensor float32\[2\]/);
  });

  test('the mode of a module is a guard, unless fn sets it first', () => {
    const net = new nn.Dropout(0.5);
    const inEval = compile((x: Tensor) => {
      net.eval();
      const y = net(x);
      net.train();
      return y;
    });
    for (let i = 0; i < 3; i++) expect(list(inEval(ones([3])))).toEqual([1, 1, 1]);
    expect(inEval.traces()).toBe(1);
    expect(net.training).toBe(true);
    const sets = compile(() => void net.eval());
    sets();
    net.train();
    sets();
    expect(net.training).toBe(false);
  });

  test('a parameter that is frozen and thawed', () => {
    const layer = new nn.Linear(2, 1);
    const f = compile((x: Tensor) => layer(x).sum());
    const gradient = (): unknown => {
      layer.zeroGrad();
      f(ones([1, 2])).backward();
      return [layer.weight.grad && list(layer.weight.grad), layer.bias!.grad && list(layer.bias!.grad)];
    };
    for (let i = 0; i < 2; i++) {
      layer.weight.requiresGrad_(true);
      expect(gradient()).toEqual([[[1, 1]], [1]]);
      layer.weight.requiresGrad_(false);
      expect(gradient()).toEqual([null, [1]]);
    }
    expect(f.traces()).toBe(2);
  });

  test('a property of a module that fn assigns is not replayed', () => {
    class Memory extends nn.Module {
      last: Tensor = zeros([1]);
      forward(x: Tensor): Tensor {
        this.last = x.add(this.last);
        return this.last;
      }
    }
    const net = new Memory();
    const f = compile((x: Tensor) => net(x) as Tensor);
    expect([1, 2, 3].map((v) => list(f(tensor([v]))))).toEqual([[1], [3], [6]]);
    expect(String(f.explain())).toContain('assigns the property last of a module');
  });

  test('check finds numbers and objects that changed', () => {
    let factor = 2;
    let bias = tensor([1]);
    const f = compile((x: Tensor) => x.mul(factor).add(bias).atan(), { check: true, name: 'affine' });
    expect([f(tensor([1])), f(tensor([2]))].map((t) => Math.tan(t.itemSync()).toFixed(3))).toEqual(['3.000', '5.000']);
    factor = 3;
    expect(() => f(tensor([1]))).toThrow(CompileError);
    expect(() => f(tensor([1]))).toThrow(/a replay of affine would be wrong, .*: the number 2 is 3 in mul at calls\.test\.ts:\d+/);
    factor = 2;
    bias = tensor([5]);
    expect(() => f(tensor([1]))).toThrow(/a captured tensor is another one in add at calls\.test\.ts:\d+/);
  });

  test('check finds another course of events', () => {
    let deep = false;
    const f = compile((x: Tensor) => (deep ? x.tanh() : x.sin()), { check: true });
    f(tensor([1]));
    deep = true;
    expect(() => f(tensor([1]))).toThrow(/it computes tanh at calls\.test\.ts:\d+ where sin at calls\.test\.ts:\d+ was recorded/);
  });
});

describe('results', () => {
  test('are arguments, captures and views of them where fn returns such', () => {
    const c = kept(tensor([1, 2, 3, 4]));
    const f = compile((x: Tensor) => ({ x, c, row: c.view([2, 2]), again: [x], part: x.narrow(0, 0, 1) }));
    const x = tensor([5, 6]);
    for (let i = 0; i < 3; i++) {
      const r = f(x);
      expect(r.x).toBe(x);
      expect(r.c).toBe(c);
      expect(r.again[0]).toBe(x);
      noGrad(() => void r.row.add_(1));
      r.part.add_(1);
    }
    expect(list(c)).toEqual([4, 5, 6, 7]);
    expect(list(x)).toEqual([8, 6]);
    expect(f.traces()).toBe(1);
  });

  test('that are one tensor stay one, and views of one stay views of one', () => {
    const f = compile((x: Tensor) => {
      const y = x.mul(2);
      return [y, y, y.view([1, 2])] as const;
    });
    for (let i = 0; i < 3; i++) {
      const [a, b, view] = f(tensor([1, 2]));
      expect(a).toBe(b);
      a.add_(1);
      expect(list(view)).toEqual([[3, 5]]);
    }
  });

  test('that require grad have a function whose backward is compiled too', () => {
    const w = tensor([2, 3], { requiresGrad: true });
    const f = compile((x: Tensor) => ({ y: x.mul(w).tanh(), z: w.square().sum(), n: x.detach() }));
    const eager = (x: Tensor) => ({ y: x.mul(w).tanh(), z: w.square().sum(), n: x.detach() });
    for (let i = 1; i < 5; i++) {
      const gradients = [f, eager].map((g) => {
        const x = tensor([0.1 * i, 0.2], { requiresGrad: true });
        w.grad = null;
        const r = g(x);
        expect([r.y.requiresGrad, r.z.requiresGrad, r.n.requiresGrad]).toEqual([true, true, false]);
        r.y.sum().mul(r.z).backward();
        return [list(x.grad!), list(w.grad!)];
      });
      expect(gradients[0]).toEqual(gradients[1]);
    }
    expect(f.traces()).toBe(1);
    expect(f(tensor([1, 1], { requiresGrad: true })).y.gradFn!.name).toBe('CompiledFunctionBackward');
  });

  test('that get no gradient count for nothing, though their slopes be infinite', () => {
    const results = (x: Tensor): Tensor[] => [x.sqrt(), x.mul(2), x.mul(x), x.log()];
    const f = compile(results);
    for (const used of [[1], [1, 2], [0, 1, 2, 3], [2], [0, 3], [1, 2]]) {
      const gradients = [f, results].map((g) => {
        const x = tensor([0, 1, 4], { requiresGrad: true });
        const ys = g(x);
        autograd.backward(
          used.map((i) => ys[i]!),
          used.map((i) => tensor([i + 1, 1, 2])),
        );
        return list(x.grad!);
      });
      expect(gradients[0]).toEqual(gradients[1]);
    }
    expect(f.traces()).toBe(1);
  });

  test('that require grad train as uncompiled ones do, with loss and optimiser outside', () => {
    const train = (wrap: (g: (x: Tensor) => Tensor) => (x: Tensor) => Tensor): unknown => {
      manualSeed(1);
      const net = new nn.Sequential(new nn.Linear(3, 5), new nn.Tanh(), new nn.Dropout(0.3), new nn.Linear(5, 2));
      const sgd = new optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
      const model = wrap((x) => net(x) as Tensor);
      const losses: number[] = [];
      for (let i = 0; i < 6; i++) {
        const loss = F.mseLoss(model(tensor([[i, 1, 2]])), tensor([[1, i]]));
        sgd.zeroGrad();
        loss.backward();
        sgd.step();
        losses.push(loss.itemSync());
      }
      return [losses, net.parameters().map((p) => list(p.detach()))];
    };
    expect(train((g) => compile(g))).toEqual(train((g) => g));
  });

  test('that require grad go backward once, unless the graph is retained', () => {
    const f = compile((x: Tensor) => x.square().sum());
    for (let i = 0; i < 3; i++) {
      const x = tensor([i], { requiresGrad: true });
      const y = f(x);
      y.backward(undefined, { retainGraph: true });
      y.backward();
      expect(list(x.grad!)).toEqual([4 * i]);
      expect(() => y.backward()).toThrow(/a second time/);
    }
  });

  test('that require grad can be views, written in place, and part of arguments’ histories', () => {
    const body = (x: Tensor): Tensor => x.mul(3).view([2, 1]).transpose(0, 1);
    const f = compile(body);
    for (let i = 1; i < 4; i++) {
      const [a, b] = [body, f].map((g) => {
        const x = tensor([i, 2], { requiresGrad: true });
        const y = g(x.mul(x));
        y.mul_(2);
        y.square().sum().backward();
        return [list(y.detach()), list(x.grad!)];
      });
      expect(b).toEqual(a);
    }
    expect(f.traces()).toBe(1);
  });

  test('hooks of the outside are called with real gradients', () => {
    const w = tensor([2], { requiresGrad: true });
    const seen: unknown[] = [];
    w.registerHook((g) => void seen.push(list(g)));
    const f = compile((x: Tensor) => x.mul(w).sum());
    for (let i = 1; i < 4; i++) f(tensor([i])).backward();
    expect(seen).toEqual([[1], [2], [3]]);
  });

  test('a gradient that is kept inside, or a hook that looks, runs fn in every call', () => {
    const seen: unknown[] = [];
    const f = compile((x: Tensor) => {
      const y = x.mul(2);
      y.registerHook((g) => void seen.push(list(g)));
      return y.sum();
    });
    for (let i = 0; i < 3; i++) f(tensor([i], { requiresGrad: true })).backward();
    expect(seen).toEqual([[1], [1], [1]]);
  });

  test('cannot be differentiated twice from outside, and say so', () => {
    const f = compile((x: Tensor) => x.pow(3).sum());
    const x = tensor([2], { requiresGrad: true });
    f(x);
    expect(() => f(x).backward(undefined, { createGraph: true })).toThrow(/cannot be differentiated again/);
  });
});

describe('whole steps', () => {
  const make = (order: 'first' | 'last' | 'never', steps = 1) => {
    const w = tensor([1, 2], { requiresGrad: true });
    const adam = new optim.Adam([w], { lr: 0.1 });
    const step = (x: Tensor): Tensor => {
      let loss = x;
      for (let i = 0; i < steps; i++) {
        if (order === 'first') adam.zeroGrad();
        loss = w.mul(x).square().sum();
        loss.backward();
        adam.step();
        if (order === 'last') adam.zeroGrad();
      }
      return loss.detach();
    };
    return { w, adam, step };
  };

  test.each([
    ['first', 1, 1],
    ['last', 1, 1],
    ['never', 1, 2],
    ['first', 2, 1],
    ['last', 3, 1],
  ] as const)('with zeroGrad %s and %i step() a call take %i traces', (order, steps, traces) => {
    const [e, c] = [make(order, steps), make(order, steps)];
    const f = compile(c.step);
    for (let i = 1; i < 7; i++) {
      expect(list(f(tensor([i, 1])))).toEqual(list(e.step(tensor([i, 1]))));
      expect(list(c.w.detach())).toEqual(list(e.w.detach()));
      expect(c.w.grad && list(c.w.grad)).toEqual(e.w.grad && list(e.w.grad));
      expect(c.adam.state.get(c.w)!.step).toBe(i * steps);
    }
    expect(f.traces()).toBe(traces);
  });

  test('may return the loss as it is: its graph is gone, as without compile', () => {
    const w = tensor([1, 2], { requiresGrad: true });
    const f = compile((x: Tensor) => {
      w.grad = null;
      const loss = w.mul(x).square().sum();
      loss.backward();
      return { loss, again: w.mul(3).sum() };
    });
    for (let i = 1; i < 4; i++) {
      const { loss, again } = f(tensor([i, 1]));
      expect([loss.requiresGrad, loss.itemSync(), list(w.grad!)]).toEqual([true, i * i + 4, [2 * i * i, 4]]);
      expect(() => loss.backward()).toThrow(/a second time/);
      again.backward();
      expect(list(w.grad!)).toEqual([2 * i * i + 3, 7]);
    }
    expect(f.traces()).toBe(1);
  });

  test('options of an optimiser that change what is recorded, new parameters and loaded state are recorded anew', () => {
    const make = () => {
      const [w, v] = [tensor([1, 2], { requiresGrad: true }), tensor([3], { requiresGrad: true })];
      const adam = new optim.Adam([w], { lr: 0.1 });
      const step = (): void => {
        adam.zeroGrad();
        w.mul(v).square().sum().backward();
        adam.step();
      };
      return { w, v, adam, step };
    };
    const [e, c] = [make(), make()];
    const f = compile(c.step);
    const changes: ((m: typeof e) => void)[] = [
      () => {},
      () => {},
      (m) => void Object.assign(m.adam.paramGroups[0]!, { lr: 0.2 }),
      (m) => void Object.assign(m.adam.paramGroups[0]!, { weightDecay: 0.5 }),
      (m) => void Object.assign(m.adam.paramGroups[0]!, { maximize: true }),
      (m) => m.adam.loadStateDict(structuredState(m.adam)),
      (m) => m.adam.addParamGroup({ params: [m.v] }),
      () => {},
    ];
    for (const change of changes) {
      for (const m of [e, c]) change(m);
      e.step();
      f();
      expect([list(c.w.detach()), list(c.v.detach())]).toEqual([list(e.w.detach()), list(e.v.detach())]);
    }
    // The first, one that finds a gradient of v, and one for each change but that of the rate.
    expect(f.traces()).toBe(6);
  });

  test('elements that the host draws into a parameter are drawn in every call', () => {
    const w = new nn.Parameter(zeros([3]));
    const body = (x: Tensor): Tensor => {
      nn.init.uniform_(w);
      return w.detach().add(x);
    };
    const [f, x] = [compile(body), zeros([3])];
    const drawnBy = (g: typeof body): unknown => {
      manualSeed(5);
      return [1, 2, 3].map(() => list(g(x)));
    };
    expect(drawnBy(f)).toEqual(drawnBy(body));
  });

  test('a compiled function inside of another is a part of it', () => {
    const inner = compile((x: Tensor) => x.mul(2));
    const outer = compile((x: Tensor) => inner(x).add(inner(x)));
    for (const v of [1, 2, 3]) expect(list(outer(tensor([v])))).toEqual([4 * v]);
    expect([outer.traces(), inner.traces()]).toEqual([1, 0]);
    expect(list(inner(tensor([1])))).toEqual([2]);
  });

  test('tensors that escaped from the recorded call keep their values', () => {
    const escaped: Tensor[] = [];
    const w = kept(tensor([1]));
    const f = compile((x: Tensor) => {
      noGrad(() => void w.mul_(2));
      const y = w.add(x);
      escaped.push(y, w.clone());
      return y.mul(1);
    });
    for (let i = 0; i < 6; i++) f(tensor([10]));
    expect(escaped.map(list)).toEqual([[12], [2]]);
    expect(list(w)).toEqual([64]);
  });
});

describe('explain', () => {
  test('tells specialisations, guards, segments and why fn ran again, as data and as text', () => {
    const net = new nn.Dropout(0.5);
    const f = compile((x: Tensor) => (x.sum().gt(0).itemSync() ? net(x) : x), { name: 'maybe' });
    f(tensor([1]));
    f(tensor([-1]));
    f(tensor([1, 2]));
    const told = f.explain();
    expect(told.calls).toBe(3);
    expect(told.traces).toBe(3);
    expect(told.specialisations.map((s) => s.arguments)).toEqual([{ 'args[0]': 'float32[1]' }, { 'args[0]': 'float32[2]' }]);
    expect(told.specialisations[0]!.root.branches.map((b) => b.value)).toEqual([1, 0]);
    expect(told.retraces.map((r) => r.reasons)).toEqual([
      [expect.stringMatching(/^saw 0 for the first time, after 1 at calls\.test\.ts:\d+$/)],
      ['0: size of dimension 0 of args[0]: expected 1, got 2'],
    ]);
    expect(String(told).split('\n')[0]).toMatch(/^compile\(maybe\) at calls\.test\.ts:\d+: 3 calls, 3 traces, 2 specialisations$/);
    expect(String(told)).toContain('if training of a Dropout is true');
  });

  test('FLUXION_LOG=guards,retraces tells the same as it happens', () => {
    vi.stubEnv('FLUXION_LOG', 'guards,retraces');
    const error = vi.spyOn(console, 'error').mockImplementation(() => {});
    const f = compile((x: Tensor) => x.sum(), { name: 'total' });
    f(ones([2]));
    f(ones([3]));
    vi.unstubAllEnvs();
    const texts = error.mock.calls.map(([text]) => String(text));
    expect(texts[0]).toMatch(
      /^compile\(total\) at calls\.test\.ts:\d+, specialisation 0:\n {2}for \w+, grad mode on\n {2}args\[0\]: float32\[2\]/,
    );
    expect(texts[1]).toMatch(/runs again to be recorded, in call 2:\n {2}0: size of dimension 0 of args\[0\]: expected 2, got 3/);
  });
});
