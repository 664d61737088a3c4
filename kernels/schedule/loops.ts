// Steps on loops that keep every result bit for bit: split, interchange, merge siblings, peel a tail.
import { InternalError } from '../../runtime/errors.ts';
import type { Expr, Position, Stmt } from '../loop.ts';
import { add, axis, constant, mul, samePosition } from '../position.ts';
import { effectsOf, type Loop, rename, valuesIn } from './rewrite.ts';

export const refuse = (step: string, why: string): InternalError => new InternalError(why, { op: `schedule ${step}` });

export const withBody = (loop: Loop, body: readonly Stmt[]): Loop => ({ ...loop, body });

/** The extent as a number; steps work on known sizes only. */
export function known(loop: Loop, step: string): number {
  if (typeof loop.extent !== 'number') throw refuse(step, `the extent of ${loop.axis} is not known`);
  if (loop.step !== undefined && loop.step !== 1) throw refuse(step, `${loop.axis} has a step already`);
  return loop.extent;
}

/** Replaces `axis` by a position throughout a body. */
export const moveAxis = (body: readonly Stmt[], name: string, to: Position): Stmt[] =>
  body.map((s) => rename(s, { axes: new Map([[name, to]]), names: new Map() }));

/** `loop` as a loop over blocks of `size` with a loop within each; `size` divides the extent (peel first where it does not). */
export function split(loop: Loop, size: number, outer: string, inner: string): Loop {
  const extent = known(loop, 'split');
  if (extent % size !== 0) throw refuse('split', `${size} does not divide the extent ${extent} of ${loop.axis}`);
  const body = moveAxis(loop.body, loop.axis, add(mul(axis(outer), size), axis(inner)));
  return { ...loop, axis: outer, extent: extent / size, body: [{ ...loop, axis: inner, extent: size, body }] };
}

/** The iterations before `at` and those from `at` on, the latter counted from 0. */
export function peel(loop: Loop, at: number): readonly [Loop, Loop] {
  const extent = known(loop, 'peel');
  if (at < 0 || at > extent) throw refuse('peel', `${at} lies outside ${loop.axis}: ${extent}`);
  const rest = moveAxis(loop.body, loop.axis, add(axis(loop.axis), constant(at)));
  return [
    { ...loop, extent: at },
    { ...loop, extent: extent - at, body: rest },
  ];
}

/** Swaps a loop with the loop that is all of its body. Both must be parallel: then no order was promised. */
export function interchange(outer: Loop): Loop {
  const inner = outer.body[0];
  if (outer.body.length !== 1 || inner?.kind !== 'loop') throw refuse('interchange', `${outer.axis} does more than one loop`);
  if (outer.mode !== 'par' || inner.mode !== 'par') throw refuse('interchange', `${outer.axis} and ${inner.axis} are not both par`);
  return { ...inner, body: [{ ...outer, body: inner.body }] };
}

/** Perfectly nested parallel loops in another order, given by their axes. */
export function reorder(loop: Loop, axes: readonly string[]): Loop {
  const chain = chainOf(loop);
  const byName = new Map(chain.map((l) => [l.axis, l]));
  if (axes.length > chain.length || axes.some((a) => !byName.has(a)))
    throw refuse('reorder', `${loop.axis} does not nest ${axes.join(', ')}`);
  const wanted = new Set(axes);
  const slots = chain.filter((l) => wanted.has(l.axis));
  if (slots.some((l) => l.mode !== 'par')) throw refuse('reorder', 'only par loops have no order');
  const between = chain.slice(chain.indexOf(slots[0]!), chain.indexOf(slots.at(-1)!) + 1);
  if (between.some((l) => l.mode !== 'par')) throw refuse('reorder', 'only par loops have no order');
  const order = chain.map((l) => (wanted.has(l.axis) ? byName.get(axes[slots.indexOf(l)]!)! : l));
  return order.reduceRight<readonly Stmt[]>((body, l) => [withBody(l, body)], chain.at(-1)!.body)[0] as Loop;
}

/** A loop and those that are nested in it with nothing beside them, outermost first. */
export function chainOf(loop: Loop): Loop[] {
  const chain = [loop];
  for (let l = loop; l.body.length === 1 && l.body[0]!.kind === 'loop'; ) {
    l = l.body[0];
    chain.push(l);
  }
  return chain;
}

/**
 * Two loops that follow each other as one. Refused where the second reads what the first writes at another iteration, writes what it reads,
 * or where both write the same buffer: then the order of iterations would matter.
 */
export function merge(first: Loop, second: Loop): Loop {
  const extent = known(first, 'merge');
  if (extent !== known(second, 'merge')) throw refuse('merge', `${first.axis} and ${second.axis} have different extents`);
  const body = moveAxis(second.body, second.axis, axis(first.axis));
  const before = effectsOf(first.body);
  const after = effectsOf(body);
  for (const name of before.declares) {
    if (after.declares.has(name)) throw refuse('merge', `both loops declare ${name}`);
  }
  for (const name of [...before.writes, ...after.writes]) {
    const shared =
      (before.writes.has(name) && (after.reads.has(name) || after.writes.has(name))) || (after.writes.has(name) && before.reads.has(name));
    if (!shared || before.declares.has(name) || after.declares.has(name)) continue;
    const places = [...placesOf(first.body, name), ...placesOf(body, name)];
    const [place] = places;
    const own = place !== undefined && dependsOnlyOn(place, first.axis);
    if (place === undefined || !own || places.some((p) => !samePosition(p, place))) {
      throw refuse('merge', `${name} is written in one of the loops and used elsewhere by the other`);
    }
  }
  const mode = first.mode === 'par' && second.mode === 'par' ? 'par' : 'serial';
  return { ...first, mode, body: [...first.body, ...body] };
}

/** Whether different iterations of `name` surely touch different elements: the place moves with this axis and no other. */
const dependsOnlyOn = (place: Position, name: string): boolean =>
  place.kind === 'axis'
    ? place.axis === name
    : (place.kind === 'mul' && dependsOnlyOn(place.a, name)) ||
      (place.kind === 'add' && place.b.kind === 'const' && dependsOnlyOn(place.a, name));

/** Where a buffer is read or written; a scalar of that name has no place, which refuses it. */
function placesOf(body: readonly Stmt[], name: string): Position[] {
  const places: Position[] = [];
  const stack = [...body];
  const visit = (e: Expr): void => {
    for (const load of loadsOf(e)) if (load.buffer === name) places.push(load.at);
  };
  for (let s = stack.pop(); s !== undefined; s = stack.pop()) {
    if (s.kind === 'loop') stack.push(...s.body);
    else if (s.kind === 'if') {
      visit(s.test);
      stack.push(...s.then, ...s.else);
    } else if (s.kind === 'store' || s.kind === 'update') {
      if (s.buffer === name) places.push(s.at);
      for (const e of valuesIn(s.at)) visit(e);
      visit(s.value);
    } else if (s.kind === 'var') visit(s.init);
    else if (s.kind === 'scratch') {
      if (s.init !== undefined) visit(s.init);
    } else if (s.kind === 'members') {
      stack.push(...s.body);
      // Which member is meant is known to the table only.
      if (s.rows.some((row) => row.buffers.includes(name))) places.push({ kind: 'const', value: 0 });
    } else if (s.kind === 'library' || s.kind === 'product' || s.kind === 'transpose') {
      // A whole block of elements: no place of theirs is known to depend on one axis only.
      if (buffersOf(s).includes(name)) places.push({ kind: 'const', value: 0 });
    } else visit(s.value);
  }
  return places;
}

function buffersOf(s: Extract<Stmt, { kind: 'library' | 'product' | 'transpose' }>): readonly string[] {
  if (s.kind === 'library') return s.buffers;
  return (s.kind === 'product' ? [s.a, s.b, s.c] : [s.to, s.from]).map((p) => p.buffer);
}

type Load = { readonly buffer: string; readonly at: Position };

/** Loads of an expression, those that find a position included. */
function loadsOf(e: Expr): Load[] {
  switch (e.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
      return [];
    case 'load':
      return [{ buffer: e.buffer, at: e.at }, ...loadsWithin(e.at)];
    case 'position':
      return loadsWithin(e.at);
    case 'call':
      return e.args.flatMap(loadsOf);
    case 'cast':
    case 'bitcast':
      return loadsOf(e.value);
    case 'choose':
      return [...e.when.flatMap((b) => loadsWithin(b.at)), ...loadsOf(e.then), ...loadsOf(e.else)];
    default:
      return e satisfies never;
  }
}

const loadsWithin = (p: Position): Load[] => valuesIn(p).flatMap(loadsOf);
