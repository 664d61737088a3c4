// What functions of matrices demand of their operands.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../../runtime/errors.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';

/** A floating tensor; the others have no inverse or root to speak of. */
export function demandFloat(op: string, x: Tensor, name = 'A'): void {
  if (!isTensor(x)) throw new ArgumentError(`${name} is no tensor`, { op });
  if (!isFloat(x.element))
    throw new DTypeError(`expected a floating point tensor as ${name}, got ${x.dtype}`, { op, fix: "convert with .to('float32')" });
}

/** A matrix, or a batch of them, [..., rows, columns]. */
export function demandMatrix(op: string, x: Tensor, name = 'A'): void {
  demandFloat(op, x, name);
  if (x.ndim < 2) throw new ShapeError(`${name} must have at least 2 dimensions, got [${x.shape}]`, { op });
}

export function demandSquare(op: string, x: Tensor): void {
  demandMatrix(op, x);
  const [rows, columns] = x.shape.slice(-2);
  if (rows !== columns) throw new ShapeError(`A must be batches of square matrices, but they are ${rows} by ${columns} matrices`, { op });
}

export function demandSameDType(op: string, x: Tensor, y: Tensor): void {
  if (x.element !== y.element)
    throw new DTypeError(`expected A and B to have the same dtype, got ${x.dtype} and ${y.dtype}`, { op, fix: 'convert one with .to()' });
}

/** The sizes of the matrices. */
export const sizesOf = (x: Tensor): readonly [rows: number, columns: number] => x.shape.slice(-2) as [number, number];
/** The sizes of the batch. */
export const batchOf = (x: Tensor): readonly number[] => x.shape.slice(0, -2);

export type Tolerance = {
  /** Singular values up to this size count as zero; 0 unless given. */
  readonly atol?: number;
  /** Singular values up to this times the largest count as zero; max(rows, columns) times the dtype's epsilon, or 0 where `atol` is given. */
  readonly rtol?: number;
};

/** Both tolerances, with PyTorch's defaults. */
export function tolerancesOf(op: string, x: Tensor, { atol, rtol }: Tolerance): readonly [atol: number, rtol: number] {
  for (const [name, value] of Object.entries({ atol, rtol }))
    if (value !== undefined && !(value >= 0)) throw new ArgumentError(`${name} must not be negative, got ${value}`, { op });
  return [atol ?? 0, rtol ?? (atol !== undefined && atol > 0 ? 0 : Math.max(...sizesOf(x)) * epsilonOf(x))];
}
const epsilonOf = (x: Tensor): number => ({ f16: 2 ** -10, f32: 2 ** -23 })[x.element as string] ?? 2 ** -52;
