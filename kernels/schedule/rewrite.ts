// What every schedule step needs: statements with axes and names replaced, what they mention, and names that nothing has yet.

import { axesOf } from '../axes.ts';
import type { Expr, Position, Stmt } from '../loop.ts';
import { substitute } from '../position.ts';

export type Loop = Extract<Stmt, { kind: 'loop' }>;

/** Replacement of axes by positions and of names (scalars and scratch) by names. */
export type Renaming = { readonly axes: ReadonlyMap<string, Position>; readonly names: ReadonlyMap<string, string> };

function renamePosition(p: Position, r: Renaming): Position {
  const moved = substitute(p, r.axes);
  return r.names.size === 0 ? moved : mapValues(moved, (e) => renameExpr(e, { axes: new Map(), names: r.names }));
}

function renameExpr(e: Expr, r: Renaming): Expr {
  switch (e.kind) {
    case 'literal':
    case 'slot':
      return e;
    case 'ref':
      return { ...e, name: r.names.get(e.name) ?? e.name };
    case 'load':
      return { ...e, buffer: r.names.get(e.buffer) ?? e.buffer, at: renamePosition(e.at, r) };
    case 'position':
      return { ...e, at: renamePosition(e.at, r) };
    case 'call':
      return { ...e, args: e.args.map((a) => renameExpr(a, r)) };
    case 'cast':
    case 'bitcast':
      return { ...e, value: renameExpr(e.value, r) };
    case 'choose':
      return {
        ...e,
        when: e.when.map((b) => ({ at: renamePosition(b.at, r), below: b.below })),
        then: renameExpr(e.then, r),
        else: renameExpr(e.else, r),
      };
    default:
      return e satisfies never;
  }
}

export function rename(s: Stmt, r: Renaming): Stmt {
  const name = (n: string): string => r.names.get(n) ?? n;
  const expr = (e: Expr): Expr => renameExpr(e, r);
  const place = <T extends { readonly buffer: string; readonly at: Position }>(p: T): T => ({
    ...p,
    buffer: name(p.buffer),
    at: renamePosition(p.at, r),
  });
  switch (s.kind) {
    case 'loop':
      return { ...s, body: s.body.map((t) => rename(t, r)) };
    case 'let':
    case 'assign':
    case 'accumulate':
      return { ...s, name: name(s.name), value: expr(s.value) };
    case 'var':
      return { ...s, name: name(s.name), init: expr(s.init) };
    case 'scratch':
      return { ...s, name: name(s.name), ...(s.init === undefined ? {} : { init: expr(s.init) }) };
    case 'store':
    case 'update':
      return { ...s, buffer: name(s.buffer), at: renamePosition(s.at, r), value: expr(s.value) };
    case 'if':
      return { ...s, test: expr(s.test), then: s.then.map((t) => rename(t, r)), else: s.else.map((t) => rename(t, r)) };
    case 'check':
      return { ...s, value: expr(s.value) };
    case 'members':
      return { ...s, rows: s.rows.map((row) => ({ ...row, buffers: row.buffers.map(name) })), body: s.body.map((t) => rename(t, r)) };
    case 'library':
      return { ...s, buffers: s.buffers.map(name) };
    case 'product':
      return { ...s, a: place(s.a), b: place(s.b), c: place(s.c) };
    case 'transpose':
      return { ...s, to: place(s.to), from: place(s.from) };
    default:
      return s satisfies never;
  }
}

/** The position with the expressions of its values replaced. */
function mapValues(p: Position, f: (e: Expr) => Expr): Position {
  switch (p.kind) {
    case 'const':
    case 'axis':
      return p;
    case 'add':
      return { ...p, a: mapValues(p.a, f), b: mapValues(p.b, f) };
    case 'mul':
    case 'div':
    case 'mod':
      return { ...p, a: mapValues(p.a, f) };
    case 'value':
      return { kind: 'value', value: f(p.value) };
    default:
      return p satisfies never;
  }
}

/** The expression with each maximal subexpression that `f` answers replaced by its answer. */
export function replaceIn(e: Expr, f: (e: Expr) => Expr | undefined): Expr {
  const replaced = f(e);
  if (replaced !== undefined) return replaced;
  switch (e.kind) {
    case 'call':
      return { ...e, args: e.args.map((a) => replaceIn(a, f)) };
    case 'cast':
    case 'bitcast':
      return { ...e, value: replaceIn(e.value, f) };
    case 'choose':
      // Not into the branches: what they load may be out of range where they are not taken.
      return e;
    case 'literal':
    case 'ref':
    case 'slot':
    case 'load':
    case 'position':
      return e;
    default:
      return e satisfies never;
  }
}

/** Axes, scalars and buffers that are read. */
export function mentioned(e: Expr, into: Set<string> = new Set()): Set<string> {
  switch (e.kind) {
    case 'literal':
    case 'slot':
      return into;
    case 'ref':
      return into.add(e.name);
    case 'load':
      into.add(e.buffer);
      return mentionedIn(e.at, into);
    case 'position':
      return mentionedIn(e.at, into);
    case 'call':
      for (const a of e.args) mentioned(a, into);
      return into;
    case 'cast':
    case 'bitcast':
      return mentioned(e.value, into);
    case 'choose':
      for (const b of e.when) mentionedIn(b.at, into);
      mentioned(e.then, into);
      return mentioned(e.else, into);
    default:
      return e satisfies never;
  }
}

/** Whether an expression reads any of these axes, scalars and buffers. */
export function mentionsAny(e: Expr, names: ReadonlySet<string>): boolean {
  switch (e.kind) {
    case 'literal':
    case 'slot':
      return false;
    case 'ref':
      return names.has(e.name);
    case 'load':
      return names.has(e.buffer) || positionMentionsAny(e.at, names);
    case 'position':
      return positionMentionsAny(e.at, names);
    case 'call':
      for (const a of e.args) if (mentionsAny(a, names)) return true;
      return false;
    case 'cast':
    case 'bitcast':
      return mentionsAny(e.value, names);
    case 'choose':
      for (const b of e.when) if (positionMentionsAny(b.at, names)) return true;
      return mentionsAny(e.then, names) || mentionsAny(e.else, names);
    default:
      return e satisfies never;
  }
}

/** The same of a position, the values in it included. */
export function positionMentionsAny(p: Position, names: ReadonlySet<string>): boolean {
  switch (p.kind) {
    case 'const':
      return false;
    case 'axis':
      return names.has(p.axis);
    case 'add':
      return positionMentionsAny(p.a, names) || positionMentionsAny(p.b, names);
    case 'mul':
    case 'div':
    case 'mod':
      return positionMentionsAny(p.a, names);
    case 'value':
      return mentionsAny(p.value, names);
    default:
      return p satisfies never;
  }
}

function mentionedIn(p: Position, into: Set<string> = new Set()): Set<string> {
  axesOf(p, into);
  for (const e of valuesIn(p)) mentioned(e, into);
  return into;
}

/** Expressions that a position takes its value from. */
export function valuesIn(p: Position, into: Expr[] = []): Expr[] {
  switch (p.kind) {
    case 'const':
    case 'axis':
      return into;
    case 'add':
      valuesIn(p.a, into);
      return valuesIn(p.b, into);
    case 'mul':
    case 'div':
    case 'mod':
      return valuesIn(p.a, into);
    case 'value':
      into.push(p.value);
      return into;
    default:
      return p satisfies never;
  }
}

/** What statements mention: axes, scalars and buffers that they read, and names that they write or declare. */
export type Effects = { readonly reads: ReadonlySet<string>; readonly writes: ReadonlySet<string>; readonly declares: ReadonlySet<string> };
type Found = { readonly [K in keyof Effects]: Set<string> };

const effectsKnown = new WeakMap<readonly Stmt[], Effects>();

/** Of several statements found once: the loops around them ask again and again. */
export function effectsOf(body: readonly Stmt[]): Effects {
  const known = body.length > 1 ? effectsKnown.get(body) : undefined;
  if (known !== undefined) return known;
  const found: Found = { reads: new Set(), writes: new Set(), declares: new Set() };
  gather(body, found);
  if (body.length > 1) effectsKnown.set(body, found);
  return found;
}

const parts = ['reads', 'writes', 'declares'] as const;
function gatherFrom(body: readonly Stmt[], into: Found): void {
  const inner = effectsOf(body);
  for (const part of parts) for (const name of inner[part]) into[part].add(name);
}

function gather(body: readonly Stmt[], into: Found): void {
  for (const s of body) {
    switch (s.kind) {
      case 'loop':
        into.declares.add(s.axis);
        gatherFrom(s.body, into);
        break;
      case 'let':
        into.declares.add(s.name);
        mentioned(s.value, into.reads);
        break;
      case 'var':
        into.declares.add(s.name);
        mentioned(s.init, into.reads);
        break;
      case 'scratch':
        into.declares.add(s.name);
        if (s.init !== undefined) mentioned(s.init, into.reads);
        break;
      case 'assign':
        into.writes.add(s.name);
        mentioned(s.value, into.reads);
        break;
      case 'accumulate':
        into.writes.add(s.name);
        into.reads.add(s.name);
        mentioned(s.value, into.reads);
        break;
      case 'update':
        into.reads.add(s.buffer);
        into.writes.add(s.buffer);
        mentionedIn(s.at, into.reads);
        mentioned(s.value, into.reads);
        break;
      case 'store':
        into.writes.add(s.buffer);
        mentionedIn(s.at, into.reads);
        mentioned(s.value, into.reads);
        break;
      case 'if':
        mentioned(s.test, into.reads);
        gatherFrom(s.then, into);
        gatherFrom(s.else, into);
        break;
      case 'check':
        mentioned(s.value, into.reads);
        break;
      case 'members': {
        const inner = effectsOf(s.body);
        for (const row of s.rows)
          row.buffers.forEach((b, i) => {
            const { name } = s.buffers[i]!;
            if (inner.reads.has(name)) into.reads.add(b);
            if (inner.writes.has(name)) into.writes.add(b);
          });
        gatherFrom(s.body, into);
        for (const { name } of s.buffers) into.declares.add(name);
        break;
      }
      case 'library':
        for (const b of s.buffers) {
          into.reads.add(b);
          into.writes.add(b);
        }
        break;
      case 'product':
        for (const operand of [s.a, s.b, s.c]) {
          into.reads.add(operand.buffer);
          mentionedIn(operand.at, into.reads);
        }
        into.writes.add(s.c.buffer);
        break;
      case 'transpose':
        for (const { at } of [s.to, s.from]) mentionedIn(at, into.reads);
        into.reads.add(s.from.buffer);
        into.writes.add(s.to.buffer);
        break;
      default:
        s satisfies never;
    }
  }
}

/** All names that a kernel or nest has in use, so that steps can make new ones. */
export function namesIn(body: readonly Stmt[], others: Iterable<string> = []): Set<string> {
  const { reads, writes, declares } = effectsOf(body);
  return new Set([...others, ...reads, ...writes, ...declares]);
}

/** A name like `base` that is not in `taken`, which gets it. */
export function freshName(base: string, taken: Set<string>): string {
  let name = base;
  for (let n = 2; taken.has(name); n++) name = `${base}_${n}`;
  taken.add(name);
  return name;
}
