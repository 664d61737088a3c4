import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { noGrad } from '../../compiler/frontend/autograd/mode.ts';
import { stepBoundary } from '../../compiler/frontend/boundary.ts';
import { tensor, zeros } from '../../compiler/frontend/creation.ts';
import { mseLoss } from '../../compiler/frontend/functional/loss.ts';
import { Adam, ExponentialLR, SGD } from '../../compiler/frontend/optim/index.ts';
import { kept, stateZeros } from '../../compiler/frontend/state.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import '../../compiler/frontend/tensor.ts';
import { onCompile } from '../../compiler/jit/structure.ts';
import { chainLength, isThorough, runs } from '../effort.ts';
import { costOf, descend, forget, forward, hiddenOf, lossOf, model, parametersOf, wave } from './loops.ts';

const rounds = runs(400);
const x = kept(wave(8, 3, 5));
const y = kept(wave(8, 2, 7));

describe('a training loop written without compile', () => {
  it('compiles one Program for SGD', async () => {
    const m = model();
    const ps = parametersOf(m);
    const cost = await costOf(rounds, () => {
      forget(ps);
      lossOf(m, x, y).backward();
      descend(ps);
    });
    expect(cost).toMatchObject({ programs: 1, late: 0 });
  });

  it('needs no other Program when the learning rate changes every step', async () => {
    const m = model();
    const ps = parametersOf(m);
    const cost = await costOf(rounds, (i) => {
      forget(ps);
      lossOf(m, x, y).backward();
      descend(ps, 0.1 / (1 + i));
    });
    expect(cost).toMatchObject({ programs: 1, late: 0 });
  });

  it('stores what backward needs once the loss was observed before it', async () => {
    const m = model();
    const ps = parametersOf(m);
    const losses: number[] = [];
    const cost = await costOf(rounds, () => {
      forget(ps);
      const loss = lossOf(m, x, y);
      losses.push(loss.itemSync());
      loss.backward();
      descend(ps);
    });
    expect(cost.late).toBe(0);
    expect(cost.programs).toBeLessThanOrEqual(5);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  });

  it('costs nothing more to look at the loss after the step, always or every tenth time', async () => {
    for (const every of isThorough ? [1, 10] : [10]) {
      const m = model();
      const ps = parametersOf(m);
      const cost = await costOf(rounds, (i) => {
        forget(ps);
        const loss = lossOf(m, x, y);
        loss.backward();
        descend(ps);
        if (i % every === 0) loss.itemSync();
      });
      expect(cost).toMatchObject({ programs: 1, late: 0 });
    }
  });

  it('stores logits once they were compared after the step', async () => {
    const m = model();
    const ps = parametersOf(m);
    const labels = kept(tensor([0, 1, 0, 1, 0, 1, 0, 1], { dtype: 'int64' }));
    const cost = await costOf(rounds, () => {
      forget(ps);
      const logits = forward(m, x);
      mseLoss(logits, y).backward();
      descend(ps);
      logits.argmax(1).eq(labels).sum().itemSync();
    });
    expect(cost.late).toBe(0);
    expect(cost.programs).toBeLessThanOrEqual(5);
  });

  it('accumulates four micro-batches', async () => {
    const m = model();
    const ps = parametersOf(m);
    const cost = await costOf(rounds, () => {
      forget(ps);
      for (let k = 0; k < 4; k++) lossOf(m, x, y).div(4).backward();
      descend(ps);
    });
    expect(cost).toMatchObject({ programs: 1, late: 0 });
  });

  it('clips by a norm on the device, and by one read on the host', async () => {
    for (const onHost of [false, true]) {
      const m = model();
      const ps = parametersOf(m);
      const cost = await costOf(rounds, () => {
        forget(ps);
        lossOf(m, x, y).backward();
        noGrad(() => {
          const norm = ps
            .map((p) => p.grad!.square().sum())
            .reduce((a, b) => a.add(b))
            .sqrt();
          const factor = onHost ? Math.min(1, 0.1 / norm.itemSync()) : norm.reciprocal().mul(0.1).clamp(null, 1);
          for (const p of ps) p.grad!.mul_(factor);
        });
        descend(ps);
      });
      expect(cost.late).toBe(0);
      expect(cost.programs).toBeLessThanOrEqual(onHost ? 5 : 1);
    }
  });

  it('evaluates in between', async () => {
    const m = model();
    const ps = parametersOf(m);
    const cost = await costOf(rounds, (i) => {
      forget(ps);
      lossOf(m, x, y).backward();
      descend(ps);
      if (i % 5 === 4) noGrad(() => lossOf(m, x, y).itemSync());
    });
    expect(cost.late).toBe(0);
    expect(cost.programs).toBeLessThanOrEqual(3);
  });

  it('trains two networks on a shared sample', async () => {
    const [g, d] = [model(), model()];
    const cost = await costOf(rounds, () => {
      const fake = forward(g, x);
      const padded = fake.matmul(
        tensor([
          [1, 0, 1],
          [0, 1, 1],
        ]),
      );
      forget(parametersOf(d));
      lossOf(d, padded.detach(), y).backward();
      descend(parametersOf(d));
      forget(parametersOf(g));
      lossOf(d, padded, y).backward();
      descend(parametersOf(g));
    });
    expect(cost.late).toBe(0);
    expect(cost.programs).toBeLessThanOrEqual(5);
  });

  it('keeps a moving average of the weights, in place and by rebinding', async () => {
    for (const inPlace of [true, false]) {
      const m = model();
      const ps = parametersOf(m);
      let average = ps.map((p) => kept(p.detach().clone()));
      const cost = await costOf(rounds, () => {
        forget(ps);
        lossOf(m, x, y).backward();
        descend(ps);
        noGrad(() => {
          if (inPlace) for (const [i, a] of average.entries()) a.mul_(0.9).add_(ps[i]!, { alpha: 0.1 });
          else average = average.map((a, i) => a.mul(0.9).add(ps[i]!.mul(0.1)));
        });
      });
      expect(cost.late).toBe(0);
      expect(cost.programs).toBeLessThanOrEqual(5);
    }
  });

  it('ties weights and operates on them under noGrad', async () => {
    const w = kept(wave(3, 3)).requiresGrad_();
    const target = kept(wave(8, 3));
    const cost = await costOf(rounds, () => {
      forget([w]);
      mseLoss(x.matmul(w).tanh().matmul(w.t()), target).backward();
      descend([w]);
      noGrad(() => void w.index(0).mul_(0.99));
    });
    expect(cost.late).toBe(0);
    expect(cost.programs).toBeLessThanOrEqual(2);
  });

  it('sums a metric for ever without a look', async () => {
    const m = model();
    const ps = parametersOf(m);
    let total: Tensor = zeros([]);
    const cost = await costOf(rounds, () => {
      forget(ps);
      const loss = lossOf(m, x, y);
      loss.backward();
      descend(ps);
      total = total.add(loss.detach());
    });
    expect(cost.late).toBe(0);
    expect(cost.programs).toBeLessThanOrEqual(5);
    expect(Number.isFinite(total.itemSync())).toBe(true);
  });

  it('interleaves two async loops', async () => {
    const ms = [model(), model()];
    const alone = model();
    const train = async (m: ReturnType<typeof model>, count: number): Promise<void> => {
      const ps = parametersOf(m);
      for (let i = 0; i < count; i++) {
        forget(ps);
        const loss = lossOf(m, x, y);
        await null;
        loss.backward();
        await null;
        descend(ps);
      }
    };
    const cost = await costOf(1, async () => void (await Promise.all(ms.map((m) => train(m, rounds)))));
    await train(alone, rounds);
    expect(cost.programs).toBeLessThanOrEqual(6);
    for (const m of ms) expect(m.w1.tolistSync()).toEqual(alone.w1.tolistSync());
  });
});

describe('optimisers', () => {
  it.runIf(isThorough)('need one Program for Adam, through the step at which its bias correction becomes exactly 1', async () => {
    const m = model();
    const adam = new Adam(parametersOf(m), { lr: 0.01 });
    const cost = await costOf(400, () => {
      adam.zeroGrad();
      lossOf(m, x, y).backward();
      adam.step();
    });
    expect(cost).toMatchObject({ programs: 1, late: 0 });
  });

  it('need one Program under a learning rate schedule, with momentum and weight decay', async () => {
    const m = model();
    const sgd = new SGD(parametersOf(m), { lr: 0.1, momentum: 0.9, weightDecay: 1e-3 });
    const schedule = new ExponentialLR(sgd, 0.99);
    const cost = await costOf(rounds, () => {
      lossOf(m, x, y).backward();
      sgd.step();
      sgd.zeroGrad();
      schedule.step();
    });
    expect(cost).toMatchObject({ programs: 1, late: 0 });
  });
});

describe('the set of Programs', () => {
  /** Graph texts, without the user's lines, of what a loop compiles that observes now and then. */
  async function graphsOf(each: () => void): Promise<string[]> {
    stepBoundary();
    const graphs: string[] = [];
    const stop = onCompile((e) => void graphs.push(e.program.notes.graph.replaceAll(/ loc\("[^"]*"\)/g, '')));
    const m = model();
    const adam = new Adam(parametersOf(m), { lr: 0.01 });
    let total: Tensor = zeros([]);
    await costOf(runs(60), (i) => {
      adam.zeroGrad();
      const logits = forward(m, x);
      const loss = mseLoss(logits, y);
      if (i % 3 === 0) loss.itemSync();
      loss.backward();
      adam.step();
      if (i % 7 === 0) logits.dataSync();
      total = total.add(loss.detach());
      each();
    });
    stop();
    return graphs;
  }

  it('is the same with and without forced collections', async () => {
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    expect(await graphsOf(collect)).toEqual(await graphsOf(() => {}));
  });
});

describe('values observed after the step', () => {
  it('are those of before it: logits, hidden activations, gradients, old parameters', () => {
    for (const delay of [1, 10]) {
      const m = model();
      const ps = parametersOf(m);
      const held: { logits: Tensor; hidden: Tensor; gradient: Tensor; weight: Tensor }[] = [];
      const expected: typeof held = [];
      const reference = model();
      for (let i = 0; i < 12; i++) {
        forget(ps);
        const hidden = hiddenOf(m, x);
        const logits = hidden.matmul(m.w2).add(m.b2);
        mseLoss(logits, y).backward();
        held.push({ logits, hidden, gradient: m.w1.grad!, weight: m.w1.detach().clone() });
        descend(ps);
        if (i >= delay - 1) held[i - delay + 1]!.logits.dataSync();
      }
      for (let i = 0; i < 12; i++) {
        forget(parametersOf(reference));
        const hidden = hiddenOf(reference, x);
        const logits = hidden.matmul(reference.w2).add(reference.b2);
        mseLoss(logits, y).backward();
        const all = { logits, hidden, gradient: reference.w1.grad!, weight: reference.w1.detach().clone() };
        for (const t of Object.values(all)) t.dataSync();
        expected.push(all);
        descend(parametersOf(reference));
      }
      held.forEach((h, i) => {
        for (const key of ['logits', 'hidden', 'gradient', 'weight'] as const) {
          const got = h[key].dataSync();
          const want = expected[i]![key].dataSync();
          for (const [j, v] of got.entries()) expect(Math.abs(Number(v) - Number(want[j]!)), `${key} of step ${i}`).toBeLessThan(1e-5);
        }
      });
    }
  });
});

describe('a Program', () => {
  it('is given what it reads, not what else was recorded beside it', () => {
    const [used, unused] = [kept(wave(2, 3)), kept(wave(5, 7))];
    unused.mul(3).add(1);
    const inputs: string[] = [];
    const stop = onCompile((e) => void inputs.push(`${e.program.inputs.length} and ${e.program.slots.length}`));
    const sum = used.mul(2).sum();
    unused.sub(4);
    expect(sum.itemSync()).toBeCloseTo(2 * [...used.dataSync()].reduce<number>((n, v) => n + Number(v), 0), 5);
    stop();
    expect(inputs).toEqual(['1 and 1']);
  });
});

describe('a boundary that fails', () => {
  it('leaves every tensor as it was, and the next step works', () => {
    const w = kept(wave(3, 3)).requiresGrad_();
    const before = w.tolistSync();
    const index = tensor([0, 9], { dtype: 'int64' });
    noGrad(() => void w.sub_(w.indexSelect(0, index).sum(0)));
    expect(() => stepBoundary()).toThrow(/index 9/);
    expect(w.tolistSync()).toEqual(before);
    noGrad(() => void w.mul_(2));
    stepBoundary();
    expect(w.tolistSync()).not.toEqual(before);
  });
});

describe('a loop without any observation', () => {
  it.runIf(isThorough)('is flushed where the loop begins again, and neither grows nor is computed twice', async () => {
    let s = stateZeros([4], 'f32');
    const step = kept(tensor([1, 2, 3, 4]));
    const cost = await costOf(runs(20_000), () => {
      s = s.mul(0.5).add(step);
    });
    expect(cost.programs).toBeLessThanOrEqual(6);
    expect(s.tolistSync()).toEqual([2, 4, 6, 8]);
  });

  it.runIf(isThorough)('of one op very many times over gives the right value and gradient', () => {
    const w = tensor([1, 2], { requiresGrad: true });
    let v: Tensor = w;
    for (let i = 0; i < chainLength; i++) v = v.add(1);
    v.sum().backward();
    expect(v.tolistSync()).toEqual([chainLength + 1, chainLength + 2]);
    expect(w.grad!.tolistSync()).toEqual([1, 1]);
  });
});
