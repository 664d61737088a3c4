// Reductions over one, several or all dimensions.
import { type DType, isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DTypeError, IndexError } from '../../../runtime/errors.ts';
import { b, full, lit } from '../../ir/builder.ts';
import { fixedShape } from '../../ir/dim.ts';
import { avalOf, dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { composite } from '../../ops/composite/table.ts';
import { demandTensors, kindOf } from '../arguments.ts';
import { convert, full as filled, fromTypedArray, ones, zeros } from '../creation.ts';
import { dimOf, dimsOf, reducedShape } from '../dims.ts';
import { type DTypeName, dtypeName, elementOf } from '../dtypes.ts';
import { apply, applyMany } from '../op.ts';
import { castTo } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { lerp, logicalNot } from './arithmetic.ts';
import { maskedFill, select, where } from './indexing.ts';
import { gather, indexSelect } from './scatter.ts';
import { clone, movedim, narrow, unsqueeze } from './shape.ts';
import { ceil, floor, isnan } from './unary.ts';

export type Dims = number | readonly number[];
export type ReduceOptions = { readonly keepdim?: boolean; readonly dtype?: DTypeName };

/** Integers and bools are summed as int64, as in PyTorch. */
const accumulated = (d: DType): DType => (isFloat(d) ? d : 'i64');

function reduce(
  op: string,
  x: Tensor,
  dim: Dims | undefined,
  options: ReduceOptions,
  dtype: DType,
  f: (v: Value, axes: readonly number[]) => Value,
): Tensor {
  const dims = dimsOf(op, dim, x.ndim);
  const shape = reducedShape(x.shape, dims, options.keepdim ?? false);
  const target = options.dtype === undefined ? dtype : elementOf(options.dtype, op);
  return apply(op, [x], (v) => shaped(f(castTo(v, target), dims), shape));
}
const shaped = (v: Value, shape: readonly number[]): Value =>
  fixedShape(shapeOf(v)).length === shape.length ? v : b.reshape(v, { shape });

/** Sum over `dim` (default: all). Integers and bools give int64. */
export function sum(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('sum', x);
  return reduce('sum', x, dim, options, accumulated(x.element), (v, axes) => b.sum(v, { axes }));
}
/** Product over `dim` (default: all); its gradient is exact where elements are 0. */
export function prod(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('prod', x);
  return reduce('prod', x, dim, options, accumulated(x.element), (v, axes) => b.prod(v, { axes }));
}

function demandFloat(op: string, x: Tensor, options: ReduceOptions): DType {
  const dtype = options.dtype === undefined ? x.element : elementOf(options.dtype, op);
  if (!isFloat(dtype))
    throw new DTypeError(`is not defined for ${x.dtype} tensors`, { op, fix: "convert with .to('float32') or pass dtype: 'float32'" });
  return dtype;
}

/** Mean over `dim` (default: all). NaN of nothing; DTypeError for integers. */
export function mean(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('mean', x);
  return reduce('mean', x, dim, options, demandFloat('mean', x, options), (v, axes) => composite('mean', [v], { axes })[0]!);
}

export type MomentOptions = ReduceOptions & {
  /** Degrees of freedom taken from the count; 1 is Bessel's correction and the default. */
  readonly correction?: number;
};
function correctionOf(op: string, { correction = 1 }: MomentOptions): number {
  if (!Number.isFinite(correction)) throw new ArgumentError(`correction must be a number, but it is ${kindOf(correction)}`, { op });
  return correction;
}
/** Variance over `dim` (default: all). */
export function variance(x: Tensor, dim?: Dims, options: MomentOptions = {}): Tensor {
  demandTensors('variance', x);
  return reduce(
    'var',
    x,
    dim,
    options,
    demandFloat('var', x, options),
    (v, axes) => composite('variance', [v], { axes, correction: correctionOf('var', options) })[0]!,
  );
}
/** Standard deviation over `dim` (default: all). */
export function std(x: Tensor, dim?: Dims, options: MomentOptions = {}): Tensor {
  demandTensors('std', x);
  return reduce(
    'std',
    x,
    dim,
    options,
    demandFloat('std', x, options),
    (v, axes) => composite('std', [v], { axes, correction: correctionOf('std', options) })[0]!,
  );
}
/** Variance and mean over `dim`, in this order. */
export function varMean(x: Tensor, dim?: Dims, options: MomentOptions = {}): [Tensor, Tensor] {
  demandTensors('varMean', x);
  return [variance(x, dim, options), mean(x, dim, options)];
}
/** Standard deviation and mean over `dim`, in this order. */
export function stdMean(x: Tensor, dim?: Dims, options: MomentOptions = {}): [Tensor, Tensor] {
  demandTensors('stdMean', x);
  return [std(x, dim, options), mean(x, dim, options)];
}
/** `sum` that counts NaN as 0. */
export function nansum(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('nansum', x);
  return sum(isFloat(x.element) ? maskedFill(x, isnan(x), 0) : x, dim, options);
}
/** `mean` of what is not NaN. */
export const nanmean = (x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor => {
  demandTensors('nanmean', x);
  const dtype = demandFloat('nanmean', x, options);
  const count = sum(logicalNot(isnan(x)), dim, { ...options, dtype: dtypeName(dtype) });
  return nansum(x, dim, options).div(count);
};
/** log of the sum of exponentials over `dim`, without overflow. */
export function logsumexp(x: Tensor, dim: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('logsumexp', x);
  return reduce(
    'logsumexp',
    x,
    dim,
    options,
    isFloat(x.element) ? x.element : 'f32',
    (v, axes) => composite('logsumexp', [v], { axes })[0]!,
  );
}
/** Options of an op are finite, so an infinite p is a word. */
function orderOf(p: number): number | 'inf' | '-inf' {
  if (typeof p !== 'number' || Number.isNaN(p))
    throw new ArgumentError(`the order p must be a number, but it is ${Number.isNaN(p) ? 'NaN' : kindOf(p)}`, { op: 'norm' });
  return p === Infinity ? 'inf' : p === -Infinity ? '-inf' : p;
}
export type NormOptions = ReduceOptions & { readonly p?: number };
/** The p-norm over `dim` (default: all; p = 2). */
export function norm(x: Tensor, dim?: Dims, options: NormOptions = {}): Tensor {
  demandTensors('norm', x);
  return reduce(
    'norm',
    x,
    dim,
    options,
    demandFloat('norm', x, options),
    (v, axes) => composite('norm', [v], { axes, p: orderOf(options.p ?? 2) })[0]!,
  );
}

function demandElements(op: string, x: Tensor, dims: readonly number[]): void {
  const empty = dims.find((d) => x.shape[d] === 0);
  if (empty !== undefined)
    throw new IndexError(`dimension ${empty} of shape [${x.shape}] is empty, and nothing is the largest or smallest of nothing`, { op });
}

function extreme(
  op: string,
  x: Tensor,
  dim: Dims | undefined,
  options: ReduceOptions,
  f: (v: Value, axes: readonly number[]) => Value,
): Tensor {
  demandElements(op, x, dimsOf(op, dim, x.ndim));
  if (x.element === 'bool')
    return apply(op, [x], (v) =>
      b.cast(
        shaped(
          f(b.cast(v, { to: 'u8' }), dimsOf(op, dim, x.ndim)),
          reducedShape(x.shape, dimsOf(op, dim, x.ndim), options.keepdim ?? false),
        ),
        { to: 'bool' },
      ),
    );
  return reduce(op, x, dim, options, x.element, f);
}
/** Largest over `dim` (default: all); NaN wins, and ties share the gradient. Throws IndexError for an empty dimension. */
export function amax(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('amax', x);
  return extreme('amax', x, dim, options, (v, axes) => b.amax(v, { axes }));
}
/** Smallest over `dim` (default: all). */
export function amin(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('amin', x);
  return extreme('amin', x, dim, options, (v, axes) => b.amin(v, { axes }));
}

/** The smallest and the largest over `dim` (default: all). */
export function aminmax(x: Tensor, dim?: number, options: ReduceOptions = {}): { readonly min: Tensor; readonly max: Tensor } {
  demandTensors('aminmax', x);
  return {
    min: amin(x, dim, options),
    max: amax(x, dim, options),
  };
}

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
  demandTensors('max', x);
  return dim === undefined ? extreme('max', x, undefined, options, (v, axes) => b.amax(v, { axes })) : byIndex('max', x, dim, options);
}
export function min(x: Tensor): Tensor;
export function min(x: Tensor, dim: number, options?: ReduceOptions): WithIndices;
export function min(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | WithIndices {
  demandTensors('min', x);
  return dim === undefined ? extreme('min', x, undefined, options, (v, axes) => b.amin(v, { axes })) : byIndex('min', x, dim, options);
}

function position(op: 'argmax' | 'argmin', x: Tensor, dim: number | undefined, options: ReduceOptions): Tensor {
  const axis = dim === undefined ? 0 : dimOf(op, dim, x.ndim);
  demandElements(op, x, dim === undefined || x.ndim === 0 ? [...x.shape.keys()] : [axis]);
  if (x.element === 'bool') throw new DTypeError('is not defined for bool tensors', { op, fix: "convert with .to('uint8') first" });
  const shape =
    dim === undefined
      ? options.keepdim
        ? x.shape.map(() => 1)
        : []
      : reducedShape(x.shape, x.ndim === 0 ? [] : [axis], options.keepdim ?? false);
  return apply(op, [x], (v) => {
    const flat = dim === undefined || x.ndim === 0 ? b.reshape(v, { shape: [x.numel()] }) : v;
    const at = op === 'argmax' ? b.argmax(flat, { axis }) : b.argmin(flat, { axis });
    return shaped(at, shape);
  });
}
/** Position of the largest element, int64: within `dim`, or in the flattened tensor. The first of equals; NaN counts as largest. */
export function argmax(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor {
  demandTensors('argmax', x);
  return position('argmax', x, dim, options);
}
export function argmin(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor {
  demandTensors('argmin', x);
  return position('argmin', x, dim, options);
}

const truth = (v: Value): Value => b.cast(dtypeOf(v) === 'bool' ? v : b.ne(v, full(0, avalOf(v))), { to: 'u8' });
/** Whether all (any) elements differ from 0. */
export function all(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('all', x);
  return quantifier('all', x, dim, options, (v, axes) => b.amin(v, { axes }));
}
export function any(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  demandTensors('any', x);
  return quantifier('any', x, dim, options, (v, axes) => b.amax(v, { axes }));
}
function quantifier(
  op: 'all' | 'any',
  x: Tensor,
  dim: Dims | undefined,
  options: ReduceOptions,
  f: (v: Value, axes: readonly number[]) => Value,
): Tensor {
  const dims = dimsOf(op, dim, x.ndim);
  const shape = reducedShape(x.shape, dims, options.keepdim ?? false);
  if (dims.some((d) => x.shape[d] === 0)) return apply(op, [x], () => b.reshape(full(op === 'all', { dtype: 'bool', shape }), { shape }));
  return apply(op, [x], (v) => b.cast(shaped(f(truth(v), dims), shape), { to: 'bool' }));
}
/** Number of elements that differ from 0, int64. */
export const countNonzero = (x: Tensor, dim?: Dims): Tensor => {
  demandTensors('countNonzero', x);
  const dims = dimsOf('countNonzero', dim, x.ndim);
  return apply('countNonzero', [x], (v) => b.sum(b.cast(truth(v), { to: 'i64' }), { axes: dims }));
};

/** Sums along `dim`, each element with all before it. Integers give int64. */
export function cumsum(x: Tensor, dim: number, options: Pick<ReduceOptions, 'dtype'> = {}): Tensor {
  demandTensors('cumsum', x);
  return cumulative('cumsum', x, dim, options, b.cumsum);
}
export function cumprod(x: Tensor, dim: number, options: Pick<ReduceOptions, 'dtype'> = {}): Tensor {
  demandTensors('cumprod', x);
  return cumulative('cumprod', x, dim, options, b.cumprod);
}
function cumulative(
  op: string,
  x: Tensor,
  dim: number,
  options: Pick<ReduceOptions, 'dtype'>,
  f: (v: Value, a: { axis: number; reverse: boolean }) => Value,
): Tensor {
  const axis = dimOf(op, dim, x.ndim);
  const dtype = options.dtype === undefined ? accumulated(x.element) : elementOf(options.dtype, op);
  return apply(op, [x], (v) => (x.ndim === 0 ? b.reshape(castTo(v, dtype), { shape: [] }) : f(castTo(v, dtype), { axis, reverse: false })));
}

export type SortOptions = { readonly descending?: boolean };
/** Sorted along `dim` (default: the last), stable, NaN last; values and the int64 positions they came from. */
export function sort(x: Tensor, dim = -1, options: SortOptions = {}): WithIndices {
  demandTensors('sort', x);
  const axis = dimOf('sort', dim, x.ndim);
  const [values, indices] = applyMany('sort', [x], (v) =>
    x.ndim === 0
      ? [b.reshape(v, { shape: [] }), full(0, { dtype: 'i64', shape: [] })]
      : b.sort(v, { axis, descending: options.descending ?? false }),
  );
  return { values: values!, indices: indices! };
}
/** The positions that sort `x` along `dim`. */
export function argsort(x: Tensor, dim = -1, options: SortOptions = {}): Tensor {
  demandTensors('argsort', x);
  return sort(x, dim, options).indices;
}
/** The k largest (or smallest) along `dim`, in order. */
export function topk(x: Tensor, k: number, dim = -1, options: { readonly largest?: boolean } = {}): WithIndices {
  demandTensors('topk', x);
  const axis = dimOf('topk', dim, x.ndim);
  const size = x.shape[axis] ?? 1;
  if (!Number.isInteger(k) || k < 0 || k > size)
    throw new ArgumentError(`k = ${String(k)} is outside of [0, ${size}], the size of dimension ${axis}`, { op: 'topk' });
  const [values, indices] = applyMany('topk', [x], (v) => b.topk(v, { axis, k, largest: options.largest ?? true }));
  return { values: values!, indices: indices! };
}

/** One of the sorted values along `axis`, by position, and where it came from. */
function ranked(op: string, x: Tensor, dim: number, position: number, options: ReduceOptions): WithIndices {
  const axis = dimOf(op, dim, x.ndim);
  if (x.ndim === 0) return sort(x);
  const { values, indices } = sort(x, axis);
  const pick = (t: Tensor): Tensor => (options.keepdim ? narrow(t, axis, position, 1) : select(t, axis, position));
  return { values: pick(values), indices: pick(indices) };
}
/** The k-th smallest along `dim`, counted from 1, and where it was. */
export function kthvalue(x: Tensor, k: number, dim = -1, options: ReduceOptions = {}): WithIndices {
  demandTensors('kthvalue', x);
  const size = x.ndim === 0 ? 1 : x.shape[dimOf('kthvalue', dim, x.ndim)]!;
  if (!Number.isInteger(k) || k < 1 || k > size) throw new ArgumentError(`k = ${String(k)} is outside of [1, ${size}]`, { op: 'kthvalue' });
  return ranked('kthvalue', x, dim, k - 1, options);
}

/** The middle value, the lower of two; with `dim`, values and indices. NaN if any is NaN. As `torch.median`. */
export function median(x: Tensor): Tensor;
export function median(x: Tensor, dim: number, options?: ReduceOptions): WithIndices;
export function median(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | WithIndices {
  demandTensors('median', x);
  if (dim === undefined) return medianOfAll(x.reshape([-1]));
  const axis = dimOf('median', dim, x.ndim);
  demandElements('median', x, x.ndim === 0 ? [] : [axis]);
  const size = x.shape[axis] ?? 1;
  const middle = ranked('median', x, axis, (size - 1) >> 1, options);
  if (!isFloat(x.element)) return middle;
  // NaN sorts last: the last is NaN if any is.
  const last = ranked('median', x, axis, size - 1, options);
  const anyNaN = isnan(last.values);
  return { values: where(anyNaN, last.values, middle.values), indices: where(anyNaN, last.indices, middle.indices) };
}

/** All elements that are equal to the median share its gradient, as those of a maximum do. */
function medianOfAll(flat: Tensor): Tensor {
  if (flat.numel() === 0) return isFloat(flat.element) ? flat.sum().add(Number.NaN) : filled([], Number.NaN, { dtype: flat.dtype });
  const middle = median(flat, 0).values;
  return isFloat(flat.element) ? amax(where(flat.gt(middle.detach()), Number.NEGATIVE_INFINITY, flat)) : middle;
}

/** The `q`-quantiles along `dim` (default: of all elements), between neighbours by linear interpolation, as `torch.quantile`. */
export function quantile(x: Tensor, q: number | Tensor, dim?: number, options: ReduceOptions = {}): Tensor {
  demandTensors('quantile', x);
  const op = 'quantile';
  demandFloat(op, x, {});
  const flat = dim === undefined ? x.reshape([-1]) : x;
  const axis = dimOf(op, dim ?? 0, flat.ndim);
  demandElements(op, flat, [axis]);
  if (typeof q === 'number' && !(q >= 0 && q <= 1)) throw new ArgumentError(`q = ${q} lies outside of [0, 1]`, { op });
  const last = flat.shape[axis]! - 1;
  const sorted = sort(flat, axis).values;
  const at = (isTensor(q) ? q.reshape([-1]) : filled([1], q, { dtype: x.dtype })).mul(last);
  const below = floor(at);
  const pick = (position: Tensor): Tensor => indexSelect(sorted, axis, position.to('int64'));
  const spread = (t: Tensor): Tensor => t.reshape(flat.shape.map((_, i) => (i === axis ? t.numel() : 1)));
  const found = lerp(pick(below), pick(ceil(at)), spread(at.sub(below)));
  const anyNaN = any(isnan(flat), axis, { keepdim: true });
  const clean = maskedFill(found, anyNaN, Number.NaN);
  const kept =
    dim === undefined && options.keepdim
      ? clean.reshape([clean.numel(), ...x.shape.map(() => 1)])
      : movedimToFront(clean, axis, options.keepdim ?? false);
  return isTensor(q) && q.ndim > 0 ? kept : select(kept, 0, 0);
}
const movedimToFront = (t: Tensor, axis: number, keepdim: boolean): Tensor => {
  const front = movedim(t, axis, 0);
  return keepdim ? unsqueeze(front, axis + 1) : front;
};

/** The largest of each element and all before it along `dim`, and where it stands: the last of equals, as `torch.cummax`. */
export function cummax(x: Tensor, dim: number): WithIndices {
  demandTensors('cummax', x);
  return running('cummax', x, dim, (y, v) => b.le(v, y));
}
export function cummin(x: Tensor, dim: number): WithIndices {
  demandTensors('cummin', x);
  return running('cummin', x, dim, b.le);
}

/** `keep(later, earlier)` says whether the later of two stays. Each round compares with the element twice as far ahead. */
function running(op: string, x: Tensor, dim: number, keep: (later: Value, earlier: Value) => Value): WithIndices {
  const axis = dimOf(op, dim, x.ndim);
  if (x.ndim === 0) return { values: clone(x), indices: filled([], 0, { dtype: 'int64' }) };
  if (x.element === 'bool') throw new DTypeError('is not defined for bool tensors', { op, fix: "convert with .to('uint8') first" });
  const n = x.shape[axis]!;
  const [indices] = applyMany(op, [x.detach()], (v) => {
    let values = v;
    let at = b.iota({ dtype: 'i64', shape: x.shape, axis });
    for (let distance = 1; distance < n; distance *= 2) {
      const ahead = (t: Value): Value => shiftedBy(t, axis, distance);
      const first = b.lt(b.iota({ dtype: 'i64', shape: x.shape, axis }), full(distance, avalOf(at)));
      const before = ahead(values);
      const stays = b.or(b.or(first, keep(values, before)), b.ne(values, values));
      // A NaN once met stays, whatever comes after it.
      const mine = b.and(stays, b.or(b.or(first, b.eq(before, before)), b.ne(values, values)));
      values = b.select(mine, values, before);
      at = b.select(mine, at, ahead(at));
    }
    return [n === 0 ? b.reshape(at, { shape: x.shape }) : at];
  });
  return { values: gather(x, axis, indices!), indices: indices! };
}
/** Elements moved `distance` towards the end of `axis`; what comes in at the front is not looked at. */
function shiftedBy(v: Value, axis: number, distance: number): Value {
  const shape = fixedShape(shapeOf(v));
  const kept = b.slice(v, {
    start: shape.map(() => 0),
    stop: shape.map((n, i) => (i === axis ? n - distance : n)),
    step: shape.map(() => 1),
  });
  return b.pad(kept, lit(0, dtypeOf(v)), {
    low: shape.map((_, i) => (i === axis ? distance : 0)),
    high: shape.map(() => 0),
    interior: shape.map(() => 0),
  });
}

/** The sorted elements without repetitions, one-dimensional. Observes x: their number is a shape. */
export function unique(x: Tensor): Tensor {
  demandTensors('unique', x);
  const sorted = Array.from(x.dataSync() as ArrayLike<number | bigint>);
  const order = (p: number | bigint, q: number | bigint): number =>
    p < q ? -1 : p > q ? 1 : Number(Number.isNaN(p)) - Number(Number.isNaN(q));
  sorted.sort(order);
  const values = sorted.filter((v, i) => i === 0 || v !== sorted[i - 1]);
  return fromTypedArray(convert(values, x.element), [values.length], { dtype: x.dtype });
}
/** How often each of 0, 1, 2 ... occurs in a one-dimensional integer tensor; `weights` are summed instead. Observes x: its maximum is a shape. */
export function bincount(x: Tensor, weights?: Tensor, minlength = 0): Tensor {
  demandTensors('bincount', x);
  const op = 'bincount';
  if (isFloat(x.element) || x.element === 'bool' || x.ndim !== 1)
    throw new DTypeError(`expects a one-dimensional integer tensor, got ${x.dtype}[${x.shape}]`, { op });
  if (x.numel() > 0 && Number(min(x).itemSync()) < 0) throw new ArgumentError('expects no negative numbers', { op });
  const size = Math.max(minlength, x.numel() === 0 ? 0 : max(x).itemSync() + 1);
  const counted = weights ?? ones(x.shape, { dtype: 'int64' });
  return zeros([size], { dtype: counted.dtype }).scatterAdd(0, x.to('int64'), counted);
}
