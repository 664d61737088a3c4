// How each function of linear algebra is called in the oracle's cases.
import { linalg, type Tensor } from '../../compiler/index.ts';

export type Args = Readonly<Record<string, unknown>>;

/** Numbers that JSON cannot say are texts; so are orders with a name. */
const order = (v: unknown): linalg.MatrixOrder | undefined =>
  v === 'Infinity' || v === '-Infinity' ? Number(v) : (v as linalg.MatrixOrder);

export const calls: Readonly<Record<string, (x: readonly Tensor[], args: Args) => Tensor | readonly Tensor[]>> = {
  det: ([A]) => linalg.det(A!),
  slogdet: ([A]) => Object.values(linalg.slogdet(A!)),
  inv: ([A]) => linalg.inv(A!),
  matrixPower: ([A], { n }) => linalg.matrixPower(A!, n as number),
  solve: ([A, B], args) => linalg.solve(A!, B!, args),
  cholesky: ([A], args) => linalg.cholesky(A!, args),
  solveTriangular: ([A, B], args) => linalg.solveTriangular(A!, B!, args as linalg.TriangularOptions),
  qr: ([A], args) => Object.values(linalg.qr(A!, args)),
  svdvals: ([A]) => linalg.svdvals(A!),
  pinv: ([A]) => linalg.pinv(A!),
  matrixRank: ([A]) => linalg.matrixRank(A!),
  cond: ([A], { p }) => linalg.cond(A!, order(p)),
  matrixNorm: ([A], { ord, dim, keepdim }) =>
    linalg.matrixNorm(A!, order(ord), dim as [number, number] | undefined, { keepdim: keepdim === true }),
  vectorNorm: ([x], { ord, dim }) => linalg.vectorNorm(x!, order(ord) as number | undefined, dim as number | undefined),
  eigvalsh: ([A], args) => linalg.eigvalsh(A!, args),
  lstsqSolution: ([A, B]) => linalg.lstsq(A!, B!).solution,
  multiDot: (xs) => linalg.multiDot(xs),
  cross: ([x, y]) => linalg.cross(x!, y!),
};
