// Shapes: views where strides allow them, copies where not, and joining and splitting.
import { ArgumentError, DTypeError, IndexError, ShapeError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { avalOf, type Value } from '../../ir/node.ts';
import { demandIntegers, demandTensors } from '../arguments.ts';
import { type DeviceName, placeNamed } from '../device.ts';
import { dimOf, dimsOf } from '../dims.ts';
import { type DTypeName, elementOf } from '../dtypes.ts';
import { apply, applyInPlace, applyToList, applyView, asOneFunction } from '../op.ts';
import { broadcastShapes, castTo, promoteTypes, scalarValue } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { transfer } from '../transfer.ts';
import { applyStep, isContiguous, type ViewStep } from '../view.ts';

/** A view, or, where no strides describe it, a copy. */
function viewOrCopy(op: string, x: Tensor, step: ViewStep): Tensor {
  return applyView(op, x, step) ?? apply(op, [x], (v) => applyStep(v, step));
}

/** Sizes with at most one -1, which takes what is left. */
function inferShape(op: string, count: number, shape: readonly number[]): readonly number[] {
  const open = shape.indexOf(-1);
  if (shape.some((n) => !Number.isInteger(n) || n < -1) || open !== shape.lastIndexOf(-1))
    throw new ShapeError(`shape [${shape}] must hold sizes, and -1 at most once`, { op });
  const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const fits = open < 0 ? known === count : known > 0 && count % known === 0;
  if (!fits) throw new ShapeError(`shape [${shape}] is invalid for input of size ${count}`, { op });
  return shape.map((d) => (d === -1 ? count / known : d));
}

/** The same elements under another shape: a view where possible, else a copy. One size may be -1. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  demandTensors('reshape', x);
  demandIntegers('reshape', 'shape', shape);
  const step: ViewStep = { op: 'reshape', shape: inferShape('reshape', x.numel(), shape) };
  return applyView('reshape', x, step) ?? apply('reshape.copy', [x], (v) => applyStep(v, step));
}
/** As `reshape`, but never a copy. Throws ShapeError where strides do not allow it. */
export function view(x: Tensor, shape: readonly number[]): Tensor {
  demandTensors('view', x);
  demandIntegers('view', 'shape', shape);
  const t = applyView('view', x, { op: 'reshape', shape: inferShape('view', x.numel(), shape) });
  if (t === undefined)
    throw new ShapeError("view size is not compatible with the input's size and stride", { op: 'view', fix: 'use reshape() instead' });
  return t;
}
/** Dimensions `start` to `end` as one. */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  demandTensors('flatten', x);
  const from = dimOf('flatten', start, x.ndim);
  const to = dimOf('flatten', end, x.ndim);
  if (from > to) throw new ArgumentError(`start ${from} comes after end ${to}`, { op: 'flatten' });
  if (x.ndim === 0) return reshape(x, [1]);
  return reshape(x, [...x.shape.slice(0, from), x.shape.slice(from, to + 1).reduce((n, d) => n * d, 1), ...x.shape.slice(to + 1)]);
}
/** Dimension `dim` split into `sizes`. */
export function unflatten(x: Tensor, dim: number, sizes: readonly number[]): Tensor {
  demandTensors('unflatten', x);
  demandIntegers('unflatten', 'sizes', sizes);
  const d = dimOf('unflatten', dim, x.ndim);
  return reshape(x, [...x.shape.slice(0, d), ...inferShape('unflatten', x.shape[d]!, sizes), ...x.shape.slice(d + 1)]);
}
/** Without dimensions of size 1: all of them, or those of `dim` that are. */
export function squeeze(x: Tensor, dim?: number | readonly number[]): Tensor {
  demandTensors('squeeze', x);
  const dims = dimsOf('squeeze', dim, x.ndim);
  return viewOrCopy(dim === undefined ? 'squeeze' : typeof dim === 'number' ? 'squeeze.dim' : 'squeeze.dims', x, {
    op: 'reshape',
    shape: x.shape.filter((n, i) => n !== 1 || !dims.includes(i)),
  });
}
/** With a dimension of size 1 put in at `dim`. */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  demandTensors('unsqueeze', x);
  const d = dimOf('unsqueeze', dim, x.ndim + 1);
  return viewOrCopy('unsqueeze', x, { op: 'reshape', shape: [...x.shape.slice(0, d), 1, ...x.shape.slice(d)] });
}
/** Dimensions in another order. */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  demandTensors('permute', x);
  demandIntegers('permute', 'order', order);
  const dims = order.map((d) => dimOf('permute', d, x.ndim));
  if (dims.length !== x.ndim || new Set(dims).size !== dims.length)
    throw new ArgumentError(`[${order}] is no order of ${x.ndim} dimensions`, { op: 'permute' });
  return viewOrCopy('permute', x, { op: 'permute', order: dims });
}
/** Two dimensions exchanged. */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  demandTensors('transpose', x);
  const [i, j] = [dimOf('transpose', dim0, x.ndim), dimOf('transpose', dim1, x.ndim)];
  const order = Array.from({ length: x.ndim }, (_, d) => (d === i ? j : d === j ? i : d));
  return viewOrCopy('transpose', x, { op: 'permute', order });
}
/** Rows and columns exchanged. Throws ShapeError beyond two dimensions. */
export function t(x: Tensor): Tensor {
  demandTensors('t', x);
  if (x.ndim > 2)
    throw new ShapeError(`expects at most 2 dimensions, got shape [${x.shape}]`, { op: 't', fix: 'use transpose(dim0, dim1)' });
  return viewOrCopy('t', x, x.ndim < 2 ? { op: 'reshape', shape: x.shape } : { op: 'permute', order: [1, 0] });
}
export const swapaxes = transpose;
export const swapdims = transpose;
/** Dimension `from` moved to place `to`. */
export function movedim(x: Tensor, from: number, to: number): Tensor {
  demandTensors('movedim', x);
  const [i, j] = [dimOf('movedim', from, x.ndim), dimOf('movedim', to, x.ndim)];
  const order = Array.from({ length: x.ndim }, (_, d) => d).filter((d) => d !== i);
  order.splice(j, 0, i);
  return viewOrCopy('movedim', x, { op: 'permute', order });
}
/** Dimensions of size 1 shown as larger, without memory; -1 keeps a size. New dimensions come in front. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  demandTensors('expand', x);
  demandIntegers('expand', 'shape', shape);
  const lead = shape.length - x.ndim;
  if (lead < 0) throw new ShapeError(`[${shape}] has fewer dimensions than shape [${x.shape}]`, { op: 'expand' });
  const sizes = shape.map((n, i) => (n === -1 && i >= lead ? x.shape[i - lead]! : n));
  const bad = sizes.findIndex((n, i) => n < 0 || (i >= lead && x.shape[i - lead] !== n && x.shape[i - lead] !== 1));
  if (bad >= 0)
    throw new ShapeError(`the expanded size (${sizes[bad]}) must match the existing size (${x.shape[bad - lead]}) at dimension ${bad}`, {
      op: 'expand',
    });
  const at = sizes.map((_, i) => i).filter((i) => i < lead || (x.shape[i - lead] === 1 && sizes[i] !== 1));
  const core = x.shape.filter((_, i) => !at.includes(i + lead));
  const squeezed = core.length === x.ndim ? x : viewOrCopy('expand', x, { op: 'reshape', shape: core });
  return viewOrCopy('expand', squeezed, { op: 'expand', shape: sizes, at });
}
/** `reshape` to the shape of another. */
export function reshapeAs(x: Tensor, like: Tensor): Tensor {
  demandTensors('reshapeAs', x, like);
  return reshape(x, like.shape);
}
/** `view` in the shape of another. */
export function viewAs(x: Tensor, like: Tensor): Tensor {
  demandTensors('viewAs', x, like);
  return view(x, like.shape);
}
/** In the dtype of another. */
export function typeAs(x: Tensor, like: Tensor): Tensor {
  demandTensors('typeAs', x, like);
  return to(x, like.dtype);
}
export function expandAs(x: Tensor, like: Tensor): Tensor {
  demandTensors('expandAs', x, like);
  return expand(x, like.shape);
}
export function broadcastTo(x: Tensor, shape: readonly number[]): Tensor {
  demandTensors('broadcastTo', x);
  demandIntegers('broadcastTo', 'shape', shape);
  return expand(x, shape);
}
/** `length` elements from `start` along `dim`. */
export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  demandTensors('narrow', x);
  const d = dimOf('narrow', dim, x.ndim);
  const size = x.shape[d]!;
  const from = start < 0 ? start + size : start;
  if (!Number.isInteger(from) || !Number.isInteger(length) || from < 0 || length < 0 || from + length > size)
    throw new IndexError(`start (${start}) + length (${length}) exceeds dimension size (${size})`, { op: 'narrow' });
  return part('narrow', x, d, from, from + length);
}
function part(op: string, x: Tensor, axis: number, start: number, stop: number, origin?: 'several'): Tensor {
  const step: ViewStep = {
    op: 'slice',
    start: x.shape.map((_, i) => (i === axis ? start : 0)),
    stop: x.shape.map((n, i) => (i === axis ? stop : n)),
    step: x.shape.map(() => 1),
  };
  return (origin === undefined ? applyView(op, x, step) : applyView(op, x, step, origin)) ?? apply(op, [x], (v) => applyStep(v, step));
}
/** Order reversed along `dims`; a copy, as in PyTorch. */
export function flip(x: Tensor, dims: number | readonly number[]): Tensor {
  demandTensors('flip', x);
  const axes = dimsOf('flip', dims, x.ndim);
  return apply('flip', [x], (v) => b.flip(v, { axes }));
}
export function fliplr(x: Tensor): Tensor {
  demandTensors('fliplr', x);
  return flip(x, 1);
}
export function flipud(x: Tensor): Tensor {
  demandTensors('flipud', x);
  return flip(x, 0);
}
/** Turned by `turns` quarters from the first of `dims` towards the second. */
export function rot90(x: Tensor, turns = 1, dims: readonly [number, number] = [0, 1]): Tensor {
  demandTensors('rot90', x);
  const [i, j] = [dimOf('rot90', dims[0], x.ndim), dimOf('rot90', dims[1], x.ndim)];
  if (i === j) throw new ArgumentError(`the dimensions [${dims}] must differ`, { op: 'rot90' });
  switch (((turns % 4) + 4) % 4) {
    case 1:
      return transpose(flip(x, j), i, j);
    case 2:
      return flip(x, [i, j]);
    case 3:
      return flip(transpose(x, i, j), j);
    case 0:
      return clone(x);
    default:
      throw new ArgumentError(`${turns} is no number of quarter turns`, { op: 'rot90' });
  }
}
/** Elements shifted along `dims`, those that fall out at the end come in at the front; without `dims`, in the flattened tensor. */
export function roll(x: Tensor, shifts: number | readonly number[], dims?: number | readonly number[]): Tensor {
  demandTensors('roll', x);
  if (typeof shifts !== 'number') demandIntegers('roll', 'shifts', shifts);
  if (dims !== undefined && typeof dims !== 'number') demandIntegers('roll', 'dims', dims);
  const by = typeof shifts === 'number' ? [shifts] : shifts;
  if (dims === undefined) {
    if (by.length !== 1) throw new ArgumentError(`shifts [${by}] need as many dims`, { op: 'roll' });
    return reshape(roll(reshape(x, [x.numel()]), by[0]!, 0), x.shape);
  }
  const along = (typeof dims === 'number' ? [dims] : dims).map((d) => dimOf('roll', d, x.ndim));
  if (by.length !== along.length) throw new ArgumentError(`shifts [${by}] and dims [${along}] must be equally many`, { op: 'roll' });
  for (const shift of by) if (!Number.isInteger(shift)) throw new ArgumentError(`shift ${String(shift)} is no integer`, { op: 'roll' });
  if (x.ndim === 0) return clone(x);
  return apply('roll', [x], (v) => by.reduce((w, shift, i) => rolled(w, shift, along[i]!), v));
}
function rolled(v: Value, shift: number, axis: number): Value {
  const shape = avalOf(v).shape as readonly number[];
  const n = shape[axis]!;
  const s = n === 0 ? 0 : ((shift % n) + n) % n;
  if (s === 0) return b.reshape(v, { shape });
  const part = (start: number, stop: number): Value =>
    b.slice(v, {
      start: shape.map((_, i) => (i === axis ? start : 0)),
      stop: shape.map((m, i) => (i === axis ? stop : m)),
      step: shape.map(() => 1),
    });
  return b.concat([part(n - s, n), part(0, n - s)], { axis });
}

/** A copy in a storage of its own; gradients flow through it. */
export function clone(x: Tensor): Tensor {
  demandTensors('clone', x);
  return apply('clone', [x], (v) => b.reshape(v, { shape: avalOf(v).shape }));
}
/** The tensor itself if it lies densely in row-major order, else a copy that does. */
export function contiguous(x: Tensor): Tensor {
  demandTensors('contiguous', x);
  return isContiguous(x.layout) ? x : clone(x);
}

/** The tensor in another dtype or on another device (`cpu`, `webgpu`); itself where it is that already. */
export function to(x: Tensor, dtype: DTypeName | DeviceName | 'cpu'): Tensor {
  demandTensors('to', x);
  const place = placeNamed('to', dtype);
  if (place !== undefined) return transfer(x, place);
  const element = elementOf(dtype as DTypeName, 'to');
  if (element === x.element) return x;
  if (element === 'f16') throw new DTypeError('this device has no float16', { op: 'to', fix: "use 'float32'" });
  return apply('to', [x], (v) => b.cast(v, { to: element }));
}
/** Elements of `from` copied over those of `x`, cast and broadcast. */
export function copy_(x: Tensor, from: Tensor): Tensor {
  demandTensors('copy_', x, from);
  const source = from.shape.join() === x.shape.join() ? from : expand(from, x.shape);
  return applyInPlace('copy_', x, [source], (_, v) => castTo(b.reshape(v, { shape: avalOf(v).shape }), x.element));
}

function demandList(op: string, tensors: readonly Tensor[]): asserts tensors is readonly [Tensor, ...Tensor[]] {
  if (!Array.isArray(tensors) || tensors.length === 0) throw new ArgumentError('expected a non-empty list of tensors', { op });
  tensors.forEach((x, i) => {
    if (!isTensor(x)) throw new ArgumentError(`entry ${i} is no tensor`, { op });
  });
}

/** Tensors joined along a dimension that they have. Sizes must agree elsewhere; dtypes are promoted. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  demandList('cat', tensors);
  // PyTorch lets empty one-dimensional tensors take part in any concatenation.
  const real = tensors.every((x) => x.ndim === 1) ? tensors : tensors.filter((x) => !(x.ndim === 1 && x.shape[0] === 0));
  const parts = real.length === 0 ? [tensors[0]] : real;
  const first = parts[0]!;
  if (first.ndim === 0) throw new ShapeError('zero-dimensional tensors cannot be concatenated', { op: 'cat', fix: 'use stack()' });
  const axis = dimOf('cat', dim, first.ndim);
  parts.forEach((x, i) => {
    const bad = x.ndim !== first.ndim ? -1 : x.shape.findIndex((n, d) => d !== axis && n !== first.shape[d]);
    if (x.ndim !== first.ndim || bad >= 0)
      throw new ShapeError(
        `sizes of tensors must match except in dimension ${axis}: [${first.shape}] and [${x.shape}] (tensor number ${i} in the list)`,
        { op: 'cat' },
      );
  });
  const dtype = tensors.map((x) => x.element).reduce(promoteTypes);
  return applyToList('cat', parts, (values) => [
    values.length === 1
      ? b.reshape(castTo(values[0]!, dtype), { shape: first.shape })
      : b.concat(
          values.map((v) => castTo(v, dtype)),
          { axis },
        ),
  ])[0]!;
}
/** Tensors of one shape joined along a new dimension. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  demandList('stack', tensors);
  tensors.forEach((x, i) => {
    if (x.shape.join() !== tensors[0].shape.join())
      throw new ShapeError(
        `stack expects each tensor to be equal size, but got [${tensors[0].shape}] at entry 0 and [${x.shape}] at entry ${i}`,
        { op: 'stack' },
      );
  });
  const axis = dimOf('stack', dim, tensors[0].ndim + 1);
  const shape = [...tensors[0].shape.slice(0, axis), 1, ...tensors[0].shape.slice(axis)];
  const dtype = tensors.map((x) => x.element).reduce(promoteTypes);
  return applyToList('stack', tensors, (values) => [
    b.concat(
      values.map((v) => b.reshape(castTo(v, dtype), { shape })),
      { axis },
    ),
  ])[0]!;
}
/** Views of `size` elements each along `dim` (the last may be shorter), or of the given sizes. */
export function split(x: Tensor, size: number | readonly number[], dim = 0): Tensor[] {
  demandTensors('split', x);
  const axis = dimOf('split', dim, x.ndim);
  const n = x.shape[axis]!;
  if (typeof size !== 'number') demandIntegers('split', 'sizes', size);
  const sizes = typeof size === 'number' ? pieces(n, size) : size;
  if (sizes.reduce((a, c) => a + c, 0) !== n)
    throw new ShapeError(`sizes [${sizes}] do not sum to ${n}, the size of dimension ${axis}`, { op: 'split' });
  let stop = 0;
  const views = sizes.map((length) => {
    const start = stop;
    stop += length;
    return part('split', x, axis, start, stop, 'several');
  });
  return asOneFunction(typeof size === 'number' ? 'split' : 'split.sizes', x, views);
}
function pieces(n: number, size: number): number[] {
  if (!Number.isInteger(size) || size <= 0)
    throw new ArgumentError(`piece size ${String(size)} must be a positive integer`, { op: 'split' });
  return Array.from({ length: Math.max(1, Math.ceil(n / size)) }, (_, i) => Math.min(size, n - i * size));
}
/** `count` views along `dim`, as equal as can be. */
export function chunk(x: Tensor, count: number, dim = 0): Tensor[] {
  demandTensors('chunk', x);
  if (!Number.isInteger(count) || count <= 0) throw new ArgumentError(`count ${String(count)} must be a positive integer`, { op: 'chunk' });
  return split(x, Math.max(1, Math.ceil(x.shape[dimOf('chunk', dim, x.ndim)]! / count)), dim);
}
/** One view for each element along `dim`, which disappears. */
export function unbind(x: Tensor, dim = 0): Tensor[] {
  demandTensors('unbind', x);
  const axis = dimOf('unbind', dim, x.ndim);
  if (x.ndim === 0) throw new ShapeError('a 0-d tensor has no dimension to unbind', { op: 'unbind' });
  const shape = x.shape.filter((_, i) => i !== axis);
  const views = Array.from(
    { length: x.shape[axis]! },
    (_, i) => applyView('unbind', part('unbind', x, axis, i, i + 1), { op: 'reshape', shape }, 'several')!,
  );
  return asOneFunction('unbind', x, views);
}
/** Copies side by side: `repeats[i]` along dimension i, new dimensions in front. */
export function repeat(x: Tensor, repeats: readonly number[]): Tensor {
  demandTensors('repeat', x);
  demandIntegers('repeat', 'repeats', repeats);
  if (repeats.length < x.ndim || repeats.some((r) => !Number.isInteger(r) || r < 0))
    throw new ArgumentError(`[${repeats}] must give a count for each of ${x.ndim} dimensions`, { op: 'repeat' });
  const lead = repeats.length - x.ndim;
  const sizes = repeats.map((_, i) => x.shape[i - lead] ?? 1);
  return apply('repeat', [x], (v) => {
    const interleaved = repeats.flatMap((r, i) => [r, sizes[i]!]);
    const wide = b.expand(b.reshape(v, { shape: sizes }), { shape: interleaved, at: repeats.map((_, i) => 2 * i) });
    return b.reshape(wide, { shape: repeats.map((r, i) => r * sizes[i]!) });
  });
}

/** `repeat` that takes fewer counts than dimensions: they are those of the last. */
export function tile(x: Tensor, counts: readonly number[]): Tensor {
  demandTensors('tile', x);
  demandIntegers('tile', 'counts', counts);
  return repeat(x, [...new Array<number>(Math.max(0, x.ndim - counts.length)).fill(1), ...counts]);
}
/** Each element `repeats` times in a row, along `dim` or in the flattened tensor. */
export function repeatInterleave(x: Tensor, repeats: number, dim?: number): Tensor {
  demandTensors('repeatInterleave', x);
  if (!Number.isInteger(repeats) || repeats < 0)
    throw new ArgumentError(`count ${String(repeats)} must be a non-negative integer`, { op: 'repeatInterleave' });
  const from = dim === undefined || x.ndim === 0 ? reshape(x, [x.numel()]) : x;
  const axis = dimOf('repeatInterleave', dim ?? 0, from.ndim);
  const shape = from.shape;
  const wide = [...shape.slice(0, axis + 1), repeats, ...shape.slice(axis + 1)];
  return apply('repeatInterleave', [from], (v) =>
    b.reshape(b.expand(v, { shape: wide, at: [axis + 1] }), { shape: shape.map((n, i) => (i === axis ? n * repeats : n)) }),
  );
}
/** Windows of `size` elements, `step` apart, along `dim`; their elements come last. A copy. */
export function unfold(x: Tensor, dim: number, size: number, step: number): Tensor {
  demandTensors('unfold', x);
  const op = 'unfold';
  const axis = dimOf(op, dim, x.ndim);
  const n = x.shape[axis] ?? 1;
  if (!Number.isInteger(size) || size < 0 || size > n)
    throw new ArgumentError(`size ${String(size)} is outside of [0, ${n}], the size of dimension ${axis}`, { op });
  if (!Number.isInteger(step) || step < 1) throw new ArgumentError(`step ${String(step)} must be a positive integer`, { op });
  if (x.ndim === 0) return reshape(x, size === 0 ? [0] : [1]);
  const count = Math.floor((n - size) / step) + 1;
  const shape = x.shape.map((m, i) => (i === axis ? count : m));
  return apply(op, [x], (v) => {
    if (size === 0) return full(0, { dtype: avalOf(v).dtype, shape: [...shape, 0] });
    const windows = Array.from({ length: size }, (_, i) => applyStep(v, every(x, axis, i, i + (count - 1) * step + 1, step)));
    return b.concat(
      windows.map((w) => b.reshape(w, { shape: [...shape, 1] })),
      { axis: x.ndim },
    );
  });
}
/** Every `step`-th position from `start` to `stop`. */
const every = (x: Tensor, axis: number, start: number, stop: number, step: number): ViewStep => ({
  op: 'slice',
  start: x.shape.map((_, i) => (i === axis ? start : 0)),
  stop: x.shape.map((n, i) => (i === axis ? stop : n)),
  step: x.shape.map((_, i) => (i === axis ? step : 1)),
});

/** Joined along dimension 1 (vectors: 0), 0, and 2: as columns, as rows, in depth. */
export const hstack = (tensors: readonly Tensor[]): Tensor => {
  const list = atLeast('hstack', tensors, 1);
  return cat(list, list[0]!.ndim === 1 ? 0 : 1);
};
export const vstack = (tensors: readonly Tensor[]): Tensor => cat(atLeast('vstack', tensors, 2), 0);
export const dstack = (tensors: readonly Tensor[]): Tensor => cat(atLeast('dstack', tensors, 3), 2);
function atLeast(op: string, tensors: readonly Tensor[], rank: 1 | 2 | 3): Tensor[] {
  demandList(op, tensors);
  return tensors.map((x) => {
    const row = x.ndim === 0 ? reshape(x, [1]) : x;
    const matrix = rank > 1 && row.ndim === 1 ? unsqueeze(row, 0) : row;
    return rank > 2 && matrix.ndim === 2 ? unsqueeze(matrix, 2) : matrix;
  });
}

/** Surrounded by `value`; widths in pairs from the last dimension on, as `F.pad`. Negative widths cut off. */
export function pad(x: Tensor, widths: readonly number[], value = 0): Tensor {
  demandTensors('pad', x);
  demandIntegers('pad', 'widths', widths);
  if (widths.length % 2 !== 0 || widths.length > 2 * x.ndim)
    throw new ArgumentError(`[${widths}] must hold pairs for at most ${x.ndim} dimensions`, { op: 'pad' });
  const around = x.shape.map((_, i) => [widths[2 * (x.ndim - 1 - i)] ?? 0, widths[2 * (x.ndim - 1 - i) + 1] ?? 0] as const);
  if (x.shape.some((n, i) => n + around[i]![0] + around[i]![1] < 0))
    throw new ShapeError(`widths [${widths}] cut more off than shape [${x.shape}] has`, { op: 'pad' });
  return apply('pad', [x], (v) => {
    const start = around.map(([low]) => Math.max(0, -low));
    const stop = around.map(([, high], i) => x.shape[i]! - Math.max(0, -high));
    const cut = b.slice(v, { start, stop, step: x.shape.map(() => 1) });
    return b.pad(cut, scalarValue(value, x.element), {
      low: around.map(([l]) => Math.max(0, l)),
      high: around.map(([, h]) => Math.max(0, h)),
      interior: x.shape.map(() => 0),
    });
  });
}

/** One grid for each of several vectors: its elements vary along its own dimension and repeat along the others. Views. */
export function meshgrid(tensors: readonly Tensor[], options: { readonly indexing?: 'ij' | 'xy' } = {}): Tensor[] {
  demandList('meshgrid', tensors);
  const { indexing = 'ij' } = options;
  if (indexing !== 'ij' && indexing !== 'xy')
    throw new ArgumentError(`indexing '${String(indexing)}' is neither 'ij' nor 'xy'`, { op: 'meshgrid' });
  for (const x of tensors) if (x.ndim > 1) throw new ShapeError(`expects vectors, got shape [${x.shape}]`, { op: 'meshgrid' });
  const swap = indexing === 'xy' && tensors.length > 1;
  const place = (i: number): number => (swap && i < 2 ? 1 - i : i);
  const shape = tensors.map((_, i) => tensors[place(i)]!.numel());
  return tensors.map((x, i) =>
    expand(
      reshape(
        x,
        shape.map((_, d) => (d === place(i) ? x.numel() : 1)),
      ),
      shape,
    ),
  );
}
/** All ways to take one element of each vector, a row each. */
export function cartesianProd(...tensors: readonly Tensor[]): Tensor {
  demandList('cartesianProd', tensors);
  return tensors.length === 1
    ? tensors[0]
    : stack(
        meshgrid(tensors).map((g) => reshape(g, [g.numel()])),
        1,
      );
}
/** All to one shape; views. */
export function broadcastTensors(...tensors: readonly Tensor[]): Tensor[] {
  demandList('broadcastTensors', tensors);
  const shape = broadcastShapes(
    'broadcastTensors',
    tensors.map((x) => x.shape),
  );
  return tensors.map((x) => expand(x, shape));
}
