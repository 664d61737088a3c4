// Every function of matrices against differences, in reverse and forward mode, and its gradient once more.
import { describe, expect, it } from 'vitest';
import { autograd, linalg as L, type Tensor, tensor } from '../../compiler/index.ts';
import { draws } from '../../compiler/inspect/data.ts';

/** Seeded numbers in float64. */
function noise(seed: number, ...shape: number[]): Tensor {
  const random = draws(seed);
  const length = shape.reduce((n, d) => n * d, 1);
  return tensor(
    Float64Array.from({ length }, () => 2 * random() - 1),
    { dtype: 'float64' },
  ).reshape(shape);
}
const leaf = (t: Tensor): Tensor => t.detach().clone().requiresGrad_();
const symmetric = (A: Tensor): Tensor => A.add(A.transpose(-2, -1)).mul(0.5);
/** Positive-definite, with distinct eigenvalues. */
const shift = tensor([1, 0, 0, 0, 2, 0, 0, 0, 3], { dtype: 'float64' }).reshape([3, 3]).mul(2);
const definite = (A: Tensor): Tensor => symmetric(A).add(shift);

const square = leaf(noise(1, 2, 3, 3).add(shift));
const free = leaf(noise(2, 2, 3, 3));
const tall = leaf(noise(3, 2, 4, 3));
const wide = leaf(noise(4, 2, 3, 4));
const right = leaf(noise(5, 2, 3, 2));

const list = (o: Readonly<Record<string, Tensor>>): Tensor[] => Object.values(o);
const functions: readonly [name: string, f: (...xs: Tensor[]) => Tensor | readonly Tensor[], inputs: readonly Tensor[]][] = [
  ['det', L.det, [square]],
  ['logabsdet', (A) => L.slogdet(A).logabsdet, [square]],
  ['inv', L.inv, [square]],
  ['solve', (A, B) => L.solve(A, B), [square, right]],
  ['solve from the right', (A, B) => L.solve(A, B.transpose(-2, -1), { left: false }), [square, right]],
  ['solveTriangular', (A, B) => L.solveTriangular(A, B, { upper: true }), [square, right]],
  ['solveTriangular with ones', (A, B) => L.solveTriangular(A, B, { upper: false, unitriangular: true }), [square, right]],
  ['cholesky', (A) => L.cholesky(definite(A)), [free]],
  ['upper cholesky', (A) => L.cholesky(definite(A), { upper: true }), [free]],
  ['qr of tall', (A) => list(L.qr(A)), [tall]],
  ['qr of wide', (A) => list(L.qr(A)), [wide]],
  ['eigh', (A) => list(L.eigh(definite(A))), [free]],
  ['eigh of the upper triangle', (A) => list(L.eigh(definite(A), { UPLO: 'U' })), [free]],
  ['eigvalsh', (A) => L.eigvalsh(definite(A)), [free]],
  ['svd of square', (A) => list(L.svd(A)), [square]],
  ['svd of tall', (A) => list(L.svd(A, { fullMatrices: false })), [tall]],
  ['svd of wide', (A) => list(L.svd(A, { fullMatrices: false })), [wide]],
  ['svdvals', L.svdvals, [tall]],
  ['pinv of tall', (A) => L.pinv(A), [tall]],
  ['pinv of wide', (A) => L.pinv(A), [wide]],
  ['pinv of symmetric', (A) => L.pinv(symmetric(A), { hermitian: true }), [free]],
  ['lstsq', (A, B) => L.lstsq(A, B).solution, [tall, leaf(noise(6, 2, 4, 2))]],
  ['residuals', (A, B) => L.lstsq(A, B).residuals, [tall, leaf(noise(6, 2, 4, 2))]],
  ['matrixPower', (A) => L.matrixPower(A, 3), [square]],
  ['negative matrixPower', (A) => L.matrixPower(A, -2), [square]],
  ['multiDot', (...xs) => L.multiDot(xs), [leaf(noise(7, 3)), leaf(noise(8, 3, 2)), leaf(noise(9, 2, 4))]],
  ['cond', (A) => L.cond(A), [square]],
  ['cond by sums', (A) => L.cond(A, 1), [square]],
  ['cross', (x, y) => L.cross(x, y), [square, free]],
  ['vectorNorm', (x) => L.vectorNorm(x, 3, -1), [tall]],
  ...(['fro', 'nuc', 1, -1, 2, -2, Number.POSITIVE_INFINITY] as const).map((ord): [string, (A: Tensor) => Tensor, Tensor[]] => [
    `matrixNorm ${ord}`,
    (A) => L.matrixNorm(A, ord),
    [tall],
  ]),
];

describe.each(functions)('%s', (_, f, inputs) => {
  it('has the gradient that differences show, in both directions', () => {
    expect(autograd.gradcheck(f, inputs, { checkForwardAd: true })).toBe(true);
  });
  it('has a gradient that can be differentiated again', () => {
    expect(autograd.gradgradcheck(f, inputs, undefined, { atol: 1e-4 })).toBe(true);
  });
});

const matrix = (n: number, ...data: number[]): Tensor => tensor(data, { dtype: 'float64' }).reshape([n, n]).requiresGrad_();
function gradient(y: Tensor, x: Tensor): number[] {
  y.sum().backward();
  return [...(x.grad!.dataSync() as Float64Array)];
}

describe('at singular and repeated values', () => {
  it.each([
    ['rank n - 1', matrix(2, 1, 2, 2, 4), [4, -2, -2, 1]],
    ['rank n - 1 of 3', matrix(3, 1, 2, 3, 4, 5, 6, 7, 8, 9), [-3, 6, -3, 6, -12, 6, -3, 6, -3]],
    ['rank n - 2', matrix(3, 1, 1, 1, 1, 1, 1, 1, 1, 1), [0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['nothing', matrix(2, 0, 0, 0, 0), [0, 0, 0, 0]],
  ])('the gradient of det is the cofactors: %s', (_, A, cofactors) => {
    const found = gradient(L.det(A), A);
    for (const [i, c] of cofactors.entries()) expect(found[i]).toBeCloseTo(c, 12);
  });
  it.each([
    ['identity', matrix(3, 1, 0, 0, 0, 1, 0, 0, 0, 1)],
    ['zero', matrix(3, 0, 0, 0, 0, 0, 0, 0, 0, 0)],
    ['of rank 1', matrix(3, 1, 2, 3, 2, 4, 6, 3, 6, 9)],
  ])('det can be differentiated twice: %s', (_, A) => {
    expect(autograd.gradcheck(L.det, A)).toBe(true);
    expect(autograd.gradgradcheck(L.det, A)).toBe(true);
  });
  it('eigenvalues have a gradient where they coincide, vectors have none', () => {
    const A = matrix(2, 1, 0, 0, 1);
    expect(gradient(L.eigvalsh(A), A)).toEqual([1, 0, 0, 1]);
    const B = matrix(2, 1, 0, 0, 1);
    expect(gradient(L.eigh(B).eigenvectors.select(1, 0), B).every(Number.isFinite)).toBe(false);
  });
  it('singular values have a gradient at the zero matrix', () => {
    const A = matrix(2, 0, 0, 0, 0);
    expect(gradient(L.svdvals(A), A)).toEqual([1, 0, 0, 1]);
  });
  it('pinv keeps its gradient where singular values coincide', () => {
    const A = matrix(2, 2, 0, 0, 2);
    expect(gradient(L.pinv(A), A)).toEqual([-0.25, -0.25, -0.25, -0.25]);
  });
});
