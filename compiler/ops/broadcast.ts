// Promotion and broadcasting as PyTorch has them. They happen once, before a primitive is built: primitives want equal dtypes and shapes.
import { type DType, isFloat } from '../../runtime/dtype.ts';
import { ShapeError } from '../../runtime/errors.ts';
import { b } from '../ir/builder.ts';
import { type Dim, dimText, type Shape, sameShape, shapeText } from '../ir/dim.ts';
import { dtypeOf, shapeOf, type Value } from '../ir/node.ts';

/** From narrow to wide. Two dtypes promote to the wider: float before integer before bool, and within a category more bits before fewer. */
const width: Readonly<Record<DType, number>> = { bool: 0, u8: 1, i32: 2, i64: 3, f16: 4, f32: 5, f64: 6 };
export const promoteTypes = (x: DType, y: DType): DType => (width[x] >= width[y] ? x : y);
const category = (dtype: DType): number => (dtype === 'bool' ? 0 : isFloat(dtype) ? 2 : 1);

/** The widest dtype among operands of each kind, undefined where there are none of it. */
export type Widest = { dimensioned: DType | undefined; zeroDim: DType | undefined; number: DType | undefined };

/**
 * PyTorch's result type. Tensors with dimensions decide among themselves; a 0-d tensor, and after that a number,
 * counts only where its category is higher (pytorch/aten/src/ATen/native/TypeProperties.cpp). Of nothing it is float32.
 */
export function promote({ dimensioned, zeroDim, number }: Widest): DType {
  let result = dimensioned;
  if (zeroDim !== undefined && (result === undefined || category(zeroDim) > category(result))) result = zeroDim;
  if (number !== undefined && (result === undefined || category(number) > category(result))) result = number;
  return result ?? 'f32';
}

/** The shape that both broadcast to: aligned at the last axis, a size of 1 stretches. */
export function broadcastShapes<D extends Dim>(op: string, x: readonly D[], y: readonly D[]): readonly D[] {
  if (sameShape(x, y)) return x;
  const rank = Math.max(x.length, y.length);
  const result: D[] = [];
  for (let i = 0; i < rank; i++) {
    const m = x[i - rank + x.length] ?? (1 as D);
    const n = y[i - rank + y.length] ?? (1 as D);
    if (m !== n && m !== 1 && n !== 1)
      throw new ShapeError(
        `The size of tensor a (${dimText(m)}) must match the size of tensor b (${dimText(n)}) at non-singleton dimension ${i}`,
        {
          op,
          fix: `${shapeText(x)} and ${shapeText(y)} are aligned at their last axes, where sizes must be equal or 1`,
        },
      );
    result.push(m === 1 ? n : m);
  }
  return result;
}

/** `v` repeated to `shape`. Axes of size 1 that grow are taken out and inserted anew, since `expand` only inserts. */
export function broadcastTo(v: Value, shape: Shape): Value {
  const from = shapeOf(v);
  if (sameShape(from, shape)) return v;
  const lead = shape.length - from.length;
  const at = shape.map((_, i) => i).filter((i) => i < lead || (from[i - lead] === 1 && shape[i] !== 1));
  if (at.length === 0) return v;
  const kept = from.filter((_, i) => !at.includes(i + lead));
  return b.expand(kept.length === from.length ? v : b.reshape(v, { shape: kept }), { shape, at });
}

export const castTo = (v: Value, dtype: DType): Value => (dtypeOf(v) === dtype ? v : b.cast(v, { to: dtype }));
