// Reductions over one, several or all dimensions.
import { type DType, isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DTypeError, IndexError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { fixedShape } from '../../ir/dim.ts';
import { avalOf, dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { composite } from '../../ops/composite/table.ts';
import { dimOf, dimsOf, reducedShape } from '../dims.ts';
import { type DTypeName, elementOf } from '../dtypes.ts';
import { apply, applyMany } from '../op.ts';
import { castTo } from '../operands.ts';
import type { Tensor } from '../tensor.ts';

export type Dims = number | readonly number[];
export type ReduceOptions = { readonly keepdim?: boolean; readonly dtype?: DTypeName };

/** Integers and bools are summed as int64, as in PyTorch. */
const accumulated = (d: DType): DType => (isFloat(d) ? d : 'i64');

function reduce(op: string, x: Tensor, dim: Dims | undefined, options: ReduceOptions, dtype: DType, f: (v: Value, axes: readonly number[]) => Value): Tensor {
  const dims = dimsOf(op, dim, x.ndim);
  const shape = reducedShape(x.shape, dims, options.keepdim ?? false);
  const target = options.dtype === undefined ? dtype : elementOf(options.dtype, op);
  return apply(op, [x], (v) => shaped(f(castTo(v, target), dims), shape));
}
const shaped = (v: Value, shape: readonly number[]): Value => (fixedShape(shapeOf(v)).length === shape.length ? v : b.reshape(v, { shape }));

/** Sum over `dim` (default: all). Integers and bools give int64. */
export const sum = (x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor => reduce('sum', x, dim, options, accumulated(x.element), (v, axes) => b.sum(v, { axes }));
/** Product over `dim` (default: all); its gradient is exact where elements are 0. */
export const prod = (x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor => reduce('prod', x, dim, options, accumulated(x.element), (v, axes) => b.prod(v, { axes }));

function demandFloat(op: string, x: Tensor, options: ReduceOptions): DType {
  const dtype = options.dtype === undefined ? x.element : elementOf(options.dtype, op);
  if (!isFloat(dtype)) throw new DTypeError(`is not defined for ${x.dtype} tensors`, { op, fix: "convert with .to('float32') or pass dtype: 'float32'" });
  return dtype;
}

/** Mean over `dim` (default: all). NaN of nothing; DTypeError for integers. */
export function mean(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  return reduce('mean', x, dim, options, demandFloat('mean', x, options), (v, axes) => composite('mean', [v], { axes })[0]!);
}

export type MomentOptions = ReduceOptions & {
  /** Degrees of freedom taken from the count; 1 is Bessel's correction and the default. */
  readonly correction?: number;
};
/** Variance over `dim` (default: all). */
export function variance(x: Tensor, dim?: Dims, options: MomentOptions = {}): Tensor {
  return reduce('var', x, dim, options, demandFloat('var', x, options), (v, axes) => composite('variance', [v], { axes, correction: options.correction ?? 1 })[0]!);
}
/** Standard deviation over `dim` (default: all). */
export function std(x: Tensor, dim?: Dims, options: MomentOptions = {}): Tensor {
  return reduce('std', x, dim, options, demandFloat('std', x, options), (v, axes) => composite('std', [v], { axes, correction: options.correction ?? 1 })[0]!);
}
/** log of the sum of exponentials over `dim`, without overflow. */
export function logsumexp(x: Tensor, dim: Dims, options: ReduceOptions = {}): Tensor {
  return reduce('logsumexp', x, dim, options, isFloat(x.element) ? x.element : 'f32', (v, axes) => composite('logsumexp', [v], { axes })[0]!);
}
export type NormOptions = ReduceOptions & { readonly p?: number };
/** The p-norm over `dim` (default: all; p = 2). */
export function norm(x: Tensor, dim?: Dims, options: NormOptions = {}): Tensor {
  return reduce('norm', x, dim, options, demandFloat('norm', x, options), (v, axes) => composite('norm', [v], { axes, p: options.p ?? 2 })[0]!);
}

function demandElements(op: string, x: Tensor, dims: readonly number[]): void {
  const empty = dims.find((d) => x.shape[d] === 0);
  if (empty !== undefined) throw new IndexError(`dimension ${empty} of shape [${x.shape}] is empty, and nothing is the largest or smallest of nothing`, { op });
}

function extreme(op: string, x: Tensor, dim: Dims | undefined, options: ReduceOptions, f: (v: Value, axes: readonly number[]) => Value): Tensor {
  demandElements(op, x, dimsOf(op, dim, x.ndim));
  if (x.element === 'bool') return apply(op, [x], (v) => b.cast(shaped(f(b.cast(v, { to: 'u8' }), dimsOf(op, dim, x.ndim)), reducedShape(x.shape, dimsOf(op, dim, x.ndim), options.keepdim ?? false)), { to: 'bool' }));
  return reduce(op, x, dim, options, x.element, f);
}
/** Largest over `dim` (default: all); NaN wins, and ties share the gradient. Throws IndexError for an empty dimension. */
export const amax = (x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor => extreme('amax', x, dim, options, (v, axes) => b.amax(v, { axes }));
/** Smallest over `dim` (default: all). */
export const amin = (x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor => extreme('amin', x, dim, options, (v, axes) => b.amin(v, { axes }));

/** Values and the positions they were found at. */
export type WithIndices = { readonly values: Tensor; readonly indices: Tensor };

function byIndex(op: 'max' | 'min', x: Tensor, dim: number, options: ReduceOptions): WithIndices {
  const axis = dimOf(op, dim, x.ndim);
  demandElements(op, x, x.ndim === 0 ? [] : [axis]);
  const kept = reducedShape(x.shape, x.ndim === 0 ? [] : [axis], options.keepdim ?? false);
  const [values, indices] = applyMany(op, [x], (v) => {
    if (x.ndim === 0) return [b.reshape(v, { shape: [] }), full(0, { dtype: 'i64', shape: [] })];
    const comparable = dtypeOf(v) === 'bool' ? b.cast(v, { to: 'u8' }) : v;
    const at = op === 'max' ? b.argmax(comparable, { axis }) : b.argmin(comparable, { axis });
    const one = x.shape.map((n, i) => (i === axis ? 1 : n));
    const picked = b.gather(v, b.reshape(at, { shape: one }), { axis, mode: 'trusted' });
    return [b.reshape(picked, { shape: kept }), b.reshape(at, { shape: kept })];
  });
  return { values: values!, indices: indices! };
}

/** Without `dim` the largest element; with it, values and indices (the first of equals), as `torch.max`. */
export function max(x: Tensor): Tensor;
export function max(x: Tensor, dim: number, options?: ReduceOptions): WithIndices;
export function max(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | WithIndices {
  return dim === undefined ? extreme('max', x, undefined, options, (v, axes) => b.amax(v, { axes })) : byIndex('max', x, dim, options);
}
export function min(x: Tensor): Tensor;
export function min(x: Tensor, dim: number, options?: ReduceOptions): WithIndices;
export function min(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | WithIndices {
  return dim === undefined ? extreme('min', x, undefined, options, (v, axes) => b.amin(v, { axes })) : byIndex('min', x, dim, options);
}

function position(op: 'argmax' | 'argmin', x: Tensor, dim: number | undefined, options: ReduceOptions): Tensor {
  const axis = dim === undefined ? 0 : dimOf(op, dim, x.ndim);
  demandElements(op, x, dim === undefined || x.ndim === 0 ? [...x.shape.keys()] : [axis]);
  if (x.element === 'bool') throw new DTypeError('is not defined for bool tensors', { op, fix: "convert with .to('uint8') first" });
  const shape = dim === undefined ? (options.keepdim ? x.shape.map(() => 1) : []) : reducedShape(x.shape, x.ndim === 0 ? [] : [axis], options.keepdim ?? false);
  return apply(op, [x], (v) => {
    const flat = dim === undefined || x.ndim === 0 ? b.reshape(v, { shape: [x.numel()] }) : v;
    const at = op === 'argmax' ? b.argmax(flat, { axis }) : b.argmin(flat, { axis });
    return shaped(at, shape);
  });
}
/** Position of the largest element, int64: within `dim`, or in the flattened tensor. The first of equals; NaN counts as largest. */
export const argmax = (x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor => position('argmax', x, dim, options);
export const argmin = (x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor => position('argmin', x, dim, options);

const truth = (v: Value): Value => b.cast(dtypeOf(v) === 'bool' ? v : b.ne(v, full(0, avalOf(v))), { to: 'u8' });
/** Whether all (any) elements differ from 0. */
export const all = (x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor => quantifier('all', x, dim, options, (v, axes) => b.amin(v, { axes }));
export const any = (x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor => quantifier('any', x, dim, options, (v, axes) => b.amax(v, { axes }));
function quantifier(op: 'all' | 'any', x: Tensor, dim: Dims | undefined, options: ReduceOptions, f: (v: Value, axes: readonly number[]) => Value): Tensor {
  const dims = dimsOf(op, dim, x.ndim);
  const shape = reducedShape(x.shape, dims, options.keepdim ?? false);
  if (dims.some((d) => x.shape[d] === 0)) return apply(op, [x], () => b.reshape(full(op === 'all', { dtype: 'bool', shape }), { shape }));
  return apply(op, [x], (v) => b.cast(shaped(f(truth(v), dims), shape), { to: 'bool' }));
}
/** Number of elements that differ from 0, int64. */
export const countNonzero = (x: Tensor, dim?: Dims): Tensor => {
  const dims = dimsOf('countNonzero', dim, x.ndim);
  return apply('countNonzero', [x], (v) => b.sum(b.cast(truth(v), { to: 'i64' }), { axes: dims }));
};

/** Sums along `dim`, each element with all before it. Integers give int64. */
export function cumsum(x: Tensor, dim: number, options: Pick<ReduceOptions, 'dtype'> = {}): Tensor {
  return cumulative('cumsum', x, dim, options, b.cumsum);
}
export function cumprod(x: Tensor, dim: number, options: Pick<ReduceOptions, 'dtype'> = {}): Tensor {
  return cumulative('cumprod', x, dim, options, b.cumprod);
}
function cumulative(op: string, x: Tensor, dim: number, options: Pick<ReduceOptions, 'dtype'>, f: (v: Value, a: { axis: number; reverse: boolean }) => Value): Tensor {
  const axis = dimOf(op, dim, x.ndim);
  const dtype = options.dtype === undefined ? accumulated(x.element) : elementOf(options.dtype, op);
  return apply(op, [x], (v) => (x.ndim === 0 ? b.reshape(castTo(v, dtype), { shape: [] }) : f(castTo(v, dtype), { axis, reverse: false })));
}

export type SortOptions = { readonly descending?: boolean };
/** Sorted along `dim` (default: the last), stable, NaN last; values and the int64 positions they came from. */
export function sort(x: Tensor, dim = -1, options: SortOptions = {}): WithIndices {
  const axis = dimOf('sort', dim, x.ndim);
  const [values, indices] = applyMany('sort', [x], (v) =>
    x.ndim === 0 ? [b.reshape(v, { shape: [] }), full(0, { dtype: 'i64', shape: [] })] : b.sort(v, { axis, descending: options.descending ?? false }),
  );
  return { values: values!, indices: indices! };
}
/** The positions that sort `x` along `dim`. */
export const argsort = (x: Tensor, dim = -1, options: SortOptions = {}): Tensor => sort(x, dim, options).indices;
/** The k largest (or smallest) along `dim`, in order. */
export function topk(x: Tensor, k: number, dim = -1, options: { readonly largest?: boolean } = {}): WithIndices {
  const axis = dimOf('topk', dim, x.ndim);
  const size = x.shape[axis] ?? 1;
  if (!Number.isInteger(k) || k < 0 || k > size) throw new ArgumentError(`k = ${String(k)} is outside of [0, ${size}], the size of dimension ${axis}`, { op: 'topk' });
  const [values, indices] = applyMany('topk', [x], (v) => b.topk(v, { axis, k, largest: options.largest ?? true }));
  return { values: values!, indices: indices! };
}
