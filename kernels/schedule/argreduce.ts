// Searches for the place of the greatest (or least) element, without a branch for each: lanes cannot branch apart.
//
//   serial j: n { if better(x[j], best) { best = x[j]  where = j } }
//
// Along a row the value is found first, by blocks, and then its place in the one block that has it:
//
//   serial b: n/B { var part; serial j: B { part max= x[b*B + j] }  if better(part, best) { best = part  start = b*B } }
//   serial j: B { where min= select(same(x[start + j], best), start + j, n) }
//
// Rows side by side keep value and place of each column in scratch; a branch becomes a choice between old and new, several rows at a time.
// The first of several equal elements is found, and a NaN beats all others: `max` and `min` keep it, and the first of them is the answer.
import { type DType, greatest, isFloat, least } from '../../runtime/dtype.ts';
import { keyOfExpr } from '../keys.ts';
import { literal } from '../literal.ts';
import type { Expr, Kernel, Position, Stmt } from '../loop.ts';
import { add, axis, constant, mul, samePosition } from '../position.ts';
import { moveAxis, withBody } from './loops.ts';
import { effectsOf, freshName, type Loop, mentioned, namesIn, replaceIn } from './rewrite.ts';
import { workOf } from './work.ts';

/** Elements of a block along a row. It is read a second time, from the first cache. */
const rowBlock = 512;
/** Elements of a block where threads share a single row. */
const sharedBlock = 4096;
/** Rows shorter than this stay as they are. */
const shortRow = 8;
/** Instructions from which on threads share a row. */
const shareFrom = 60_000;
/** Rows that are looked at between reading and writing what is known of the columns. */
const rowsTogether = 4;

type If = Extract<Stmt, { kind: 'if' }>;
type Let = Extract<Stmt, { kind: 'let' }>;

/** `if better(value, best) { best = value  where = place }` */
type Choice = {
  readonly fn: 'max' | 'min';
  readonly dtype: DType;
  readonly value: Expr;
  readonly best: Expr;
  readonly place: Expr;
  readonly branch: If;
};

export function searchInLanes(kernel: Kernel): Kernel {
  const taken = namesIn(
    kernel.body,
    kernel.params.map((p) => p.name),
  );
  return { ...kernel, body: inBody(kernel.body, taken, true) };
}

/** `atTop`: not inside of a loop, so that threads may share what is there. */
function inBody(body: readonly Stmt[], taken: Set<string>, atTop: boolean): readonly Stmt[] {
  return body.flatMap((s): readonly Stmt[] => {
    if (s.kind !== 'loop') return [s];
    const row = alongRow(s, body, taken, atTop);
    if (row !== undefined) return row;
    const columns = alongColumns(s, taken);
    return columns ?? [withBody(s, inBody(s.body, taken, false))];
  });
}

// ---- one row

function alongRow(loop: Loop, around: readonly Stmt[], taken: Set<string>, atTop: boolean): readonly Stmt[] | undefined {
  const { extent } = loop;
  if (loop.mode !== 'serial' || loop.step !== undefined || typeof extent !== 'number' || extent < shortRow) return undefined;
  const lets = loop.body.filter((s): s is Let => s.kind === 'let');
  const choices = loop.body.flatMap((s) => choiceOf(s) ?? []);
  const others = loop.body.filter((s) => s.kind === 'accumulate');
  if (choices.length === 0 || lets.length + choices.length + others.length !== loop.body.length) return undefined;
  const inits = new Map(around.flatMap((s) => (s.kind === 'var' ? [[s.name, s.init] as const] : [])));
  const { reads } = effectsOf([...lets, ...others]);
  const searches: Stmt[] = [];
  for (const { fn, dtype, value, best, place, branch } of choices) {
    const [first, second] = branch.then;
    if (first?.kind !== 'assign' || second?.kind !== 'assign' || best.kind !== 'ref') return undefined;
    // From the identity on, and by nothing else.
    const init = inits.get(first.name);
    if (init === undefined || keyOfExpr(init) !== keyOfExpr(identity(fn, dtype)) || !inits.has(second.name)) return undefined;
    if (reads.has(first.name) || reads.has(second.name)) return undefined;
    if (mentioned(value).has(first.name) || mentioned(value).has(second.name)) return undefined;
    if (place.kind !== 'position' || !samePosition(place.at, axis(loop.axis))) return undefined;
    const row: Row = { loop, extent, lets, fn, dtype, value, best: first.name, where: second.name, taken };
    searches.push(...search(row, atTop && workOf([loop]) >= shareFrom));
  }
  const rest = others.length === 0 ? [] : [withBody(loop, [...lets, ...others])];
  return [...rest, ...searches];
}

type Row = {
  readonly loop: Loop;
  readonly extent: number;
  readonly lets: readonly Let[];
  readonly fn: 'max' | 'min';
  readonly dtype: DType;
  readonly value: Expr;
  readonly best: string;
  readonly where: string;
  readonly taken: Set<string>;
};

function search(row: Row, isShared: boolean): Stmt[] {
  const { extent, best, dtype, fn } = row;
  const size = isShared ? sharedBlock : rowBlock;
  if (extent < 2 * size) return [extremum(row, best, extent, axis(row.loop.axis)), ...placeWithin(row, extent, constant(0))];
  const start = freshName(`${row.where}_start`, row.taken);
  const block = freshName(`${row.loop.axis}_block`, row.taken);
  const whole = Math.floor(extent / size);
  const inBlock = add(mul(axis(block), size), axis(row.loop.axis));
  const part = freshName(`${best}_part`, row.taken);
  const ref = (name: string): Expr => ({ kind: 'ref', dtype, name });
  const take = (value: Expr, at: Position): Stmt => ({
    kind: 'if',
    test: better(fn, dtype, value, ref(best)),
    then: [
      { kind: 'assign', name: best, value },
      { kind: 'assign', name: start, value: { kind: 'position', dtype: 'i32', at } },
    ],
    else: [],
  });
  const found: Stmt[] = [{ kind: 'var', name: start, init: literal(0, 'i32') }];
  const ofBlock = (count: number, at: Position): Stmt[] => [
    { kind: 'var', name: part, init: identity(fn, dtype) },
    extremum(row, part, count, at),
  ];
  const blockAt = mul(axis(block), size);
  const over = (mode: 'par' | 'serial', body: readonly Stmt[]): Stmt => ({ kind: 'loop', axis: block, extent: whole, mode, body });
  if (isShared) {
    const parts = freshName(`${best}_parts`, row.taken);
    found.push(
      { kind: 'scratch', name: parts, dtype, length: whole },
      over('par', [...ofBlock(size, inBlock), { kind: 'store', buffer: parts, at: axis(block), value: ref(part) }]),
      over('serial', [take({ kind: 'load', dtype, buffer: parts, at: axis(block) }, blockAt)]),
    );
  } else found.push(over('serial', [...ofBlock(size, inBlock), take(ref(part), blockAt)]));
  const rest = extent - whole * size;
  // The window in which the place is looked for then begins before the rest: what comes before it is no match, or would have been taken.
  if (rest > 0) found.push(...ofBlock(rest, add(constant(whole * size), axis(row.loop.axis))), take(ref(part), constant(extent - size)));
  return [...found, ...placeWithin(row, size, { kind: 'value', value: { kind: 'ref', dtype: 'i32', name: start } })];
}

/** The greatest or least of some elements; `at` is where the loop's axis stood. */
function extremum({ loop, lets, fn, value }: Row, into: string, extent: number, at: Position): Stmt {
  const body: Stmt[] = [...lets, { kind: 'accumulate', name: into, fn, value }];
  return { kind: 'loop', axis: loop.axis, extent, mode: 'serial', body: moveAxis(body, loop.axis, at) };
}

/** The first place within a window of elements that equals the best. */
function placeWithin({ loop, extent, lets, value, best, where, dtype, taken }: Row, window: number, start: Position): Stmt[] {
  const first = freshName(`${where}_first`, taken);
  const at = add(start, axis(loop.axis));
  const element = freshName('element', taken);
  const match = same(dtype, { kind: 'ref', dtype, name: element }, { kind: 'ref', dtype, name: best });
  const place: Expr = { kind: 'position', dtype: 'i32', at: axis(loop.axis) };
  const matching: Expr = { kind: 'call', dtype: 'i32', fn: 'select', args: [match, place, literal(extent, 'i32')] };
  const body: Stmt[] = [...lets, { kind: 'let', name: element, value }, { kind: 'accumulate', name: first, fn: 'min', value: matching }];
  return [
    { kind: 'var', name: first, init: literal(extent, 'i32') },
    { kind: 'loop', axis: loop.axis, extent: window, mode: 'serial', body: moveAxis(body, loop.axis, at) },
    { kind: 'assign', name: where, value: { kind: 'ref', dtype: 'i32', name: first } },
  ];
}

// ---- rows side by side

function alongColumns(loop: Loop, taken: Set<string>): readonly Stmt[] | undefined {
  const [columns] = loop.body;
  if (loop.mode !== 'serial' || loop.body.length !== 1 || columns?.kind !== 'loop' || columns.mode !== 'par') return undefined;
  const choices = columns.body.flatMap((s) => choiceOf(s) ?? []);
  if (choices.length === 0) return undefined;
  const held = effectsOf(choices.map((c) => c.branch)).writes;
  const others = effectsOf(columns.body.filter((s) => choiceOf(s) === undefined));
  if ([...held].some((name) => others.reads.has(name) || others.writes.has(name))) return undefined;
  const together = (of: Loop, count: number, at: (row: number) => Position): Loop => {
    const rows = Array.from({ length: count }, (_, row) => moveAxis(columns.body, loop.axis, at(row)));
    return withBody(of, [withBody(columns, inOne(rows, taken))]);
  };
  const { extent } = loop;
  const isKnown = typeof extent === 'number' && loop.step === undefined && choices.length === columns.body.length;
  if (!isKnown || extent < rowsTogether) return [together(loop, 1, () => axis(loop.axis))];
  const whole = Math.floor(extent / rowsTogether);
  const rest = extent - whole * rowsTogether;
  const result = [together({ ...loop, extent: whole }, rowsTogether, (row) => add(mul(axis(loop.axis), rowsTogether), constant(row)))];
  if (rest > 0) result.push(together({ ...loop, extent: rest }, 1, () => add(axis(loop.axis), constant(whole * rowsTogether))));
  return result;
}

/** The bodies of some rows, one after the other, with what is known of a column read once and written once. */
function inOne(rows: readonly (readonly Stmt[])[], taken: Set<string>): Stmt[] {
  const known = new Map<string, { readonly place: Extract<Expr, { kind: 'load' }>; name: string }>();
  const body: Stmt[] = [];
  const keep = (place: Extract<Expr, { kind: 'load' }>, value: Expr): void => {
    const name = freshName(`${place.buffer}_next`, taken);
    body.push({ kind: 'let', name, value });
    known.set(keyOfExpr(place), { place, name });
  };
  const now = (e: Expr): Expr =>
    replaceIn(e, (x) => {
      const found = x.kind === 'load' ? known.get(keyOfExpr(x)) : undefined;
      return found === undefined ? undefined : { kind: 'ref', dtype: x.dtype, name: found.name };
    });
  for (const s of rows.flat()) {
    const choice = choiceOf(s);
    if (choice === undefined) {
      body.push(s);
      continue;
    }
    const [first, second] = choice.branch.then;
    if (first?.kind !== 'store' || second?.kind !== 'store') {
      body.push(s);
      continue;
    }
    const placeOf = (t: typeof first): Extract<Expr, { kind: 'load' }> => ({
      kind: 'load',
      dtype: t.value.dtype,
      buffer: t.buffer,
      at: t.at,
    });
    const value = freshName('candidate', taken);
    body.push({ kind: 'let', name: value, value: now(first.value) });
    const candidate: Expr = { kind: 'ref', dtype: choice.dtype, name: value };
    const [best, where] = [placeOf(first), placeOf(second)];
    const isBetter = freshName('is_better', taken);
    body.push({ kind: 'let', name: isBetter, value: better(choice.fn, choice.dtype, candidate, now(best)) });
    const test: Expr = { kind: 'ref', dtype: 'bool', name: isBetter };
    const either = (then: Expr, otherwise: Expr): Expr => ({
      kind: 'call',
      dtype: then.dtype,
      fn: 'select',
      args: [test, then, otherwise],
    });
    const [nextBest, nextWhere] = [either(candidate, now(best)), either(now(second.value), now(where))];
    keep(best, nextBest);
    keep(where, nextWhere);
  }
  for (const { place, name } of known.values())
    body.push({ kind: 'store', buffer: place.buffer, at: place.at, value: { kind: 'ref', dtype: place.dtype, name } });
  return body;
}

// ---- the form of a search

const call = (fn: 'and' | 'or' | 'not' | 'eq' | 'ne' | 'le', ...args: readonly Expr[]): Expr => ({ kind: 'call', dtype: 'bool', fn, args });

const identity = (fn: 'max' | 'min', dtype: DType): Expr => literal(fn === 'max' ? least[dtype] : greatest[dtype], dtype);

/** Whether a value beats the best so far: what equals it does not, and nothing beats a NaN. */
function better(fn: 'max' | 'min', dtype: DType, value: Expr, best: Expr): Expr {
  const beats = call('not', fn === 'max' ? call('le', value, best) : call('le', best, value));
  return isFloat(dtype) ? call('and', call('eq', best, best), beats) : beats;
}

const same = (dtype: DType, x: Expr, y: Expr): Expr =>
  isFloat(dtype) ? call('or', call('eq', x, y), call('and', call('ne', x, x), call('ne', y, y))) : call('eq', x, y);

function choiceOf(s: Stmt): Choice | undefined {
  if (s.kind !== 'if' || s.else.length > 0 || s.then.length !== 2) return undefined;
  const [first, second] = s.then;
  if (first === undefined || second === undefined) return undefined;
  if (
    first.kind !== second.kind ||
    (first.kind !== 'assign' && first.kind !== 'store') ||
    (second.kind !== 'assign' && second.kind !== 'store')
  )
    return undefined;
  const { value } = first;
  const { dtype } = value;
  const best: Expr =
    first.kind === 'assign' ? { kind: 'ref', dtype, name: first.name } : { kind: 'load', dtype, buffer: first.buffer, at: first.at };
  const found = (['max', 'min'] as const).find((fn) => keyOfExpr(better(fn, dtype, value, best)) === keyOfExpr(s.test));
  if (found === undefined || second.value.dtype !== 'i32') return undefined;
  return { fn: found, dtype, value, best, place: second.value, branch: s };
}
