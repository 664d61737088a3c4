// Loops that are recorded as one node: their bodies run once while recording, however many turns they make.
import { ArgumentError, ShapeError } from '../../../runtime/errors.ts';
import { inline } from '../../autodiff/inline.ts';
import type { Aval } from '../../ir/aval.ts';
import { b, region } from '../../ir/builder.ts';
import { avalOf, type Value } from '../../ir/node.ts';
import { tensor } from '../creation.ts';
import { avalsOf } from '../func/trace.ts';
import { flatten, isTensor, type Rest, unflatten } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { demandTest } from './cond.ts';
import {
  applyRegions,
  bodyOf,
  demandFitting,
  demandNoDraws,
  drawsStreams,
  inTurn,
  outsideOf,
  regionOf,
  tensorsOf,
  wantedOf,
} from './regions.ts';

/**
 * Carries a tree of tensors through `body` for as long as `test` of it gives true; both stay on the device, so the number of turns may depend on data.
 * As `jax.lax.while_loop` and `torch.while_loop`. It has no reverse-mode derivative, since the number of turns to remember is not known:
 * use `scan` or `foriLoop` with a fixed number of turns, or forward mode.
 */
export function whileLoop<C>(test: (carry: C) => Tensor, body: (carry: C) => C, carry: C): C {
  const op = 'whileLoop';
  const { tensors, rest } = tensorsOf(op, carry, 'what is carried');
  const [avals, args] = [avalsOf(tensors), listOf(rest)];
  const wanted = wantedOf(tensors);
  demandFunctions(op, test, body);
  const tested = bodyOf(op, (c: C) => aTest(op, test(c)), args, avals, wanted);
  const next = bodyOf(op, (c: C) => treeOf(op, body(c), 'what the body returns'), args, avals, wanted);
  demandCarried(op, { rest: next.traced.result, avals: next.avals }, { rest, avals });
  for (const f of [tested, next]) demandNoDraws(op, f, true);
  const outside = outsideOf([tested, next]);
  const results = applyRegions(op, tensors, outside, (values, more) =>
    b.whileLoop([...values, ...more], {}, [
      regionOf(tested, avals, outside, (ys) => ys),
      regionOf(next, avals, outside, (ys, constants) => [...ys, ...constants]),
    ]),
  );
  return unflatten(rest, results) as C;
}

/**
 * `for (let i = lo; i < hi; i++) carry = body(i, carry)`, where `i` is an int32 tensor. As `jax.lax.fori_loop`. With numbers as bounds it is a
 * `scan`, through which gradients flow; with tensors a `whileLoop`.
 */
export function foriLoop<C>(lo: number | Tensor, hi: number | Tensor, body: (i: Tensor, carry: C) => C, carry: C): C {
  const op = 'foriLoop';
  if (typeof lo === 'number' && typeof hi === 'number') {
    for (const bound of [lo, hi])
      if (!Number.isInteger(bound)) throw new ArgumentError(`expected integers as bounds, got ${bound}`, { op });
    const turns = Math.max(0, hi - lo);
    const indices = tensor(
      Array.from({ length: turns }, (_, k) => lo + k),
      { dtype: 'int32' },
    );
    return looped(op, (c: C, i: Tensor) => [body(i, c), null], carry, indices, {})[0];
  }
  const [first, last] = [lo, hi].map((bound) => int32(op, bound)) as [Tensor, Tensor];
  const [, , result] = whileLoop<readonly [Tensor, Tensor, C]>(
    ([i, end]) => i.lt(end),
    ([i, end, c]) => [i.add(1), end, body(i, c)],
    [first, last, carry],
  );
  return result;
}

function int32(op: string, bound: number | Tensor): Tensor {
  if (typeof bound === 'number') return tensor(bound, { dtype: 'int32' });
  if (!isTensor(bound) || bound.ndim !== 0) throw new ArgumentError('expected a number or a tensor without dimensions as bound', { op });
  return bound.to('int32');
}

export type ScanOptions = {
  /** The number of turns, where there are no xs to tell it. */
  readonly length?: number;
  /** From the last slice to the first; ys stand where their xs stood. */
  readonly reverse?: boolean;
  /** Keep only what is carried for the backward pass, and compute each turn's other values again. */
  readonly checkpoint?: boolean;
};

/**
 * Takes `carry` through `f(carry, x)`, which gives `[carry, y]`, for each slice `x` of `xs` along their first dimension; gives the last carry
 * and the ys, stacked. As `jax.lax.scan`. It is recorded and compiled in a time that does not depend on the number of turns, and gradients
 * flow through it: backward reads what each turn has kept, memory that grows with the number of turns.
 * `xs` and `y` may be trees of tensors, or null.
 */
export function scan<C, X, Y>(f: (carry: C, x: X) => readonly [C, Y], carry: C, xs: X, options: ScanOptions = {}): [C, Y] {
  return looped('scan', f, carry, xs, options);
}

/** `f` of each slice of `xs` along their first dimension, stacked: one after the other, where `vmap` does all at once. As `jax.lax.map`. */
export function map<X, Y>(f: (x: X) => Y, xs: X): Y {
  if (typeof f !== 'function') throw new ArgumentError(`expected a function, got ${typeof f}`, { op: 'map' });
  return looped('map', (_: readonly Tensor[], x: X) => [[], f(x)], [], xs, {})[1];
}

function looped<C, X, Y>(
  op: string,
  f: (carry: C, x: X) => readonly [C, Y],
  carry: C,
  xs: X,
  { length, reverse = false, checkpoint = false }: ScanOptions,
): [C, Y] {
  const start = tensorsOf(op, carry, 'what is carried');
  const all = xs == null ? flatten([]) : tensorsOf(op, xs, 'xs');
  const turns = turnsOf(op, all.tensors, length);
  const carried = avalsOf(start.tensors);
  const slices = avalsOf(all.tensors).map(({ dtype, shape }): Aval => ({ dtype, shape: shape.slice(1) }));
  const args = xs == null ? listOf(start.rest, { kind: 'static', value: xs }) : listOf(start.rest, all.rest);
  demandFunctions(op, f);
  let nothing: { readonly y: unknown } | undefined;
  const step = (c: C, x: X): unknown => {
    const [next, y] = aPair(op, f(c, x));
    if (y == null) nothing = { y };
    return [treeOf(op, next, 'what is carried on'), y == null ? [] : treeOf(op, y, 'y')];
  };
  const body = bodyOf(op, step, args, [...carried, ...slices], wantedOf([...start.tensors, ...all.tensors]));
  const [nextRest, yRest] = (body.traced.result as Extract<Rest, { kind: 'list' }>).items as readonly [Rest, Rest];
  const count = carried.length;
  demandCarried(op, { rest: nextRest, avals: body.avals.slice(0, count) }, { rest: start.rest, avals: carried });
  demandNoDraws(op, body, false);
  const outside = outsideOf([body]);
  const results = applyRegions(op, [...start.tensors, ...all.tensors], outside, (values, more) => {
    const counter = drawsStreams(body) ? [b.iota({ dtype: 'i32', shape: [turns], axis: 0 })] : [];
    const graph = region([...carried, ...outside.avals, ...slices, ...counter.map(sliceAval)], (inputs) => {
      const take = taker(inputs);
      const [c, constants, x, [turn]] = [take(count), take(outside.avals.length), take(slices.length), take(counter.length)];
      const read = turn === undefined ? constants : inTurn(outside, constants, turn);
      const given = [...c, ...x, ...outside.of(body, read)];
      const ys = checkpoint
        ? b.composite(given, { name: 'checkpoint', params: {} }, [body.traced.graph])
        : inline(body.traced.graph, given);
      return [...ys.slice(0, count), ...constants, ...ys.slice(count)];
    });
    const operands = [...values.slice(0, count), ...more, ...values.slice(count), ...counter];
    const found = b.scan(operands, { carries: count + more.length, length: turns, reverse }, [graph]);
    return [...found.slice(0, count), ...found.slice(count + more.length)];
  });
  return [unflatten(nextRest, results) as C, (nothing === undefined ? unflatten(yRest, results) : nothing.y) as Y];
}

const listOf = (...items: readonly Rest[]): Rest => {
  let offset = 0;
  const renumbered = items.map((item) => {
    const [rest, count] = shifted(item, offset);
    offset += count;
    return rest;
  });
  return { kind: 'list', items: renumbered };
};

/** The same tree with its tensors numbered from `offset` on, and how many they are. */
function shifted(rest: Rest, offset: number): [Rest, number] {
  switch (rest.kind) {
    case 'tensor':
      return [{ kind: 'tensor', index: rest.index + offset }, 1];
    case 'static':
      return [rest, 0];
    default: {
      const parts = rest.items.map((item) => shifted(item, offset));
      return [{ ...rest, items: parts.map(([r]) => r) }, parts.reduce((n, [, count]) => n + count, 0)];
    }
  }
}

const sliceAval = (v: Value): Aval => ({ dtype: avalOf(v).dtype, shape: avalOf(v).shape.slice(1) });

function taker(values: readonly Value[]): (count: number) => readonly Value[] {
  let at = 0;
  return (count) => {
    at += count;
    return values.slice(at - count, at);
  };
}

function demandFunctions(op: string, ...functions: readonly unknown[]): void {
  for (const f of functions) if (typeof f !== 'function') throw new ArgumentError(`expected a function, got ${typeof f}`, { op });
}

function aTest(op: string, test: unknown): Tensor {
  demandTest(op, 'the result of the test', test);
  return test;
}

function aPair(op: string, pair: unknown): readonly [unknown, unknown] {
  if (Array.isArray(pair) && pair.length === 2) return pair as unknown as readonly [unknown, unknown];
  throw new ArgumentError('expected the body to return [carry, y]', { op, fix: 'return [carry, null] if there is nothing to stack' });
}

function treeOf(op: string, tree: unknown, what: string): unknown {
  const { tensors, rest } = tensorsOf(op, tree, what);
  return unflatten(rest, tensors);
}

const demandCarried = (op: string, got: Shaped, wanted: Shaped): void =>
  demandFitting(
    {
      op,
      text: (what, now, before) => `what is carried must keep its type: carry${what} is ${before} and becomes ${now}`,
      fix: 'begin with what the body returns, or bring that back by .to() or reshape()',
    },
    got,
    wanted,
  );
type Shaped = { readonly rest: Rest; readonly avals: readonly Aval[] };

/** How many slices there are. */
function turnsOf(op: string, xs: readonly Tensor[], length: number | undefined): number {
  if (length !== undefined && !(Number.isInteger(length) && length >= 0))
    throw new ArgumentError(`expected the length to be a number of turns, got ${length}`, { op });
  const sizes = xs.map((t) => t.shape[0]);
  if (sizes.includes(undefined))
    throw new ShapeError('expected xs to have a dimension to go along', { op, fix: 'capture what is the same in every turn' });
  const turns = length ?? sizes[0];
  if (turns === undefined) throw new ArgumentError('without xs the length must be given', { op, fix: 'write { length: 10 }' });
  if (sizes.some((n) => n !== turns)) throw new ShapeError(`expected all xs to have ${turns} slices, got [${sizes.join(', ')}]`, { op });
  return turns;
}
