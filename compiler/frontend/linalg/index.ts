// Linear algebra: `torch.linalg.*`, on the matrices in the last two dimensions of a tensor, with gradients.
export { cholesky, eigh, eigvalsh, type QROptions, qr, svd, svdvals, type Triangle } from './factorizations.ts';
export { cond, type MatrixOrder, matrixNorm, type NormOptions, norm, vectorNorm } from './norms.ts';
export type { Tolerance } from './operands.ts';
export { cross, matrixPower, multiDot } from './products.ts';
export {
  det,
  inv,
  type LeastSquares,
  lstsq,
  matrixRank,
  pinv,
  slogdet,
  solve,
  solveTriangular,
  type TriangularOptions,
} from './systems.ts';
