// Diagonals and triangles of matrices.
import { ArgumentError, ShapeError } from '../../../runtime/errors.ts';
import { b, full, lit } from '../../ir/builder.ts';
import { avalOf, type Value } from '../../ir/node.ts';
import { demandTensors } from '../arguments.ts';
import { dimOf } from '../dims.ts';
import { apply, applyView } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { clone, permute } from './shape.ts';

/** Ones below and on the `diagonal`-th diagonal, as a mask. */
function below(v: Value, diagonal: number): Value {
  const { shape } = avalOf(v);
  const rank = shape.length;
  const row = b.iota({ dtype: 'i32', shape, axis: rank - 2 });
  const column = b.iota({ dtype: 'i32', shape, axis: rank - 1 });
  return b.le(column, b.add(row, full(diagonal, avalOf(row))));
}
function demandMatrix(op: string, x: Tensor, diagonal: number): void {
  if (!Number.isInteger(diagonal)) throw new ArgumentError(`diagonal ${String(diagonal)} is no integer`, { op });
  if (x.ndim < 2) throw new ShapeError(`expects at least 2 dimensions, got shape [${x.shape}]`, { op });
}
/** The lower triangle, up to the `diagonal`-th diagonal; 0 elsewhere. */
export function tril(x: Tensor, diagonal = 0): Tensor {
  demandTensors('tril', x);
  demandMatrix('tril', x, diagonal);
  return apply('tril', [x], (v) => b.select(below(v, diagonal), v, full(0, avalOf(v))));
}
/** The upper triangle, from the `diagonal`-th diagonal on. */
export function triu(x: Tensor, diagonal = 0): Tensor {
  demandTensors('triu', x);
  demandMatrix('triu', x, diagonal);
  return apply('triu', [x], (v) => b.select(below(v, diagonal - 1), full(0, avalOf(v)), v));
}

/** The elements (i, i + offset) of dimensions `dim1` and `dim2`, as a last dimension: a view. */
export function diagonal(x: Tensor, offset = 0, dim1 = 0, dim2 = 1): Tensor {
  demandTensors('diagonal', x);
  const op = 'diagonal';
  if (!Number.isInteger(offset)) throw new ArgumentError(`offset ${String(offset)} is no integer`, { op });
  const [i, j] = [dimOf(op, dim1, x.ndim), dimOf(op, dim2, x.ndim)];
  if (x.ndim < 2 || i === j) throw new ArgumentError(`dimensions ${dim1} and ${dim2} of [${x.shape}] must be two`, { op });
  const order = [...[...x.shape.keys()].filter((d) => d !== i && d !== j), i, j];
  const last = order.every((d, at) => d === at) ? x : permute(x, order);
  const [n, m] = [x.shape[i]!, x.shape[j]!];
  const count = Math.max(0, Math.min(n + Math.min(0, offset), m - Math.max(0, offset)));
  // Of an empty diagonal any place will do.
  const [row, column] = count === 0 ? [0, 0] : [Math.max(0, -offset), Math.max(0, offset)];
  return applyView(op, last, { op: 'diagonal', row, column, count })!;
}
/** The last dimension on the diagonal of two new ones, zeros elsewhere. */
export function diagEmbed(x: Tensor, offset = 0): Tensor {
  demandTensors('diagEmbed', x);
  if (!Number.isInteger(offset)) throw new ArgumentError(`offset ${String(offset)} is no integer`, { op: 'diagEmbed' });
  if (x.ndim === 0) throw new ShapeError('a 0-d tensor has no elements to put on a diagonal', { op: 'diagEmbed' });
  const n = x.shape.at(-1)! + Math.abs(offset);
  const shape = [...x.shape.slice(0, -1), n, n];
  return apply('diagEmbed', [x], (v) => {
    const rank = shape.length;
    const lead = x.shape.slice(0, -1).map(() => 0);
    const { dtype } = avalOf(v);
    // Aligned with columns (or rows, below the main diagonal), then kept where the two positions differ by `offset`.
    const low = Math.max(0, offset);
    const row = b.pad(v, lit(0, dtype), { low: [...lead, low], high: [...lead, n - x.shape.at(-1)! - low], interior: [...lead, 0] });
    const wide = b.expand(row, { shape, at: [rank - 2] });
    const position = (axis: number): Value => b.iota({ dtype: 'i32', shape, axis });
    const on = b.eq(b.add(position(rank - 2), full(offset, { dtype: 'i32', shape })), position(rank - 1));
    return b.select(on, wide, full(0, { dtype, shape }));
  });
}
/** Of a vector the matrix with it on a diagonal, of a matrix its diagonal. */
export function diag(x: Tensor, offset = 0): Tensor {
  demandTensors('diag', x);
  if (x.ndim !== 1 && x.ndim !== 2)
    throw new ShapeError(`expects a vector or a matrix, got shape [${x.shape}]`, { op: 'diag', fix: 'use diagonal() or diagEmbed()' });
  return x.ndim === 1 ? diagEmbed(x, offset) : clone(diagonal(x, offset));
}
/** Sum of the diagonal of a matrix. */
export function trace(x: Tensor): Tensor {
  demandTensors('trace', x);
  if (x.ndim !== 2) throw new ShapeError(`expects a matrix, got shape [${x.shape}]`, { op: 'trace' });
  return diagonal(x).sum();
}
