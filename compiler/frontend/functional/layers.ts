// What layers compute: convolution, pooling, normalisation, embedding.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { avalOf, type Value } from '../../ir/node.ts';
import { composite } from '../../ops/composite/table.ts';
import { demandIntegers, demandTensors, kindOf } from '../arguments.ts';
import { noGrad } from '../autograd/mode.ts';
import { fromTypedArray } from '../creation.ts';
import type { DTypeName } from '../dtypes.ts';
import { apply, applyMany } from '../op.ts';
import { broadcastTo, scalarValue } from '../operands.ts';
import type { Tensor } from '../tensor.ts';
import { tensordot } from './linear.ts';
import { broadcastTensors, movedim } from './shape.ts';

/** One number for all spatial dimensions, or one for each. */
export type Spatial = number | readonly number[];

function spread(op: string, what: string, given: Spatial, rank: number, least: number): readonly number[] {
  if (typeof given !== 'number') demandIntegers(op, what, given);
  const list = typeof given === 'number' ? new Array<number>(rank).fill(given) : [...given];
  if (list.length !== rank || list.some((n) => !Number.isInteger(n) || n < least))
    throw new ArgumentError(`${what} [${list}] must be ${rank} integers of at least ${least}`, { op });
  return list;
}

export type ConvOptions = {
  readonly bias?: Tensor;
  readonly stride?: Spatial;
  readonly padding?: Spatial | 'same' | 'valid';
  readonly dilation?: Spatial;
  readonly groups?: number;
};

function convolve(op: string, rank: number, x: Tensor, weight: Tensor, options: ConvOptions): Tensor {
  const { bias, groups = 1 } = options;
  const batched = x.ndim === rank + 2;
  if ((!batched && x.ndim !== rank + 1) || weight.ndim !== rank + 2)
    throw new ShapeError(
      `expects input [N, C, ...] or [C, ...] with ${rank} spatial dimensions and weight [O, C / groups, ...], got [${x.shape}] and [${weight.shape}]`,
      { op },
    );
  if (x.element !== weight.element)
    throw new DTypeError(`input and weight must have one dtype, got ${x.dtype} and ${weight.dtype}`, { op });
  const channels = x.shape[batched ? 1 : 0]!;
  if (!Number.isInteger(groups) || groups < 1 || channels !== weight.shape[1]! * groups || weight.shape[0]! % groups !== 0)
    throw new ShapeError(
      `input [${x.shape}] has ${channels} channels, weight [${weight.shape}] with groups = ${groups} expects ${weight.shape[1]! * groups}`,
      { op },
    );
  if (bias !== undefined && (bias.ndim !== 1 || bias.shape[0] !== weight.shape[0]))
    throw new ShapeError(`bias [${bias.shape}] does not fit ${weight.shape[0]} output channels`, { op });
  const stride = spread(op, 'stride', options.stride ?? 1, rank, 1);
  const dilation = spread(op, 'dilation', options.dilation ?? 1, rank, 1);
  const padding = paddingOf(op, options.padding ?? 0, rank, weight.shape.slice(2), stride, dilation);
  const spatial = x.shape.slice(-rank);
  spatial.forEach((n, i) => {
    const window = dilation[i]! * (weight.shape[i + 2]! - 1) + 1;
    if (n + padding[i]![0] + padding[i]![1] < window)
      throw new ShapeError(
        `the window of ${window} is larger than the padded input of ${n + padding[i]![0] + padding[i]![1]} in spatial dimension ${i}`,
        { op },
      );
  });
  return apply(op, [x, weight, ...(bias === undefined ? [] : [bias])], (v, w, c) => {
    const input = batched ? v! : b.reshape(v!, { shape: [1, ...x.shape] });
    let y = b.conv(input, w!, { stride, padding, dilation, groups });
    const shape = avalOf(y).shape as readonly number[];
    if (c !== undefined) y = b.add(y, b.expand(c, { shape, at: shape.map((_, i) => i).filter((i) => i !== 1) }));
    return batched ? y : b.reshape(y, { shape: shape.slice(1) });
  });
}
function paddingOf(
  op: string,
  padding: Spatial | 'same' | 'valid',
  rank: number,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): (readonly [number, number])[] {
  if (padding === 'valid') return kernel.map(() => [0, 0]);
  if (padding !== 'same') return spread(op, 'padding', padding, rank, 0).map((p) => [p, p]);
  if (stride.some((s) => s !== 1)) throw new ArgumentError("padding 'same' is not defined for strides other than 1", { op });
  return kernel.map((k, i) => {
    const total = dilation[i]! * (k - 1);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  });
}
/** Cross-correlation of [N, C, L] with [O, C / groups, K], as `F.conv1d`. */
export function conv1d(x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  demandTensors('conv1d', x, weight);
  return convolve('conv1d', 1, x, weight, options);
}
/** Cross-correlation of [N, C, H, W] with [O, C / groups, KH, KW], as `F.conv2d`. */
export function conv2d(x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor {
  demandTensors('conv2d', x, weight);
  return convolve('conv2d', 2, x, weight, options);
}

export type PoolOptions = {
  readonly stride?: Spatial;
  readonly padding?: Spatial;
  readonly dilation?: Spatial;
  readonly ceilMode?: boolean;
};
function window(
  op: string,
  rank: number,
  x: Tensor,
  kernel: Spatial,
  options: PoolOptions,
): { kernel: readonly number[]; stride: readonly number[]; padding: readonly number[]; ceil: boolean } {
  if (x.ndim !== rank + 1 && x.ndim !== rank + 2)
    throw new ShapeError(`expects [N, C, ...] or [C, ...] with ${rank} spatial dimensions, got [${x.shape}]`, { op });
  const k = spread(op, 'kernel size', kernel, rank, 1);
  const stride = spread(op, 'stride', options.stride ?? k, rank, 1);
  const padding = spread(op, 'padding', options.padding ?? 0, rank, 0);
  if (padding.some((p, i) => p > k[i]! / 2))
    throw new ArgumentError(`padding [${padding}] must be at most half of the kernel size [${k}]`, { op });
  const dilation = spread(op, 'dilation', options.dilation ?? 1, rank, 1);
  x.shape.slice(-rank).forEach((n, i) => {
    if (n + 2 * padding[i]! < dilation[i]! * (k[i]! - 1) + 1)
      throw new ShapeError(`the window [${k}] is larger than the padded input [${x.shape}]`, { op });
  });
  return { kernel: k, stride, padding, ceil: options.ceilMode ?? false };
}
function maxPool(op: string, rank: number, x: Tensor, kernel: Spatial, options: PoolOptions): Tensor {
  const params = { ...window(op, rank, x, kernel, options), dilation: spread(op, 'dilation', options.dilation ?? 1, rank, 1) };
  return apply(op, [x], (v) => composite('maxPool', [v], params)[0]!);
}
/** Largest of each window of [N, C, L]; the gradient goes to the first largest. */
export function maxPool1d(x: Tensor, kernel: Spatial, options: PoolOptions = {}): Tensor {
  demandTensors('maxPool1d', x);
  return maxPool('maxPool1d', 1, x, kernel, options);
}
/** Largest of each window of [N, C, H, W]. */
export function maxPool2d(x: Tensor, kernel: Spatial, options: PoolOptions = {}): Tensor {
  demandTensors('maxPool2d', x);
  return maxPool('maxPool2d', 2, x, kernel, options);
}
/** `maxPool2d`, and where each largest lies as a flat position in H x W. */
export function maxPool2dWithIndices(x: Tensor, kernel: Spatial, options: PoolOptions = {}): { values: Tensor; indices: Tensor } {
  demandTensors('maxPool2dWithIndices', x);
  const params = { ...window('maxPool2d', 2, x, kernel, options), dilation: spread('maxPool2d', 'dilation', options.dilation ?? 1, 2, 1) };
  const [values, indices] = applyMany('maxPool2d', [x], (v) => [
    composite('maxPool', [v], params)[0]!,
    composite('maxPoolIndices', [v], params)[0]!,
  ]);
  return { values: values!, indices: indices! };
}

export type AvgPoolOptions = Omit<PoolOptions, 'dilation'> & { readonly countIncludePad?: boolean; readonly divisorOverride?: number };
function avgPool(op: string, rank: number, x: Tensor, kernel: Spatial, options: AvgPoolOptions): Tensor {
  const params = {
    ...window(op, rank, x, kernel, options),
    countPadding: options.countIncludePad ?? true,
    divisor: options.divisorOverride ?? 0,
  };
  return apply(op, [x], (v) => composite('avgPool', [v], params)[0]!);
}
/** Mean of each window of [N, C, L]. */
export function avgPool1d(x: Tensor, kernel: Spatial, options: AvgPoolOptions = {}): Tensor {
  demandTensors('avgPool1d', x);
  return avgPool('avgPool1d', 1, x, kernel, options);
}
/** Mean of each window of [N, C, H, W]. */
export function avgPool2d(x: Tensor, kernel: Spatial, options: AvgPoolOptions = {}): Tensor {
  demandTensors('avgPool2d', x);
  return avgPool('avgPool2d', 2, x, kernel, options);
}
/** Mean over windows chosen so that the result has spatial sizes `size`; window i of n elements into m begins at floor(i n / m). */
function adaptiveAvgPool(op: string, rank: number, x: Tensor, size: Spatial): Tensor {
  if (x.ndim !== rank + 1 && x.ndim !== rank + 2)
    throw new ShapeError(`expects [N, C, ...] or [C, ...] with ${rank} spatial dimensions, got [${x.shape}]`, { op });
  const out = spread(op, 'size', size, rank, 0);
  const spatial = x.shape.slice(-rank);
  const kernel = out.map((m, i) => spatial[i]! / m);
  if (kernel.every((k) => Number.isInteger(k) && k > 0)) return avgPool(op, rank, x, kernel, {});
  // Windows of unequal sizes: one dimension after the other is contracted with a matrix of shares.
  return out.reduce((t, m, i) => {
    const axis = x.ndim - rank + i;
    return movedim(tensordot(t, shares(spatial[i]!, m, x.dtype), [[axis], [0]]), -1, axis);
  }, x);
}
/** An n x m matrix whose column j holds 1 / length over the elements of window j. */
function shares(n: number, m: number, dtype: DTypeName): Tensor {
  const values = new Float64Array(n * m);
  for (let j = 0; j < m; j++) {
    const [from, to] = [Math.floor((j * n) / m), Math.ceil(((j + 1) * n) / m)];
    for (let i = from; i < to; i++) values[i * m + j] = 1 / (to - from);
  }
  return fromTypedArray(values, [n, m], { dtype });
}
/** Mean over windows of [N, C, L] chosen so that the result has length `size`. */
export function adaptiveAvgPool1d(x: Tensor, size: Spatial): Tensor {
  demandTensors('adaptiveAvgPool1d', x);
  return adaptiveAvgPool('adaptiveAvgPool1d', 1, x, size);
}
/** Mean over windows of [N, C, H, W] chosen so that the result is `size`. */
export function adaptiveAvgPool2d(x: Tensor, size: Spatial): Tensor {
  demandTensors('adaptiveAvgPool2d', x);
  return adaptiveAvgPool('adaptiveAvgPool2d', 2, x, size);
}

export type NormOptions = { readonly weight?: Tensor | undefined; readonly bias?: Tensor | undefined; readonly eps?: number };
const present = (...tensors: readonly (Tensor | undefined)[]): Tensor[] => tensors.filter((t) => t !== undefined);
function demandFloat(op: string, x: Tensor): void {
  if (!isFloat(x.element)) throw new DTypeError(`is not defined for ${x.dtype} tensors`, { op });
}

/** Mean 0 and variance 1 over the last dimensions, which must be `shape`; then scale and shift of that shape. As `F.layer_norm`. */
export function layerNorm(x: Tensor, shape: readonly number[], { weight, bias, eps = 1e-5 }: NormOptions = {}): Tensor {
  demandTensors('layerNorm', x);
  demandIntegers('layerNorm', 'shape', shape);
  const op = 'layerNorm';
  demandFloat(op, x);
  demandTensors(op, ...present(weight, bias));
  const last = x.shape.slice(x.ndim - shape.length);
  if (shape.length === 0 || shape.length > x.ndim || last.join() !== shape.join())
    throw new ShapeError(`expected the last dimensions of [${x.shape}] to be [${shape}]`, { op });
  for (const t of present(weight, bias))
    if (t.shape.join() !== shape.join()) throw new ShapeError(`weight and bias must be [${shape}], not [${t.shape}]`, { op });
  const params = { rank: shape.length, weight: weight !== undefined, bias: bias !== undefined };
  return apply(
    op,
    [x, ...present(weight, bias)],
    (v, ...rest) => composite('layerNorm', [v!, scalarValue(eps, x.element), ...rest], params)[0]!,
  );
}
/** x over its root mean square over the last dimensions; then a scale. As `F.rms_norm`. */
export function rmsNorm(
  x: Tensor,
  shape: readonly number[],
  { weight, eps }: { readonly weight?: Tensor; readonly eps?: number } = {},
): Tensor {
  demandTensors('rmsNorm', x);
  demandIntegers('rmsNorm', 'shape', shape);
  const op = 'rmsNorm';
  demandFloat(op, x);
  if (shape.length === 0 || x.shape.slice(x.ndim - shape.length).join() !== shape.join())
    throw new ShapeError(`expected the last dimensions of [${x.shape}] to be [${shape}]`, { op });
  const floor = eps ?? (x.element === 'f64' ? Number.EPSILON : 2 ** -23);
  return apply(
    op,
    [x, ...present(weight)],
    (v, ...rest) =>
      composite('rmsNorm', [v!, scalarValue(floor, x.element), ...rest], { rank: shape.length, weight: weight !== undefined })[0]!,
  );
}
/** Mean 0 and variance 1 in each of `groups` groups of channels of each example; then scale and shift by channel. */
export function groupNorm(x: Tensor, groups: number, { weight, bias, eps = 1e-5 }: NormOptions = {}): Tensor {
  demandTensors('groupNorm', x);
  const op = 'groupNorm';
  demandFloat(op, x);
  if (!Number.isInteger(groups) || groups < 1)
    throw new ArgumentError(
      `the number of groups must be a positive integer, but it is ${typeof groups === 'number' ? groups : kindOf(groups)}`,
      { op },
    );
  if (x.ndim < 2 || x.shape[1]! % groups !== 0)
    throw new ShapeError(`the channels of [${x.shape}] do not divide into ${groups} groups`, { op });
  const params = { groups, weight: weight !== undefined, bias: bias !== undefined };
  return apply(
    op,
    [x, ...present(weight, bias)],
    (v, ...rest) => composite('groupNorm', [v!, scalarValue(eps, x.element), ...rest], params)[0]!,
  );
}

export type BatchNormOptions = NormOptions & { readonly training?: boolean; readonly momentum?: number };
/**
 * Mean 0 and variance 1 for each channel (dimension 1), as `F.batch_norm`. In training the batch's own statistics are used, and the
 * running ones, if given, move towards them by `momentum` in place; in evaluation the running ones are used.
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | undefined,
  runningVar: Tensor | undefined,
  options: BatchNormOptions = {},
): Tensor {
  demandTensors('batchNorm', x);
  const op = 'batchNorm';
  demandFloat(op, x);
  const { weight, bias, training = false, momentum = 0.1, eps = 1e-5 } = options;
  demandChannels(op, x, present(weight, bias, runningMean, runningVar));
  if (!training) {
    if (runningMean === undefined || runningVar === undefined)
      throw new ArgumentError('evaluation needs running statistics', { op, fix: 'pass training: true' });
    const has = { weight: weight !== undefined, bias: bias !== undefined };
    return apply(
      op,
      [x, runningMean, runningVar, ...present(weight, bias)],
      (v, m, s, ...rest) => composite('batchNormEval', [v!, scalarValue(eps, x.element), m!, s!, ...rest], has)[0]!,
    );
  }
  const { output, mean, variance, count } = batchNormInTraining(x, options);
  noGrad(() => {
    runningMean?.mul_(1 - momentum).add_(mean.detach(), { alpha: momentum });
    runningVar?.mul_(1 - momentum).add_(variance.detach(), { alpha: (momentum * count) / (count - 1) });
  });
  return output;
}

function demandChannels(op: string, x: Tensor, perChannel: readonly Tensor[]): void {
  demandTensors(op, ...perChannel);
  if (x.ndim < 2) throw new ShapeError(`expects [N, C, ...], got [${x.shape}]`, { op });
  for (const t of perChannel)
    if (t.shape.join() !== String(x.shape[1]))
      throw new ShapeError(`statistics, weight and bias must be [${x.shape[1]}], not [${t.shape}]`, { op });
}

/** What batchNorm does in training, with the statistics of the batch: its mean, its biased variance, and the number of values behind them. */
export type BatchStatistics = { readonly output: Tensor; readonly mean: Tensor; readonly variance: Tensor; readonly count: number };
export function batchNormInTraining(x: Tensor, { weight, bias, eps = 1e-5 }: NormOptions = {}): BatchStatistics {
  demandTensors('batchNormInTraining', x);
  const op = 'batchNorm';
  demandFloat(op, x);
  demandChannels(op, x, present(weight, bias));
  const count = x.numel() / Math.max(1, x.shape[1]!);
  if (count <= 1) throw new ShapeError(`expected more than one value per channel when training, got input [${x.shape}]`, { op });
  const has = { weight: weight !== undefined, bias: bias !== undefined };
  const results = applyMany(op, [x, ...present(weight, bias)], (v, ...rest) =>
    composite('batchNorm', [v!, scalarValue(eps, x.element), ...rest], has),
  );
  const [output, mean, variance] = results as [Tensor, Tensor, Tensor];
  return { output, mean, variance, count };
}

/** Mean 0 and variance 1 over the spatial dimensions, for each example and channel. As `F.instance_norm` without running statistics. */
export function instanceNorm(x: Tensor, { weight, bias, eps = 1e-5 }: NormOptions = {}): Tensor {
  demandTensors('instanceNorm', x);
  if (x.ndim < 3) throw new ShapeError(`expects [N, C, ...] with spatial dimensions, got [${x.shape}]`, { op: 'instanceNorm' });
  if (x.shape.slice(2).reduce((n, d) => n * d, 1) <= 1)
    throw new ShapeError(`expected more than one spatial element, got input [${x.shape}]`, { op: 'instanceNorm' });
  return groupNorm(x, x.shape[1]!, { weight, bias, eps });
}
/** x over its p-norm along `dim`, which is taken to be at least `eps`. */
export function normalize(
  x: Tensor,
  { p = 2, dim = 1, eps = 1e-12 }: { readonly p?: number; readonly dim?: number; readonly eps?: number } = {},
): Tensor {
  demandTensors('normalize', x);
  return x.div(x.norm(dim, { p, keepdim: true }).clamp(eps));
}
/** Cosine of the angle between x and y along `dim`; each length is taken to be at least `eps`. */
export function cosineSimilarity(
  x: Tensor,
  y: Tensor,
  { dim = 1, eps = 1e-8 }: { readonly dim?: number; readonly eps?: number } = {},
): Tensor {
  demandTensors('cosineSimilarity', x, y);
  const [l, r] = broadcastTensors(x, y) as [Tensor, Tensor];
  const unit = (t: Tensor): Tensor => t.div(t.norm(dim, { keepdim: true }).clamp(eps));
  return unit(l).mul(unit(r)).sum(dim);
}
/** The p-norm of x - y + eps over the last dimension. */
export function pairwiseDistance(
  x: Tensor,
  y: Tensor,
  { p = 2, eps = 1e-6, keepdim = false }: { readonly p?: number; readonly eps?: number; readonly keepdim?: boolean } = {},
): Tensor {
  demandTensors('pairwiseDistance', x, y);
  return x.sub(y).add(eps).norm(-1, { p, keepdim });
}

export type EmbeddingOptions = { readonly paddingIdx?: number };
/** Rows of `weight` [V, D] by number: indices [...] give [..., D]. The row `paddingIdx` gets no gradient. As `F.embedding`. */
export function embedding(indices: Tensor, weight: Tensor, options: EmbeddingOptions = {}): Tensor {
  demandTensors('embedding', indices, weight);
  const op = 'embedding';
  if (indices.element !== 'i64' && indices.element !== 'i32')
    throw new DTypeError(`indices must be int64 or int32, not ${indices.dtype}`, { op, fix: "convert with .to('int64')" });
  if (weight.ndim !== 2) throw new ShapeError(`weight must be [V, D], got [${weight.shape}]`, { op });
  const [n, width] = [indices.numel(), weight.shape[1]!];
  const padding =
    options.paddingIdx === undefined ? undefined : options.paddingIdx < 0 ? options.paddingIdx + weight.shape[0]! : options.paddingIdx;
  const rows = (source: Value, index: Value): Value =>
    b.gather(source, b.expand(b.reshape(index, { shape: [n] }), { shape: [n, width], at: [1] }), { axis: 0, mode: 'checked' });
  if (padding === undefined) return apply(op, [weight, indices], (w, i) => b.reshape(rows(w, i), { shape: [...indices.shape, width] }));
  return apply(op, [weight, indices, weight.detach()], (w, i, still) => {
    const index = b.reshape(i, { shape: [n] });
    const isPadding = broadcastTo(b.reshape(b.eq(index, full(padding, avalOf(index))), { shape: [n, 1] }), [n, width]);
    return b.reshape(b.select(isPadding, rows(still, i), rows(w, i)), { shape: [...indices.shape, width] });
  });
}
