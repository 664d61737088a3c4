// Reading and writing by tensors of positions along one dimension: gather, scatter and their relatives.
import { DTypeError, ShapeError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { fixedShape } from '../../ir/dim.ts';
import { avalOf, shapeOf, type Value } from '../../ir/node.ts';
import { demandTensors } from '../arguments.ts';
import { dimOf } from '../dims.ts';
import { apply, applyInPlace } from '../op.ts';
import { broadcastShapes, broadcastTo, fillingValue, type Operand, type Scalar, scalarValue, tensorsAmong } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { reshape } from './shape.ts';

function demandIndex(op: string, i: Tensor): void {
  if (!isTensor(i) || (i.element !== 'i64' && i.element !== 'i32'))
    throw new DTypeError(`index must be int64 or int32, not ${isTensor(i) ? i.dtype : typeof i}`, { op, fix: "convert with .to('int64')" });
}

/** out[i][j] = x[index[i][j]][j] for dim 0, and so on, as `torch.gather`. `index` may be smaller than x elsewhere. */
export function gather(x: Tensor, dim: number, index: Tensor): Tensor {
  demandTensors('gather', x, index);
  demandIndex('gather', index);
  const axis = dimOf('gather', dim, x.ndim);
  demandFit('gather', x, index, axis);
  return apply('gather', [x, index], (v, i) => b.gather(cut(v, fixedShape(shapeOf(i)), axis), i, { axis, mode: 'checked' }));
}
function demandFit(op: string, x: Tensor, index: Tensor, axis: number): void {
  if (index.ndim !== x.ndim || index.shape.some((n, d) => d !== axis && n > x.shape[d]!))
    throw new ShapeError(`size of index [${index.shape}] does not fit [${x.shape}] apart from dimension ${axis}`, { op });
}
const cut = (v: Value, shape: readonly number[], axis: number): Value => {
  const stop = fixedShape(shapeOf(v)).map((n, d) => (d === axis ? n : shape[d]!));
  return b.slice(v, { start: stop.map(() => 0), stop, step: stop.map(() => 1) });
};

/** Rows (or other slices along `dim`) of x by number, as `torch.index_select`. */
export function indexSelect(x: Tensor, dim: number, index: Tensor): Tensor {
  demandTensors('indexSelect', x, index);
  demandIndex('indexSelect', index);
  if (index.ndim > 1) throw new ShapeError(`index must be one-dimensional, got [${index.shape}]`, { op: 'indexSelect' });
  const axis = dimOf('indexSelect', dim, x.ndim);
  const n = index.numel();
  const shape = x.shape.map((m, d) => (d === axis ? n : m));
  return apply('indexSelect', [x, index], (v, i) => {
    const wide = b.expand(b.reshape(i, { shape: [n] }), { shape, at: shape.map((_, d) => d).filter((d) => d !== axis) });
    return b.gather(v, wide, { axis, mode: 'checked' });
  });
}

/** x with `src` written (or added) at the positions that `index` gives along `dim`, as `torch.scatter` and `scatter_add`. */
function scatterWith(
  op: string,
  add: boolean,
  x: Tensor,
  dim: number,
  index: Tensor,
  src: Operand,
): (v: Value, i: Value, ...s: Value[]) => Value {
  demandIndex(op, index);
  const axis = dimOf(op, dim, x.ndim);
  demandFit(op, x, index, axis);
  if (isTensor(src) && src.element !== x.element)
    throw new DTypeError(`src must have the dtype of self, ${x.dtype}, not ${src.dtype}`, { op });
  return (v, i, ...s) => {
    const shape = fixedShape(shapeOf(i));
    const updates = isTensor(src)
      ? b.slice(s[0]!, { start: shape.map(() => 0), stop: shape, step: shape.map(() => 1) })
      : broadcastTo(fillingValue(op, src, x.element), shape);
    const whole = x.shape.every((n, d) => d === axis || n === shape[d]);
    const scatter = add ? b.scatterAdd : b.scatterSet;
    if (whole) return scatter(v, i, updates, { axis, mode: 'checked' });
    // A smaller index touches a corner of x only: write that, then put it back.
    const corner = scatter(cut(v, shape, axis), i, updates, { axis, mode: 'checked' });
    return putCorner(v, corner);
  };
}
function putCorner(x: Value, corner: Value): Value {
  const [whole, part] = [fixedShape(shapeOf(x)), fixedShape(shapeOf(corner))];
  const around = { low: whole.map(() => 0), high: whole.map((n, d) => n - part[d]!), interior: whole.map(() => 0) };
  const inside = b.pad(full(true, { dtype: 'bool', shape: part }), b.literal({ value: { dtype: 'bool', bits: 0n } }), around);
  return b.select(inside, b.pad(corner, b.literal({ value: { dtype: avalOf(x).dtype, bits: 0n } }), around), x);
}
export function scatter(x: Tensor, dim: number, index: Tensor, src: Operand): Tensor {
  demandTensors('scatter', x, index);
  return apply('scatter', [x, index, ...tensorsAmong(src)], scatterWith('scatter', false, x, dim, index, src));
}
export function scatter_(x: Tensor, dim: number, index: Tensor, src: Operand): Tensor {
  demandTensors('scatter_', x, index);
  return applyInPlace('scatter_', x, [index, ...tensorsAmong(src)], scatterWith('scatter_', false, x, dim, index, src));
}
export function scatterAdd(x: Tensor, dim: number, index: Tensor, src: Operand): Tensor {
  demandTensors('scatterAdd', x, index);
  return apply('scatterAdd', [x, index, ...tensorsAmong(src)], scatterWith('scatterAdd', true, x, dim, index, src));
}
export function scatterAdd_(x: Tensor, dim: number, index: Tensor, src: Operand): Tensor {
  demandTensors('scatterAdd_', x, index);
  return applyInPlace('scatterAdd_', x, [index, ...tensorsAmong(src)], scatterWith('scatterAdd_', true, x, dim, index, src));
}

/** Elements of x along `dim` at the positions of `index`, both broadcast elsewhere; without `dim`, in the flattened tensor. */
export function takeAlongDim(x: Tensor, index: Tensor, dim?: number): Tensor {
  demandTensors('takeAlongDim', x, index);
  demandIndex('takeAlongDim', index);
  if (dim === undefined) return gather(reshape(x, [x.numel()]), 0, reshape(index, [index.numel()]));
  const axis = dimOf('takeAlongDim', dim, x.ndim);
  if (index.ndim !== x.ndim)
    throw new ShapeError(`index [${index.shape}] and input [${x.shape}] must have as many dimensions`, { op: 'takeAlongDim' });
  const others = broadcastShapes('takeAlongDim', [
    x.shape.map((n, d) => (d === axis ? 1 : n)),
    index.shape.map((n, d) => (d === axis ? 1 : n)),
  ]);
  const sized = (t: Tensor): Tensor => t.expand(others.map((n, d) => (d === axis ? t.shape[d]! : n)));
  return gather(sized(x), axis, sized(index));
}
/** Elements of the flattened x by position; negative positions count from the end. */
export function take(x: Tensor, index: Tensor): Tensor {
  demandTensors('take', x, index);
  demandIndex('take', index);
  return reshape(x, [x.numel()]).index(index);
}

/** Slices of `source` written or added along `dim` at the positions of a one-dimensional `index`. */
function slicesInto(
  op: string,
  add: boolean,
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Operand,
  alpha?: number,
): { readonly inputs: Tensor[]; readonly rule: (v: Value, i: Value, ...s: Value[]) => Value } {
  demandIndex(op, index);
  if (index.ndim > 1) throw new ShapeError(`index must be one-dimensional, got [${index.shape}]`, { op });
  const axis = dimOf(op, dim, x.ndim);
  const n = index.numel();
  const shape = x.shape.map((m, d) => (d === axis ? n : m));
  if (isTensor(source)) {
    if (source.element !== x.element) throw new DTypeError(`source must have the dtype of self, ${x.dtype}, not ${source.dtype}`, { op });
    if (source.ndim > 0 && source.shape.join() !== shape.join())
      throw new ShapeError(`source must be [${shape}], not [${source.shape}]`, { op });
  }
  const rule = (v: Value, i: Value, ...s: Value[]): Value => {
    const given = broadcastTo(isTensor(source) ? s[0]! : fillingValue(op, source, x.element), shape);
    const updates = alpha === undefined ? given : b.mul(given, broadcastTo(scalarValue(alpha, x.element), shape));
    const wide = b.expand(b.reshape(i, { shape: [n] }), { shape, at: shape.map((_, d) => d).filter((d) => d !== axis) });
    return (add ? b.scatterAdd : b.scatterSet)(v, wide, updates, { axis, mode: 'checked' });
  };
  return { inputs: [index, ...tensorsAmong(source)], rule };
}
type Alpha = { readonly alpha?: number };
/** x with alpha times slices of `source` added along `dim` at the positions of `index`. */
export function indexAdd(x: Tensor, dim: number, index: Tensor, source: Tensor, { alpha }: Alpha = {}): Tensor {
  demandTensors('indexAdd', x, index, source);
  const { inputs, rule } = slicesInto('indexAdd', true, x, dim, index, source, alpha);
  return apply('indexAdd', [x, ...inputs], rule);
}
export function indexAdd_(x: Tensor, dim: number, index: Tensor, source: Tensor, { alpha }: Alpha = {}): Tensor {
  demandTensors('indexAdd_', x, index, source);
  const { inputs, rule } = slicesInto('indexAdd_', true, x, dim, index, source, alpha);
  return applyInPlace('indexAdd_', x, inputs, rule);
}
/** x with slices of `source` written along `dim` at the positions of `index`. */
export function indexCopy(x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
  demandTensors('indexCopy', x, index, source);
  const { inputs, rule } = slicesInto('indexCopy', false, x, dim, index, source);
  return apply('indexCopy', [x, ...inputs], rule);
}
export function indexCopy_(x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
  demandTensors('indexCopy_', x, index, source);
  const { inputs, rule } = slicesInto('indexCopy_', false, x, dim, index, source);
  return applyInPlace('indexCopy_', x, inputs, rule);
}
/** x with `value` in the slices along `dim` at the positions of `index`. */
export function indexFill(x: Tensor, dim: number, index: Tensor, value: Scalar): Tensor {
  demandTensors('indexFill', x, index);
  const { inputs, rule } = slicesInto('indexFill', false, x, dim, index, value);
  return apply('indexFill', [x, ...inputs], rule);
}
export function indexFill_(x: Tensor, dim: number, index: Tensor, value: Scalar): Tensor {
  demandTensors('indexFill_', x, index);
  const { inputs, rule } = slicesInto('indexFill_', false, x, dim, index, value);
  return applyInPlace('indexFill_', x, inputs, rule);
}
