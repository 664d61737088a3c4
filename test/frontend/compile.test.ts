import { describe, expect, it } from 'vitest';
import { noGrad } from '../../compiler/frontend/autograd/mode.ts';
import { onRun } from '../../compiler/frontend/boundary.ts';
import { compile } from '../../compiler/frontend/compile.ts';
import { randn, tensor } from '../../compiler/frontend/creation.ts';
import { dropout } from '../../compiler/frontend/functional/dropout.ts';
import { Dropout } from '../../compiler/frontend/nn/index.ts';
import { manualSeed } from '../../compiler/frontend/random.ts';
import { hostAction, hostSlot } from '../../compiler/frontend/record.ts';
import { kept } from '../../compiler/frontend/state.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import '../../compiler/frontend/tensor.ts';
import { apply } from '../../compiler/frontend/op.ts';
import { broadcastTo } from '../../compiler/frontend/operands.ts';
import { b } from '../../compiler/ir/builder.ts';
import { descend, forget, lossOf, model, parametersOf, wave } from './loops.ts';

/** How many Programs run while f does. */
function runsOf(f: () => void): number {
  let runs = 0;
  const stop = onRun(() => void runs++);
  f();
  stop();
  return runs;
}

describe('a compiled function', () => {
  it('runs the user function once per signature', () => {
    let calls = 0;
    const f = compile((x: Tensor, y: Tensor) => {
      calls++;
      return x.mul(y).add(1);
    });
    for (let i = 0; i < 5; i++) expect(f(tensor([1, 2]), tensor([i, i])).tolistSync()).toEqual([i + 1, 2 * i + 1]);
    expect(calls).toBe(1);
    f(tensor([1, 2, 3]), tensor([1, 2, 3]));
    expect(calls).toBe(2);
    expect(f.traces()).toBe(2);
  });

  it('takes structures of tensors and gives them back', () => {
    const f = compile((p: { a: Tensor; list: Tensor[] }) => ({ sum: p.a.add(p.list[0]!), name: 'x' }));
    for (let i = 0; i < 3; i++) {
      const r = f({ a: tensor([i]), list: [tensor([10])] });
      expect(r.name).toBe('x');
      expect(r.sum.tolistSync()).toEqual([i + 10]);
    }
    expect(f.traces()).toBe(1);
  });

  it('trains as the eager loop does, bit for bit, and writes state and gradients', () => {
    const [eager, compiled] = [model(), model()];
    const [x, y] = [kept(wave(8, 3, 5)), kept(wave(8, 2, 7))];
    const step = (m: typeof eager) => (): Tensor => {
      const ps = parametersOf(m);
      forget(ps);
      const loss = lossOf(m, x, y);
      loss.backward();
      descend(ps);
      return loss.detach();
    };
    const [a, c] = [step(eager), compile(step(compiled))];
    for (let i = 0; i < 20; i++) {
      expect(c().itemSync()).toBe(a().itemSync());
      parametersOf(eager).forEach((p, k) => {
        const twin = parametersOf(compiled)[k]!;
        expect(twin.grad!.tolistSync()).toEqual(p.grad!.tolistSync());
        if (i % 3 === 0) expect(twin.tolistSync()).toEqual(p.tolistSync());
      });
    }
    expect(c.traces()).toBe(1);
  });

  it('never lets a value that was handed out change under a later replay', () => {
    const w = kept(tensor([1, 2]));
    const f = compile(() => {
      noGrad(() => void w.mul_(2));
      return w.add(0);
    });
    const seen = [f(), f(), f(), f()];
    const copies = [0, 1, 2].map((replays) => {
      for (let i = 0; i < replays; i++) f();
      return w.clone();
    });
    expect(seen.map((t) => t.tolistSync())).toEqual([
      [2, 4],
      [4, 8],
      [8, 16],
      [16, 32],
    ]);
    expect(copies.map((t) => t.tolistSync())).toEqual([
      [16, 32],
      [32, 64],
      [128, 256],
    ]);
  });

  it('reads captured tensors anew, and gives arguments and captures back as themselves', () => {
    const c = kept(tensor([1]));
    const f = compile((x: Tensor) => ({ x, c, sum: x.add(c) }));
    const x = tensor([5]);
    f(x);
    noGrad(() => void c.fill_(7));
    const r = f(x);
    expect(r.x).toBe(x);
    expect(r.c).toBe(c);
    expect(r.sum.tolistSync()).toEqual([12]);
  });

  it('draws and drops anew in every replay', () => {
    manualSeed(3);
    const f = compile(() => ({ noise: randn([4]), kept: dropout(tensor(Array(64).fill(1)), 0.5) }));
    const [a, c] = [f(), f()];
    expect(f.traces()).toBe(1);
    expect(a.noise.tolistSync()).not.toEqual(c.noise.tolistSync());
    expect(a.kept.tolistSync()).not.toEqual(c.kept.tolistSync());
    manualSeed(3);
    const again = f();
    expect(again.noise.tolistSync()).toEqual(a.noise.tolistSync());
  });

  it('reads numbers of the library anew, and repeats what the host did', () => {
    let count = 0;
    const f = compile((x: Tensor) => {
      hostAction(() => void count++);
      return apply('scale', [x], (v) =>
        b.mul(
          v,
          broadcastTo(
            hostSlot(() => count * 10, 'f32'),
            x.shape,
          ),
        ),
      );
    });
    expect([f(tensor([1])), f(tensor([1])), f(tensor([1]))].map((t) => t.itemSync())).toEqual([10, 20, 30]);
    expect(f.traces()).toBe(1);
  });

  it('that observes a value runs on every call, and is right', () => {
    let calls = 0;
    const f = compile((x: Tensor) => {
      calls++;
      return x.sum().itemSync() > 0 ? x.mul(2) : x.neg();
    });
    expect(f(tensor([1])).tolistSync()).toEqual([2]);
    expect(f(tensor([-1])).tolistSync()).toEqual([1]);
    expect(calls).toBe(2);
  });

  it('passes gradients through its results', () => {
    const f = compile((x: Tensor) => x.mul(x).sum());
    for (let i = 0; i < 3; i++) {
      const x = tensor([1, 2 + i], { requiresGrad: true });
      f(x).backward();
      expect(x.grad!.tolistSync()).toEqual([2, 4 + 2 * i]);
    }
  });

  it('that throws caches nothing', () => {
    let fail = true;
    const f = compile((x: Tensor) => {
      if (fail) throw new Error('no');
      return x.add(1);
    });
    expect(() => f(tensor([1]))).toThrow('no');
    fail = false;
    expect(f(tensor([1])).tolistSync()).toEqual([2]);
  });

  it('runs one Program a call', () => {
    const w = kept(tensor([1, 2]));
    const f = compile((x: Tensor) => {
      noGrad(() => void w.add_(x));
      return w.mul(3);
    });
    const x = kept(tensor([1, 1]));
    f(x);
    f(x);
    expect(runsOf(() => void f(x))).toBe(0);
    expect(w.tolistSync()).toEqual([4, 5]);
  });
});

describe('the mode of a module', () => {
  it('is checked before each replay', () => {
    const net = new Dropout(0.5);
    const f = compile((x: Tensor) => net(x));
    const x = kept(tensor(Array(64).fill(1)));
    expect(f(x).sum().itemSync()).not.toBe(64);
    net.eval();
    expect(f(x).sum().itemSync()).toBe(64);
    expect(f(x).sum().itemSync()).toBe(64);
    net.train();
    expect(f(x).tolistSync()).not.toEqual(f(x).tolistSync());
    expect(f.traces()).toBe(2);
  });
});
