// Operands of elementwise ops: tensors and numbers are promoted to one dtype and broadcast to one shape, once, as PyTorch does it.
import { type DType, isFloat } from '../../runtime/dtype.ts';
import { ArgumentError, DTypeError } from '../../runtime/errors.ts';
import { b, lit } from '../ir/builder.ts';
import { sameShape } from '../ir/dim.ts';
import type { Value } from '../ir/node.ts';
import { broadcastTo, broadcastShapes as broadcastTwo, castTo, promote, promoteTypes, type Widest } from '../ops/broadcast.ts';
import { demandTensors, kindOf } from './arguments.ts';
import { demandFits, truthOf } from './dtypes.ts';
import { apply, applyInPlace } from './op.ts';
import { isTensor } from './pytree.ts';
import { slot } from './record.ts';
import type { Tensor } from './tensor.ts';

export { broadcastTo, castTo, promoteTypes };

/** What users may write for an operand. */
export type Scalar = number | boolean | bigint;
export type Operand = Tensor | Scalar;

/** A number has a category only: an integer is one where it meets integers, and takes the tensor's own dtype otherwise. */
const scalarType = (s: Scalar): DType => (typeof s === 'boolean' ? 'bool' : typeof s === 'bigint' || Number.isInteger(s) ? 'i64' : 'f32');

/** Those operands that are tensors, in order. */
export const tensorsAmong = (...operands: readonly Operand[]): Tensor[] => operands.filter(isTensor);

/** The dtype that operands promote to. */
export function resultType(operands: readonly Operand[]): DType {
  const widest: Widest = { dimensioned: undefined, zeroDim: undefined, number: undefined };
  for (const o of operands) {
    const kind = !isTensor(o) ? 'number' : o.ndim === 0 ? 'zeroDim' : 'dimensioned';
    const dtype = isTensor(o) ? o.element : scalarType(o);
    const known = widest[kind];
    widest[kind] = known === undefined ? dtype : promoteTypes(known, dtype);
  }
  return promote(widest);
}

/** The shape that all broadcast to. Throws ShapeError naming two that do not fit and the dimension. */
export function broadcastShapes(op: string, shapes: readonly (readonly number[])[]): readonly number[] {
  let result = shapes[0] ?? [];
  for (let i = 1; i < shapes.length; i++) result = broadcastTwo(op, result, shapes[i]!);
  return result;
}

/** A user's number as a value: a slot, or a literal where the dtype is bool or the number needs 64 bits. */
export function scalarValue(s: Scalar, dtype: DType): Value {
  if (dtype === 'bool') return lit(truthOf(s), dtype);
  return typeof s === 'bigint' ? lit(s, dtype) : slot(Number(s), dtype);
}

/** A number that elements become, rather than meet: one that the dtype cannot hold is refused, where arithmetic would wrap. */
export function fillingValue(op: string, s: Scalar, dtype: DType): Value {
  demandFits(op, s, dtype);
  return scalarValue(s, dtype);
}

export function demandOperand(op: string, o: unknown, position: number): asserts o is Operand {
  if (isTensor(o) || typeof o === 'number' || typeof o === 'boolean' || typeof o === 'bigint') return;
  throw new ArgumentError(`operand ${position} is ${kindOf(o)}`, { op, fix: 'pass a tensor or a number' });
}

export type ElementwiseOptions = {
  /** Integer and bool operands become float32 first (exp, div). */
  readonly float?: boolean;
  /** Compute in this dtype whatever the operands are. */
  readonly dtype?: DType;
  /** Bool operands become int64 first. */
  readonly noBool?: boolean;
  /** Bool operands alone are a DTypeError: the op has no meaning on them. */
  readonly refuseBool?: boolean;
};

function plan(
  op: string,
  operands: readonly Operand[],
  options: ElementwiseOptions,
): { dtype: DType; shape: readonly number[]; tensors: Tensor[] } {
  for (let i = 0; i < operands.length; i++) demandOperand(op, operands[i], i);
  let dtype = options.dtype ?? resultType(operands);
  if (options.float && !isFloat(dtype)) dtype = 'f32';
  if (dtype === 'bool') {
    if (options.refuseBool) throw new DTypeError('is not defined for bool tensors', { op, fix: "convert with .to('int64') first" });
    if (options.noBool) dtype = 'i64';
  }
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

/** Whether there is nothing to promote and nothing to broadcast, as in most calls: floating tensors of one dtype and shape. */
function isUniform(operands: readonly Operand[]): operands is readonly Tensor[] {
  const first = operands[0];
  if (!isTensor(first) || !isFloat(first.element)) return false;
  for (let i = 1; i < operands.length; i++) {
    const o = operands[i];
    if (!isTensor(o) || o.element !== first.element || !sameShape(o.shape, first.shape)) return false;
  }
  return true;
}

/** A 0-d value in a shape. */
const spread = (v: Value, shape: readonly number[]): Value => {
  if (shape.length === 0) return v;
  if (latest.shape !== shape) latest = { shape, at: axesOf(shape.length) };
  return b.expand(v, latest);
};
/** Numbers come in runs that meet one shape: they share the attributes of their expansion. */
let latest: { readonly shape: readonly number[]; readonly at: readonly number[] } = { shape: [], at: [] };
const axes: (readonly number[])[] = [];
/** 0 to rank - 1; one list for each rank, since every number that meets a tensor needs one. */
function axesOf(rank: number): readonly number[] {
  axes[rank] ??= Array.from({ length: rank }, (_, i) => i);
  return axes[rank];
}

/** An elementwise op over any mix of tensors and numbers; `f` gets values of one dtype and shape. */
export function elementwise(
  op: string,
  operands: readonly Operand[],
  f: (...values: Value[]) => Value,
  options: ElementwiseOptions = {},
): Tensor {
  if (options.dtype === undefined && isUniform(operands)) return apply(op, operands, f);
  const [x, n] = operands;
  if (options.dtype === undefined && operands.length === 2 && typeof n === 'number' && isTensor(x) && isFloat(x.element))
    return apply(op, [x], (v) => f(v!, spread(slot(n, x.element), x.layout.shape)));
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
  demandTensors(op, self);
  const operands = [self, ...others];
  const { dtype, shape, tensors } = plan(op, operands, options);
  return applyInPlace(op, self, tensors.slice(1), (...values) => f(...align(operands, values, dtype, shape)));
}
