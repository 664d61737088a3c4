// Activations, softmax and attention: each is one composite over the tensor's values. Subgradients at kinks are PyTorch's.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import { dtypeOf, type Value } from '../../ir/node.ts';
import { composite } from '../../ops/composite/table.ts';
import { demandTensors } from '../arguments.ts';
import { dimOf } from '../dims.ts';
import { type DTypeName, elementOf } from '../dtypes.ts';
import { apply, applyInPlace } from '../op.ts';
import { broadcastShapes, broadcastTo, castTo, elementwise, elementwiseInPlace, type Operand, scalarValue } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { counterSlots } from './dropout.ts';

function demandFloat(op: string, x: Tensor): void {
  if (!isTensor(x)) throw new ArgumentError(`expected a tensor, got ${typeof x}`, { op });
  if (!isFloat(x.element)) throw new DTypeError(`is not defined for ${x.dtype} tensors`, { op, fix: "convert with .to('float32') first" });
}

type Plain =
  | 'relu'
  | 'relu6'
  | 'selu'
  | 'gelu'
  | 'geluTanh'
  | 'silu'
  | 'mish'
  | 'logSigmoid'
  | 'softsign'
  | 'tanhshrink'
  | 'hardswish'
  | 'hardsigmoid';
const plain =
  (op: string, name: Plain) =>
  (x: Tensor): Tensor => {
    demandFloat(op, x);
    return apply(op, [x], (v) => composite(name, [v], {})[0]!);
  };

/** max(x, 0), also of integers; NaN passes. */
export function relu(x: Tensor): Tensor {
  demandTensors('relu', x);
  return apply('relu', [x], reluOf);
}
export function relu_(x: Tensor): Tensor {
  demandTensors('relu_', x);
  return applyInPlace('relu_', x, [], reluOf);
}
const reluOf = (v: Value): Value => composite('relu', [v], {})[0]!;
export const relu6 = plain('relu6', 'relu6');
export const selu = plain('selu', 'selu');
export const silu = plain('silu', 'silu');
export const mish = plain('mish', 'mish');
export const logSigmoid = plain('logSigmoid', 'logSigmoid');
export const softsign = plain('softsign', 'softsign');
export const tanhshrink = plain('tanhshrink', 'tanhshrink');
export const hardswish = plain('hardswish', 'hardswish');
export const hardsigmoid = plain('hardsigmoid', 'hardsigmoid');
const exactGelu = plain('gelu', 'gelu');
const tanhGelu = plain('gelu', 'geluTanh');
/** x times the normal distribution's cumulative function; `approximate: 'tanh'` for its usual approximation. */
export function gelu(x: Tensor, options: { readonly approximate?: 'none' | 'tanh' } = {}): Tensor {
  demandTensors('gelu', x);
  const { approximate = 'none' } = options;
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new ArgumentError(`approximate '${String(approximate)}' is neither 'none' nor 'tanh'`, { op: 'gelu' });
  return approximate === 'tanh' ? tanhGelu(x) : exactGelu(x);
}

/** A composite of x and numbers of the user's. */
function withNumbers(op: string, x: Tensor, numbers: readonly number[], f: (v: Value, ...n: Value[]) => readonly Value[]): Tensor {
  demandFloat(op, x);
  return apply(op, [x], (v) => f(v, ...numbers.map((n) => scalarValue(n, x.element)))[0]!);
}
export function leakyRelu(x: Tensor, negativeSlope = 0.01): Tensor {
  demandTensors('leakyRelu', x);
  return withNumbers('leakyRelu', x, [negativeSlope], (v, s) => composite('leakyRelu', [v, s!], {}));
}
export function elu(x: Tensor, alpha = 1): Tensor {
  demandTensors('elu', x);
  return withNumbers('elu', x, [alpha], (v, a) => composite('elu', [v, a!], {}));
}
export function celu(x: Tensor, alpha = 1): Tensor {
  demandTensors('celu', x);
  return withNumbers('celu', x, [alpha], (v, a) => composite('celu', [v, a!], {}));
}
export function hardtanh(x: Tensor, low = -1, high = 1): Tensor {
  demandTensors('hardtanh', x);
  return withNumbers('hardtanh', x, [low, high], (v, l, h) => composite('hardtanh', [v, l!, h!], {}));
}
/** log(1 + exp(beta x)) / beta; x itself where beta x exceeds `threshold`. */
export function softplus(x: Tensor, beta = 1, threshold = 20): Tensor {
  demandTensors('softplus', x);
  return withNumbers('softplus', x, [beta, threshold], (v, s, t) => composite('thresholdedSoftplus', [v, s!, t!], {}));
}
export function threshold(x: Tensor, limit: number, value: number): Tensor {
  demandTensors('threshold', x);
  return withNumbers('threshold', x, [limit, value], (v, t, y) => composite('threshold', [v, t!, y!], {}));
}
export function hardshrink(x: Tensor, lambda = 0.5): Tensor {
  demandTensors('hardshrink', x);
  return withNumbers('hardshrink', x, [lambda], (v, l) => composite('hardshrink', [v, l!], {}));
}
export function softshrink(x: Tensor, lambda = 0.5): Tensor {
  demandTensors('softshrink', x);
  return withNumbers('softshrink', x, [lambda], (v, l) => composite('softshrink', [v, l!], {}));
}
/** x, times the learnt `weight` (one, or one for each channel of dimension 1) where negative. */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  demandTensors('prelu', x, weight);
  const channels = x.ndim > 1 ? x.shape[1]! : 1;
  if (weight.numel() !== 1 && weight.numel() !== channels)
    throw new ShapeError(`weight has ${weight.numel()} elements for ${channels} channels`, { op: 'prelu' });
  const at = x.shape.map((_, i) => (i === 1 && weight.numel() > 1 ? channels : 1));
  return apply('prelu', [x, weight], (v, w) => composite('prelu', [v, broadcastTo(b.reshape(w, { shape: at }), x.shape)], {})[0]!);
}

/** x held between bounds, either of which may be missing; its gradient at a bound is 0. NaN passes. */
export function clamp(x: Tensor, low?: Bound, high?: Bound): Tensor {
  demandTensors('clamp', x);
  demandBounds('clamp', low, high);
  return elementwise('clamp', [x, ...given(low, high)], clampRule(low, high));
}
export function clamp_(x: Tensor, low?: Bound, high?: Bound): Tensor {
  demandTensors('clamp_', x);
  demandBounds('clamp_', low, high);
  return elementwiseInPlace('clamp_', x, given(low, high), clampRule(low, high));
}
export type Bound = Operand | null | undefined;
const given = (low: Bound, high: Bound): Operand[] => [low, high].filter((o): o is Operand => o !== null && o !== undefined);
function demandBounds(op: string, low: Bound, high: Bound): void {
  if (given(low, high).length === 0) throw new ArgumentError('at least one of low and high must be given', { op });
}
/** Between numbers by a composite, whose gradient at a bound is 0; between tensors a tie shares the gradient. */
function clampRule(low: Bound, high: Bound): (v: Value, ...bounds: Value[]) => Value {
  const isLow = low !== null && low !== undefined;
  const isHigh = high !== null && high !== undefined;
  return (v, ...bounds) => {
    const [l, h] = isLow ? bounds : [undefined, bounds[0]];
    if (isTensor(low) && isTensor(high)) return clampBetween(v, l!, h!);
    if (!isFloat(dtypeOf(v)) || isTensor(low) || isTensor(high)) {
      const raised = isLow ? b.max(v, l!) : v;
      return isHigh ? b.min(raised, h!) : raised;
    }
    if (isLow && isHigh) return composite('clamp', [v, scalarOf(l!), scalarOf(h!)], {})[0]!;
    return isLow ? composite('clampMin', [v, scalarOf(l!)], {})[0]! : composite('clampMax', [v, scalarOf(h!)], {})[0]!;
  };
}
/** A tie with one bound shares the gradient; where the bounds are one, it goes to x alone, or to the bound that x is beyond. */
function clampBetween(x: Value, low: Value, high: Value): Value {
  const held = b.min(b.max(x, low), high);
  const atOne = b.select(b.lt(x, low), low, b.select(b.lt(high, x), high, x));
  return b.select(b.eq(low, high), atOne, held);
}
/** The number behind a broadcast one: composites take it 0-d. */
const scalarOf = (v: Value): Value => (v.node.op === 'expand' ? v.node.inputs[0]! : v);

type SoftmaxOptions = { readonly dtype?: DTypeName };
function alongDim(op: string, name: 'softmax' | 'logSoftmax', x: Tensor, dim: number, options: SoftmaxOptions): Tensor {
  if (typeof dim !== 'number') throw new ArgumentError('the dimension must be named', { op, fix: `write ${op}(x, -1) for the last` });
  const dtype = options.dtype === undefined ? x.element : elementOf(options.dtype, op);
  if (!isFloat(dtype)) throw new DTypeError(`is not defined for ${x.dtype} tensors`, { op, fix: "pass dtype: 'float32'" });
  const axis = dimOf(op, dim, x.ndim);
  if (x.ndim === 0)
    return apply(op, [x], (v) => b.reshape(composite(name, [b.reshape(castTo(v, dtype), { shape: [1] })], { axis: 0 })[0]!, { shape: [] }));
  return apply(op, [x], (v) => composite(name, [castTo(v, dtype)], { axis })[0]!);
}
/** exp(x), scaled to sum to 1 along `dim`. */
export function softmax(x: Tensor, dim: number, options: SoftmaxOptions = {}): Tensor {
  demandTensors('softmax', x);
  return alongDim('softmax', 'softmax', x, dim, options);
}
/** The logarithm of softmax, without forming it. */
export function logSoftmax(x: Tensor, dim: number, options: SoftmaxOptions = {}): Tensor {
  demandTensors('logSoftmax', x);
  return alongDim('logSoftmax', 'logSoftmax', x, dim, options);
}
/** Softmax of -x. */
export function softmin(x: Tensor, dim: number): Tensor {
  demandTensors('softmin', x);
  return softmax(x.neg(), dim);
}

/** Half of x along `dim`, gated by the sigmoid of the other half. */
export function glu(x: Tensor, dim = -1): Tensor {
  demandTensors('glu', x);
  demandFloat('glu', x);
  const axis = dimOf('glu', dim, x.ndim);
  const size = x.shape[axis];
  if (size === undefined || size % 2 !== 0)
    throw new ShapeError(`halving dimension ${axis} of [${x.shape}] must be possible`, { op: 'glu', fix: 'give it an even size' });
  return x.narrow(axis, 0, size / 2).mul(x.narrow(axis, size / 2, size / 2).sigmoid());
}

export type AttentionOptions = {
  /** Bool: which keys a query sees. Floating: added to the scores. Broadcasts to [..., L, S]. */
  readonly attnMask?: Tensor;
  readonly dropoutP?: number;
  /** Hide later keys from earlier queries. */
  readonly isCausal?: boolean;
  readonly scale?: number;
};
/**
 * softmax(scale q k^T + mask) v for q [..., L, E], k [..., S, E], v [..., S, F]; scale is 1 / sqrt(E) unless given.
 * As `F.scaled_dot_product_attention`.
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  demandTensors('scaledDotProductAttention', q, k, v);
  const op = 'scaledDotProductAttention';
  for (const x of [q, k, v]) demandFloat(op, x);
  if (q.ndim < 2 || k.ndim < 2 || v.ndim < 2 || q.shape.at(-1) !== k.shape.at(-1) || k.shape.at(-2) !== v.shape.at(-2))
    throw new ShapeError(`query [${q.shape}], key [${k.shape}] and value [${v.shape}] do not fit`, {
      op,
      fix: 'they must be [..., L, E], [..., S, E] and [..., S, F]',
    });
  const lead = broadcastShapes(op, [q.shape.slice(0, -2), k.shape.slice(0, -2), v.shape.slice(0, -2)]);
  const { attnMask: mask, isCausal: causal = false, dropoutP: dropout = 0 } = options;
  if (mask !== undefined && causal) throw new ArgumentError('attnMask and isCausal exclude each other', { op });
  if (!(dropout >= 0 && dropout < 1)) throw new ArgumentError(`dropoutP ${dropout} lies outside of [0, 1)`, { op });
  if (mask !== undefined && mask.element !== 'bool' && mask.element !== q.element)
    throw new DTypeError(`attnMask must be bool or ${q.dtype}, not ${mask.dtype}`, { op });
  const scores = [...lead, q.shape.at(-2)!, k.shape.at(-2)!];
  return apply(op, [q, k, v, ...(mask === undefined ? [] : [mask])], (x, y, z, m) => {
    const wide = (value: Value, t: Tensor): Value => broadcastTo(value, [...lead, ...t.shape.slice(-2)]);
    const extra = [
      ...(m === undefined ? [] : [broadcastTo(m, scores)]),
      ...(dropout > 0 ? [...counterSlots(), scalarValue(dropout, q.element)] : []),
    ];
    const scale = scalarValue(options.scale ?? 1 / Math.sqrt(q.shape.at(-1)!), q.element);
    return composite(op, [wide(x!, q), wide(y!, k), wide(z!, v), scale, ...extra], {
      causal,
      mask: m !== undefined,
      dropout: dropout > 0,
    })[0]!;
  });
}
