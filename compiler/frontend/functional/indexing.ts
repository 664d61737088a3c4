// Indexing: integers, ranges and new axes are views; tensors and masks gather. Index assignment writes through the same plan.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DTypeError, IndexError, ShapeError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { fixedShape } from '../../ir/dim.ts';
import { avalOf, shapeOf, type Value } from '../../ir/node.ts';
import { demandTensors } from '../arguments.ts';
import { observe } from '../boundary.ts';
import { tensor } from '../creation.ts';
import { dimOf } from '../dims.ts';
import { apply, applyInPlace, applyView } from '../op.ts';
import { broadcastShapes, broadcastTo, castTo, fillingValue, type Operand, resultType, tensorsAmong } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { cat, unsqueeze } from './shape.ts';

/** A range as Python's `start:stop:step`; bounds may be negative or missing, `step` must be positive. */
export type Range = { readonly start?: number | undefined; readonly stop?: number | undefined; readonly step?: number | undefined };
/** What may stand in an index: a boolean (as a mask of a new dimension of size 1), a position, a range, `null` for a new axis, '...' for all dimensions in between, an index tensor, list or mask. */
export type Index = number | boolean | Range | null | '...' | Tensor | readonly number[] | readonly boolean[];

/** `range(2, 5)` as an index is Python's `2:5`. */
export const range = (start?: number, stop?: number, step?: number): Range => ({ start, stop, step });

/** Integer index tensors, one for each indexed dimension of a view of x, in order. */
type Plan = { readonly view: Tensor; readonly dims: readonly number[]; readonly indices: readonly Tensor[] };

const isList = (i: Index): i is readonly number[] | readonly boolean[] => Array.isArray(i);

/** Applies everything that is a view, and collects what must gather. */
function plan(op: string, x: Tensor, index: readonly Index[]): Plan {
  if (!Array.isArray(index))
    throw new ArgumentError('the index must be a list of positions, ranges and tensors', {
      op,
      fix: 'write indexPut_([0, range()], value)',
    });
  const items = index.map((i) =>
    isList(i)
      ? typeof i[0] === 'boolean'
        ? tensor(i as readonly boolean[], { dtype: 'bool' })
        : tensor(i as readonly number[], { dtype: 'int64' })
      : i,
  );
  const consumed = (i: Index): number =>
    i === null || i === '...' || typeof i === 'boolean' ? 0 : isTensor(i) && i.element === 'bool' ? i.ndim : 1;
  const given = items.reduce<number>((n, i) => n + consumed(i), 0);
  if (given > x.ndim) throw new IndexError(`too many indices for a tensor of dimension ${x.ndim}`, { op });
  if (items.filter((i) => i === '...').length > 1) throw new IndexError("'...' may stand once only", { op });
  let view = x;
  let dim = 0;
  const dims: number[] = [];
  const indices: Tensor[] = [];
  for (const item of items) {
    if (item === '...') dim += x.ndim - given;
    else if (item === null) view = unsqueeze(view, dim++);
    else if (typeof item === 'boolean') {
      view = unsqueeze(view, dim);
      dims.push(dim++);
      indices.push(tensor(item ? [0] : [], { dtype: 'int64' }));
    } else if (typeof item === 'number') view = select(view, dim, item);
    else if (isTensor(item)) {
      const found = item.element === 'bool' ? positionsOf(op, view, dim, item) : [integerIndex(op, item)];
      for (const i of found) {
        dims.push(dim++);
        indices.push(i);
      }
    } else if (typeof item === 'object') view = sliced(op, view, dim++, item as Range);
    else throw new ArgumentError(`${String(item)} is no index`, { op, fix: "use numbers, range(start, stop), null, '...', or tensors" });
  }
  return { view, dims, indices };
}

/** One position along `dim`, which disappears: a view. Negative positions count from the end. */
export function select(x: Tensor, dim: number, position: number): Tensor {
  demandTensors('select', x);
  const d = dimOf('select', dim, x.ndim);
  const n = x.shape[d];
  if (n === undefined) throw new IndexError('a 0-d tensor has nothing to index', { op: 'index' });
  if (!Number.isInteger(position)) throw new ArgumentError(`position ${position} is no integer`, { op: 'index' });
  if (position < -n || position >= n)
    throw new IndexError(`index ${position} is out of bounds for dimension ${d} with size ${n}`, { op: 'index' });
  const at = position < 0 ? position + n : position;
  const one = applyView('select', x, {
    op: 'slice',
    start: x.shape.map((_, i) => (i === d ? at : 0)),
    stop: x.shape.map((m, i) => (i === d ? at + 1 : m)),
    step: x.shape.map(() => 1),
  })!;
  return applyView('select', one, { op: 'reshape', shape: x.shape.filter((_, i) => i !== d) })!;
}

function sliced(op: string, x: Tensor, dim: number, r: Range): Tensor {
  const n = x.shape[dim]!;
  const step = r.step ?? 1;
  for (const v of [r.start, r.stop, step])
    if (v !== undefined && !Number.isInteger(v)) throw new ArgumentError(`bound ${String(v)} of a range is no integer`, { op });
  if (step <= 0) throw new ArgumentError(`step ${step} of a range must be positive`, { op, fix: 'use flip()' });
  const bound = (v: number | undefined, otherwise: number): number =>
    Math.min(n, Math.max(0, v === undefined ? otherwise : v < 0 ? v + n : v));
  const start = bound(r.start, 0);
  const stop = Math.max(start, bound(r.stop, n));
  const at = (value: number, others: readonly number[]): number[] => others.map((o, i) => (i === dim ? value : o));
  return applyView('slice', x, {
    op: 'slice',
    start: at(
      start,
      x.shape.map(() => 0),
    ),
    stop: at(stop, x.shape),
    step: at(
      step,
      x.shape.map(() => 1),
    ),
  })!;
}

function integerIndex(op: string, i: Tensor): Tensor {
  if (isFloat(i.element))
    throw new DTypeError(`tensors used as indices must be int64, int32, uint8 or bool, not ${i.dtype}`, {
      op,
      fix: "convert with .to('int64')",
    });
  return i.element === 'u8' ? i.to('int64') : i;
}

/** A mask's true positions by dimension. Their number is a shape, so the mask is observed here. */
function positionsOf(op: string, x: Tensor, dim: number, mask: Tensor): Tensor[] {
  mask.shape.forEach((n, i) => {
    if (n !== x.shape[dim + i])
      throw new IndexError(
        `the shape of the mask [${mask.shape}] does not match the shape of the indexed tensor [${x.shape}] at dimension ${dim + i}`,
        { op },
      );
  });
  return nonzeroColumns(mask);
}

/** Positions of elements that differ from 0, one int64 tensor for each dimension. Observes `x`. */
function nonzeroColumns(x: Tensor): Tensor[] {
  const data = observe(x.value());
  const columns = x.shape.map(() => [] as bigint[]);
  const strides = x.shape.map((_, i) => x.shape.slice(i + 1).reduce((n, d) => n * d, 1));
  for (let flat = 0; flat < data.length; flat++) {
    if (!data[flat]) continue;
    strides.forEach((s, i) => void columns[i]!.push(BigInt(Math.floor(flat / s) % x.shape[i]!)));
  }
  return columns.map((c) => tensor(BigInt64Array.from(c)));
}

/** Positions (one row each) of the elements that differ from 0, int64 [n, ndim]. Observes `x`, as its result's shape depends on values. */
export function nonzero(x: Tensor): Tensor {
  demandTensors('nonzero', x);
  const columns = nonzeroColumns(x);
  return columns.length === 0
    ? tensor(BigInt64Array.from([])).reshape([observe(x.value())[0] ? 1 : 0, 0])
    : cat(
        columns.map((c) => unsqueeze(c, 1)),
        1,
      );
}

/** Where a gather by several index tensors reads, as positions in the flattened indexed dimensions. */
type Flat = {
  readonly front: readonly number[];
  readonly rest: readonly number[];
  readonly sizes: readonly number[];
  readonly shape: readonly number[];
  readonly place: number;
};

function flatten({ view, dims, indices }: Plan): Flat {
  const shape = broadcastShapes(
    'index',
    indices.map((i) => i.shape),
  );
  const rest = view.shape.map((_, d) => d).filter((d) => !dims.includes(d));
  const adjacent = dims.every((d, i) => i === 0 || d === dims[i - 1]! + 1);
  // Adjacent index tensors leave their result in place; separated ones put it in front, as in NumPy and PyTorch.
  return { front: dims, rest, sizes: dims.map((d) => view.shape[d]!), shape, place: adjacent ? dims[0]! : 0 };
}

/** One row number for each index, checked by dimension when it runs; negative positions count from the end. */
function rows(indices: readonly Value[], f: Flat): Value {
  let flat: Value | undefined;
  indices.forEach((index, i) => {
    const wide = castTo(broadcastTo(index, f.shape), 'i64');
    const n = full(f.sizes[i]!, avalOf(wide));
    const wrapped = b.select(b.lt(wide, full(0, avalOf(wide))), b.add(wide, n), wide);
    const checked = inRange(wrapped, f.sizes[i]!);
    flat = flat === undefined ? checked : b.add(b.mul(flat, n), checked);
  });
  const count = f.shape.reduce((n, d) => n * d, 1);
  return b.reshape(flat!, { shape: [count] });
}

/** The index itself, read through a table of positions so that one out of range is an IndexError when it runs. */
function inRange(index: Value, size: number): Value {
  const shape = fixedShape(shapeOf(index));
  const count = shape.reduce((n, d) => n * d, 1);
  const table = b.iota({ dtype: 'i64', shape: [size], axis: 0 });
  return b.reshape(b.gather(table, b.reshape(index, { shape: [count] }), { axis: 0, mode: 'checked' }), { shape });
}

/** x with indexed dimensions in front and flattened, one row for each position. */
function asRows(x: Value, f: Flat, shape: readonly number[]): Value {
  const moved = b.permute(x, { order: [...f.front, ...f.rest] });
  return b.reshape(moved, { shape: [f.sizes.reduce((n, d) => n * d, 1), f.rest.reduce((n, d) => n * shape[d]!, 1)] });
}
const wideRows = (row: Value, width: number): Value => b.expand(row, { shape: [fixedShape(shapeOf(row))[0]!, width], at: [1] });

/**
 * The part of `x` that an index picks, as `x[i, j, ...]` in Python. Positions, ranges, null and '...' give a view;
 * index tensors, lists and masks a copy. Throws IndexError for a position out of range (of a tensor: when it runs).
 */
export function index(x: Tensor, ...at: readonly Index[]): Tensor {
  demandTensors('index', x);
  const p = plan('index', x, at);
  if (p.indices.length === 0) return p.view === x ? applyView('index', x, { op: 'reshape', shape: x.shape })! : p.view;
  const f = flatten(p);
  const restShape = f.rest.map((d) => p.view.shape[d]!);
  const width = restShape.reduce((n, d) => n * d, 1);
  return apply('index', [p.view, ...p.indices], (v, ...indices) => {
    const picked = b.gather(asRows(v, f, p.view.shape), wideRows(rows(indices, f), width), { axis: 0, mode: 'trusted' });
    const spread = b.reshape(picked, { shape: [...f.shape, ...restShape] });
    const k = f.shape.length;
    const order = [
      ...restShape.slice(0, f.place).map((_, i) => k + i),
      ...f.shape.map((_, i) => i),
      ...restShape.slice(f.place).map((_, i) => k + f.place + i),
    ];
    return b.permute(spread, { order });
  });
}

/**
 * Writes `value`, broadcast, where an index points, as `x[i, j, ...] = value` in Python; with `accumulate` it is added,
 * also where positions meet. Of several plain writes to one place the last stays.
 */
export function indexPut_(x: Tensor, at: readonly Index[], value: Operand, options: { readonly accumulate?: boolean } = {}): Tensor {
  demandTensors('indexPut_', x);
  const p = plan('indexPut_', x, at);
  const source = isTensor(value) ? [value] : [];
  const given = (values: readonly Value[], shape: readonly number[]): Value => {
    const v = isTensor(value) ? dropOnes(values[0]!, shape) : fillingValue('indexPut_', value, x.element);
    broadcastShapes('indexPut_', [fixedShape(shapeOf(v)), shape]);
    return castTo(broadcastTo(v, shape), x.element);
  };
  if (p.indices.length === 0) {
    applyInPlace('indexPut_', p.view, source, (v, ...values) => {
      const written = given(values, p.view.shape);
      return options.accumulate ? b.add(v, written) : b.reshape(written, { shape: p.view.shape });
    });
    return x;
  }
  const f = flatten(p);
  const restShape = f.rest.map((d) => p.view.shape[d]!);
  const width = restShape.reduce((n, d) => n * d, 1);
  const picked = [...restShape.slice(0, f.place), ...f.shape, ...restShape.slice(f.place)];
  applyInPlace('indexPut_', p.view, [...p.indices, ...source], (v, ...values) => {
    const indices = values.slice(0, p.indices.length);
    const k = f.shape.length;
    const order = [...f.shape.map((_, i) => f.place + i), ...restShape.map((_, i) => (i < f.place ? i : i + k))];
    const updates = b.reshape(b.permute(given(values.slice(p.indices.length), picked), { order }), {
      shape: [f.shape.reduce((n, d) => n * d, 1), width],
    });
    const scatter = options.accumulate ? b.scatterAdd : b.scatterSet;
    const written = scatter(asRows(v, f, p.view.shape), wideRows(rows(indices, f), width), updates, { axis: 0, mode: 'trusted' });
    const back = b.reshape(written, { shape: [...f.sizes, ...restShape] });
    return b.permute(back, { order: p.view.shape.map((_, d) => [...f.front, ...f.rest].indexOf(d)) });
  });
  return x;
}
/** Leading dimensions of size 1 that the target lacks fall away, as in an assignment of PyTorch's. */
function dropOnes(v: Value, shape: readonly number[]): Value {
  const from = fixedShape(shapeOf(v));
  const extra = from.length - shape.length;
  return extra > 0 && from.slice(0, extra).every((n) => n === 1) ? b.reshape(v, { shape: from.slice(extra) }) : v;
}

function demandBool(op: string, t: unknown): void {
  if (!isTensor(t) || t.element !== 'bool')
    throw new DTypeError(`the mask must be bool, not ${isTensor(t) ? t.dtype : typeof t}`, { op, fix: 'compare first, as in x.gt(0)' });
}

/** Elements of x where `condition` holds, of y elsewhere; all broadcast, x and y promoted. */
export function where(condition: Tensor, x: Operand, y: Operand): Tensor {
  demandTensors('where', condition);
  demandBool('where', condition);
  return select3('where', condition, x, y);
}
function select3(op: string, condition: Tensor, x: Operand, y: Operand): Tensor {
  const tensors = [x, y].filter(isTensor);
  const dtype = resultType([x, y]);
  const shape = broadcastShapes(op, [condition.shape, ...tensors.map((t) => t.shape)]);
  return apply(op, [condition, ...tensors], (c, ...values) => {
    let at = 0;
    const side = (o: Operand): Value => broadcastTo(castTo(isTensor(o) ? values[at++]! : fillingValue(op, o, dtype), dtype), shape);
    const [l, r] = [side(x), side(y)];
    return b.select(broadcastTo(c, shape), l, r);
  });
}
/** x with `value` where the mask holds. */
export function maskedFill(x: Tensor, mask: Tensor, value: Operand): Tensor {
  demandTensors('maskedFill', x, mask);
  demandBool('maskedFill', mask);
  return apply('maskedFill', [x, mask, ...tensorsAmong(value)], fillRule('maskedFill', x, mask, value));
}
export function maskedFill_(x: Tensor, mask: Tensor, value: Operand): Tensor {
  demandTensors('maskedFill_', x, mask);
  demandBool('maskedFill_', mask);
  return applyInPlace('maskedFill_', x, [mask, ...tensorsAmong(value)], fillRule('maskedFill_', x, mask, value));
}
function fillRule(op: string, x: Tensor, mask: Tensor, value: Operand): (v: Value, m: Value, ...f: Value[]) => Value {
  if (isTensor(value) && value.ndim > 0) throw new ShapeError(`value must be a number or a 0-d tensor, got shape [${value.shape}]`, { op });
  const shape = broadcastShapes(op, [x.shape, mask.shape]);
  return (v, m, ...f) =>
    b.select(
      broadcastTo(m, shape),
      broadcastTo(isTensor(value) ? castTo(f[0]!, x.element) : fillingValue(op, value, x.element), shape),
      broadcastTo(v, shape),
    );
}
/** The elements where the mask holds, in order, one-dimensional. Observes the mask: its count is a shape. */
export function maskedSelect(x: Tensor, mask: Tensor): Tensor {
  demandTensors('maskedSelect', x, mask);
  demandBool('maskedSelect', mask);
  const shape = broadcastShapes('maskedSelect', [x.shape, mask.shape]);
  return index(x.expand(shape), mask.expand(shape));
}
/** Every element set to a number, in place. */
export function fill_(x: Tensor, value: Operand): Tensor {
  demandTensors('fill_', x);
  return applyInPlace(
    'fill_',
    x,
    tensorsAmong(value),
    (v, ...f) => broadcastTo(isTensor(value) ? castTo(f[0]!, x.element) : fillingValue('fill_', value, x.element), fixedShape(shapeOf(v))),
    { uniform: !isTensor(value) },
  );
}
export function zero_(x: Tensor): Tensor {
  demandTensors('zero_', x);
  return applyInPlace('zero_', x, [], (v) => b.reshape(full(0, avalOf(v)), { shape: x.shape }), { uniform: true });
}
