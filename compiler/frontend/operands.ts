// Operands of elementwise ops: tensors and numbers are promoted to one dtype and broadcast to one shape, once, as PyTorch does it.
import { type DType, isFloat } from '../../runtime/dtype.ts';
import { ArgumentError, ShapeError } from '../../runtime/errors.ts';
import { b, lit } from '../ir/builder.ts';
import { fixedShape, sameShape } from '../ir/dim.ts';
import { dtypeOf, shapeOf, type Value } from '../ir/node.ts';
import { apply, applyInPlace } from './op.ts';
import { isTensor } from './pytree.ts';
import { slot } from './record.ts';
import type { Tensor } from './tensor.ts';

/** What users may write for an operand. */
export type Scalar = number | boolean | bigint;
export type Operand = Tensor | Scalar;

/** From narrow to wide; two dtypes promote to the wider. */
const width: Readonly<Record<DType, number>> = { bool: 0, u8: 1, i32: 2, i64: 3, f16: 4, f32: 5, f64: 6 };
export const promoteTypes = (a: DType, c: DType): DType => (width[a] >= width[c] ? a : c);

const category = (d: DType): number => (d === 'bool' ? 0 : isFloat(d) ? 2 : 1);

/** A number has a category only: an integer is one where it meets integers, and takes the tensor's own dtype otherwise. */
const scalarType = (s: Scalar): DType => (typeof s === 'boolean' ? 'bool' : typeof s === 'bigint' || Number.isInteger(s) ? 'i64' : 'f32');

/** PyTorch's result type: tensors with dimensions decide, unless a 0-d tensor, or else a number, is of a higher category. */
export function resultType(operands: readonly Operand[]): DType {
  /** The widest of each rank: tensors with dimensions, 0-d tensors, numbers. */
  const widest: (DType | undefined)[] = [undefined, undefined, undefined];
  for (const o of operands) {
    const rank = rankOf(o);
    const dtype = isTensor(o) ? o.element : scalarType(o);
    const known = widest[rank];
    widest[rank] = known === undefined ? dtype : promoteTypes(known, dtype);
  }
  let result: DType | undefined;
  for (const dtype of widest) {
    if (dtype === undefined) continue;
    if (result === undefined) result = dtype;
    else if (category(dtype) > category(result)) result = promoteTypes(result, dtype);
  }
  return result ?? 'f32';
}
const rankOf = (o: Operand): 0 | 1 | 2 => (!isTensor(o) ? 2 : o.ndim === 0 ? 1 : 0);

/** The shape that all broadcast to. Throws ShapeError naming both shapes and the dimension. */
export function broadcastShapes(op: string, shapes: readonly (readonly number[])[]): readonly number[] {
  let result = shapes[0] ?? [];
  for (let i = 1; i < shapes.length; i++) if (!sameShape(result, shapes[i]!)) result = broadcastTwo(op, result, shapes[i]!);
  return result;
}

function broadcastTwo(op: string, x: readonly number[], y: readonly number[]): readonly number[] {
  const rank = Math.max(x.length, y.length);
  const result: number[] = [];
  for (let i = 0; i < rank; i++) {
    const m = x[i - rank + x.length] ?? 1;
    const n = y[i - rank + y.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1)
      throw new ShapeError(`shapes [${x}] and [${y}] do not broadcast: ${m} meets ${n} at dimension ${i - rank}`, {
        op,
        fix: 'sizes must be equal or 1, counted from the right',
      });
    result.push(m === 1 ? n : m);
  }
  return result;
}

/** Axes of size 1 that must grow are taken out and inserted anew: `expand` only ever inserts. */
export function broadcastTo(x: Value, shape: readonly number[]): Value {
  if (sameShape(shapeOf(x), shape)) return x;
  const from = fixedShape(shapeOf(x));
  const lead = shape.length - from.length;
  const at = shape.map((_, i) => i).filter((i) => i < lead || (from[i - lead] === 1 && shape[i] !== 1));
  if (at.length === 0) return x;
  const kept = from.filter((_, i) => !at.includes(i + lead));
  return b.expand(kept.length === from.length ? x : b.reshape(x, { shape: kept }), { shape, at });
}

export const castTo = (x: Value, dtype: DType): Value => (dtypeOf(x) === dtype ? x : b.cast(x, { to: dtype }));

/** A user's number as a value: a slot, or a literal where the dtype is bool or the number needs 64 bits. */
export function scalarValue(s: Scalar, dtype: DType): Value {
  if (dtype === 'bool') return lit(Boolean(s), dtype);
  return typeof s === 'bigint' ? lit(s, dtype) : slot(Number(s), dtype);
}

export function demandOperand(op: string, o: unknown, position: number): asserts o is Operand {
  if (isTensor(o) || typeof o === 'number' || typeof o === 'boolean' || typeof o === 'bigint') return;
  throw new ArgumentError(
    `operand ${position} is ${o === null ? 'null' : typeof o === 'object' ? 'an object' : typeof o === 'undefined' ? 'missing' : `a ${typeof o}`}`,
    { op, fix: 'pass a tensor or a number' },
  );
}

export type ElementwiseOptions = {
  /** Integer and bool operands become float32 first (exp, div). */
  readonly float?: boolean;
  /** Compute in this dtype whatever the operands are. */
  readonly dtype?: DType;
  /** Bool operands become int64 first (arithmetic has no bool). */
  readonly noBool?: boolean;
};

function plan(
  op: string,
  operands: readonly Operand[],
  options: ElementwiseOptions,
): { dtype: DType; shape: readonly number[]; tensors: Tensor[] } {
  for (let i = 0; i < operands.length; i++) demandOperand(op, operands[i], i);
  let dtype = options.dtype ?? resultType(operands);
  if (options.float && !isFloat(dtype)) dtype = 'f32';
  if (options.noBool && dtype === 'bool') dtype = 'i64';
  const tensors = operands.filter(isTensor);
  return {
    dtype,
    shape: broadcastShapes(
      op,
      tensors.map((t) => t.shape),
    ),
    tensors,
  };
}

/** Puts values where tensors stood and slots where numbers stood, all of one dtype and shape. */
function align(operands: readonly Operand[], values: readonly Value[], dtype: DType, shape: readonly number[]): Value[] {
  let at = 0;
  return operands.map((o) => broadcastTo(castTo(isTensor(o) ? values[at++]! : scalarValue(o, dtype), dtype), shape));
}

/** An elementwise op over any mix of tensors and numbers; `f` gets values of one dtype and shape. */
export function elementwise(
  op: string,
  operands: readonly Operand[],
  f: (...values: Value[]) => Value,
  options: ElementwiseOptions = {},
): Tensor {
  const { dtype, shape, tensors } = plan(op, operands, options);
  return apply(op, tensors, (...values) => f(...align(operands, values, dtype, shape)));
}

/** The same in place: computed in the promoted dtype, then cast back to `self`'s if that loses no category. */
export function elementwiseInPlace(
  op: string,
  self: Tensor,
  others: readonly Operand[],
  f: (...values: Value[]) => Value,
  options: ElementwiseOptions = {},
): Tensor {
  const operands = [self, ...others];
  const { dtype, shape, tensors } = plan(op, operands, options);
  return applyInPlace(op, self, tensors.slice(1), (...values) => f(...align(operands, values, dtype, shape)));
}
