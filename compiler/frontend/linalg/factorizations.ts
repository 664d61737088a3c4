// Matrices as products: cholesky, qr, eigh and svd.
import { ArgumentError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import { shapeOf, type Value } from '../../ir/node.ts';
import { matmul, transposed } from '../../ops/matrix.ts';
import { zeros } from '../creation.ts';
import { apply, applyMany } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { demandMatrix, demandSquare, sizesOf } from './operands.ts';

/**
 * L with A = L L^T for a symmetric positive-definite A, of which only the lower triangle is read; with `upper` U = L^T from the upper one.
 * Throws LinAlgError, when it is computed, where A is not positive-definite. The gradient is symmetric.
 */
export function cholesky(A: Tensor, options: { readonly upper?: boolean } = {}): Tensor {
  demandSquare('linalg.cholesky', A);
  return apply('linalg.cholesky', [A], (a) => (options.upper ? transposed(b.cholesky(transposed(a))) : b.cholesky(a)));
}

export type QROptions = {
  /** 'reduced' (default): Q has min(m, n) columns; 'complete': m; 'r': Q is left out (empty). */
  readonly mode?: 'reduced' | 'complete' | 'r';
};

/**
 * A = Q R with orthonormal columns of Q and upper triangular R, signs as LAPACK gives them.
 * The gradient wants the first min(m, n) columns of A to be independent; there is none for 'complete' with more rows than columns.
 */
export function qr(A: Tensor, { mode = 'reduced' }: QROptions = {}): { readonly Q: Tensor; readonly R: Tensor } {
  const op = 'linalg.qr';
  demandMatrix(op, A);
  if (!['reduced', 'complete', 'r'].includes(mode))
    throw new ArgumentError(`unrecognized mode '${String(mode)}'`, { op, fix: "use 'reduced' (default), 'complete' or 'r'" });
  const [rows, columns] = sizesOf(A);
  const [Q, R] = applyMany(op, [A], (a) => (rows < columns ? wideQR(a, rows) : b.qr(a, { complete: mode === 'complete' })));
  return { Q: mode === 'r' ? zeros([0], { dtype: A.dtype }) : Q!, R: R! };
}

/** With more columns than rows Q comes from the first, square part; the others are rotated by it. */
function wideQR(a: Value, rows: number): readonly Value[] {
  const shape = shapeOf(a);
  const columns = (start: number, stop: (typeof shape)[number]): Value =>
    b.slice(a, {
      start: shape.map((_, i) => (i === shape.length - 1 ? start : 0)),
      stop: [...shape.slice(0, -1), stop],
      step: shape.map(() => 1),
    });
  const [q, r] = b.qr(columns(0, rows), { complete: false });
  return [q, b.concat([r, matmul(transposed(q), columns(rows, shape.at(-1)!))], { axis: shape.length - 1 })];
}

/** Which triangle of a symmetric matrix is read. */
export type Triangle = { readonly UPLO?: 'L' | 'U' };

/**
 * Eigenvalues of a symmetric A in ascending order, and their orthonormal vectors as columns, each with its largest element positive.
 * The gradient through the vectors is finite only where all eigenvalues are distinct; that through the values always is.
 */
export function eigh(A: Tensor, { UPLO = 'L' }: Triangle = {}): { readonly eigenvalues: Tensor; readonly eigenvectors: Tensor } {
  const op = 'linalg.eigh';
  demandSquare(op, A);
  if (UPLO !== 'L' && UPLO !== 'U') throw new ArgumentError(`UPLO must be 'L' or 'U', got ${String(UPLO)}`, { op });
  const [eigenvalues, eigenvectors] = applyMany(op, [A], (a) => b.eigh(UPLO === 'U' ? transposed(a) : a));
  return { eigenvalues: eigenvalues!, eigenvectors: eigenvectors! };
}

/** The eigenvalues of a symmetric A, in ascending order. */
export const eigvalsh = (A: Tensor, options: Triangle = {}): Tensor => eigh(A, options).eigenvalues;

/**
 * A = U diag(S) Vh with orthonormal columns of U and rows of Vh and descending S. `fullMatrices` (default true, as in PyTorch) makes
 * U and Vh square; their further vectors are arbitrary and have no gradient.
 * The gradient through U and Vh is finite only where singular values are distinct, and positive unless A is square; that through S always is.
 */
export function svd(
  A: Tensor,
  { fullMatrices = true }: { readonly fullMatrices?: boolean } = {},
): { readonly U: Tensor; readonly S: Tensor; readonly Vh: Tensor } {
  demandMatrix('linalg.svd', A);
  const [U, S, Vh] = applyMany('linalg.svd', [A], (a) => b.svd(a, { full: fullMatrices }));
  return { U: U!, S: S!, Vh: Vh! };
}

/** The singular values of A, in descending order. */
export const svdvals = (A: Tensor): Tensor => svd(A, { fullMatrices: false }).S;
