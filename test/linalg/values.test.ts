// Factorisations against their definitions: products give the matrix back, factors are orthogonal, and sizes 0 and 1 are no exception.
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  AutogradError,
  DTypeError,
  eye,
  linalg as L,
  LinAlgError,
  ShapeError,
  type Tensor,
  tensor,
} from '../../compiler/index.ts';
import { draws } from '../../compiler/inspect/data.ts';

type Precision = 'float32' | 'float64';
function noise(seed: number, shape: readonly number[], dtype: Precision = 'float64'): Tensor {
  const random = draws(seed);
  const length = shape.reduce((n, d) => n * d, 1);
  return tensor(
    Float64Array.from({ length }, () => 2 * random() - 1),
    { dtype },
  ).reshape([...shape]);
}
const T = (A: Tensor): Tensor => A.transpose(-2, -1);
const identity = (n: number, dtype: Precision = 'float64'): Tensor => eye(n, { dtype });
/** The largest distance between elements; 0 of nothing. */
const distance = (x: Tensor, y: Tensor): number => (x.numel() === 0 ? 0 : Number(x.sub(y).abs().amax().itemSync()));
const numbers = (x: Tensor): number[] => Array.from(x.dataSync() as ArrayLike<number>);

const epsilon = { float32: 2 ** -23, float64: 2 ** -52 } as const;
const shapes = [
  [1, 1],
  [5, 5],
  [7, 3],
  [3, 7],
  [2, 3, 4, 4],
  [2, 6, 2],
  [0, 0],
  [3, 0],
  [0, 3],
  [0, 2, 2],
] as const;
const cases = shapes.flatMap((shape) => (['float32', 'float64'] as const).map((dtype) => [shape, dtype] as const));

describe.each(cases)('%j of %s', (shape, dtype) => {
  const A = noise(
    shape.reduce<number>((s, d) => s + d, shape.length),
    shape,
    dtype,
  );
  const [rows, columns] = shape.slice(-2) as unknown as [number, number];
  const close = 64 * Math.max(rows, columns, 1) * epsilon[dtype];
  const orthonormal = (Q: Tensor): void => expect(distance(T(Q).matmul(Q), identity(Q.shape.at(-1)!, dtype))).toBeLessThan(close);

  it.each(['reduced', 'complete'] as const)('%s QR', (mode) => {
    const { Q, R } = L.qr(A, { mode });
    orthonormal(Q);
    expect(distance(Q.matmul(R), A)).toBeLessThan(close);
    expect(distance(R, R.triu())).toBe(0);
  });
  it.each([false, true])('SVD, full: %s', (fullMatrices) => {
    const { U, S, Vh } = L.svd(A, { fullMatrices });
    const k = Math.min(rows, columns);
    orthonormal(U);
    orthonormal(T(Vh));
    expect(
      distance(
        U.narrow(-1, 0, k)
          .mul(S.unsqueeze(-2))
          .matmul(Vh.narrow(-2, 0, k)),
        A,
      ),
    ).toBeLessThan(close);
    expect(distance(S, S.sort(-1, { descending: true }).values)).toBe(0);
  });
  it('pseudo-inverse', () => {
    expect(distance(A.matmul(L.pinv(A)).matmul(A), A)).toBeLessThan(1e4 * close);
  });
  if (rows !== columns) return;

  it('eigenvalues and vectors', () => {
    const symmetric = A.add(T(A));
    const { eigenvalues, eigenvectors: V } = L.eigh(symmetric);
    orthonormal(V);
    expect(distance(symmetric.matmul(V), V.mul(eigenvalues.unsqueeze(-2)))).toBeLessThan(2 * close);
    expect(distance(eigenvalues, eigenvalues.sort(-1).values)).toBe(0);
  });
  it('Cholesky', () => {
    const definite = A.matmul(T(A)).add(identity(rows, dtype));
    const factor = L.cholesky(definite);
    expect(distance(factor.matmul(T(factor)), definite)).toBeLessThan(4 * close);
    expect(distance(T(L.cholesky(definite, { upper: true })), factor)).toBeLessThan(close);
  });
  it('solutions and inverses', () => {
    const B = A.add(identity(rows, dtype).mul(4));
    expect(distance(B.matmul(L.solve(B, A)), A)).toBeLessThan(4 * close);
    expect(distance(B.matmul(L.inv(B)), identity(rows, dtype))).toBeLessThan(4 * close);
  });
  it('determinants', () => {
    const { sign, logabsdet } = L.slogdet(A);
    expect(distance(L.det(A), sign.mul(logabsdet.exp()))).toBeLessThan(close);
  });
});

describe('what is ill-conditioned', () => {
  it('small singular values of a graded matrix are accurate to their own size', () => {
    const { Q } = L.qr(noise(3, [4, 4]));
    const graded = Q.mul(tensor([1, 1e-5, 1e-10, 1e-15], { dtype: 'float64' }));
    const expected = [1, 1e-5, 1e-10, 1e-15];
    for (const [i, s] of numbers(L.svdvals(graded)).entries()) expect(Math.abs(s / expected[i]! - 1)).toBeLessThan(1e-13);
  });
  it.each([1e-200, 1e200])('sizes near the ends of the range neither overflow nor vanish: %d', (size) => {
    const A = tensor([3, 0, 4, 5], { dtype: 'float64' }).reshape([2, 2]).mul(size);
    const [first, second] = numbers(L.svdvals(A));
    expect(first! / size).toBeCloseTo(Math.sqrt(45), 12);
    expect(second! / size).toBeCloseTo(Math.sqrt(5), 12);
    expect(Math.abs(numbers(L.qr(A).R)[0]! / size)).toBeCloseTo(5, 12);
  });
  it('a Hilbert system has a small residual', () => {
    const n = 10;
    const H = tensor(
      Float64Array.from({ length: n * n }, (_, k) => 1 / (Math.floor(k / n) + (k % n) + 1)),
      { dtype: 'float64' },
    ).reshape([n, n]);
    const x = L.solve(H, H.sum(-1));
    expect(distance(H.matmul(x), H.sum(-1))).toBeLessThan(1e-13);
    expect(Number(L.cond(H).itemSync()) / 1.6025e13).toBeCloseTo(1, 2);
    expect(Number(L.matrixRank(H, { rtol: 1e-6 }).itemSync())).toBe(6);
  });
  it('least squares of a deficient system is the solution of least norm', () => {
    const A = tensor([1, 1, 1, 1, 1, 1], { dtype: 'float64' }).reshape([3, 2]);
    const { solution, rank } = L.lstsq(A, tensor([1, 2, 3], { dtype: 'float64' }));
    expect(numbers(solution)[0]).toBeCloseTo(1, 14);
    expect(numbers(solution)[1]).toBeCloseTo(1, 14);
    expect(Number(rank.itemSync())).toBe(1);
  });
});

describe('what cannot be computed', () => {
  const singular = tensor([1, 2, 2, 4], { dtype: 'float64' }).reshape([2, 2]);
  const regular = identity(2);
  const both = regular.unsqueeze(0).expand([1, 2, 2]);
  it.each<[string, () => Tensor, RegExp]>([
    ['a singular inverse', () => L.inv(singular), /the matrix is singular \(pivot 2/],
    ['a singular system', () => L.solve(singular, regular), /singular/],
    ['a root of a negative matrix', () => L.cholesky(regular.neg()), /not positive-definite \(its leading minor of order 1/],
    ['eigenvalues of NaN', () => L.eigvalsh(regular.mul(Number.NaN)), /not finite/],
    ['singular values of infinity', () => L.svdvals(regular.add(Number.POSITIVE_INFINITY)), /not finite/],
  ])('%s is refused when it is observed', (_, f, message) => {
    const y = f();
    expect(() => y.dataSync()).toThrow(LinAlgError);
    expect(() => f().dataSync()).toThrow(message);
  });
  it('names the matrix of a batch', () => {
    const batch = both.add(tensor([0, 1], { dtype: 'float64' }).reshape([2, 1, 1]).mul(singular.sub(regular)));
    expect(() => L.inv(batch).dataSync()).toThrow(/matrix 1 of the batch is singular/);
  });
  it.each<[string, () => unknown, new (...args: never[]) => Error]>([
    [
      'integers',
      () =>
        L.det(
          tensor(
            [
              [1, 2],
              [3, 4],
            ],
            { dtype: 'int64' },
          ),
        ),
      DTypeError,
    ],
    ['vectors', () => L.svd(tensor([1, 2])), ShapeError],
    ['a matrix that is not square', () => L.inv(noise(1, [2, 3])), ShapeError],
    ['sizes that do not meet', () => L.solve(regular, noise(1, [3, 1])), ShapeError],
    ['dtypes that differ', () => L.solve(regular, noise(1, [2, 1], 'float32')), DTypeError],
    ['an unknown mode', () => L.qr(regular, { mode: 'x' as never }), ArgumentError],
    ['an unknown order', () => L.matrixNorm(regular, 3), ArgumentError],
    ['a power that is no integer', () => L.matrixPower(regular, 0.5), ArgumentError],
    ['a negative tolerance', () => L.pinv(regular, { rtol: -1 }), ArgumentError],
    ['a triangle not named', () => L.solveTriangular(regular, regular, {} as never), ArgumentError],
    [
      'a gradient of arbitrary columns',
      () =>
        L.qr(noise(1, [3, 2]).requiresGrad_(), { mode: 'complete' })
          .Q.sum()
          .backward(),
      AutogradError,
    ],
  ])('%s is refused at once', (_, f, kind) => {
    expect(f).toThrow(kind);
  });
});
