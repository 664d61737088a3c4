// Positions: integer index arithmetic in one canonical form, so that equal indices are equal trees and index maps of views compose away.
//
// A position is kept as a sum of terms `atom * sizes * scale`, in order of first appearance, the constant last. `div` rounds to minus
// infinity and `mod` is never negative, which makes every rule here hold for the negative positions that padding produces.

import { InternalError } from '../runtime/errors.ts';
import { axesOf } from './axes.ts';
import { keyOfPosition } from './keys.ts';
import type { Expr, Extent, Position, Size } from './loop.ts';

/** Extents of axes: `0 <= axis < extent`. */
export type Ranges = ReadonlyMap<string, Extent>;

/** `atom` is an axis, a quotient, a remainder or a value; absent for a constant. */
type Term = { readonly atom: Position | undefined; readonly sizes: readonly Size[]; readonly scale: number };

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
    else stride = sizeOf(sum([{ ...term, atom: undefined }], noRanges), noRanges);
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

const dependsOn = (position: Position, name: string): boolean =>
  position.kind === 'axis' ? position.axis === name : axesOf(position).has(name);

/** Smallest and largest value, both inclusive; infinite where sizes or values are unknown. */
export function boundsOf(position: Position, ranges: Ranges): { readonly low: number; readonly high: number } {
  return boundsOfTerms(termsOf(position), ranges);
}

/** The size that a position without axes is; a number where it is one. */
export function sizeOf(of: Position, ranges: Ranges = noRanges): Extent {
  if (of.kind === 'const') return of.value;
  const { low, high } = boundsOf(of, ranges);
  const bounds = { ...(Number.isFinite(low) ? { least: low } : {}), ...(Number.isFinite(high) ? { most: high } : {}) };
  return { size: keyOfPosition(of), ...bounds, of };
}

/** Whether a position is known to lie below an extent that is open until the launch. */
export const isWithin = (position: Position, below: Extent, ranges: Ranges): boolean => fillsExactly(termsOf(position), below, ranges);

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

const noSizes: readonly Size[] = [];
const bySize = (a: Size, b: Size): number => (a.size < b.size ? -1 : a.size > b.size ? 1 : 0);
/** The factors of both, in the order in which equal products have them. */
const factors = (a: readonly Size[], b: readonly Size[]): readonly Size[] =>
  a.length === 0 ? b : b.length === 0 ? a : [...a, ...b].sort(bySize);

function termsOf(position: Position): readonly Term[] {
  const terms: Term[] = [];
  gatherTerms(position, 1, noSizes, terms);
  return terms;
}

/** Appends the terms of `position * scale * sizes`. */
function gatherTerms(position: Position, scale: number, sizes: readonly Size[], into: Term[]): void {
  switch (position.kind) {
    case 'const':
      if (typeof position.value !== 'number') {
        for (const t of termsOfSize(position.value)) into.push({ atom: t.atom, sizes: factors(sizes, t.sizes), scale: scale * t.scale });
      } else if (position.value !== 0) into.push({ atom: undefined, sizes, scale: position.value * scale });
      return;
    case 'add':
      gatherTerms(position.a, scale, sizes, into);
      gatherTerms(position.b, scale, sizes, into);
      return;
    case 'mul':
      if (typeof position.by === 'number') gatherTerms(position.a, scale * position.by, sizes, into);
      else
        into.push(
          ...scaled(termsOf(position.a), position.by).map((t) => ({ ...t, sizes: factors(sizes, t.sizes), scale: scale * t.scale })),
        );
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
  sizes: factors(t.sizes, by.sizes),
  scale: t.scale * by.scale,
});

function scaled(terms: readonly Term[], by: Extent): readonly Term[] {
  if (by === 1 || terms.length === 0) return terms;
  if (typeof by === 'number') return terms.map(({ atom, sizes, scale }) => ({ atom, sizes, scale: scale * by }));
  const factor = termsOfSize(by);
  if (factor.some((t) => t.atom !== undefined)) throw new InternalError(`a position is scaled by ${by.size}`, { op: 'lower' });
  return terms.flatMap((t) => factor.map((f) => product(t, f)));
}

/** A size that is computed counts as what it is computed from. */
const termsOfSize = (size: Size): readonly Term[] =>
  size.of === undefined ? [{ atom: undefined, sizes: [size], scale: 1 }] : termsOf(size.of);

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
  (a.sizes.length === 0 || a.sizes.every((size, i) => size.size === b.sizes[i]!.size));

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
  for (const size of sizes) result = result === undefined ? { kind: 'const', value: size } : { kind: 'mul', a: result, by: size };
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
      const divided = dividedBy(t, by);
      if (divided === undefined) rest.push(t);
      else multiples.push(divided);
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

/** A term divided by a size that is a single product, if that leaves nothing. */
function dividedBy(t: Term, by: Size): Term | undefined {
  const [only, more] = termsOfSize(by);
  if (only === undefined || more !== undefined || only.atom !== undefined || t.scale % only.scale !== 0) return undefined;
  const sizes = [...t.sizes];
  for (const wanted of only.sizes) {
    const at = sizes.findIndex((size) => size.size === wanted.size);
    if (at < 0) return undefined;
    sizes.splice(at, 1);
  }
  return { atom: t.atom, sizes, scale: t.scale / only.scale };
}

function quotient(terms: readonly Term[], by: Extent, ranges: Ranges): Position {
  if (by === 1) return sum(terms, ranges);
  const { multiples, rest } = splitMultiples(terms, by);
  if (rest.length === 0 || fillsExactly(rest, by, ranges)) return sum(multiples, ranges);
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
  if (rest.length === 0 || fillsExactly(rest, by, ranges)) return sum(rest, ranges);
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

const isSameFactor = (t: Term, [other, more]: readonly Term[]): boolean =>
  other !== undefined && more === undefined && t.scale === other.scale && isLike(t, other);

/** Whether a sum of axes runs to exactly the (symbolic) extent. */
function fillsExactly(terms: readonly Term[], by: Extent, ranges: Ranges): boolean {
  if (typeof by === 'number') return false;
  // Axes as digits, the last one first: each begins where those behind it end, and the first ends within `by`.
  let end: readonly Term[] = [{ atom: undefined, sizes: noSizes, scale: 1 }];
  for (const t of [...terms].reverse()) {
    const extent = t.atom?.kind === 'axis' ? ranges.get(t.atom.axis) : undefined;
    if (extent === undefined || !isSameFactor({ ...t, atom: undefined }, end)) return false;
    end = scaled(end, extent);
  }
  return end.length === 1 && termsOfSize(by).length === 1 && isSameFactor(end[0]!, termsOfSize(by));
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
    let b = atom === undefined ? { low: 1, high: 1 } : boundsOfAtom(atom, ranges);
    for (const { least = 0, most = Infinity } of sizes) {
      const ends = [times(b.low, least), times(b.low, most), times(b.high, least), times(b.high, most)];
      b = { low: Math.min(...ends), high: Math.max(...ends) };
    }
    low += scale > 0 ? times(b.low, scale) : times(b.high, scale);
    high += scale > 0 ? times(b.high, scale) : times(b.low, scale);
  }
  return { low, high };
}

const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

function boundsOfAtom(atom: Position, ranges: Ranges): { low: number; high: number } {
  switch (atom.kind) {
    case 'axis': {
      const extent = ranges.get(atom.axis);
      return { low: 0, high: Math.max((typeof extent === 'number' ? extent : (extent?.most ?? Infinity)) - 1, 0) };
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
