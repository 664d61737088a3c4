// Positions: integer index arithmetic in one canonical form, so that equal indices are equal trees and index maps of views compose away.
//
// A position is kept as a sum of terms `atom * sizes * scale`, in order of first appearance, the constant last. `div` rounds to minus
// infinity and `mod` is never negative, which makes every rule here hold for the negative positions that padding produces.
import { keyOfPosition } from './keys.ts';
import type { Expr, Extent, Position } from './loop.ts';

/** Extents of axes: `0 <= axis < extent`. */
export type Ranges = ReadonlyMap<string, Extent>;

/** `atom` is an axis, a quotient, a remainder or a value; absent for a constant. */
type Term = { readonly atom: Position | undefined; readonly sizes: readonly string[]; readonly scale: number };

const noRanges: Ranges = new Map();

export const zero: Position = { kind: 'const', value: 0 };
export const constant = (value: Extent): Position => ({ kind: 'const', value: typeof value === 'number' ? value + 0 : value });
export const axis = (name: string): Position => ({ kind: 'axis', axis: name });

/** The position that an integer expression computes; an integer constant or a position in disguise is seen through. */
export const valuePosition = (value: Expr): Position => (value.kind === 'position' ? value.at : { kind: 'value', value });

export function add(...positions: readonly Position[]): Position {
  const terms: Term[] = [];
  for (const position of positions) gatherTerms(position, 1, noSizes, terms);
  return sum(terms, noRanges);
}
export const sub = (a: Position, b: Position): Position => add(a, mul(b, -1));
export const mul = (a: Position, by: Extent): Position => sum(scaled(termsOf(a), by), noRanges);
/** Quotient rounded to minus infinity; `by` is positive. */
export const div = (a: Position, by: Extent): Position => quotient(termsOf(a), by, noRanges);
/** Remainder in `[0, by)`; `by` is positive. */
export const mod = (a: Position, by: Extent): Position => remainder(termsOf(a), by, noRanges);

/** The same position, with quotients and remainders removed where the extents of axes decide them. */
export function simplify(position: Position, ranges: Ranges): Position {
  return rebuild(position, (name) => axis(name), ranges);
}

/** The position with axes replaced, in the loads of its values too; what is not in the map stays. */
export function substitute(position: Position, by: ReadonlyMap<string, Position>): Position {
  return rebuild(
    position,
    (name) => by.get(name) ?? axis(name),
    noRanges,
    (value) => mapPositions(value, (at) => substitute(at, by)),
  );
}

/** The expression with each position in it (of loads, conditions, casts of positions) replaced by `f` of it. */
export function mapPositions(expr: Expr, f: (at: Position) => Position): Expr {
  switch (expr.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
      return expr;
    case 'load':
    case 'position':
      return { ...expr, at: f(expr.at) };
    case 'call':
      return { ...expr, args: expr.args.map((arg) => mapPositions(arg, f)) };
    case 'cast':
    case 'bitcast':
      return { ...expr, value: mapPositions(expr.value, f) };
    case 'choose':
      return {
        ...expr,
        when: expr.when.map((bound) => ({ ...bound, at: f(bound.at) })),
        then: mapPositions(expr.then, f),
        else: mapPositions(expr.else, f),
      };
    default:
      return expr satisfies never;
  }
}

/** What one step of `name` adds to the position, if that is one extent whatever the other axes are. */
export function strideOf(position: Position, name: string): Extent | undefined {
  let stride: Extent = 0;
  for (const term of termsOf(position)) {
    if (term.atom === undefined || !dependsOn(term.atom, name)) continue;
    if (term.atom.kind !== 'axis' || stride !== 0) return undefined;
    if (term.sizes.length === 0) stride = term.scale;
    else if (term.sizes.length === 1 && term.scale === 1) stride = { size: term.sizes[0]! };
    else return undefined;
  }
  return stride;
}

/** Coordinates in `shape` (row-major) of the element at `linear`, which lies within the shape. */
export function positionsFrom(linear: Position, shape: readonly Extent[], ranges: Ranges = noRanges): Position[] {
  const positions: Position[] = [];
  let rest = linear;
  for (let d = shape.length - 1; d >= 0; d--) {
    const extent = shape[d]!;
    if (d === 0) positions.push(extent === 1 ? zero : simplify(rest, ranges));
    else positions.push(remainder(termsOf(rest), extent, ranges));
    if (d > 0) rest = quotient(termsOf(rest), extent, ranges);
  }
  return positions.reverse();
}

/** Row-major offset of an element. Coordinates of axes of extent 1 do not count. */
export function linearize(positions: readonly Position[], shape: readonly Extent[], ranges: Ranges = noRanges): Position {
  let terms: readonly Term[] = [];
  positions.forEach((position, d) => {
    const extent = shape[d]!;
    terms = extent === 1 ? terms : [...scaled(terms, extent), ...termsOf(position)];
  });
  return sum(terms, ranges);
}

/** Names of the axes that a position depends on, those inside values included. */
export function axesOf(position: Position, into: Set<string> = new Set()): Set<string> {
  switch (position.kind) {
    case 'const':
      break;
    case 'axis':
      into.add(position.axis);
      break;
    case 'add':
      axesOf(position.a, into);
      axesOf(position.b, into);
      break;
    case 'mul':
    case 'div':
    case 'mod':
      axesOf(position.a, into);
      break;
    case 'value':
      axesOfExpr(position.value, into);
      break;
    default:
      position satisfies never;
  }
  return into;
}

const dependsOn = (position: Position, name: string): boolean =>
  position.kind === 'axis' ? position.axis === name : axesOf(position).has(name);

/** Smallest and largest value, both inclusive; infinite where sizes or values are unknown. */
export function boundsOf(position: Position, ranges: Ranges): { readonly low: number; readonly high: number } {
  return boundsOfTerms(termsOf(position), ranges);
}

export const samePosition = (a: Position, b: Position): boolean => a === b || keyOfPosition(a) === keyOfPosition(b);

/** A position without unknowns is a number. */
export const asConstant = (position: Position): number | undefined =>
  position.kind === 'const' && typeof position.value === 'number' ? position.value : undefined;

/**
 * The terms of a sum as people write them: signs apart, and the number in front where the sum would start with a minus (`7 - i`).
 * A number stands last in every sum, so that reading puts it back; terms of sizes keep their order among each other.
 */
export function summandsOf(position: Position): { readonly isNegative: boolean; readonly term: Position }[] {
  const terms: { readonly isNegative: boolean; readonly term: Position }[] = [];
  for (let p: Position | undefined = position; p !== undefined; ) {
    const last: Position = p.kind === 'add' ? p.b : p;
    const positive = negated(last);
    terms.push(positive === undefined ? { isNegative: false, term: last } : { isNegative: true, term: positive });
    p = p.kind === 'add' ? p.a : undefined;
  }
  terms.reverse();
  const last = terms.at(-1)!;
  if (terms[0]!.isNegative && !last.isNegative && asConstant(last.term) !== undefined) terms.unshift(terms.pop()!);
  return terms;
}

/** What a negative term subtracts. */
function negated(p: Position): Position | undefined {
  if (p.kind === 'const' && typeof p.value === 'number' && p.value < 0) return constant(-p.value);
  if (p.kind === 'mul' && typeof p.by === 'number' && p.by < 0) return p.by === -1 ? p.a : { kind: 'mul', a: p.a, by: -p.by };
  return undefined;
}

// ---- terms

const noSizes: readonly string[] = [];

function termsOf(position: Position): readonly Term[] {
  const terms: Term[] = [];
  gatherTerms(position, 1, noSizes, terms);
  return terms;
}

/** Appends the terms of `position * scale * sizes`. */
function gatherTerms(position: Position, scale: number, sizes: readonly string[], into: Term[]): void {
  switch (position.kind) {
    case 'const':
      if (typeof position.value !== 'number') into.push({ atom: undefined, sizes: [...sizes, position.value.size].sort(), scale });
      else if (position.value !== 0) into.push({ atom: undefined, sizes, scale: position.value * scale });
      return;
    case 'add':
      gatherTerms(position.a, scale, sizes, into);
      gatherTerms(position.b, scale, sizes, into);
      return;
    case 'mul':
      if (typeof position.by === 'number') gatherTerms(position.a, scale * position.by, sizes, into);
      else gatherTerms(position.a, scale, [...sizes, position.by.size].sort(), into);
      return;
    case 'axis':
    case 'div':
    case 'mod':
    case 'value':
      into.push({ atom: position, sizes, scale });
      return;
    default:
      position satisfies never;
  }
}

/** `t` times the factors of `by`, whose atom does not count. */
const product = (t: Term, by: Omit<Term, 'atom'>): Term => ({
  atom: t.atom,
  sizes: by.sizes.length === 0 ? t.sizes : [...t.sizes, ...by.sizes].sort(),
  scale: t.scale * by.scale,
});

const scaled = (terms: readonly Term[], by: Extent): readonly Term[] =>
  by === 1
    ? terms
    : terms.map(({ atom, sizes, scale }) =>
        typeof by === 'number' ? { atom, sizes, scale: scale * by } : { atom, sizes: [...sizes, by.size].sort(), scale },
      );

/** Adds like terms, joins `x div n * n + x mod n` to `x`, and writes the sum down. */
function sum(terms: readonly Term[], ranges: Ranges): Position {
  const live = merged(terms);
  const joined = joinDivMod(live, ranges);
  if (joined !== undefined) return sum(joined, ranges);
  let result: Position | undefined;
  for (const term of constantsLast(live)) {
    const written = writeTerm(term);
    result = result === undefined ? written : { kind: 'add', a: result, b: written };
  }
  return result ?? zero;
}

const constantsLast = (terms: readonly Term[]): readonly Term[] =>
  terms.some((t, i) => t.atom === undefined && i < terms.length - 1)
    ? [...terms.filter((t) => t.atom !== undefined), ...terms.filter(isSymbolic), ...terms.filter(isNumber)]
    : terms;

/** Like terms added up; none of nothing. A position has a handful of terms, one for an axis at most. */
function merged(terms: readonly Term[]): readonly Term[] {
  if (areUnlike(terms)) return terms;
  const result: Term[] = [];
  for (const term of terms) {
    const at = result.findIndex((t) => isLike(t, term));
    if (at < 0) result.push(term);
    else result[at] = { atom: term.atom, sizes: term.sizes, scale: result[at]!.scale + term.scale };
  }
  return result.filter((t) => t.scale !== 0);
}

/** Whether there is nothing to add up and nothing to drop, as most often. */
function areUnlike(terms: readonly Term[]): boolean {
  for (let i = 0; i < terms.length; i++) {
    if (terms[i]!.scale === 0) return false;
    for (let j = 0; j < i; j++) if (isLike(terms[i]!, terms[j]!)) return false;
  }
  return true;
}

const isLike = (a: Term, b: Term): boolean =>
  a.sizes.length === b.sizes.length &&
  isSameAtom(a.atom, b.atom) &&
  (a.sizes.length === 0 || a.sizes.every((size, i) => size === b.sizes[i]));

function isSameAtom(a: Position | undefined, b: Position | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.kind !== b.kind) return false;
  return a.kind === 'axis' && b.kind === 'axis' ? a.axis === b.axis : samePosition(a, b);
}

const isSymbolic = (t: Term): boolean => t.atom === undefined && t.sizes.length > 0;
const isNumber = (t: Term): boolean => t.atom === undefined && t.sizes.length === 0;
function writeTerm({ atom, sizes, scale }: Term): Position {
  if (atom === undefined && sizes.length === 0) return constant(scale);
  let result = atom;
  for (const size of sizes) result = result === undefined ? { kind: 'const', value: { size } } : { kind: 'mul', a: result, by: { size } };
  return scale === 1 ? result! : { kind: 'mul', a: result!, by: scale };
}

function joinDivMod(terms: readonly Term[], ranges: Ranges): Term[] | undefined {
  if (!terms.some((t) => t.atom?.kind === 'mod')) return undefined;
  for (const low of terms) {
    if (low.atom?.kind !== 'mod') continue;
    const { a: x, by } = low.atom;
    const high = termsOf(quotient(termsOf(x), by, ranges));
    if (high.length !== 1) continue;
    const wanted = product(scaled(high, by)[0]!, low);
    const match = terms.find((t) => isLike(t, wanted) && t.scale === wanted.scale);
    if (match === undefined) continue;
    const whole = termsOf(x).map((t) => product(t, low));
    return terms.flatMap((t) => (t === match ? whole : t === low ? [] : [t]));
  }
  return undefined;
}

// ---- quotient and remainder

/** Terms that `by` divides, divided; and the rest. A numeric constant is cut into a multiple and a remainder in `[0, by)`. */
function splitMultiples(terms: readonly Term[], by: Extent): { readonly multiples: Term[]; readonly rest: Term[] } {
  const multiples: Term[] = [];
  const rest: Term[] = [];
  for (const t of terms) {
    if (typeof by !== 'number') {
      const at = t.sizes.indexOf(by.size);
      if (at < 0) rest.push(t);
      else multiples.push({ ...t, sizes: t.sizes.filter((_, i) => i !== at) });
    } else if (t.scale % by === 0) {
      multiples.push({ ...t, scale: t.scale / by });
    } else if (isNumber(t)) {
      const q = Math.floor(t.scale / by);
      multiples.push({ ...t, scale: q });
      rest.push({ ...t, scale: t.scale - q * by });
    } else {
      rest.push(t);
    }
  }
  return { multiples, rest };
}

function quotient(terms: readonly Term[], by: Extent, ranges: Ranges): Position {
  if (by === 1) return sum(terms, ranges);
  const { multiples, rest } = splitMultiples(terms, by);
  if (rest.length === 0 || isWithin(rest, by, ranges)) return sum(multiples, ranges);
  if (typeof by === 'number') {
    const { low, high } = boundsOfTerms(rest, ranges);
    const q = Math.floor(low / by);
    if (q === Math.floor(high / by) && Number.isFinite(q)) {
      return sum([...multiples, { atom: undefined, sizes: noSizes, scale: q }], ranges);
    }
    const factor = commonFactor(rest, by, ranges);
    if (factor !== undefined) {
      return sum([...multiples, ...termsOf(quotient(factor.quotient, by / factor.g, ranges))], ranges);
    }
    const inner = rest.length === 1 && rest[0]!.scale === 1 && rest[0]!.sizes.length === 0 ? rest[0]!.atom : undefined;
    if (inner?.kind === 'div' && typeof inner.by === 'number') {
      return sum([...multiples, ...termsOf(quotient(termsOf(inner.a), inner.by * by, ranges))], ranges);
    }
  }
  return sum([...multiples, { atom: { kind: 'div', a: sum(rest, ranges), by }, sizes: noSizes, scale: 1 }], ranges);
}

function remainder(terms: readonly Term[], by: Extent, ranges: Ranges): Position {
  if (by === 1) return zero;
  const { rest } = splitMultiples(terms, by);
  if (rest.length === 0 || isWithin(rest, by, ranges)) return sum(rest, ranges);
  if (typeof by === 'number') {
    const { low, high } = boundsOfTerms(rest, ranges);
    const q = Math.floor(low / by);
    if (q === Math.floor(high / by) && Number.isFinite(q))
      return sum([...rest, { atom: undefined, sizes: noSizes, scale: -q * by }], ranges);
    const factor = commonFactor(rest, by, ranges);
    if (factor !== undefined) {
      const high = scaled(termsOf(remainder(factor.quotient, by / factor.g, ranges)), factor.g);
      return sum([...high, ...factor.rest], ranges);
    }
    const inner = rest.length === 1 && rest[0]!.scale === 1 && rest[0]!.sizes.length === 0 ? rest[0]!.atom : undefined;
    if (inner?.kind === 'mod' && typeof inner.by === 'number' && inner.by % by === 0) return remainder(termsOf(inner.a), by, ranges);
  }
  return sum([{ atom: { kind: 'mod', a: sum(rest, ranges), by }, sizes: noSizes, scale: 1 }], ranges);
}

/** Whether a sum is one axis that runs to exactly the (symbolic) extent. */
function isWithin(terms: readonly Term[], by: Extent, ranges: Ranges): boolean {
  const only = terms.length === 1 ? terms[0]! : undefined;
  if (typeof by === 'number' || only?.atom?.kind !== 'axis' || only.scale !== 1 || only.sizes.length > 0) return false;
  const extent = ranges.get(only.atom.axis);
  return typeof extent === 'object' && extent.size === by.size;
}

/** The largest g > 1 that divides `by` so that the sum is `g * quotient + rest` with `0 <= rest < g`. */
function commonFactor(terms: readonly Term[], by: number, ranges: Ranges): { g: number; quotient: Term[]; rest: Term[] } | undefined {
  const candidates = [...new Set(terms.filter((t) => t.atom !== undefined).map((t) => gcd(Math.abs(t.scale), by)))].sort((a, b) => b - a);
  for (const g of candidates) {
    if (g <= 1) break;
    const { multiples, rest } = splitMultiples(terms, g);
    const { low, high } = boundsOfTerms(rest, ranges);
    if (low >= 0 && high < g) return { g, quotient: multiples, rest };
  }
  return undefined;
}

function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

// ---- walking

function boundsOfTerms(terms: readonly Term[], ranges: Ranges): { low: number; high: number } {
  let low = 0;
  let high = 0;
  for (const { atom, sizes, scale } of terms) {
    // A size is known to be at least 0 and no more.
    const b = sizes.length > 0 ? { low: 0, high: Infinity } : atom === undefined ? { low: 1, high: 1 } : boundsOfAtom(atom, ranges);
    const negative = sizes.length > 0 && atom !== undefined && boundsOfAtom(atom, ranges).low < 0;
    const lowest = negative ? -Infinity : b.low;
    low += scale > 0 ? times(lowest, scale) : times(b.high, scale);
    high += scale > 0 ? times(b.high, scale) : times(lowest, scale);
  }
  return { low, high };
}

const times = (a: number, b: number): number => (a === 0 ? 0 : a * b);

function boundsOfAtom(atom: Position, ranges: Ranges): { low: number; high: number } {
  switch (atom.kind) {
    case 'axis': {
      const extent = ranges.get(atom.axis);
      return { low: 0, high: typeof extent === 'number' ? Math.max(extent - 1, 0) : Infinity };
    }
    case 'div': {
      if (typeof atom.by !== 'number') {
        const { low } = boundsOf(atom.a, ranges);
        return { low: low >= 0 ? 0 : -Infinity, high: Infinity };
      }
      const { low, high } = boundsOf(atom.a, ranges);
      return { low: Math.floor(low / atom.by), high: Math.floor(high / atom.by) };
    }
    case 'mod':
      return { low: 0, high: typeof atom.by === 'number' ? atom.by - 1 : Infinity };
    default:
      return { low: -Infinity, high: Infinity };
  }
}

/** Builds a position anew from its leaves; `value` maps the expressions in it. */
function rebuild(
  position: Position,
  replace: (name: string) => Position,
  ranges: Ranges,
  value: (expr: Expr) => Expr = (expr) => expr,
): Position {
  const rebuiltAtom = (atom: Position): Position => {
    if (atom.kind === 'axis') return replace(atom.axis);
    if (atom.kind === 'value') return valuePosition(value(atom.value));
    if (atom.kind === 'div') return quotient(termsOf(rebuild(atom.a, replace, ranges, value)), atom.by, ranges);
    if (atom.kind === 'mod') return remainder(termsOf(rebuild(atom.a, replace, ranges, value)), atom.by, ranges);
    return atom;
  };
  const terms: Term[] = [];
  for (const term of termsOf(position)) {
    if (term.atom === undefined) terms.push(term);
    else for (const t of termsOf(rebuiltAtom(term.atom))) terms.push(product(t, term));
  }
  return sum(terms, ranges);
}

function axesOfExpr(expr: Expr, into: Set<string>): void {
  switch (expr.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
      return;
    case 'load':
    case 'position':
      axesOf(expr.at, into);
      return;
    case 'call':
      for (const arg of expr.args) axesOfExpr(arg, into);
      return;
    case 'cast':
    case 'bitcast':
      axesOfExpr(expr.value, into);
      return;
    case 'choose':
      for (const bound of expr.when) axesOf(bound.at, into);
      axesOfExpr(expr.then, into);
      axesOfExpr(expr.else, into);
      return;
    default:
      expr satisfies never;
  }
}
