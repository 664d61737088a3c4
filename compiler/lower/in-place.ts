// Which results of a kernel may be written over which of its operands: where every element is read for the last time before it is written.
import type { Expr, Kernel, Position, Stmt } from '../../kernels/loop.ts';
import { samePosition } from '../../kernels/position.ts';
import { bytesPerElement } from '../../runtime/dtype.ts';

type Access = { readonly buffer: string; readonly at: Position | undefined; readonly kind: 'load' | 'store' };

/**
 * Pairs [operand, result] of parameter positions. A result is stored once at each element, so its position tells iterations apart: an operand
 * that is only ever read at that same position, and nowhere behind the store, has been read there for the last time when it is overwritten.
 */
export function inPlacePairs(kernel: Kernel): readonly (readonly [operand: number, result: number])[] {
  const accesses = accessesOf(kernel.body);
  const byBuffer = new Map<string, { first: number; last: number; list: Access[] }>();
  accesses.forEach((access, i) => {
    const seen = byBuffer.get(access.buffer);
    if (seen === undefined) byBuffer.set(access.buffer, { first: i, last: i, list: [access] });
    else {
      seen.last = i;
      seen.list.push(access);
    }
  });
  const pairs: (readonly [number, number])[] = [];
  kernel.params.forEach((result, r) => {
    const stores = byBuffer.get(result.name);
    const at = stores?.list[0]?.at;
    if (result.access !== 'write' || at === undefined || stores!.list.length !== 1) return;
    kernel.params.forEach((operand, o) => {
      const loads = byBuffer.get(operand.name);
      if (operand.access !== 'read' || loads === undefined || loads.last > stores!.first) return;
      if (operand.length !== result.length || bytesPerElement[operand.dtype] !== bytesPerElement[result.dtype]) return;
      if (loads.list.every((load) => load.at !== undefined && samePosition(load.at, at))) pairs.push([o, r]);
    });
  });
  return pairs;
}

/** Loads and stores in the order in which one iteration makes them. A routine's accesses have no position. */
function accessesOf(body: readonly Stmt[]): Access[] {
  const found: Access[] = [];
  const inPosition = (at: Position): void => {
    switch (at.kind) {
      case 'const':
      case 'axis':
        return;
      case 'add':
        inPosition(at.a);
        return inPosition(at.b);
      case 'mul':
      case 'div':
      case 'mod':
        return inPosition(at.a);
      case 'value':
        return inExpr(at.value);
    }
  };
  const inExpr = (expr: Expr): void => {
    switch (expr.kind) {
      case 'literal':
      case 'ref':
      case 'slot':
        return;
      case 'load':
        inPosition(expr.at);
        found.push({ buffer: expr.buffer, at: expr.at, kind: 'load' });
        return;
      case 'position':
        return inPosition(expr.at);
      case 'call':
        return expr.args.forEach(inExpr);
      case 'cast':
      case 'bitcast':
        return inExpr(expr.value);
      case 'choose':
        for (const bound of expr.when) inPosition(bound.at);
        inExpr(expr.then);
        return inExpr(expr.else);
    }
  };
  const inStmt = (stmt: Stmt): void => {
    switch (stmt.kind) {
      case 'loop':
        return stmt.body.forEach(inStmt);
      case 'let':
      case 'assign':
      case 'accumulate':
      case 'check':
        return inExpr(stmt.value);
      case 'var':
        return inExpr(stmt.init);
      case 'scratch':
        return stmt.init === undefined ? undefined : inExpr(stmt.init);
      case 'store':
      case 'update':
        inExpr(stmt.value);
        inPosition(stmt.at);
        found.push({ buffer: stmt.buffer, at: stmt.kind === 'store' ? stmt.at : undefined, kind: 'store' });
        return;
      case 'if':
        inExpr(stmt.test);
        stmt.then.forEach(inStmt);
        return stmt.else.forEach(inStmt);
      case 'library':
        for (const buffer of stmt.buffers) found.push({ buffer, at: undefined, kind: 'store' });
    }
  };
  body.forEach(inStmt);
  return found;
}
