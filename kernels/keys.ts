// Texts that two positions, or two expressions, share only if they are the same tree.
import type { Expr, Extent, Position } from './loop.ts';

export function keyOfPosition(p: Position): string {
  switch (p.kind) {
    case 'axis':
      return p.axis;
    case 'const':
      return extentKey(p.value);
    case 'add':
      return `(${keyOfPosition(p.a)}+${keyOfPosition(p.b)})`;
    case 'mul':
      return `(${keyOfPosition(p.a)}*${extentKey(p.by)})`;
    case 'div':
      return `(${keyOfPosition(p.a)}/${extentKey(p.by)})`;
    case 'mod':
      return `(${keyOfPosition(p.a)}%${extentKey(p.by)})`;
    case 'value':
      return `{${keyOfExpr(p.value)}}`;
    default:
      return p satisfies never;
  }
}

/** Names are identifiers, so no number is one. */
const extentKey = (extent: Extent): string =>
  typeof extent === 'number' ? `${extent}` : extent.of === undefined ? `#${extent.size}` : `#(${extent.size})`;

export const keyOfExpr = (e: Expr): string => `${e.dtype} ${exprKey(e)}`;

function exprKey(e: Expr): string {
  switch (e.kind) {
    case 'literal':
      return `${e.bits}`;
    case 'ref':
      return e.name;
    case 'slot':
      return `$${e.index}`;
    case 'load':
      return `${e.buffer}[${keyOfPosition(e.at)}]`;
    case 'position':
      return `at ${keyOfPosition(e.at)}`;
    case 'call':
      return `${e.fn}(${e.args.map(keyOfExpr).join()})`;
    case 'cast':
    case 'bitcast':
      return `${e.kind}(${keyOfExpr(e.value)})`;
    case 'choose': {
      const bounds = e.when.map(({ at, below }) => `${keyOfPosition(at)}<${extentKey(below)}`);
      return `choose(${bounds.join('&')},${keyOfExpr(e.then)},${keyOfExpr(e.else)})`;
    }
    default:
      return e satisfies never;
  }
}
