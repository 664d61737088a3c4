// Linear algebra: two ops are StableHLO's own; the factorisations are calls of functions that the runner lets JAX write for the platform.
import { fixedShape } from '../../ir/dim.ts';
import type { Node } from '../../ir/node.ts';
import { call, compare, type Emitter, filled, generic, iota, like, select, type Type, type Typed, transpose } from './emitter.ts';
import type { PrintersFor } from './printer.ts';
import { elementOf } from './text.ts';

/** The lower triangle of each matrix, zeros above. */
function lower(e: Emitter, x: Typed): Typed {
  const rank = x.shape.length;
  const isBelow = compare(e, 'GE', iota(e, like(x, 'i32'), rank - 2), iota(e, like(x, 'i32'), rank - 1));
  return select(e, isBelow, x, filled(e, 0, x));
}

/** Both triangles from the lower one. */
function mirrored(e: Emitter, x: Typed): Typed {
  const rank = x.shape.length;
  const order = [...x.shape.keys()].slice(0, -2).concat(rank - 1, rank - 2);
  const isBelow = compare(e, 'GE', iota(e, like(x, 'i32'), rank - 2), iota(e, like(x, 'i32'), rank - 1));
  return select(e, isBelow, x, transpose(e, x, order));
}

function library(e: Emitter, x: Typed, n: Node, options: Readonly<Record<string, boolean>> = {}): readonly Typed[] {
  const results = n.outputs.map((a): Type => ({ element: elementOf(a.dtype), shape: fixedShape(a.shape) }));
  const chosen = Object.entries(options).flatMap(([name, on]) => (on ? [name] : []));
  const symbol = ['fluxion', n.op, ...chosen, x.element, ...x.shape].join('_');
  e.library.set(symbol, { symbol, op: n.op, options, operand: x, results });
  return call(e, symbol, [x], results);
}

export const linalgPrinters = {
  cholesky: ([x], _, e) => [lower(e, generic(e, 'stablehlo.cholesky', [x!], [x!], 'lower = true')[0]!)],
  triangularSolve: ([a, y], { attrs: { upper, transpose: isTransposed, unit } }, e) => {
    const turn = `#stablehlo<transpose ${isTransposed ? 'TRANSPOSE' : 'NO_TRANSPOSE'}>`;
    const properties = `left_side = true, lower = ${!upper}, transpose_a = ${turn}, unit_diagonal = ${unit}`;
    return [generic(e, 'stablehlo.triangular_solve', [a!, y!], [y!], properties)[0]!];
  },
  lu: ([x], n, e) => library(e, x!, n),
  qr: ([x], n, e) => library(e, x!, n, { complete: n.attrs.complete }),
  eigh: ([x], n, e) => library(e, mirrored(e, x!), n),
  svd: ([x], n, e) => library(e, x!, n, { full: n.attrs.full }),
} satisfies PrintersFor<'cholesky' | 'triangularSolve' | 'lu' | 'qr' | 'eigh' | 'svd'>;
