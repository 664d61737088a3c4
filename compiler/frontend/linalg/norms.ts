// Sizes of vectors and matrices: norms and the condition number.
import { ArgumentError } from '../../../runtime/errors.ts';
import { dimOf } from '../dims.ts';
import type { DTypeName } from '../dtypes.ts';
import { where } from '../functional/indexing.ts';
import type { Dims } from '../functional/reductions.ts';
import type { Tensor } from '../tensor.ts';
import { svdvals } from './factorizations.ts';
import { demandFloat, demandMatrix, demandSquare } from './operands.ts';
import { inverseOrInfinite } from './systems.ts';

export type NormOptions = { readonly keepdim?: boolean; readonly dtype?: DTypeName };
/** 'fro' squares all elements; 'nuc' sums singular values; 2 and -2 take the extreme ones; 1 and inf are sums by column and by row. */
export type MatrixOrder = 'fro' | 'nuc' | number;

const inDType = (x: Tensor, { dtype }: NormOptions): Tensor => (dtype === undefined ? x : x.to(dtype));

/** The p-norm over `dim` (default: all), whatever the number of dimensions; its gradient at 0 is 0. */
export function vectorNorm(x: Tensor, ord = 2, dim?: Dims, options: NormOptions = {}): Tensor {
  demandFloat('linalg.vectorNorm', x, 'x');
  return inDType(x, options).norm(dim, { p: ord, keepdim: options.keepdim ?? false });
}

/** A norm of the matrices in the two dimensions `dim`. */
export function matrixNorm(
  A: Tensor,
  ord: MatrixOrder = 'fro',
  dim: readonly [number, number] = [-2, -1],
  options: NormOptions = {},
): Tensor {
  const op = 'linalg.matrixNorm';
  demandMatrix(op, A);
  const [row, column] = dim.map((d) => dimOf(op, d, A.ndim)) as [number, number];
  if (dim.length !== 2 || row === column) throw new ArgumentError(`dim must name two different dimensions, got [${dim}]`, { op });
  const x = inDType(A, options);
  const shape = A.shape.flatMap((d, i) => (i !== row && i !== column ? [d] : options.keepdim ? [1] : []));
  return overMatrices(op, x, ord, row, column).reshape(shape);
}

function overMatrices(op: string, x: Tensor, ord: MatrixOrder, row: number, column: number): Tensor {
  const sums = (over: number): Tensor => x.abs().sum(over, { keepdim: true });
  switch (ord) {
    case 'fro':
      return x.norm([row, column]);
    case 1:
      return sums(row).amax(column);
    case -1:
      return sums(row).amin(column);
    case Number.POSITIVE_INFINITY:
      return sums(column).amax(row);
    case Number.NEGATIVE_INFINITY:
      return sums(column).amin(row);
    case 'nuc':
    case 2:
    case -2: {
      const others = x.shape.map((_, i) => i).filter((i) => i !== row && i !== column);
      const s = svdvals(x.permute([...others, row, column]));
      if (ord === 'nuc' || s.shape.at(-1) === 0) return s.sum(-1);
      return ord === 2 ? s.amax(-1) : s.amin(-1);
    }
    default:
      throw new ArgumentError(`order ${String(ord)} is not supported`, {
        op,
        fix: "use 'fro', 'nuc', 1, -1, 2, -2, Infinity or -Infinity",
      });
  }
}

/** `vectorNorm`, or `matrixNorm` where `ord` is given and `dim` (or the shape) has two dimensions, as `torch.linalg.norm`. */
export function norm(x: Tensor, ord?: MatrixOrder, dim?: Dims, options: NormOptions = {}): Tensor {
  const dims = dim === undefined ? undefined : typeof dim === 'number' ? [dim] : dim;
  const isMatrix = ord !== undefined && (dims?.length ?? x.ndim) === 2;
  if (isMatrix) return matrixNorm(x, ord, (dims ?? [-2, -1]) as [number, number], options);
  if (typeof ord === 'string') throw new ArgumentError(`order '${ord}' is for matrices`, { op: 'linalg.norm', fix: 'give two dimensions' });
  if (ord !== undefined && dims === undefined && x.ndim !== 1)
    throw new ArgumentError(`with an order and no dim the input must have 1 or 2 dimensions, got ${x.ndim}`, { op: 'linalg.norm' });
  return vectorNorm(x, ord, dim, options);
}

/** The condition number: by singular values (2, the default, and -2), else the norm of A times that of its inverse; inf where A is singular. */
export function cond(A: Tensor, p: MatrixOrder = 2): Tensor {
  const op = 'linalg.cond';
  if (p === 2 || p === -2) {
    demandMatrix(op, A);
    const s = svdvals(A);
    const [largest, least] = [s.amax(-1), s.amin(-1)];
    return p === 2 ? largest.div(least) : least.div(largest);
  }
  demandSquare(op, A);
  const size = matrixNorm(A, p);
  const product = size.mul(finiteNorm(inverseOrInfinite(A), p));
  // An inverse with infinite elements has an undefined norm, unless A itself is undefined.
  return where(product.isnan().logicalAnd(size.isfinite()), Number.POSITIVE_INFINITY, product);
}

/** The norm of an inverse. Singular values want finite elements: others make it infinite. */
function finiteNorm(inverse: Tensor, p: MatrixOrder): Tensor {
  if (p !== 'nuc') return matrixNorm(inverse, p);
  const finite = inverse.isfinite().all([-2, -1], { keepdim: true });
  return where(finite.reshape(inverse.shape.slice(0, -2)), matrixNorm(where(finite, inverse, 0), p), Number.POSITIVE_INFINITY);
}
