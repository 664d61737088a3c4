// Random functions with control flow, and random sequences of calls of them: trees of statements over a few registers, state, parameters, an optimiser
// and a module. What a statement means depends on what the registers hold, so every tree is a valid function.
import fc from 'fast-check';
import { nn, noGrad, optim, randn, type Tensor, tensor, where } from 'fluxion';
import { kept } from '../../compiler/frontend/state.ts';

type Numbers = readonly [a: number, b: number, c: number];
export type Statement =
  | { readonly kind: 'op' | 'write' | 'train' | 'draw' | 'look' | 'leave' | 'view'; readonly n: Numbers }
  | {
      readonly kind: 'if' | 'times' | 'while' | 'noGrad';
      readonly n: Numbers;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[];
    };

const numbers = fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99));
/** Plain statements are most of a function; those that end a recording are rare. */
const plain: fc.Arbitrary<Statement> = fc.record({
  kind: fc.oneof(
    { weight: 8, arbitrary: fc.constant<'op'>('op') },
    { weight: 4, arbitrary: fc.constantFrom<('write' | 'train' | 'view')[]>('write', 'train', 'view') },
    { weight: 1, arbitrary: fc.constantFrom<('draw' | 'look' | 'leave')[]>('draw', 'look', 'leave') },
  ),
  n: numbers,
});
const { block } = fc.letrec<{ block: readonly Statement[]; nested: Statement }>((tie) => ({
  block: fc.array(
    fc.oneof({ maxDepth: 2, withCrossShrink: true }, { weight: 4, arbitrary: plain }, { weight: 2, arbitrary: tie('nested') }),
    {
      minLength: 1,
      maxLength: 4,
    },
  ),
  nested: fc.record({
    kind: fc.constantFrom<('if' | 'times' | 'while' | 'noGrad')[]>('if', 'if', 'times', 'while', 'noGrad'),
    n: numbers,
    then: tie('block'),
    otherwise: tie('block'),
  }) as fc.Arbitrary<Statement>,
}));

/** What happens before a call, and with which argument it is made. */
export type Call = {
  readonly size: number;
  readonly dtype: 'float32' | 'float64';
  readonly values: number;
  readonly requiresGrad: boolean;
  readonly argument: 'own' | 'view' | 'state';
  readonly before: 'nothing' | 'eval' | 'train' | 'freeze' | 'thaw' | 'fill' | 'rate' | 'dropGradient';
};
/** Mostly alike, so that most calls go a way that is known. */
const often = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const callOf: fc.Arbitrary<Call> = fc.record({
  size: often(2, 3),
  dtype: often<Call['dtype']>('float32', 'float64'),
  values: fc.nat(2),
  requiresGrad: often(false, true),
  argument: often<Call['argument']>('own', 'view', 'state'),
  before: often<Call['before']>('nothing', 'eval', 'train', 'freeze', 'thaw', 'fill', 'rate', 'dropGradient'),
});

export type Scenario = { readonly body: readonly Statement[]; readonly calls: readonly Call[] };
export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  body: block,
  calls: fc.array(callOf, { minLength: 2, maxLength: 7, size: 'max' }),
});

export type World = {
  readonly state: Tensor;
  readonly parameter: Tensor;
  readonly adam: optim.Adam;
  readonly norm: nn.BatchNorm1d;
  readonly dropout: nn.Dropout;
};
export function world(): World {
  const parameter = tensor([0.5], { requiresGrad: true });
  return {
    state: kept(tensor([0.25, -0.5])),
    parameter,
    adam: new optim.Adam([parameter], { lr: 0.1 }),
    norm: new nn.BatchNorm1d(1, { affine: false }),
    dropout: new nn.Dropout(0.4),
  };
}

class Left extends Error {}
type Run = { readonly world: World; readonly registers: Tensor[]; budget: number };

const at = (run: Run, n: number): Tensor => run.registers[n % run.registers.length]!;
/** Registers are few and stay small in what they hold, so that values can be compared. */
const put = (run: Run, n: number, t: Tensor): void => {
  run.registers[n % run.registers.length] = t.tanh();
};
const unary = ['sin', 'neg', 'square', 'exp', 'abs'] as const;
const fits = (x: Tensor, y: Tensor): boolean => x.numel() === y.numel() || x.numel() === 1 || y.numel() === 1;

function step(run: Run, s: Statement): void {
  if (run.budget-- <= 0) return;
  const [a, b, c] = s.n;
  const x = at(run, a);
  switch (s.kind) {
    case 'op': {
      const y = at(run, b);
      if (c % 3 === 0 || !fits(x, y)) put(run, c, x[unary[b % unary.length]!]());
      else if (c % 3 === 1) put(run, c, x.mul(y).add(b / 50));
      else put(run, c, where(x.gt(y), x.sub(y), y.mul(2)));
      return;
    }
    case 'write': {
      const target = c % 2 === 0 ? run.world.state : at(run, b);
      if (x.numel() !== target.numel() && x.numel() !== 1) return;
      if (target.isLeaf && target.requiresGrad) noGrad(() => void target.mul_(0.5));
      else if (c % 3 === 0) target.add_(x.detach());
      else target.mul_(x.detach().add(1));
      return;
    }
    case 'train': {
      const { adam, parameter } = run.world;
      if (a % 4 === 0) adam.zeroGrad();
      else if (a % 4 === 1 && parameter.requiresGrad) x.detach().mul(parameter).square().sum().backward();
      else if (a % 4 === 2) adam.step();
      else
        put(
          run,
          b,
          run.world
            .norm(x.detach().reshape([-1, 1]).to('float32'))
            .reshape([-1])
            .mul(parameter),
        );
      return;
    }
    case 'draw':
      put(run, b, a % 2 === 0 ? run.world.dropout(x) : x.add(randn(x.shape)));
      return;
    case 'view':
      if (x.numel() < 2) return;
      run.registers[b % run.registers.length] = c % 2 === 0 ? x.narrow(0, 0, 1) : x.flip(0).narrow(0, 0, x.numel() - 1);
      return;
    case 'look':
      if (c % 3 === 0) put(run, b, at(run, b).mul(x.detach().sum().itemSync()));
      else put(run, b, at(run, b).mul(x.detach().mul(2).sum().round().to('int64').itemSync()));
      return;
    case 'leave':
      if (
        !x
          .detach()
          .sum()
          .gt(b / 99)
          .itemSync()
      )
        return;
      if (c % 2 === 0) throw new Left();
      throw new Error(`left at ${a}`);
    case 'if':
      block_(
        run,
        x
          .detach()
          .sum()
          .gt(b / 99 - 0.5)
          .itemSync()
          ? s.then
          : s.otherwise,
      );
      return;
    case 'times': {
      const times = x.detach().abs().mul(3).sum().floor().to('int64').remainder(3).itemSync();
      for (let i = 0; i < times; i++) block_(run, s.then);
      return;
    }
    case 'while': {
      let y = x.detach().abs();
      for (let turns = 0; turns < 4 && y.gt(0.3).any().itemSync(); turns++) {
        block_(run, s.then);
        y = y.mul(0.5);
      }
      return;
    }
    case 'noGrad':
      noGrad(() => block_(run, s.then));
      return;
  }
}
const block_ = (run: Run, statements: readonly Statement[]): void => {
  for (const s of statements) step(run, s);
};

/** The function of a scenario: gives all registers, or leaves early with some of them. */
export const functionOf =
  (body: readonly Statement[], w: World) =>
  (x: Tensor): { registers: Tensor[] } => {
    const run: Run = { world: w, registers: [x, x.mul(0.5), w.parameter.mul(x.numel())], budget: 24 };
    try {
      block_(run, body);
    } catch (error) {
      if (!(error instanceof Left)) throw error;
      return { registers: run.registers.slice(1, 2) };
    }
    return { registers: run.registers };
  };

function prepare(w: World, { before }: Call): void {
  switch (before) {
    case 'nothing':
      return;
    case 'eval':
    case 'train':
      w.norm.train(before === 'train');
      w.dropout.train(before === 'train');
      return;
    case 'freeze':
    case 'thaw':
      w.parameter.requiresGrad_(before === 'thaw');
      return;
    case 'fill':
      w.state.fill_(0.75);
      return;
    case 'rate':
      w.adam.paramGroups[0]!.lr *= 0.5;
      return;
    case 'dropGradient':
      w.parameter.grad = null;
      return;
  }
}

function argumentOf(w: World, { size, dtype, values, requiresGrad, argument }: Call): Tensor {
  if (argument === 'state') return w.state;
  const data = Float64Array.from({ length: size + 1 }, (_, i) => Math.sin(values * 2.3 + i));
  const base = tensor(data, { dtype });
  if (argument === 'view') return base.narrow(0, 1, size);
  const x = base.narrow(0, 0, size).clone();
  return requiresGrad ? x.requiresGrad_() : x;
}

const textOf = (t: Tensor): string =>
  `${t.dtype}[${t.shape}] ${Array.from(t.dataSync() as Float64Array, (v) => (Object.is(v, -0) ? '-0' : String(v))).join(' ')}`;
const outcomeOf = (f: () => string): string => {
  try {
    return f();
  } catch (error) {
    return `throws ${(error as Error).name}: ${(error as Error).message.replace(/ at \S+:\d+$/, '')}`;
  }
};

/** Makes the calls and tells everything that can be seen of them. */
export function happenings(calls: readonly Call[], w: World, f: (x: Tensor) => { registers: Tensor[] }): string[] {
  return calls.map((call) => {
    prepare(w, call);
    const x = argumentOf(w, call);
    const result = outcomeOf(() => {
      const { registers } = f(x);
      const flowing = registers.filter((t) => t.requiresGrad && t !== x);
      const gone = outcomeOf(() => {
        if (flowing.length > 0) flowing[flowing.length - 1]!.sum().backward();
        return '';
      });
      return `${registers.map((t) => `${textOf(t)}${t.requiresGrad ? ' grad' : ''}`).join(', ')}${gone}`;
    });
    const { state, parameter, norm, adam } = w;
    const gradients = [x, parameter].map((t) => (t.grad === null ? 'none' : textOf(t.grad)));
    return [
      `${JSON.stringify(call)}: ${result}`,
      `x ${textOf(x)}, state ${textOf(state)}, parameter ${textOf(parameter)}, gradients ${gradients.join(' and ')}`,
      `statistics ${textOf(norm.runningMean!)} after ${norm.numBatchesTracked!.value}, steps ${adam.state.get(parameter)?.step ?? 0}`,
    ].join('\n');
  });
}
