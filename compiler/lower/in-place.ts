// Which operand of a kernel a result may be written over: one of which every element is read for the last time before it is written.

import { axesOf } from '../../kernels/axes.ts';
import { keyOfPosition } from '../../kernels/keys.ts';
import type { Expr, Kernel, Position, Stmt } from '../../kernels/loop.ts';
import { memberBody } from '../../kernels/schedule/members.ts';
import { sameExtent } from '../../kernels/size.ts';
import { bytesPerElement } from '../../runtime/dtype.ts';

/** `place` tells elements apart: two accesses of one iteration with the same place are of the same element. Undefined: any element. */
type Access = { readonly buffer: string; readonly kind: 'load' | 'store'; readonly place: string | undefined };

/** What a statement accesses, in order; of a loop also by the statements in it. */
type Trace = { readonly accesses: readonly Access[]; readonly inner: readonly Trace[] };

export type InPlace = { readonly mayOverwrite: (result: number, operand: number) => boolean };

/** Answers for parameters given by their positions. */
export function inPlaceOf(kernel: Kernel): InPlace {
  const traces = tracesOf(kernel.body, new Map());
  return {
    mayOverwrite(result, operand) {
      const [to, from] = [kernel.params[result]!, kernel.params[operand]!];
      const sameBytes = sameExtent(to.length, from.length) && bytesPerElement[to.dtype] === bytesPerElement[from.dtype];
      if (!sameBytes || to.access !== 'write' || from.access !== 'read') return false;
      const touched = traces.flatMap((t) => t.accesses).filter((a) => a.buffer === to.name || a.buffer === from.name);
      return touched.every((a) => a.place !== undefined) && readsFirst(traces, to.name, from.name);
    },
  };
}

/**
 * Whether the statements read each element of `from` before they write it to `to`. Each element is written once, so iterations write disjoint
 * sets: it is enough that they read nothing but what they write themselves, and all of it before they write; or that this holds for each
 * statement on its own (tiles and tails).
 */
function readsFirst(traces: readonly Trace[], to: string, from: string): boolean {
  const written = new Set<string | undefined>();
  let wroteBefore = false;
  let ordered = true;
  const reads: Access[] = [];
  for (const { accesses } of traces)
    for (const a of accesses) {
      if (a.buffer === to) {
        written.add(a.place);
        wroteBefore = true;
      } else if (a.buffer === from) {
        reads.push(a);
        ordered &&= !wroteBefore;
      }
    }
  if (ordered && reads.every((a) => written.has(a.place))) return true;
  const [only] = traces;
  if (traces.length === 1) return only!.inner.length > 0 && readsFirst(only!.inner, to, from);
  return traces.every((t) => readsFirst([t], to, from));
}

type Extents = ReadonlyMap<string, string>;

function tracesOf(body: readonly Stmt[], extents: Extents): Trace[] {
  return body.map((stmt): Trace => {
    if (stmt.kind !== 'loop') return { accesses: accessesOf(stmt, extents), inner: [] };
    const inner = tracesOf(stmt.body, new Map(extents).set(stmt.axis, `${JSON.stringify(stmt.extent)}/${stmt.step ?? 1}`));
    return { accesses: inner.flatMap((t) => t.accesses), inner };
  });
}

/** The position as text, with how far its axes run: loops that follow each other may share a name. */
function placeText(at: Position, extents: Extents): string {
  return [keyOfPosition(at), ...[...axesOf(at)].map((axis) => extents.get(axis))].join(' ');
}

function accessesOf(stmt: Exclude<Stmt, { kind: 'loop' }>, extents: Extents): Access[] {
  const found: Access[] = [];
  const inPosition = (at: Position): void => {
    switch (at.kind) {
      case 'const':
      case 'axis':
        break;
      case 'add':
        inPosition(at.a);
        inPosition(at.b);
        break;
      case 'mul':
      case 'div':
      case 'mod':
        inPosition(at.a);
        break;
      case 'value':
        inExpr(at.value);
        break;
      default:
        at satisfies never;
    }
  };
  const inExpr = (expr: Expr): void => {
    switch (expr.kind) {
      case 'literal':
      case 'ref':
      case 'slot':
        break;
      case 'load':
        inPosition(expr.at);
        found.push({ buffer: expr.buffer, kind: 'load', place: placeText(expr.at, extents) });
        break;
      case 'position':
        inPosition(expr.at);
        break;
      case 'call':
        for (const arg of expr.args) inExpr(arg);
        break;
      case 'cast':
      case 'bitcast':
        inExpr(expr.value);
        break;
      case 'choose':
        for (const bound of expr.when) inPosition(bound.at);
        inExpr(expr.then);
        inExpr(expr.else);
        break;
      default:
        expr satisfies never;
    }
  };
  const nested = (body: readonly Stmt[]): void => {
    for (const { accesses } of tracesOf(body, extents)) for (const access of accesses) found.push(access);
  };
  switch (stmt.kind) {
    case 'let':
    case 'assign':
    case 'accumulate':
    case 'check':
      inExpr(stmt.value);
      break;
    case 'var':
      inExpr(stmt.init);
      break;
    case 'scratch':
      if (stmt.init !== undefined) inExpr(stmt.init);
      break;
    case 'store':
    case 'update':
      inExpr(stmt.value);
      inPosition(stmt.at);
      found.push({ buffer: stmt.buffer, kind: 'store', place: stmt.kind === 'store' ? placeText(stmt.at, extents) : undefined });
      break;
    case 'if':
      inExpr(stmt.test);
      nested(stmt.then);
      nested(stmt.else);
      break;
    case 'members':
      for (const row of stmt.rows) nested(memberBody(stmt, row));
      break;
    case 'library':
      for (const buffer of stmt.buffers) found.push({ buffer, kind: 'store', place: undefined });
      break;
    case 'product':
      for (const { buffer } of [stmt.a, stmt.b]) found.push({ buffer, kind: 'load', place: undefined });
      found.push({ buffer: stmt.c.buffer, kind: 'store', place: undefined });
      break;
    case 'transpose':
      found.push({ buffer: stmt.from.buffer, kind: 'load', place: undefined });
      found.push({ buffer: stmt.to.buffer, kind: 'store', place: undefined });
      break;
    default:
      stmt satisfies never;
  }
  return found;
}
