// What stays the same in a loop is computed before it: addresses up to what the loop adds, and values that all lanes share.
import { bytesPerElement } from '../../runtime/dtype.ts';
import type { Expr, Position, Stmt } from '../loop.ts';
import { asConstant, boundsOf, constant, sub } from '../position.ts';
import { effectsOf, type Loop, mentionsAny, valuesIn } from '../schedule/rewrite.ts';
import { positionValue, scaledBy } from './expression.ts';
import { invariantLanes } from './lane-expression.ts';
import { accessOf, constantOf, splitBy } from './place.ts';
import { bufferOf, type Scope } from './scope.ts';

type Place = { readonly place: Expr | Stmt; readonly buffer: string; readonly at: Position };

/** What a loop body reads and writes. Branches of `choose` count for places, whose arithmetic is harmless, and not for values. */
type Contents = { readonly places: Place[]; readonly values: Expr[]; hasChecks: boolean };

/** Moves out what may be moved, runs `body`, and forgets it again. The scope has the loop's axis already. */
export function hoisted(s: Scope, loop: Loop, body: () => void): void {
  const contents: Contents = { places: [], values: [], hasChecks: false };
  for (const stmt of loop.body) gather(stmt, contents);
  const { declares, writes } = effectsOf(loop.body);
  const inside = new Set([loop.axis, ...declares, ...writes]);
  // What differs from lane to lane stays with the access, which may be made for one lane alone.
  for (const name of s.vector?.varying ?? []) inside.add(name);
  const undo = [...moveAddresses(s, contents.places, inside), ...(s.vector === undefined ? [] : moveValues(s, contents, inside))];
  body();
  for (const back of undo.reverse()) back();
}

function moveAddresses(s: Scope, places: readonly Place[], inside: ReadonlySet<string>): (() => void)[] {
  const undo: (() => void)[] = [];
  for (const { place, buffer, at } of places) {
    // A buffer that is declared in the loop has no address yet.
    if (!s.buffers.has(buffer)) continue;
    const before = s.accesses.get(place);
    const access = before ?? accessOf(s, buffer, at);
    const { fixed, varying } = splitBy(access.rest, inside);
    const offset = constantOf(fixed);
    const moved = sub(fixed, constant(offset));
    if (asConstant(moved) === 0 || readsMemory(moved)) continue;
    const bytes = bytesPerElement[bufferOf(s, buffer).dtype];
    const base = s.f.bind(s.f.op('i32.add', access.base, scaledBy(s, positionValue(s, moved), bytes)));
    const isBehindStart = access.isBehindStart && boundsOf(moved, s.ranges).low >= 0;
    s.accesses.set(place, { base, rest: sub(varying, constant(-offset)), isBehindStart });
    undo.push(() => (before === undefined ? void s.accesses.delete(place) : void s.accesses.set(place, before)));
  }
  return undo;
}

/** An index that is loaded may be one that a check in the loop refuses: it is not read before. */
const readsMemory = (at: Position): boolean => valuesIn(at).some((e) => e.kind !== 'ref' && e.kind !== 'cast');

function moveValues(s: Scope, { values, hasChecks }: Contents, inside: ReadonlySet<string>): (() => void)[] {
  const undo: (() => void)[] = [];
  const visit = (e: Expr): void => {
    if (e.kind === 'literal' || s.splats.has(e)) return;
    if (!mentionsAny(e, inside) && !(hasChecks && loadsAnything(e))) {
      s.splats.set(
        e,
        invariantLanes(s, e).map((part) => s.f.bind(part)),
      );
      undo.push(() => void s.splats.delete(e));
      return;
    }
    if (e.kind === 'call') for (const a of e.args) visit(a);
    else if (e.kind === 'cast' || e.kind === 'bitcast') visit(e.value);
  };
  for (const e of values) visit(e);
  return undo;
}

function loadsAnything(e: Expr): boolean {
  switch (e.kind) {
    case 'load':
    case 'choose':
      return true;
    case 'call':
      return e.args.some(loadsAnything);
    case 'cast':
    case 'bitcast':
      return loadsAnything(e.value);
    case 'position':
      return readsMemory(e.at);
    case 'literal':
    case 'ref':
    case 'slot':
      return false;
    default:
      return e satisfies never;
  }
}

function gather(s: Stmt, into: Contents): void {
  const value = (e: Expr): void => {
    into.values.push(e);
    placesIn(e, into.places);
  };
  switch (s.kind) {
    case 'loop':
      for (const t of s.body) gather(t, into);
      return;
    case 'let':
    case 'assign':
    case 'accumulate':
      value(s.value);
      return;
    case 'var':
      value(s.init);
      return;
    case 'store':
    case 'update':
      into.places.push({ place: s, buffer: s.buffer, at: s.at });
      for (const e of valuesIn(s.at)) placesIn(e, into.places);
      value(s.value);
      return;
    case 'if':
      // What only one branch computes is not computed without being asked for.
      placesIn(s.test, into.places);
      into.values.push(s.test);
      return;
    case 'check':
      into.hasChecks = true;
      placesIn(s.value, into.places);
      return;
    default:
      // Scratch, members, routines and products address their buffers themselves.
      return;
  }
}

function placesIn(e: Expr, into: Place[]): void {
  switch (e.kind) {
    case 'literal':
    case 'ref':
    case 'slot':
      return;
    case 'load':
      into.push({ place: e, buffer: e.buffer, at: e.at });
      for (const v of valuesIn(e.at)) placesIn(v, into);
      return;
    case 'position':
      for (const v of valuesIn(e.at)) placesIn(v, into);
      return;
    case 'call':
      for (const a of e.args) placesIn(a, into);
      return;
    case 'cast':
    case 'bitcast':
      placesIn(e.value, into);
      return;
    case 'choose':
      for (const b of e.when) for (const v of valuesIn(b.at)) placesIn(v, into);
      placesIn(e.then, into);
      placesIn(e.else, into);
      return;
    default:
      e satisfies never;
  }
}
