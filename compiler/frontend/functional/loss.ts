// Losses: each is one composite, so that forward and gradient fuse.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { composite } from '../../ops/composite/table.ts';
import { demandTensors } from '../arguments.ts';
import { apply } from '../op.ts';
import { broadcastShapes, broadcastTo, castTo, promoteTypes, scalarValue } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { where } from './indexing.ts';
import { cosineSimilarity, pairwiseDistance } from './layers.ts';

export type Reduction = 'mean' | 'sum' | 'none';
export type LossOptions = { readonly reduction?: Reduction };
export type ClassOptions = LossOptions & {
  /** A factor for each class, [C]. */
  readonly weight?: Tensor;
  /** Rows with this label neither cost nor count; -100 unless given. */
  readonly ignoreIndex?: number;
};

function reductionOf<R extends string = Reduction>(
  op: string,
  given: R | undefined,
  allowed: readonly R[] = ['mean', 'sum', 'none'] as unknown as readonly R[],
): R {
  const reduction = given ?? allowed[0]!;
  if (!allowed.includes(reduction)) throw new ArgumentError(`reduction '${String(reduction)}' is none of ${allowed.join(', ')}`, { op });
  return reduction;
}

/** Classes are dimension 1 of [N, C, ...], or dimension 0 of [C]. */
function classAxis(op: string, input: Tensor, target: Tensor, weight: Tensor | undefined): number {
  if (!isTensor(input) || !isTensor(target)) throw new ArgumentError('expected an input and a target tensor', { op });
  if (!isFloat(input.element)) throw new DTypeError(`the input must be floating, not ${input.dtype}`, { op });
  if (input.ndim === 0) throw new ShapeError('the input needs a dimension of classes', { op });
  const axis = input.ndim === 1 ? 0 : 1;
  if (weight !== undefined && (weight.ndim !== 1 || weight.shape[0] !== input.shape[axis]))
    throw new ShapeError(`weight must be [${input.shape[axis]}], one for each class, not [${weight.shape}]`, { op });
  return axis;
}
function demandLabels(op: string, input: Tensor, target: Tensor, axis: number): void {
  if (target.element !== 'i64' && target.element !== 'i32' && target.element !== 'u8')
    throw new DTypeError(`class labels must be int64, not ${target.dtype}`, { op, fix: "convert with .to('int64')" });
  const expected = input.shape.filter((_, i) => i !== axis);
  if (target.shape.join() !== expected.join())
    throw new ShapeError(`expected target of shape [${expected}] for input [${input.shape}], got [${target.shape}]`, { op });
}
const labelDType = (target: Tensor): 'i64' | 'i32' => (target.element === 'i64' ? 'i64' : 'i32');

export type CrossEntropyOptions = ClassOptions & { readonly labelSmoothing?: number };
/**
 * Cross-entropy of logits [N, C, ...] with labels [N, ...] (int64), or with probabilities of the input's shape, as `F.cross_entropy`.
 * A label out of range is an IndexError when it runs.
 */
export function crossEntropy(input: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  demandTensors('crossEntropy', input, target);
  const op = 'crossEntropy';
  const reduction = reductionOf(op, options.reduction);
  const axis = classAxis(op, input, target, options.weight);
  const { weight, labelSmoothing = 0, ignoreIndex = -100 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ArgumentError(`labelSmoothing ${labelSmoothing} lies outside of [0, 1]`, { op });
  const smoothing = labelSmoothing > 0;
  const params = { axis, reduction, weight: weight !== undefined, smoothing };
  const extra = (w: Value | undefined): Value[] => [
    ...(w === undefined ? [] : [castTo(w, input.element)]),
    ...(smoothing ? [scalarValue(labelSmoothing, input.element)] : []),
  ];
  const tensors = [input, target, ...(weight === undefined ? [] : [weight])];
  if (isFloat(target.element)) {
    if (target.shape.join() !== input.shape.join())
      throw new ShapeError(`probabilities [${target.shape}] must have the shape of the input [${input.shape}]`, { op });
    return apply(
      op,
      tensors,
      (x, y, w) => composite('crossEntropyOfProbabilities', [x!, castTo(y!, input.element), ...extra(w)], params)[0]!,
    );
  }
  demandLabels(op, input, target, axis);
  return apply(
    op,
    tensors,
    (x, y, w) => composite('crossEntropy', [x!, castTo(y!, labelDType(target)), ...extra(w)], { ...params, ignoreIndex })[0]!,
  );
}

/** Minus the log-probability [N, C, ...] at each label, as `F.nll_loss`. */
export function nllLoss(input: Tensor, target: Tensor, options: ClassOptions = {}): Tensor {
  demandTensors('nllLoss', input, target);
  const op = 'nllLoss';
  const reduction = reductionOf(op, options.reduction);
  const { weight, ignoreIndex = -100 } = options;
  const axis = classAxis(op, input, target, weight);
  demandLabels(op, input, target, axis);
  const params = { axis, reduction, weight: weight !== undefined, ignoreIndex };
  return apply(
    op,
    [input, target, ...(weight === undefined ? [] : [weight])],
    (x, y, w) =>
      composite('nllLoss', [x!, castTo(y!, labelDType(target)), ...(w === undefined ? [] : [castTo(w, input.element)])], params)[0]!,
  );
}

/** Input and target of one shape and dtype; they broadcast as in PyTorch. */
function pairwise(op: string, input: Tensor, target: Tensor, f: (x: Value, y: Value) => readonly Value[]): Tensor {
  if (!isTensor(input) || !isTensor(target)) throw new ArgumentError('expected an input and a target tensor', { op });
  const dtype = promoteTypes(input.element, target.element);
  if (!isFloat(dtype)) throw new DTypeError(`is not defined for ${input.dtype} tensors`, { op });
  const shape = broadcastShapes(op, [input.shape, target.shape]);
  return apply(op, [input, target], (x, y) => f(broadcastTo(castTo(x, dtype), shape), broadcastTo(castTo(y, dtype), shape))[0]!);
}
/** Mean of (input - target)^2. */
export function mseLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  demandTensors('mseLoss', input, target);
  const reduction = reductionOf('mseLoss', options.reduction);
  return pairwise('mseLoss', input, target, (x, y) => composite('mseLoss', [x, y], { reduction }));
}
/** Mean of |input - target|. */
export function l1Loss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  demandTensors('l1Loss', input, target);
  const reduction = reductionOf('l1Loss', options.reduction);
  return pairwise('l1Loss', input, target, (x, y) => composite('l1Loss', [x, y], { reduction }));
}
/** Quadratic below `beta`, linear above. */
export function smoothL1Loss(input: Tensor, target: Tensor, options: LossOptions & { readonly beta?: number } = {}): Tensor {
  demandTensors('smoothL1Loss', input, target);
  const reduction = reductionOf('smoothL1Loss', options.reduction);
  const beta = options.beta ?? 1;
  if (beta < 0) throw new ArgumentError(`beta ${beta} must not be negative`, { op: 'smoothL1Loss' });
  if (beta === 0) return l1Loss(input, target, options);
  return pairwise('smoothL1Loss', input, target, (x, y) =>
    composite('smoothL1Loss', [x, y, scalarValue(beta, promoteTypes(input.element, target.element))], { reduction }),
  );
}
/** Quadratic below `delta`, linear above, not divided by it. */
export function huberLoss(input: Tensor, target: Tensor, options: LossOptions & { readonly delta?: number } = {}): Tensor {
  demandTensors('huberLoss', input, target);
  const reduction = reductionOf('huberLoss', options.reduction);
  const delta = options.delta ?? 1;
  if (!(delta > 0)) throw new ArgumentError(`delta ${delta} must be positive`, { op: 'huberLoss' });
  return pairwise('huberLoss', input, target, (x, y) =>
    composite('huberLoss', [x, y, scalarValue(delta, promoteTypes(input.element, target.element))], { reduction }),
  );
}
/** Kullback-Leibler divergence of log-probabilities `input` from `target`; reduction 'batchmean' is the mathematical one. */
export function klDivLoss(
  input: Tensor,
  target: Tensor,
  options: { readonly reduction?: Reduction | 'batchmean'; readonly logTarget?: boolean } = {},
): Tensor {
  demandTensors('klDivLoss', input, target);
  const reduction = reductionOf<Reduction | 'batchmean'>('klDivLoss', options.reduction, ['mean', 'sum', 'none', 'batchmean']);
  return pairwise('klDivLoss', input, target, (x, y) =>
    composite('klDivLoss', [x, y], { reduction, logTarget: options.logTarget ?? false }),
  );
}

export type BinaryOptions = LossOptions & { readonly weight?: Tensor };
function demandSame(op: string, input: Tensor, target: Tensor): void {
  if (!isTensor(input) || !isTensor(target)) throw new ArgumentError('expected an input and a target tensor', { op });
  if (input.shape.join() !== target.shape.join())
    throw new ShapeError(`target size [${target.shape}] must be the same as input size [${input.shape}]`, { op });
  if (!isFloat(input.element)) throw new DTypeError(`the input must be floating, not ${input.dtype}`, { op });
}
/** Cross-entropy of probabilities with targets in [0, 1]. */
export function binaryCrossEntropy(input: Tensor, target: Tensor, options: BinaryOptions = {}): Tensor {
  demandTensors('binaryCrossEntropy', input, target);
  const op = 'binaryCrossEntropy';
  const reduction = reductionOf(op, options.reduction);
  demandSame(op, input, target);
  const { weight } = options;
  return apply(op, [input, target, ...(weight === undefined ? [] : [weight])], (x, y, w) => {
    const rest = w === undefined ? [] : [broadcastTo(castTo(w, input.element), input.shape)];
    return composite(op, [x!, castTo(y!, input.element), ...rest], { reduction, weight: w !== undefined })[0]!;
  });
}
/** Cross-entropy of sigmoid(input) with targets in [0, 1], stable for large inputs; `posWeight` multiplies the loss of positives. */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: BinaryOptions & { readonly posWeight?: Tensor } = {},
): Tensor {
  demandTensors('binaryCrossEntropyWithLogits', input, target);
  const op = 'binaryCrossEntropyWithLogits';
  const reduction = reductionOf(op, options.reduction);
  demandSame(op, input, target);
  const extras = [options.weight, options.posWeight].filter((t) => t !== undefined);
  return apply(op, [input, target, ...extras], (x, y, ...rest) => {
    const wide = rest.map((w) => broadcastTo(castTo(w, input.element), input.shape));
    return composite(op, [x!, castTo(y!, input.element), ...wide], {
      reduction,
      weight: options.weight !== undefined,
      posWeight: options.posWeight !== undefined,
    })[0]!;
  });
}

/** x where the target is 1, max(0, margin - x) where it is -1. */
export function hingeEmbeddingLoss(input: Tensor, target: Tensor, options: LossOptions & { readonly margin?: number } = {}): Tensor {
  demandTensors('hingeEmbeddingLoss', input, target);
  const reduction = reductionOf('hingeEmbeddingLoss', options.reduction);
  return pairwise('hingeEmbeddingLoss', input, target, (x, y) =>
    composite('hingeEmbeddingLoss', [x, y, scalarValue(options.margin ?? 1, promoteTypes(input.element, target.element))], { reduction }),
  );
}
const reducedLoss = (each: Tensor, reduction: Reduction): Tensor =>
  reduction === 'none' ? each : reduction === 'sum' ? each.sum() : each.mean();
/** max(0, margin - y (a - b)) for targets y of 1 (a ranks higher) and -1. */
export function marginRankingLoss(a: Tensor, c: Tensor, target: Tensor, options: LossOptions & { readonly margin?: number } = {}): Tensor {
  demandTensors('marginRankingLoss', a, c, target);
  const reduction = reductionOf('marginRankingLoss', options.reduction);
  return reducedLoss(
    a
      .sub(c)
      .mul(target)
      .neg()
      .add(options.margin ?? 0)
      .relu(),
    reduction,
  );
}
/** 1 - cos(a, b) where the target is 1, max(0, cos(a, b) - margin) where it is -1. */
export function cosineEmbeddingLoss(
  a: Tensor,
  c: Tensor,
  target: Tensor,
  options: LossOptions & { readonly margin?: number } = {},
): Tensor {
  demandTensors('cosineEmbeddingLoss', a, c, target);
  const reduction = reductionOf('cosineEmbeddingLoss', options.reduction);
  const cosine = cosineSimilarity(a, c, { dim: -1 });
  return reducedLoss(where(target.eq(1), cosine.neg().add(1), cosine.sub(options.margin ?? 0).relu()), reduction);
}
/** max(0, d(anchor, positive) - d(anchor, negative) + margin), d being the p-norm of the difference. */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: LossOptions & { readonly margin?: number; readonly p?: number; readonly eps?: number } = {},
): Tensor {
  demandTensors('tripletMarginLoss', anchor, positive, negative);
  const reduction = reductionOf('tripletMarginLoss', options.reduction);
  const { margin = 1, p = 2, eps = 1e-6 } = options;
  const [near, far] = [pairwiseDistance(anchor, positive, { p, eps }), pairwiseDistance(anchor, negative, { p, eps })];
  return reducedLoss(near.sub(far).add(margin).relu(), reduction);
}

/** One row of `classes` for each label, with a 1 at the label; int64. Without `classes`, one more than the largest label, which is observed. */
export function oneHot(labels: Tensor, classes?: number): Tensor {
  demandTensors('oneHot', labels);
  const op = 'oneHot';
  if (labels.element !== 'i64' && labels.element !== 'i32') throw new DTypeError(`labels must be int64, not ${labels.dtype}`, { op });
  const count = classes ?? (labels.numel() === 0 ? 0 : labels.max().itemSync() + 1);
  if (!Number.isInteger(count) || count <= 0) throw new ArgumentError(`class count ${count} must be positive`, { op });
  const shape = [...labels.shape, count];
  return apply(op, [labels], (v) => {
    // Reading the label through a table of positions checks its range.
    const n = labels.numel();
    const table = b.iota({ dtype: 'i64', shape: [count], axis: 0 });
    const checked = b.reshape(b.gather(table, b.reshape(v, { shape: [n] }), { axis: 0, mode: 'checked' }), { shape: labels.shape });
    const wide = b.expand(checked, { shape, at: [labels.ndim] });
    return b.cast(b.eq(wide, b.iota({ dtype: 'i64', shape, axis: labels.ndim })), { to: 'i64' });
  });
}
