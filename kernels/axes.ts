// Which axes a position depends on.
import type { Expr, Position } from './loop.ts';

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
