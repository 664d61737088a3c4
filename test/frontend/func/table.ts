// Every differentiable function of tensors with arguments in float64, for whatever must hold of all of them.

import * as activation from '../../../compiler/frontend/functional/activation.ts';
import * as arithmetic from '../../../compiler/frontend/functional/arithmetic.ts';
import * as diagonal from '../../../compiler/frontend/functional/diagonal.ts';
import * as indexing from '../../../compiler/frontend/functional/indexing.ts';
import * as layers from '../../../compiler/frontend/functional/layers.ts';
import * as linear from '../../../compiler/frontend/functional/linear.ts';
import * as loss from '../../../compiler/frontend/functional/loss.ts';
import * as reductions from '../../../compiler/frontend/functional/reductions.ts';
import * as scatter from '../../../compiler/frontend/functional/scatter.ts';
import * as shape from '../../../compiler/frontend/functional/shape.ts';
import * as unary from '../../../compiler/frontend/functional/unary.ts';
import { eye, linalg, type Tensor, tensor } from '../../../compiler/index.ts';
import { draws } from '../../../compiler/inspect/data.ts';

type Linalg = { readonly [K in keyof typeof linalg as `linalg.${K}`]: (typeof linalg)[K] };
export const functions = {
  ...(Object.fromEntries(Object.entries(linalg).map(([name, f]) => [`linalg.${name}`, f])) as Linalg),
  ...activation,
  ...arithmetic,
  ...diagonal,
  ...indexing,
  ...layers,
  ...linear,
  ...loss,
  ...reductions,
  ...scatter,
  ...shape,
  ...unary,
};
type Name = keyof typeof functions;

/** Shape and range of an argument. */
type Argument = { readonly shape: readonly number[]; readonly low: number; readonly high: number };
export type Case = {
  readonly name: Name;
  readonly f: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
  readonly inputs: readonly Argument[];
};

/** Numbers well apart from each other and from 0, 1 and their negatives, where functions have kinks. */
export function numbers({ shape, low, high }: Argument, seed: number): number[] {
  const n = shape.reduce((a, c) => a * c, 1);
  const random = draws(seed);
  const kinks = [-2, -1, -0.5, 0, 0.5, 1, 2];
  const order = Array.from({ length: n }, (_, i) => i).sort(() => random() - 0.5);
  return order.map((i) => {
    const v = low + ((high - low) * (i + 0.3 + 0.4 * random())) / n;
    const near = kinks.find((k) => Math.abs(v - k) < 0.02);
    return near === undefined ? v : near + 0.03;
  });
}
export const argument = (a: Argument, seed: number): Tensor => tensor(numbers(a, seed), { dtype: 'float64' }).reshape(a.shape);

const of = (...sizes: number[]): Argument => ({ shape: sizes, low: -1.9, high: 1.9 });
const within = (low: number, high: number, ...sizes: number[]): Argument => ({ shape: sizes.length === 0 ? [2, 3] : sizes, low, high });
const m = of(2, 3);
const positive = within(0.3, 2.5);
const ints = (...values: number[]): Tensor => tensor(values, { dtype: 'int64' });
const at = tensor(
  [
    [1, 0, 2],
    [0, 2, 1],
  ],
  { dtype: 'int64' },
);
const mask = tensor([
  [true, false, true],
  [false, true, true],
]);

/** Matrices that are far from singular, symmetric ones, and positive definite ones, made of any. */
const regular = (A: Tensor): Tensor => A.add(eye(A.shape.at(-1)!, { dtype: 'float64' }).mul(4));
const symmetric = (A: Tensor): Tensor => A.add(A.transpose(-2, -1));
const definite = (A: Tensor): Tensor => regular(A.matmul(A.transpose(-2, -1)));
const square = of(3, 3);

const { functions: fn } = { functions };
const all: Partial<Record<Name, readonly [Case['f'], ...Argument[]] | readonly (readonly [Case['f'], ...Argument[]])[]>> = {};
const unaries = (names: readonly Name[], a: Argument): void => {
  for (const name of names) all[name] = [(x) => (fn[name] as (x: Tensor) => Tensor)(x), a];
};
unaries(
  [
    'exp',
    'exp2',
    'expm1',
    'sin',
    'cos',
    'tanh',
    'sinh',
    'cosh',
    'atan',
    'asinh',
    'erf',
    'erfc',
    'sigmoid',
    'sinc',
    'deg2rad',
    'rad2deg',
    'neg',
    'abs',
    'square',
    'frac',
    'sign',
    'floor',
    'ceil',
    'trunc',
    'round',
    'nanToNum',
  ],
  m,
);
unaries(['log', 'log2', 'log10', 'log1p', 'sqrt', 'rsqrt', 'reciprocal'], positive);
unaries(['tan', 'asin', 'acos', 'atanh'], within(-0.9, 0.9));
unaries(['acosh'], within(1.1, 3));
unaries(
  [
    'relu',
    'relu6',
    'selu',
    'silu',
    'mish',
    'logSigmoid',
    'softsign',
    'tanhshrink',
    'hardswish',
    'hardsigmoid',
    'hardshrink',
    'softshrink',
    'softplus',
    'hardtanh',
    'elu',
    'celu',
    'leakyRelu',
  ],
  m,
);
/** In place, on a copy. */
const inPlace = (names: readonly Name[], a: Argument): void => {
  for (const name of names) all[name] = [(x) => (fn[name] as (x: Tensor) => Tensor)(x.mul(1)), a];
};
inPlace(['exp_', 'sin_', 'cos_', 'tanh_', 'sigmoid_', 'neg_', 'abs_', 'square_', 'relu_', 'floor_', 'ceil_', 'trunc_', 'round_'], m);
inPlace(['log_', 'sqrt_', 'rsqrt_', 'reciprocal_'], positive);
const pairs = (names: readonly Name[], a: Argument, c: Argument): void => {
  for (const name of names)
    all[name] = [(x, y) => (fn[name] as (x: Tensor, y: Tensor) => Tensor)(name.endsWith('_') ? x!.mul(1) : x!, y!), a, c];
};
pairs(
  ['add', 'sub', 'rsub', 'mul', 'maximum', 'minimum', 'fmax', 'fmin', 'hypot', 'atan2', 'logaddexp', 'add_', 'sub_', 'mul_'],
  of(2, 3),
  of(3),
);
pairs(['div', 'remainder', 'fmod', 'copysign', 'div_', 'remainder_', 'fmod_'], of(2, 3), within(0.6, 2.6, 1, 3));
pairs(['pow', 'xlogy', 'pow_'], positive, within(0.3, 2.5, 3));
Object.assign(all, {
  gelu: [
    [(x) => fn.gelu(x!), m],
    [(x) => fn.gelu(x!, { approximate: 'tanh' }), m],
  ],
  threshold: [(x) => fn.threshold(x!, 0.2, 7), m],
  prelu: [(x, w) => fn.prelu(x!, w!), m, within(0.1, 0.4, 1)],
  clamp: [(x) => fn.clamp(x!, -0.7, 0.7), m],
  clamp_: [(x) => fn.clamp_(x!.mul(1), -0.7, 0.7), m],
  softmax: [(x) => fn.softmax(x!, 1), m],
  softmin: [(x) => fn.softmin(x!, 0), m],
  logSoftmax: [(x) => fn.logSoftmax(x!, -1), m],
  glu: [(x) => fn.glu(x!), of(2, 4)],
  scaledDotProductAttention: [
    (q, k, v) => fn.scaledDotProductAttention(q!, k!, v!, { isCausal: true }),
    of(1, 3, 2),
    of(1, 3, 2),
    of(1, 3, 2),
  ],
  lerp: [(x, y, w) => fn.lerp(x!, y!, w!), m, m, within(0.1, 0.9)],
  lerp_: [(x, y) => fn.lerp_(x!.mul(1), y!, 0.3), m, m],
  addcmul: [(x, y, z) => fn.addcmul(x!, y!, z!, { value: 2 }), m, m, m],
  addcmul_: [(x, y, z) => fn.addcmul_(x!.mul(1), y!, z!), m, m, m],
  addcdiv: [(x, y, z) => fn.addcdiv(x!, y!, z!), m, m, positive],
  addcdiv_: [(x, y, z) => fn.addcdiv_(x!.mul(1), y!, z!), m, m, positive],
  logit: [(x) => fn.logit(x!), within(0.1, 0.9)],
  tril: [(x) => fn.tril(x!), of(3, 3)],
  triu: [(x) => fn.triu(x!, 1), of(3, 3)],
  diagonal: [(x) => fn.diagonal(x!, 1), of(3, 4)],
  diagEmbed: [(x) => fn.diagEmbed(x!), of(2, 3)],
  diag: [
    [(x) => fn.diag(x!), of(3)],
    [(x) => fn.diag(x!, -1), of(3, 3)],
  ],
  trace: [(x) => fn.trace(x!), of(3, 3)],
  select: [(x) => fn.select(x!, 1, 2), m],
  index: [
    [(x) => fn.index(x!, 1, fn.range(0, 2)), m],
    [(x) => fn.index(x!, ints(1, 1, 0)), m],
  ],
  indexPut_: [(x, v) => fn.indexPut_(x!.mul(1), [1], v!), m, of(3)],
  where: [(x, y) => fn.where(mask, x!, y!), m, m],
  maskedFill: [(x) => fn.maskedFill(x!, mask, 3), m],
  maskedFill_: [(x) => fn.maskedFill_(x!.mul(1), mask, 3), m],
  maskedSelect: [(x) => fn.maskedSelect(x!, mask), m],
  fill_: [(x, v) => fn.fill_(x!.mul(1), v!).mul(x!), m, of()],
  zero_: [(x) => fn.zero_(x!.mul(1)).add(x!), m],
  conv1d: [(x, w) => fn.conv1d(x!, w!, { padding: 1, stride: 2 }), of(1, 2, 5), of(2, 2, 3)],
  conv2d: [(x, w, c) => fn.conv2d(x!, w!, { bias: c!, padding: 1 }), of(1, 2, 3, 3), of(2, 2, 2, 2), of(2)],
  maxPool1d: [(x) => fn.maxPool1d(x!, 2), of(1, 1, 6)],
  maxPool2d: [(x) => fn.maxPool2d(x!, 2, { stride: 1 }), of(1, 1, 3, 3)],
  maxPool2dWithIndices: [(x) => Object.values(fn.maxPool2dWithIndices(x!, 2) as object)[0] as Tensor, of(1, 1, 4, 4)],
  avgPool1d: [(x) => fn.avgPool1d(x!, 2), of(1, 1, 6)],
  avgPool2d: [(x) => fn.avgPool2d(x!, 2, { padding: 1 }), of(1, 1, 4, 4)],
  adaptiveAvgPool1d: [(x) => fn.adaptiveAvgPool1d(x!, 2), of(1, 1, 6)],
  adaptiveAvgPool2d: [(x) => fn.adaptiveAvgPool2d(x!, 2), of(1, 1, 4, 4)],
  layerNorm: [(x, w, c) => fn.layerNorm(x!, [4], { weight: w!, bias: c! }), of(2, 4), of(4), of(4)],
  rmsNorm: [(x, w) => fn.rmsNorm(x!, [4], { weight: w! }), of(2, 4), of(4)],
  groupNorm: [(x) => fn.groupNorm(x!, 2), of(2, 4, 2)],
  batchNormInTraining: [(x) => fn.batchNormInTraining(x!).output, of(4, 2)],
  batchNorm: [(x, mean, v) => fn.batchNorm(x!, mean!, v!), of(4, 2), of(2), within(0.5, 2, 2)],
  instanceNorm: [(x) => fn.instanceNorm(x!), of(1, 2, 4)],
  normalize: [(x) => fn.normalize(x!), m],
  cosineSimilarity: [(x, y) => fn.cosineSimilarity(x!, y!), m, m],
  pairwiseDistance: [(x, y) => fn.pairwiseDistance(x!, y!), m, within(2.5, 4)],
  embedding: [(w) => fn.embedding(at, w!), of(3, 2)],
  matmul: [
    [(x, y) => fn.matmul(x!, y!), of(2, 3), of(3, 2)],
    [(x, y) => fn.matmul(x!, y!), of(2, 1, 3), of(3)],
  ],
  mm: [(x, y) => fn.mm(x!, y!), of(2, 3), of(3, 2)],
  bmm: [(x, y) => fn.bmm(x!, y!), of(2, 2, 3), of(2, 3, 1)],
  mv: [(x, y) => fn.mv(x!, y!), of(2, 3), of(3)],
  dot: [(x, y) => fn.dot(x!, y!), of(3), of(3)],
  outer: [(x, y) => fn.outer(x!, y!), of(2), of(3)],
  linear: [(x, w, c) => fn.linear(x!, w!, c!), of(2, 3), of(2, 3), of(2)],
  addmm: [(x, y, z) => fn.addmm(x!, y!, z!), of(2), of(2, 3), of(3, 2)],
  baddbmm: [(x, y, z) => fn.baddbmm(x!, y!, z!), of(1, 2, 2), of(1, 2, 3), of(1, 3, 2)],
  inner: [(x, y) => fn.inner(x!, y!), of(2, 3), of(2, 3)],
  tensordot: [(x, y) => fn.tensordot(x!, y!, 1), of(2, 3), of(3, 2)],
  kron: [(x, y) => fn.kron(x!, y!), of(2, 2), of(1, 3)],
  cross: [(x, y) => fn.cross(x!, y!), of(2, 3), of(2, 3)],
  cdist: [(x, y) => fn.cdist(x!, y!), of(2, 3), within(2.5, 4, 2, 3)],
  dist: [(x, y) => fn.dist(x!, y!), m, within(2.5, 4)],
  einsum: [(x, y) => fn.einsum('ij,jk->ik', x!, y!), of(2, 3), of(3, 2)],
  crossEntropy: [(x) => fn.crossEntropy(x!, ints(2, 0), { labelSmoothing: 0.1 }), m],
  nllLoss: [(x) => fn.nllLoss(x!, ints(2, 0)), m],
  mseLoss: [(x, y) => fn.mseLoss(x!, y!), m, m],
  l1Loss: [(x, y) => fn.l1Loss(x!, y!), m, within(2.5, 4)],
  smoothL1Loss: [(x, y) => fn.smoothL1Loss(x!, y!), m, within(0.4, 0.8)],
  huberLoss: [(x, y) => fn.huberLoss(x!, y!), m, within(0.4, 0.8)],
  klDivLoss: [(x, y) => fn.klDivLoss(x!, y!), m, within(0.1, 0.9)],
  binaryCrossEntropy: [(x, y) => fn.binaryCrossEntropy(x!, y!), within(0.1, 0.9), within(0.1, 0.9)],
  binaryCrossEntropyWithLogits: [(x, y) => fn.binaryCrossEntropyWithLogits(x!, y!), m, within(0.1, 0.9)],
  hingeEmbeddingLoss: [
    (x) =>
      fn.hingeEmbeddingLoss(
        x!,
        tensor(
          [
            [1, -1, 1],
            [-1, 1, 1],
          ],
          { dtype: 'float64' },
        ),
      ),
    within(0.1, 0.9),
  ],
  marginRankingLoss: [(x, y) => fn.marginRankingLoss(x!, y!, tensor([1, -1, 1], { dtype: 'float64' })), of(3), within(0.1, 0.4, 3)],
  cosineEmbeddingLoss: [(x, y) => fn.cosineEmbeddingLoss(x!, y!, ints(1, -1)), m, m],
  tripletMarginLoss: [(x, y, z) => fn.tripletMarginLoss(x!, y!, z!), m, within(2.5, 4), within(-4, -2.5)],
  sum: [
    [(x) => fn.sum(x!), m],
    [(x) => fn.sum(x!, 1, { keepdim: true }), m],
  ],
  prod: [
    [(x) => fn.prod(x!), m],
    [(x) => fn.prod(x!, 0), m],
  ],
  mean: [(x) => fn.mean(x!, 0), m],
  variance: [(x) => fn.variance(x!, 1), m],
  std: [(x) => fn.std(x!, 1), m],
  varMean: [(x) => fn.varMean(x!, 1), m],
  stdMean: [(x) => fn.stdMean(x!, 1), m],
  nansum: [(x) => fn.nansum(x!, 1), m],
  nanmean: [(x) => fn.nanmean(x!, 1), m],
  logsumexp: [(x) => fn.logsumexp(x!, 1), m],
  norm: [
    [(x) => fn.norm(x!), m],
    [(x) => fn.norm(x!, 1, { p: 3 }), m],
  ],
  amax: [(x) => fn.amax(x!, 1), m],
  amin: [(x) => fn.amin(x!), m],
  aminmax: [(x) => Object.values(fn.aminmax(x!)) as Tensor[], m],
  max: [
    [(x) => fn.max(x!), m],
    [(x) => fn.max(x!, 1).values, m],
  ],
  min: [
    [(x) => fn.min(x!), m],
    [(x) => fn.min(x!, 0).values, m],
  ],
  cumsum: [(x) => fn.cumsum(x!, 1), m],
  cumprod: [(x) => fn.cumprod(x!, 1), m],
  cummax: [(x) => fn.cummax(x!, 1).values, m],
  cummin: [(x) => fn.cummin(x!, 1).values, m],
  sort: [(x) => fn.sort(x!).values, m],
  topk: [(x) => fn.topk(x!, 2).values, m],
  kthvalue: [(x) => fn.kthvalue(x!, 2).values, m],
  median: [
    [(x) => fn.median(x!), m],
    [(x) => fn.median(x!, 1).values, m],
  ],
  quantile: [(x) => fn.quantile(x!, 0.4, 1), m],
  gather: [(x) => fn.gather(x!, 1, at), m],
  indexSelect: [(x) => fn.indexSelect(x!, 1, ints(2, 2, 0)), m],
  scatter: [(x, s) => fn.scatter(x!, 1, at, s!), m, m],
  scatter_: [(x, s) => fn.scatter_(x!.mul(1), 1, at, s!), m, m],
  scatterAdd: [(x, s) => fn.scatterAdd(x!, 1, at, s!), m, m],
  scatterAdd_: [(x, s) => fn.scatterAdd_(x!.mul(1), 1, at, s!), m, m],
  takeAlongDim: [(x) => fn.takeAlongDim(x!, at, 1), m],
  take: [(x) => fn.take(x!, ints(5, 0, 5)), m],
  indexAdd: [(x, s) => fn.indexAdd(x!, 0, ints(1, 1), s!), m, m],
  indexAdd_: [(x, s) => fn.indexAdd_(x!.mul(1), 0, ints(1, 1), s!), m, m],
  indexCopy: [(x, s) => fn.indexCopy(x!, 0, ints(1, 0), s!), m, m],
  indexCopy_: [(x, s) => fn.indexCopy_(x!.mul(1), 0, ints(1, 0), s!), m, m],
  indexFill: [(x) => fn.indexFill(x!, 1, ints(0, 2), 3), m],
  indexFill_: [(x) => fn.indexFill_(x!.mul(1), 1, ints(0, 2), 3), m],
  reshape: [(x) => fn.reshape(x!, [3, -1]), m],
  view: [(x) => fn.view(x!, [6]), m],
  flatten: [(x) => fn.flatten(x!), m],
  unflatten: [(x) => fn.unflatten(x!, 1, [3, 1]), m],
  squeeze: [(x) => fn.squeeze(x!), of(2, 1, 3)],
  unsqueeze: [(x) => fn.unsqueeze(x!, 1), m],
  permute: [(x) => fn.permute(x!, [1, 0]), m],
  transpose: [(x) => fn.transpose(x!, 0, 1), m],
  swapaxes: [(x) => fn.swapaxes(x!, 0, 1), m],
  swapdims: [(x) => fn.swapdims(x!, 0, 1), m],
  t: [(x) => fn.t(x!), m],
  movedim: [(x) => fn.movedim(x!, 0, 1), m],
  expand: [(x) => fn.expand(x!, [2, 2, 3]), m],
  reshapeAs: [(x) => fn.reshapeAs(x!, tensor([1, 2, 3, 4, 5, 6])), m],
  viewAs: [(x) => fn.viewAs(x!, tensor([1, 2, 3, 4, 5, 6])), m],
  typeAs: [(x) => fn.typeAs(x!, x!), m],
  expandAs: [(x, y) => fn.expandAs(x!, y!), of(1, 3), m],
  broadcastTo: [(x) => fn.broadcastTo(x!, [2, 2, 3]), m],
  narrow: [(x) => fn.narrow(x!, 1, 1, 2), m],
  flip: [(x) => fn.flip(x!, [0, 1]), m],
  fliplr: [(x) => fn.fliplr(x!), m],
  flipud: [(x) => fn.flipud(x!), m],
  rot90: [(x) => fn.rot90(x!), m],
  roll: [(x) => fn.roll(x!, 1, 1), m],
  clone: [(x) => fn.clone(x!), m],
  contiguous: [(x) => fn.contiguous(x!.t()), m],
  to: [(x) => fn.to(x!, 'float64'), m],
  copy_: [(x, y) => fn.copy_(x!.mul(1), y!).mul(x!), m, m],
  cat: [(x, y) => fn.cat([x!, y!], 1), m, m],
  stack: [(x, y) => fn.stack([x!, y!], 1), m, m],
  hstack: [(x, y) => fn.hstack([x!, y!]), m, m],
  vstack: [(x, y) => fn.vstack([x!, y!]), m, m],
  dstack: [(x, y) => fn.dstack([x!, y!]), m, m],
  split: [(x) => fn.split(x!, 2, 1), m],
  chunk: [(x) => fn.chunk(x!, 2, 1), m],
  unbind: [(x) => fn.unbind(x!), m],
  repeat: [(x) => fn.repeat(x!, [2, 2]), m],
  tile: [(x) => fn.tile(x!, [2]), m],
  repeatInterleave: [(x) => fn.repeatInterleave(x!, 2, 1), m],
  unfold: [(x) => fn.unfold(x!, 1, 2, 1), m],
  pad: [(x) => fn.pad(x!, [1, 2], 3), m],
  meshgrid: [(x, y) => fn.meshgrid([x!, y!]), of(2), of(3)],
  cartesianProd: [(x, y) => fn.cartesianProd(x!, y!), of(2), of(3)],
  broadcastTensors: [(x, y) => fn.broadcastTensors(x!, y!), of(3), of(2, 1)],
  'linalg.cholesky': [
    [(A) => linalg.cholesky(definite(A!)), square],
    [(A) => linalg.cholesky(definite(A!), { upper: true }), of(2, 2, 2)],
  ],
  // Vectors have a sign that nothing determines.
  'linalg.eigh': [
    (A) => {
      const { eigenvalues, eigenvectors } = linalg.eigh(symmetric(A!));
      return [eigenvalues, eigenvectors.square()];
    },
    square,
  ],
  'linalg.eigvalsh': [(A) => linalg.eigvalsh(symmetric(A!)), of(2, 2, 2)],
  'linalg.svd': [
    (A) => {
      const { U, S, Vh } = linalg.svd(A!, { fullMatrices: false });
      return [U.square(), S, Vh.square()];
    },
    of(3, 2),
  ],
  'linalg.svdvals': [(A) => linalg.svdvals(A!), of(2, 3)],
  'linalg.qr': [
    [(A) => Object.values(linalg.qr(A!)) as Tensor[], of(3, 2)],
    [(A) => Object.values(linalg.qr(A!)) as Tensor[], of(2, 2, 2)],
  ],
  'linalg.det': [
    [(A) => linalg.det(A!), square],
    [(A) => linalg.det(A!), of(2, 2, 2)],
  ],
  'linalg.slogdet': [(A) => linalg.slogdet(regular(A!)).logabsdet, square],
  'linalg.inv': [(A) => linalg.inv(regular(A!)), square],
  'linalg.solve': [
    [(A, B) => linalg.solve(regular(A!), B!), square, of(3, 2)],
    [(A, B) => linalg.solve(regular(A!), B!, { left: false }), of(2, 2), of(3, 2)],
    [(A, b) => linalg.solve(regular(A!), b!), square, of(3)],
  ],
  'linalg.solveTriangular': [
    [(A, B) => linalg.solveTriangular(regular(A!), B!, { upper: true }), square, of(3, 2)],
    [(A, B) => linalg.solveTriangular(regular(A!), B!, { upper: false, unitriangular: true, left: false }), square, of(2, 3)],
  ],
  'linalg.pinv': [(A) => linalg.pinv(A!), of(3, 2)],
  'linalg.lstsq': [(A, B) => linalg.lstsq(A!, B!).solution, of(3, 2), of(3, 1)],
  'linalg.matrixPower': [
    [(A) => linalg.matrixPower(regular(A!), 3), square],
    [(A) => linalg.matrixPower(regular(A!), -2), of(2, 2)],
  ],
  'linalg.multiDot': [(A, B, C) => linalg.multiDot([A!, B!, C!]), of(2, 3), of(3, 2), of(2, 2)],
  'linalg.cross': [(x, y) => linalg.cross(x!, y!), m, m],
  'linalg.cond': [
    [(A) => linalg.cond(regular(A!)), square],
    [(A) => linalg.cond(regular(A!), 'fro'), of(2, 2)],
  ],
  'linalg.matrixNorm': [
    [(A) => linalg.matrixNorm(A!), of(3, 2)],
    [(A) => linalg.matrixNorm(A!, 'nuc'), of(3, 2)],
    [(A) => linalg.matrixNorm(A!, 2), of(3, 2)],
    [(A) => linalg.matrixNorm(A!, 1), of(3, 2)],
    [(A) => linalg.matrixNorm(A!, Number.POSITIVE_INFINITY), of(3, 2)],
  ],
  'linalg.vectorNorm': [
    [(x) => linalg.vectorNorm(x!, 3, 1), m],
    [(x) => linalg.vectorNorm(x!, Number.POSITIVE_INFINITY, 1), m],
  ],
  'linalg.norm': [
    [(x) => linalg.norm(x!), m],
    [(x) => linalg.norm(x!, -2), of(3, 2)],
  ],
} satisfies typeof all);

export const cases: readonly Case[] = Object.entries(all).flatMap(([name, entry]) => {
  const variants = (Array.isArray(entry[0]) ? entry : [entry]) as readonly (readonly [Case['f'], ...Argument[]])[];
  return variants.map(([f, ...inputs]): Case => ({ name: name as Name, f, inputs }));
});

/** What has no derivative, is no function of tensors, or is covered by another name, in a word or two each. */
export const others: Partial<Record<Name, string>> = Object.fromEntries(
  Object.entries({
    'gives bools or integers':
      'eq ne lt le gt ge logicalAnd logicalOr logicalXor logicalNot bitwiseAnd bitwiseOr bitwiseXor bitwiseLeftShift bitwiseRightShift bitwiseNot isclose allclose equal all any argmax argmin countNonzero argsort isnan isinf isfinite signbit nonzero oneHot bincount unique',
    'piecewise constant': 'floorDivide floorDivide_ heaviside',
    'no function of tensors': 'range',
    'gives an integer': 'linalg.matrixRank',
  }).flatMap(([why, names]) => names.split(' ').map((name) => [name, why])),
);
