// What backward reads: saved-tensor hooks, checkpoints, residuals, and anomaly detection.
import { describe, expect, it } from 'vitest';
import { ArgumentError, AutogradError, autograd, compile, F, noGrad, rand, type Tensor, tensor } from '../../compiler/index.ts';

const leaf = (data: readonly number[]): Tensor => tensor(data, { requiresGrad: true });
const list = (t: Tensor | null): readonly number[] => [...(t!.dataSync() as Float32Array)];

describe('saved-tensor hooks', () => {
  it('pack each saved tensor once and unpack it for each backward', () => {
    const log: string[] = [];
    const x = leaf([1, 2]);
    const y = autograd.savedTensorsHooks(
      (t) => {
        log.push('pack');
        return list(t);
      },
      (data) => {
        log.push('unpack');
        return tensor(data);
      },
      () => x.mul(x).add(1).sum(),
    );
    expect(log).toEqual(['pack', 'pack']);
    y.backward(undefined, { retainGraph: true });
    y.backward();
    expect(log.filter((l) => l === 'unpack')).toHaveLength(4);
    expect(list(x.grad)).toEqual([4, 8]);
  });

  it('see results too, and leave gradients differentiable', () => {
    const x = leaf([0.5]);
    const y = autograd.savedTensorsHooks(
      (t) => t,
      (t: Tensor) => t,
      () => x.exp().mul(x),
    );
    const [g] = autograd.grad(y, [x], { createGraph: true });
    const [h] = autograd.grad(g!, [x]);
    expect(list(g!)[0]).toBeCloseTo(1.5 * Math.exp(0.5), 5);
    expect(list(h!)[0]).toBeCloseTo(2.5 * Math.exp(0.5), 5);
  });

  it('see nothing under noGrad', () => {
    let packed = 0;
    const x = leaf([1, 2]);
    autograd.savedTensorsHooks(
      (t) => {
        packed++;
        return t;
      },
      (t: Tensor) => t,
      () => noGrad(() => x.mul(x).exp().sum()),
    );
    expect(packed).toBe(0);
  });

  it('are refused where they are disabled, and for rubbish', () => {
    const same = (t: Tensor): Tensor => t;
    expect(() => autograd.disableSavedTensorsHooks('not here', () => autograd.savedTensorsHooks(same, same, () => 1))).toThrow(/not here/);
    const x = leaf([1, 2]);
    const through = (unpack: (t: Tensor) => Tensor): Tensor => autograd.savedTensorsHooks(same, unpack, () => x.exp().sum());
    expect(() => through(() => 3 as never).backward()).toThrow(ArgumentError);
    expect(() => through((t) => t.sum()).backward()).toThrow(AutogradError);
  });
});

describe('a checkpoint', () => {
  it('runs its function once more for each backward, with the same gradients', () => {
    let runs = 0;
    const [x, w] = [leaf([1, 2]), leaf([3, 4])];
    const f = (t: Tensor): Tensor => {
      runs++;
      return t.mul(w).exp().mul(t).sum();
    };
    f(x).backward();
    const plain = [list(x.grad), list(w.grad)];
    runs = 0;
    const [a, c] = [leaf([1, 2]), w];
    const y = autograd.checkpoint(f, a);
    y.backward(undefined, { retainGraph: true });
    expect(list(a.grad)).toEqual(plain[0]);
    expect(autograd.grad(y, [c]).map(list)).toEqual([plain[1]]);
    expect(runs).toBe(3);
  });

  it('draws the same random numbers, also when compiled code is replayed', () => {
    const step = (x: Tensor): Tensor => {
      const y = autograd.checkpoint(
        (t: Tensor) =>
          F.dropout(t.exp(), 0.5)
            .mul(rand([64]))
            .exp(),
        x,
      );
      y.sum().backward();
      return y;
    };
    const check = (run: (x: Tensor) => Tensor): void => {
      const x = leaf(new Array<number>(64).fill(0));
      const y = list(run(x));
      // y = exp(m e^x) with m from mask and noise, so dy/dx = y log y.
      list(x.grad).forEach((g, i) => void expect(g).toBeCloseTo(y[i]! * Math.log(y[i]!), 2));
    };
    check(step);
    const compiled = compile(step);
    for (let i = 0; i < 4; i++) check(compiled);
  });

  it('keeps what its policy names', () => {
    const seen: (string | undefined)[] = [];
    const x = leaf([1, 2]);
    const y = autograd.checkpointWith(
      {
        policy: (op) => {
          seen.push(op);
          return op === 'exp' ? 'mustSave' : 'preferRecompute';
        },
      },
      (t: Tensor) => t.exp().sin().sum(),
      x,
    );
    y.backward();
    expect(seen).toContain('exp');
    expect(list(x.grad)[0]).toBeCloseTo(Math.E * Math.cos(Math.E), 4);
  });

  it('of a function that changes is refused', () => {
    let runs = 0;
    const y = autograd.checkpoint((t: Tensor) => (runs++ === 0 ? t.exp().sum() : t.exp().exp().sum()), leaf([1]));
    expect(() => y.backward()).toThrow(/different number/);
  });

  it('of a sequence computes what the sequence does', () => {
    const layers = [(t: Tensor) => t.exp(), (t: Tensor) => t.sin(), (t: Tensor) => t.mul(t)];
    const [x, z] = [leaf([0.3]), leaf([0.3])];
    autograd.checkpointSequential(layers, 2, x).backward();
    layers.reduce((t, layer) => layer(t), z).backward();
    expect(list(x.grad)).toEqual(list(z.grad));
  });
});

describe('residuals', () => {
  it('are listed once each, with what they take', () => {
    const x = leaf([1, 2]);
    const found = autograd.savedResiduals((t: Tensor) => t.exp().mul(t).add(1).sum(), x);
    expect(found.map(({ shape, dtype, bytes, savedBy, madeBy }) => ({ shape, dtype, bytes, savedBy, madeBy }))).toEqual([
      { shape: [2], dtype: 'float32', bytes: 8, savedBy: 'exp', madeBy: 'exp' },
      { shape: [2], dtype: 'float32', bytes: 8, savedBy: 'mul', madeBy: 'AccumulateGrad' },
    ]);
    expect(found[0]!.line).toMatch(/^autograd-saved\.test\.ts:\d+$/);
  });
});

describe('anomaly detection', () => {
  it('names the function and the line that made a gradient NaN', () => {
    const x = leaf([-1]);
    const run = (): void => x.sqrt().sum().backward();
    expect(() => autograd.detectAnomaly(run as () => undefined)).toThrow(/SqrtBackward0.*nan.*autograd-saved\.test\.ts:\d+/);
    expect(autograd.isAnomalyEnabled()).toBe(false);
    expect(run).not.toThrow();
    expect(() => autograd.detectAnomaly(run as () => undefined, { checkNaN: false })).not.toThrow();
  });
});
