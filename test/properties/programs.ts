// Random tensor programs: views, writes in place, detaching, broadcasts, backward, updates, observations. A program is a list of numbers;
// what they mean depends on the tensors at hand, so every list is a valid program, and it shrinks by losing steps.
import fc from 'fast-check';
import { isGradEnabled, noGrad } from '../../compiler/frontend/autograd/mode.ts';
import { stepBoundary } from '../../compiler/frontend/boundary.ts';
import { tensor } from '../../compiler/frontend/creation.ts';
import { range } from '../../compiler/frontend/functional/indexing.ts';
import { cat } from '../../compiler/frontend/functional/shape.ts';
import { kept } from '../../compiler/frontend/state.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import {
  commonShape,
  count,
  type Dual,
  detached,
  expanded,
  fresh,
  isDense,
  isWritable,
  permuted,
  read,
  reshaped,
  type Strided,
  selected,
  sliced,
  unsqueezed,
  write,
} from './strided.ts';

/** A tensor with what the model says of it. */
export type Pair = { readonly t: Tensor; readonly m: Strided };

export type World = {
  /** Leaves that require grad, with the direction in which the model differentiates. */
  readonly parameters: readonly Pair[];
  /** A tensor that lives on between runs of a program. */
  readonly state: Pair;
  /** What all gradients together must give along the direction. */
  slope: number;
};

type Step = readonly [kind: number, a: number, b: number, c: number];
export type Program = readonly Step[];

export const programs: fc.Arbitrary<Program> = fc.array(fc.tuple(fc.nat(999), fc.nat(99), fc.nat(99), fc.nat(99)), {
  minLength: 1,
  maxLength: 24,
  size: 'max',
});

const numbers = (n: number, phase: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(1.3 * i + phase));

export function world(): World {
  const make = (shape: readonly number[], phase: number, grad: boolean): Pair => {
    const v = numbers(count(shape), phase);
    const d = numbers(count(shape), phase + 7);
    const t = kept(nested(v, shape));
    if (grad) t.requiresGrad_();
    return {
      t,
      m: fresh(
        shape,
        v.map((x, i) => ({ v: x, d: grad ? d[i]! : 0 })),
        grad,
        grad,
      ),
    };
  };
  return { parameters: [make([2, 3], 1, true), make([3], 2, true)], state: make([2, 3], 3, false), slope: 0 };
}

const nested = (v: readonly number[], shape: readonly number[]): Tensor =>
  tensor(Float64Array.from(v), { dtype: 'float64' }).reshape(shape).clone();

/** Data for one run. */
export const argument = (round: number): Pair => {
  const v = numbers(6, 11 + round);
  return {
    t: nested(v, [2, 3]),
    m: fresh(
      [2, 3],
      v.map((x) => ({ v: x, d: 0 })),
      false,
    ),
  };
};

type Run = {
  readonly world: World;
  readonly pool: Pair[];
  readonly log: string[];
};
type Rule = (run: Run, a: number, b: number, c: number) => void;

const pick = (run: Run, n: number): Pair => run.pool[run.pool.length - 1 - (n % run.pool.length)]!;
const add = (run: Run, name: string, of: readonly Pair[], pair: Pair): void => {
  run.log.push(`t${run.pool.length} = ${name}(${of.map((p) => `t${run.pool.indexOf(p)}`).join(', ')}) [${pair.m.shape}]`);
  run.pool.push(pair);
};
const requires = (...ms: readonly Strided[]): boolean => isGradEnabled() && ms.some((m) => m.root.requires);
const made = (shape: readonly number[], elements: readonly Dual[], ...from: readonly Strided[]): Strided => {
  const grad = requires(...from);
  return fresh(shape, grad ? elements : elements.map(({ v }) => ({ v, d: 0 })), grad);
};

type Unary = {
  readonly name: 'tanh' | 'sin' | 'neg' | 'square' | 'abs';
  readonly f: (x: number) => number;
  readonly slope: (x: number) => number;
};
const unaries: readonly Unary[] = [
  { name: 'tanh', f: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  { name: 'sin', f: Math.sin, slope: Math.cos },
  { name: 'neg', f: (x) => -x, slope: () => -1 },
  { name: 'square', f: (x) => x * x, slope: (x) => 2 * x },
  { name: 'abs', f: Math.abs, slope: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0) },
];
type Binary = { readonly name: 'add' | 'sub' | 'mul'; readonly f: (x: Dual, y: Dual) => Dual };
const binaries: readonly Binary[] = [
  { name: 'add', f: (x, y) => ({ v: x.v + y.v, d: x.d + y.d }) },
  { name: 'mul', f: (x, y) => ({ v: x.v * y.v, d: x.v * y.d + x.d * y.v }) },
  { name: 'sub', f: (x, y) => ({ v: x.v - y.v, d: x.d - y.d }) },
];
const applied = ({ f, slope }: Unary, xs: readonly Dual[]): Dual[] => xs.map(({ v, d }) => ({ v: f(v), d: slope(v) * d }));
const scalars: readonly number[] = [0.5, -1, 2, 0];

/** Numbers stay moderate, or comparing them says nothing. */
const isLarge = (m: Strided): boolean => read(m).some(({ v, d }) => Math.abs(v) > 1e3 || Math.abs(d) > 1e3);

/** Writes into `target`, with gradients where the rules let it, else without. */
function inPlace(run: Run, name: string, target: Pair, operands: readonly Pair[], elements: readonly Dual[], f: () => void): void {
  const { m } = target;
  const free = m.root.leaf && m.root.requires;
  const apply = (): void => {
    const grad = requires(m, ...operands.map((o) => o.m));
    run.log.push(
      `${free ? 'noGrad ' : ''}t${run.pool.indexOf(target)}.${name}(${operands.map((p) => `t${run.pool.indexOf(p)}`).join(', ')})`,
    );
    f();
    write(m, elements, grad);
    if (grad) m.root.requires = true;
  };
  if (free) noGrad(apply);
  else apply();
}

const rules: readonly Rule[] = [
  function unary(run, a, b) {
    const x = pick(run, a);
    const u = unaries[b % unaries.length]!;
    if (isLarge(x.m)) return;
    add(run, u.name, [x], { t: x.t[u.name](), m: made(x.m.shape, applied(u, read(x.m)), x.m) });
  },
  function binary(run, a, b, c) {
    const [x, y] = [pick(run, a), pick(run, b)];
    const op = binaries[c % binaries.length]!;
    const shape = commonShape(x.m.shape, y.m.shape);
    if (shape === undefined || isLarge(x.m) || isLarge(y.m)) return;
    const [xs, ys] = [read(expanded(x.m, shape)), read(expanded(y.m, shape))];
    const m = made(
      shape,
      xs.map((e, i) => op.f(e, ys[i]!)),
      x.m,
      y.m,
    );
    add(run, op.name, [x, y], { t: x.t[op.name](y.t), m });
  },
  function withNumber(run, a, b, c) {
    const x = pick(run, a);
    const op = binaries[b % binaries.length]!;
    const s = scalars[c % scalars.length]!;
    const m = made(
      x.m.shape,
      read(x.m).map((e) => op.f(e, { v: s, d: 0 })),
      x.m,
    );
    add(run, `${op.name} ${s}`, [x], { t: x.t[op.name](s), m });
  },
  function permute(run, a) {
    const x = pick(run, a);
    if (x.m.shape.length < 2) return;
    const order = x.m.shape.map((_, i) => i).reverse();
    add(run, 'permute', [x], { t: x.t.permute(order), m: permuted(x.m, order) });
  },
  function narrow(run, a, b, c) {
    const x = pick(run, a);
    if (x.m.shape.length === 0) return;
    const axis = b % x.m.shape.length;
    const size = x.m.shape[axis]!;
    const start = c % (size + 1);
    const length = Math.min(size - start, 1 + (c % 3));
    add(run, `narrow ${axis} ${start} ${length}`, [x], {
      t: x.t.narrow(axis, start, length),
      m: sliced(x.m, axis, start, start + length, 1),
    });
  },
  function everySecond(run, a, b, c) {
    const x = pick(run, a);
    if (x.m.shape.length === 0) return;
    const axis = b % x.m.shape.length;
    const start = Math.min(c % 2, x.m.shape[axis]!);
    const at = x.m.shape.map((_, i) => (i === axis ? range(start, undefined, 2) : range()));
    add(run, `every second ${axis} from ${start}`, [x], { t: x.t.index(...at), m: sliced(x.m, axis, start, x.m.shape[axis]!, 2) });
  },
  function select(run, a, b, c) {
    const x = pick(run, a);
    const axis = b % Math.max(1, x.m.shape.length);
    if (x.m.shape.length === 0 || x.m.shape[axis] === 0) return;
    const at = c % x.m.shape[axis]!;
    add(run, `select ${axis} ${at}`, [x], { t: x.t.select(axis, at), m: selected(x.m, axis, at) });
  },
  function flatten(run, a) {
    const x = pick(run, a);
    if (!isDense(x.m)) return;
    const shape = [count(x.m.shape)];
    add(run, 'flatten', [x], { t: x.t.view(shape), m: reshaped(x.m, shape) });
  },
  function unsqueeze(run, a, b) {
    const x = pick(run, a);
    if (x.m.shape.length > 2) return;
    const axis = b % (x.m.shape.length + 1);
    add(run, `unsqueeze ${axis}`, [x], { t: x.t.unsqueeze(axis), m: unsqueezed(x.m, axis) });
  },
  function expand(run, a) {
    const x = pick(run, a);
    if (x.m.shape.length > 2) return;
    const shape = [2, ...x.m.shape];
    add(run, 'expand', [x], { t: x.t.expand(shape), m: expanded(x.m, shape) });
  },
  function detach(run, a) {
    const x = pick(run, a);
    add(run, 'detach', [x], { t: x.t.detach(), m: detached(x.m) });
  },
  function clone(run, a) {
    const x = pick(run, a);
    add(run, 'clone', [x], { t: x.t.clone(), m: made(x.m.shape, read(x.m), x.m) });
  },
  function sum(run, a, b) {
    const x = pick(run, a);
    if (x.m.shape.length === 0) return;
    const axis = b % x.m.shape.length;
    const shape = x.m.shape.filter((_, i) => i !== axis);
    const rows = Array.from({ length: x.m.shape[axis]! }, (_, i) => read(selected(x.m, axis, i)));
    const zero = Array.from({ length: count(shape) }, () => ({ v: 0, d: 0 }));
    const sums = rows.reduce<Dual[]>((all, row) => all.map((e, i) => ({ v: e.v + row[i]!.v, d: e.d + row[i]!.d })), zero);
    add(run, `sum ${axis}`, [x], { t: x.t.sum(axis), m: made(shape, sums, x.m) });
  },
  function join(run, a, b) {
    const [x, y] = [pick(run, a), pick(run, b)];
    if (x.m.shape.length === 0 || x.m.shape.slice(1).join() !== y.m.shape.slice(1).join() || x.m.shape.length !== y.m.shape.length) return;
    if (count(x.m.shape) + count(y.m.shape) > 64) return;
    const shape = [x.m.shape[0]! + y.m.shape[0]!, ...x.m.shape.slice(1)];
    add(run, 'cat', [x, y], { t: cat([x.t, y.t]), m: made(shape, [...read(x.m), ...read(y.m)], x.m, y.m) });
  },
  function binaryInPlace(run, a, b, c) {
    const [x, y] = [pick(run, a), pick(run, b)];
    const op = binaries[c % binaries.length]!;
    const shape = commonShape(x.m.shape, y.m.shape);
    if (shape?.join() !== x.m.shape.join() || !isWritable(x.m) || isLarge(x.m) || isLarge(y.m)) return;
    const ys = read(expanded(y.m, x.m.shape));
    const elements = read(x.m).map((e, i) => op.f(e, ys[i]!));
    inPlace(run, `${op.name}_`, x, [y], elements, () => void x.t[`${op.name}_`](y.t));
  },
  function numberInPlace(run, a, b, c) {
    const x = pick(run, a);
    const op = binaries[b % binaries.length]!;
    const s = scalars[c % scalars.length]!;
    if (!isWritable(x.m)) return;
    const elements = read(x.m).map((e) => op.f(e, { v: s, d: 0 }));
    inPlace(run, `${op.name}_ ${s}`, x, [], elements, () => void x.t[`${op.name}_`](s));
  },
  function copy(run, a, b) {
    const [x, y] = [pick(run, a), pick(run, b)];
    if (commonShape(x.m.shape, y.m.shape)?.join() !== x.m.shape.join() || !isWritable(x.m)) return;
    const elements = read(expanded(y.m, x.m.shape));
    inPlace(run, 'copy_', x, [y], elements, () => void x.t.copy_(y.t));
  },
  function fill(run, a, b) {
    const x = pick(run, a);
    const s = scalars[b % scalars.length]!;
    if (!isWritable(x.m)) return;
    const elements = read(x.m).map(() => ({ v: s, d: 0 }));
    inPlace(run, `fill_ ${s}`, x, [], elements, () => void x.t.fill_(s));
  },
  function unaryInPlace(run, a, b) {
    const x = pick(run, a);
    const u = unaries[b % unaries.length]!;
    if (!isWritable(x.m) || isLarge(x.m)) return;
    const elements = applied(u, read(x.m));
    inPlace(run, `${u.name}_`, x, [], elements, () => void x.t[`${u.name}_`]());
  },
  function withoutGradients(run, a, b, c) {
    noGrad(() => {
      const before = run.pool.length;
      const rule = [binaryInPlace, numberInPlace, copy, unary][c % 4]!;
      run.log.push('noGrad:');
      rule(run, a, b, c >> 2);
      if (run.pool.length === before && run.log.at(-1) === 'noGrad:') run.log.pop();
    });
  },
  function backward(run, a) {
    const x = pick(run, a);
    if (!x.m.root.requires || count(x.m.shape) === 0 || isLarge(x.m)) return;
    run.log.push(`t${run.pool.indexOf(x)}.sum().backward()`);
    x.t.sum().backward(undefined, { retainGraph: true });
    run.world.slope += read(x.m).reduce((s, { d }) => s + d, 0);
  },
  function forget(run) {
    run.log.push('zeroGrad()');
    for (const p of run.world.parameters) p.t.grad = null;
    run.world.slope = 0;
  },
  function update(run) {
    const { parameters, state } = run.world;
    run.log.push('step()');
    noGrad(() => {
      for (const { t, m } of parameters) {
        t.mul_(0.5);
        write(
          m,
          read(m).map(({ v, d }) => ({ v: v * 0.5, d })),
          false,
        );
        if (t.shape.length === 2) {
          state.t.lerp_(t, 0.25);
          const ps = read(m);
          write(
            state.m,
            read(state.m).map((e, i) => ({ v: e.v + 0.25 * (ps[i]!.v - e.v), d: 0 })),
            false,
          );
        }
      }
    });
    stepBoundary();
  },
];
const [unary] = rules as [Rule];
const ruleNamed = (name: string): Rule => rules.find((r) => r.name === name)!;
const binaryInPlace: Rule = (...args) => ruleNamed('binaryInPlace')(...args);
const numberInPlace: Rule = (...args) => ruleNamed('numberInPlace')(...args);
const copy: Rule = (...args) => ruleNamed('copy')(...args);

/** Called after each step with all tensors. */
export type Watch = (step: number, pool: readonly Pair[]) => void;

/** Runs a program on an argument and what lives in `world`. Gives all tensors it had. */
export function follow(program: Program, w: World, arg: Pair, watch: Watch, log: string[] = []): readonly Pair[] {
  const run: Run = { world: w, pool: [...w.parameters, w.state, arg], log };
  program.forEach(([kind, a, b, c], step) => {
    rules[kind % rules.length]!(run, a, b, c);
    watch(step, run.pool);
  });
  return run.pool;
}
