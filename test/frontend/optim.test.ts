// Optimisers, schedulers and clipping: PyTorch's trajectories (test/oracle), and what must not change from step to step.
import { describe, expect, test, vi } from 'vitest';
import { compile } from '../../compiler/frontend/compile.ts';
import { ones, randint, randn, tensor, zeros } from '../../compiler/frontend/creation.ts';
import { DataLoader, TensorDataset } from '../../compiler/frontend/data/index.ts';
import { crossEntropy } from '../../compiler/frontend/functional/loss.ts';
import { BatchNorm1d, Dropout, Linear, ReLU, Sequential } from '../../compiler/frontend/nn/index.ts';
import {
  Adam,
  AdamW,
  CosineAnnealingLR,
  clipGradNorm_,
  clipGradValue_,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  MultiStepLR,
  OneCycleLR,
  ReduceLROnPlateau,
  SGD,
  StepLR,
} from '../../compiler/frontend/optim/index.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { ArgumentError, AutogradError, KeyError, ShapeError } from '../../runtime/errors.ts';
import { isThorough, runs } from '../effort.ts';
import { difference, readOracle, type Stored, tensorOf } from '../oracle/tensors.ts';
import { costOf } from './loops.ts';

type Trajectory = {
  readonly name: string;
  readonly optimizer: string;
  readonly options: object;
  readonly groups?: object;
  readonly steps: readonly (readonly (number | string)[])[];
};
type Schedule = { readonly name: string; readonly options: Readonly<Record<string, never>>; readonly rates: readonly number[] };
type Clip = {
  readonly name: string;
  readonly args: Readonly<Record<string, number | string>>;
  readonly gradients: readonly Stored[];
  readonly total: Stored | null;
  readonly clipped: readonly Stored[];
};
const oracle = readOracle<{
  readonly start: { readonly w: Stored; readonly b: Stored };
  readonly cases: readonly Trajectory[];
  readonly schedules: readonly Schedule[];
  readonly clips: readonly Clip[];
}>('optimizers');

const param = (values: readonly number[]): Tensor => tensor(values, { requiresGrad: true });
/** One step along a gradient that is given. */
function stepWith(optimizer: { step(): undefined }, p: Tensor, gradient: readonly number[]): number[] {
  p.grad = tensor(gradient);
  optimizer.step();
  return p.tolistSync() as number[];
}

describe('trajectories of PyTorch', () => {
  const kinds = { SGD, Adam, AdamW } as const;
  const chaosFrom = 5;
  const supported = oracle.cases.filter((c) => Object.hasOwn(kinds, c.optimizer));

  test('there are some of each', () => {
    for (const kind of Object.keys(kinds)) expect(supported.some((c) => c.optimizer === kind)).toBe(true);
  });

  test.each(supported.map((c) => [c.name, c] as const))('%s', (_name, { optimizer: kind, options, groups, steps }) => {
    const w = tensorOf(oracle.start.w, true);
    const b = tensorOf(oracle.start.b, true);
    const c = tensor([1, 2, 3, 4, 5, 6]).div(8).reshape([2, 3]);
    const params = groups === undefined ? [w, b] : [{ params: [w] }, { params: [b], ...groups }];
    const optimizer = kind === 'SGD' ? new SGD(params, options) : kind === 'Adam' ? new Adam(params, options) : new AdamW(params, options);
    steps.forEach((expected, k) => {
      optimizer.zeroGrad();
      w.mul(w)
        .mul(c)
        .sum()
        .add(
          b
            .mul(k + 1)
            .sin()
            .sum(),
        )
        .backward();
      optimizer.step();
      // The loss of b bends as k^2, so that a rounding error in its last place grows to the size of b within ten steps.
      const compared = k < chaosFrom ? [...w.dataSync(), ...b.dataSync()] : [...w.dataSync()];
      compared.forEach((x, i) => {
        const want = Number(expected[i]);
        expect(Math.abs(Number(x) - want), `step ${k + 1}, element ${i}: ${x}, not ${want}`).toBeLessThan(
          1e-5 * Math.max(1, Math.abs(want)),
        );
      });
    });
  });
});

describe('numbers of an update', () => {
  test('Adam passes step 356, where its first bias correction becomes exactly 1', () => {
    expect(1 - 0.9 ** 356).toBe(1);
    const p = param([1]);
    const adam = new Adam([p], { lr: 0.001 });
    for (let k = 0; k < 400; k++) stepWith(adam, p, [1]);
    expect(p.itemSync()).toBeCloseTo(1 - 0.4, 3);
  });

  test('a rate that is assigned counts from the next step on', () => {
    const p = param([1]);
    const sgd = new SGD([p], { lr: 0.5 });
    expect(stepWith(sgd, p, [1])).toEqual([0.5]);
    sgd.paramGroups[0]!.lr = 0.25;
    expect(stepWith(sgd, p, [1])).toEqual([0.25]);
  });

  test('a compiled step reads rates and bias corrections anew, and a scheduler inside it acts on the next step', () => {
    const eager = param([1, 2]);
    const replayed = param([1, 2]);
    const train = (p: Tensor, run: <A extends unknown[], R>(f: (...a: A) => R) => (...a: A) => R): number[] => {
      const adam = new Adam([p], { lr: 0.1 });
      const schedule = new ExponentialLR(adam, 0.5);
      const step = run((x: Tensor) => {
        adam.zeroGrad();
        p.mul(p).mul(x).sum().backward();
        adam.step();
        schedule.step();
      });
      for (let k = 0; k < 6; k++) step(tensor([1, k + 1]));
      expect(adam.paramGroups[0]!.lr).toBe(0.1 * 0.5 ** 6);
      expect(adam.state.get(p)!.step).toBe(6);
      return p.tolistSync() as number[];
    };
    const expected = train(eager, (f) => f);
    expect(train(replayed, (f) => compile(f))).toEqual(expected);
  });

  test('a parameter without gradient stays, and keeps its own count of steps', () => {
    const [a, b] = [param([1]), param([1])];
    const adam = new Adam([a, b], { lr: 0.1 });
    stepWith(adam, a, [1]);
    expect(b.itemSync()).toBe(1);
    b.grad = tensor([1]);
    adam.step();
    expect([adam.state.get(a)!.step, adam.state.get(b)!.step]).toEqual([2, 1]);
    expect(b.itemSync()).toBeCloseTo(0.9, 6);
  });

  test('float64 parameters are updated in float64', () => {
    const p = tensor([1], { dtype: 'float64', requiresGrad: true });
    const sgd = new SGD([p], { lr: 0.1 });
    p.grad = tensor([1], { dtype: 'float64' });
    sgd.step();
    expect(p.itemSync()).toBe(0.9);
  });

  test('dampening spares the first direction, also in a compiled step', () => {
    const run = (wrap: (f: () => void) => () => void): number => {
      const p = param([0]);
      const sgd = new SGD([p], { lr: 1, momentum: 0.5, dampening: 0.5 });
      const step = wrap(() => {
        sgd.zeroGrad();
        p.sum().backward();
        sgd.step();
      });
      step();
      step();
      step();
      return p.itemSync();
    };
    // Directions 1, 0.5 + 0.5, 0.5 + 0.5.
    expect(run((f) => f)).toBe(-3);
    expect(run((f) => compile(f))).toBe(-3);
  });
});

describe('an optimiser', () => {
  test('gives back what the closure gives, which runs with gradients on', () => {
    const p = param([2]);
    const sgd = new SGD([p], { lr: 0.1 });
    const loss = sgd.step(() => {
      sgd.zeroGrad();
      const l = p.mul(p).sum();
      l.backward();
      return l;
    });
    expect(loss.itemSync()).toBe(4);
    expect(p.itemSync()).toBeCloseTo(1.6, 6);
  });

  test('drops gradients, or fills them with zeros in place', () => {
    const p = param([2]);
    const sgd = new SGD([p]);
    p.grad = tensor([3]);
    const { grad } = p;
    sgd.zeroGrad({ setToNull: false });
    expect(grad.tolistSync()).toEqual([0]);
    expect(p.grad).toBe(grad);
    sgd.zeroGrad();
    expect(p.grad).toBeNull();
  });

  test('goes on from its state dict as if nothing had happened', () => {
    const make = (p: Tensor): Adam => new Adam([{ params: [p], lr: 0.05 }], { lr: 0.1, amsgrad: true });
    const [p, q] = [param([1, -2]), param([1, -2])];
    const [first, other] = [make(p), make(p)];
    for (let k = 1; k < 4; k++) stepWith(first, p, [k, 1 / k]);
    const saved = first.stateDict();
    expect(saved.paramGroups[0]).toMatchObject({ lr: 0.05, betas: [0.9, 0.999], amsgrad: true, params: [0] });
    expect(Object.keys(saved.state[0]!)).toEqual(['step', 'expAvg', 'expAvgSq', 'maxExpAvgSq']);
    other.loadStateDict(saved);
    const before = p.tolistSync();
    const expected = stepWith(first, p, [1, 1]);
    // The loaded moments are copies, so the step of the first has not moved them.
    q.data; // no state of its own
    const r = param(before as number[]);
    const resumed = make(r);
    resumed.loadStateDict(other.stateDict());
    expect(stepWith(resumed, r, [1, 1])).toEqual(expected);
    expect(resumed.state.get(r)!.step).toBe(4);
  });

  test('loads nothing that does not fit', () => {
    const p = param([1, 2]);
    const adam = new Adam([p]);
    stepWith(adam, p, [1, 1]);
    const { state, paramGroups } = adam.stateDict();
    const untouched = (): void => {
      expect(adam.state.get(p)!.step).toBe(1);
      expect(adam.paramGroups[0]!.lr).toBe(1e-3);
    };
    expect(() => adam.loadStateDict({ state, paramGroups: [] })).toThrow(/parameter groups/);
    expect(() => adam.loadStateDict({ state, paramGroups: [{ ...paramGroups[0]!, params: [0, 1] }] })).toThrow(ArgumentError);
    expect(() => adam.loadStateDict({ state: { 0: { step: 3, expAvg: zeros([5]) } }, paramGroups })).toThrow(ShapeError);
    expect(() => adam.loadStateDict({ state, paramGroups: [{ ...paramGroups[0]!, lr: -1 }] })).toThrow(/Invalid learning rate/);
    expect(() => adam.loadStateDict({ state, paramGroups: [{ ...paramGroups[0]!, learning_rate: 1 }] })).toThrow(KeyError);
    untouched();
  });

  test('is not polluted by hostile keys', () => {
    const p = param([1]);
    const adam = new Adam([p]);
    const hostile = JSON.parse('{"params": [0], "__proto__": {"polluted": 1}}') as { params: number[] };
    expect(() => adam.loadStateDict({ state: {}, paramGroups: [hostile] })).toThrow(KeyError);
    const entry = JSON.parse('{"step": 1, "__proto__": {"polluted": 1}}') as { step: number };
    expect(() => adam.loadStateDict({ state: { 0: entry }, paramGroups: adam.stateDict().paramGroups })).toThrow(KeyError);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('calls its hooks around the step, until they are removed', () => {
    const p = param([1]);
    const sgd = new SGD([p]);
    const calls: string[] = [];
    const before = sgd.registerStepPreHook(() => void calls.push('before'));
    sgd.registerStepPostHook(() => void calls.push('after'));
    stepWith(sgd, p, [1]);
    before.remove();
    stepWith(sgd, p, [1]);
    expect(calls).toEqual(['before', 'after', 'after']);
  });

  test('updates a parameter once that one group names twice, and says so', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const p = param([1]);
    const sgd = new SGD([p, p], { lr: 0.5 });
    expect(stepWith(sgd, p, [1])).toEqual([0.5]);
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
  });

  test('takes on more parameters later', () => {
    const [p, q] = [param([1]), param([1])];
    const sgd = new SGD([p], { lr: 0.5 });
    sgd.addParamGroup({ params: q, lr: 0.25 });
    q.grad = tensor([1]);
    expect(stepWith(sgd, p, [1])).toEqual([0.5]);
    expect(q.itemSync()).toBe(0.75);
  });

  const p = ones([2]);
  const q = ones([2], { requiresGrad: true });
  const any = (x: unknown): never => x as never;
  test.each<[string, () => unknown, RegExp, new (...a: never[]) => Error]>([
    ['no parameters', () => new SGD([]), /empty parameter list/, ArgumentError],
    ['one tensor', () => new SGD(any(p)), /iterable/, ArgumentError],
    ['numbers', () => new SGD(any([1])), /a group is an object with params/, ArgumentError],
    ['numbers in a group', () => new SGD(any([{ params: [1] }])), /one of the params is number/, ArgumentError],
    ['a result of an op', () => new SGD([q.mul(2)]), /can't optimize a non-leaf/, AutogradError],
    ['a parameter in two groups', () => new SGD([{ params: [p] }, { params: [p] }]), /more than one parameter group/, ArgumentError],
    ['a negative rate', () => new SGD([p], { lr: -1 }), /Invalid learning rate: -1/, ArgumentError],
    ['NaN as a rate', () => new Adam([p], { lr: Number.NaN }), /Invalid learning rate: NaN/, ArgumentError],
    ['a negative momentum', () => new SGD([p], { momentum: -1 }), /Invalid momentum value/, ArgumentError],
    ['nesterov without momentum', () => new SGD([p], { nesterov: true }), /Nesterov momentum requires/, ArgumentError],
    ['a beta of 1', () => new Adam([p], { betas: [0.9, 1] }), /Invalid beta parameter at index 1: 1/, ArgumentError],
    ['one beta', () => new Adam([p], { betas: any([0.9]) }), /two numbers/, ArgumentError],
    ['negative decay in a group', () => new AdamW([{ params: [p], weightDecay: -1 }]), /AdamW: Invalid weightDecay/, ArgumentError],
    ['an unknown option', () => new SGD([p], any({ learningRate: 1 })), /no option 'learningRate'/, KeyError],
    ['an unknown option of a group', () => new SGD(any([{ params: [p], beta: 1 }])), /no option 'beta'/, KeyError],
  ])('%s is refused', (_name, act, message, kind) => {
    expect(act).toThrow(message);
    expect(act).toThrow(kind);
  });
});

describe('schedules of PyTorch', () => {
  const make: Readonly<Record<string, (o: SGD, options: Readonly<Record<string, never>>) => { step(): void }>> = {
    StepLR: (o, { stepSize, ...rest }) => new StepLR(o, stepSize!, rest),
    MultiStepLR: (o, { milestones, ...rest }) => new MultiStepLR(o, milestones!, rest),
    ExponentialLR: (o, { gamma }) => new ExponentialLR(o, gamma!),
    CosineAnnealingLR: (o, { tMax, ...rest }) => new CosineAnnealingLR(o, tMax!, rest),
    LinearLR: (o, options) => new LinearLR(o, options),
    OneCycleLR: (o, { maxLr, ...rest }) => new OneCycleLR(o, maxLr!, rest),
  };
  test.each(oracle.schedules.filter((s) => Object.hasOwn(make, s.name)).map((s) => [s.name, s] as const))(
    '%s',
    (name, { options, rates }) => {
      const sgd = new SGD([param([1])], { lr: 0.1 });
      const schedule = make[name]!(sgd, options);
      rates.forEach((expected, k) => {
        expect(sgd.paramGroups[0]!.lr).toBeCloseTo(expected, 12);
        if (k < rates.length - 1) schedule.step();
      });
    },
  );

  test('LambdaLR has a function for each group, and counts from the first rates', () => {
    const [p, q] = [param([1]), param([1])];
    const sgd = new SGD([{ params: [p] }, { params: [q], lr: 2 }], { lr: 1 });
    const schedule = new LambdaLR(sgd, [(epoch) => 1 / (epoch + 1), (epoch) => epoch]);
    schedule.step();
    schedule.step();
    expect(schedule.getLastLr()).toEqual([1 / 3, 4]);
    expect(() => new LambdaLR(sgd, [])).toThrow(/expected 2 functions/);
  });

  test('OneCycleLR moves momentum against the rate, or beta1', () => {
    const sgd = new SGD([param([1])], { lr: 1, momentum: 0.9 });
    const schedule = new OneCycleLR(sgd, 1, { totalSteps: 10 });
    expect(sgd.paramGroups[0]!.lr).toBeCloseTo(0.04, 12);
    expect(sgd.paramGroups[0]!.momentum).toBe(0.95);
    schedule.step();
    schedule.step();
    expect(sgd.paramGroups[0]!.lr).toBeCloseTo(1, 12);
    expect(sgd.paramGroups[0]!.momentum).toBeCloseTo(0.85, 12);
    for (let k = 2; k < 10; k++) schedule.step();
    expect(() => schedule.step()).toThrow(/total number of steps is 10/);
    const adam = new Adam([param([1])]);
    new OneCycleLR(adam, 1, { epochs: 2, stepsPerEpoch: 5 });
    expect(adam.paramGroups[0]!.betas).toEqual([0.95, 0.999]);
  });

  test('ReduceLROnPlateau waits, cools down, and stops at the least rate', () => {
    const sgd = new SGD([param([1])], { lr: 1 });
    const schedule = new ReduceLROnPlateau(sgd, { factor: 0.5, patience: 1, cooldown: 1, minLr: 0.25 });
    // torch 2.13: [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]
    const rates = [3, 3, 3, 3, 3, 3, 3, 3, 3, 1].map((metric) => {
      schedule.step(metric);
      return sgd.paramGroups[0]!.lr;
    });
    expect(rates).toEqual([1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]);
    expect(schedule.stateDict()).toMatchObject({ lastEpoch: 10, best: 1 });
  });

  test('a schedule goes on from its state', () => {
    const run = (resume: boolean): number => {
      const sgd = new SGD([param([1])], { lr: 1 });
      let schedule = new CosineAnnealingLR(sgd, 7);
      for (let k = 0; k < 12; k++) {
        if (resume && k === 5) {
          const state = schedule.stateDict();
          const saved = sgd.stateDict();
          schedule = new CosineAnnealingLR(sgd, 7);
          sgd.loadStateDict(saved);
          schedule.loadStateDict(state);
        }
        schedule.step();
      }
      return sgd.paramGroups[0]!.lr;
    };
    expect(run(true)).toBe(run(false));
  });

  test.each<[string, (o: SGD) => unknown]>([
    ['half a step', (o) => new StepLR(o, 0.5)],
    ['a period of zero', (o) => new CosineAnnealingLR(o, 0)],
    ['a start of zero', (o) => new LinearLR(o, { startFactor: 0 })],
    ['an unknown number of steps', (o) => new OneCycleLR(o, 1)],
    ['a factor of 1', (o) => new ReduceLROnPlateau(o, { factor: 1 })],
    ['a tensor as a metric', (o) => new ReduceLROnPlateau(o).step(tensor(1) as never)],
    ['no optimizer', () => new StepLR({} as never, 1)],
  ])('%s is refused', (_name, act) => {
    expect(() => act(new SGD([param([1])], { momentum: 0.9 }))).toThrow(ArgumentError);
  });
});

describe('clipping', () => {
  test.each(oracle.clips.map((c) => [`${c.name} ${JSON.stringify(c.args)}`, c] as const))(
    '%s as PyTorch',
    (_name, { name, args, gradients, total, clipped }) => {
      const params = gradients.map((g) => {
        const p = zeros(g.shape, { requiresGrad: true });
        p.grad = tensorOf(g);
        return p;
      });
      if (name === 'clipGradValue_') clipGradValue_(params, Number(args.clipValue));
      else {
        const norm = clipGradNorm_(params, Number(args.maxNorm), args.normType === undefined ? {} : { normType: Number(args.normType) });
        expect(difference(norm, total!)).toBeUndefined();
      }
      params.forEach((p, i) => void expect(difference(p.grad!, clipped[i]!)).toBeUndefined());
    },
  );

  test('refuses what is not finite only when asked to', () => {
    const p = param([1]);
    p.grad = tensor([Number.POSITIVE_INFINITY]);
    expect(() => clipGradNorm_([p], 1, { errorIfNonfinite: true })).toThrow(AutogradError);
    expect(clipGradNorm_(p, 1).itemSync()).toBe(Number.POSITIVE_INFINITY);
    expect(clipGradNorm_([param([1])], 1).itemSync()).toBe(0);
    expect(() => clipGradNorm_([p], -1)).toThrow(ArgumentError);
    expect(() => clipGradValue_([p], Number.NaN)).toThrow(ArgumentError);
  });
});

describe('a training loop', () => {
  /** Every kind of state that a step may have: moments, running statistics, a count of batches, streams of dropout. */
  const setting = (make: (params: Tensor[]) => SGD | Adam): { step(): Tensor } => {
    const net = new Sequential(new Linear(6, 5), new BatchNorm1d(5), new ReLU(), new Dropout(0.25), new Linear(5, 3));
    const optimizer = make(net.parameters());
    const loader = new DataLoader(new TensorDataset(randn([12, 6]), randint(0, 3, [12])), { batchSize: 4, shuffle: true });
    let batches = loader[Symbol.iterator]();
    return {
      step() {
        let next = batches.next();
        if (next.done) {
          batches = loader[Symbol.iterator]();
          next = batches.next();
        }
        const [x, y] = next.value!;
        optimizer.zeroGrad();
        const loss = crossEntropy(net(x), y);
        loss.backward();
        optimizer.step();
        return loss;
      },
    };
  };

  test.each<[name: string, rounds: number, make: (params: Tensor[]) => SGD | Adam]>([
    ['SGD with momentum', runs(400), (params) => new SGD(params, { lr: 0.05, momentum: 0.9, dampening: 0.1 })],
    [
      isThorough ? 'Adam, past the step where its bias correction is 1' : 'Adam',
      isThorough ? 400 : 4,
      (params) => new Adam(params, { lr: 0.01 }),
    ],
    ['AdamW with amsgrad', runs(400), (params) => new AdamW(params, { lr: 0.01, amsgrad: true })],
  ])('of %s is one Program from the first step on', async (_name, rounds, make) => {
    const { step } = setting(make);
    const losses: number[] = [];
    const cost = await costOf(rounds, (k) => {
      const loss = step();
      if (k % 10 === 9) losses.push(loss.itemSync());
    });
    expect(cost).toMatchObject({ programs: 1, late: 0 });
    expect(losses.every(Number.isFinite)).toBe(true);
  });

  test('whose rate is scheduled and whose norm is clipped on the device is one Program', async () => {
    const p = param([3, 4]);
    const adam = new Adam([p], { lr: 0.1 });
    const rounds = runs(400);
    const schedule = new CosineAnnealingLR(adam, rounds);
    const cost = await costOf(rounds, () => {
      adam.zeroGrad();
      p.mul(p).sum().backward();
      clipGradNorm_([p], 1);
      adam.step();
      schedule.step();
    });
    expect(cost).toMatchObject({ programs: 1, late: 0 });
    expect(adam.paramGroups[0]!.lr).toBeCloseTo(0, 6);
  });
});
