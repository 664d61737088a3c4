// Systems of equations and what is made of their factors: solve, inv, det, pinv, lstsq.
import { ArgumentError, ShapeError } from '../../../runtime/errors.ts';
import type { Value } from '../../ir/node.ts';
import { composite } from '../../ops/composite/table.ts';
import { identityLike, solveTriangle, transposed } from '../../ops/matrix.ts';
import { zeros } from '../creation.ts';
import { apply, applyMany } from '../op.ts';
import { broadcastShapes, broadcastTo } from '../operands.ts';
import { slot } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { eigvalsh, svdvals } from './factorizations.ts';
import { batchOf, demandFloat, demandMatrix, demandSameDType, demandSquare, sizesOf, type Tolerance, tolerancesOf } from './operands.ts';

/** Determinant. Its gradient, the matrix of cofactors, is right for singular matrices too. */
export function det(A: Tensor): Tensor {
  demandSquare('linalg.det', A);
  return apply('linalg.det', [A], (a) => composite('det', [a], {})[0]!);
}

/** Sign and natural logarithm of the absolute determinant: 0 and -inf for a singular matrix. */
export function slogdet(A: Tensor): { readonly sign: Tensor; readonly logabsdet: Tensor } {
  demandSquare('linalg.slogdet', A);
  const [sign, logabsdet] = applyMany('linalg.slogdet', [A], (a) => composite('slogdet', [a], {}));
  return { sign: sign!, logabsdet: logabsdet! };
}

/** The inverse. Throws LinAlgError, when it is computed, where A is singular. */
export function inv(A: Tensor): Tensor {
  demandSquare('linalg.inv', A);
  return apply('linalg.inv', [A], (a) => inverse(a, 'refused'));
}
/** The inverse; of a singular matrix one that is not finite. */
export const inverseOrInfinite = (A: Tensor): Tensor => apply('linalg.inv', [A], (a) => inverse(a, 'allowed'));
const inverse = (a: Value, singular: 'refused' | 'allowed'): Value =>
  composite('solveSystem', [a, identityLike(a)], { transpose: false, singular })[0]!;

/** Shapes of a system whose batches broadcast; `joined` are those of the matrices that A and B stretch to. */
function broadcastSystem(op: string, A: Tensor, B: Tensor, left: boolean): readonly [a: readonly number[], b: readonly number[]] {
  const [n] = sizesOf(A);
  if (sizesOf(B)[left ? 0 : 1] !== n)
    throw new ShapeError(`incompatible shapes of A [${A.shape}] and B [${B.shape}] for the equation ${left ? 'AX = B' : 'XA = B'}`, { op });
  const lead = broadcastShapes(op, [batchOf(A), batchOf(B)]);
  return [
    [...lead, n, n],
    [...lead, ...sizesOf(B)],
  ];
}

/**
 * X with A X = B, or X A = B where `left` is false; batches broadcast. B is a vector (or a batch of them) if it has one dimension,
 * or the shape of A without its last. Throws LinAlgError, when it is computed, where A is singular.
 */
export function solve(A: Tensor, B: Tensor, { left = true }: { readonly left?: boolean } = {}): Tensor {
  const op = 'linalg.solve';
  demandSquare(op, A);
  demandFloat(op, B, 'B');
  demandSameDType(op, A, B);
  const isVector = B.ndim === 1 || (A.ndim - 1 === B.ndim && B.shape.every((d, i) => d === A.shape[i]));
  if (isVector && !left) throw new ShapeError('X A = B takes no vectors', { op, fix: 'give B a dimension with unsqueeze(-2)' });
  if (isVector) return solve(A, B.unsqueeze(-1)).squeeze(-1);
  demandMatrix(op, B, 'B');
  const [as, bs] = broadcastSystem(op, A, B, left);
  return apply(op, [A, B], (a, y) => {
    const [system, right] = [broadcastTo(a, as), broadcastTo(y, bs)];
    if (left) return composite('solveSystem', [system, right], { transpose: false, singular: 'refused' })[0]!;
    return transposed(composite('solveSystem', [system, transposed(right)], { transpose: true, singular: 'refused' })[0]!);
  });
}

export type TriangularOptions = {
  /** Whether A is upper or lower triangular; the other triangle is not read. */
  readonly upper: boolean;
  /** Solve A X = B (default) or X A = B. */
  readonly left?: boolean;
  /** Take the diagonal of A as ones, whatever it holds. */
  readonly unitriangular?: boolean;
};

/** X with A X = B (X A = B) for a triangular A; batches broadcast. A zero on the diagonal gives inf or NaN. */
export function solveTriangular(A: Tensor, B: Tensor, options: TriangularOptions): Tensor {
  const op = 'linalg.solveTriangular';
  demandSquare(op, A);
  demandMatrix(op, B, 'B');
  demandSameDType(op, A, B);
  if (typeof options?.upper !== 'boolean')
    throw new ArgumentError('the option upper is missing', { op, fix: 'pass { upper: true } or { upper: false }' });
  const { upper, left = true, unitriangular = false } = options;
  const [as, bs] = broadcastSystem(op, A, B, left);
  return apply(op, [A, B], (a, y) => {
    const [system, right] = [broadcastTo(a, as), broadcastTo(y, bs)];
    if (left) return solveTriangle(system, right, { upper, unit: unitriangular });
    return transposed(solveTriangle(system, transposed(right), { upper, unit: unitriangular, transpose: true }));
  });
}

/** The pseudo-inverse (Moore and Penrose), by singular values, or by eigenvalues where A is symmetric (`hermitian`). */
export function pinv(A: Tensor, options: Tolerance & { readonly hermitian?: boolean } = {}): Tensor {
  const op = 'linalg.pinv';
  const { hermitian = false } = options;
  if (hermitian) demandSquare(op, A);
  else demandMatrix(op, A);
  const [atol, rtol] = tolerancesOf(op, A, options);
  const [rows, columns] = sizesOf(A);
  if (rows === 0 || columns === 0) return zeros([...batchOf(A), columns, rows], { dtype: A.dtype });
  return apply(op, [A], (a) => composite('pinv', [a, slot(atol, A.element), slot(rtol, A.element)], { hermitian })[0]!);
}

export type LeastSquares = {
  /** The X of least norm among those that make |AX - B| smallest. */
  readonly solution: Tensor;
  /** Squared distances by column of B where A has more rows than columns, else empty. */
  readonly residuals: Tensor;
  /** Rank of A, int64. */
  readonly rank: Tensor;
  readonly singularValues: Tensor;
};

/**
 * The least-squares solution of A X = B, by singular values whatever the rank; values up to `rcond` times the largest count as zero
 * (default: max(m, n) times the dtype's epsilon). B may be a vector where A is one matrix.
 */
export function lstsq(A: Tensor, B: Tensor, { rcond }: { readonly rcond?: number } = {}): LeastSquares {
  const op = 'linalg.lstsq';
  demandMatrix(op, A);
  demandFloat(op, B, 'B');
  demandSameDType(op, A, B);
  if (B.ndim === A.ndim - 1 && B.ndim > 0) {
    const { solution, residuals, ...rest } = lstsq(A, B.unsqueeze(-1), rcond === undefined ? {} : { rcond });
    return { solution: solution.squeeze(-1), residuals, ...rest };
  }
  demandMatrix(op, B, 'B');
  const [rows, columns] = sizesOf(A);
  if (sizesOf(B)[0] !== rows) throw new ShapeError(`A [${A.shape}] and B [${B.shape}] differ in rows`, { op });
  const lead = broadcastShapes(op, [batchOf(A), batchOf(B)]);
  const [, rtol] = tolerancesOf(op, A, rcond === undefined ? {} : { rtol: rcond });
  const right = sizesOf(B)[1];
  const isEmpty = rows === 0 || columns === 0;
  const solution = isEmpty
    ? zeros([...lead, columns, right], { dtype: A.dtype })
    : apply(op, [A, B], (a, y) => {
        const operands = [broadcastTo(a, [...lead, rows, columns]), broadcastTo(y, [...lead, rows, right])] as const;
        return composite('leastSquares', [...operands, slot(0, A.element), slot(rtol, A.element)], {})[0]!;
      });
  const singularValues = svdvals(A);
  return {
    solution,
    residuals: rows > columns ? A.matmul(solution).sub(B).square().sum(-2) : zeros([0], { dtype: A.dtype }),
    rank: rankOf(singularValues, 0, rtol),
    singularValues,
  };
}

/** How many of the values, largest first, exceed both tolerances. */
export function rankOf(sizes: Tensor, atol: number, rtol: number): Tensor {
  if (sizes.shape.at(-1) === 0) return sizes.sum(-1).to('int64');
  const above = sizes.gt(sizes.amax(-1, { keepdim: true }).mul(rtol));
  return above.logicalAnd(sizes.gt(atol)).sum(-1);
}

/** How many singular values (of a symmetric matrix: absolute eigenvalues) do not count as zero. */
export function matrixRank(A: Tensor, options: Tolerance & { readonly hermitian?: boolean } = {}): Tensor {
  const op = 'linalg.matrixRank';
  if (options.hermitian) demandSquare(op, A);
  else demandMatrix(op, A);
  const [atol, rtol] = tolerancesOf(op, A, options);
  return rankOf(options.hermitian ? eigvalsh(A).abs() : svdvals(A), atol, rtol);
}
