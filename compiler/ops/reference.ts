// Arrays of the float64 reference, and the one way to make them: element by element, from a formula over positions.
import { type ScalarName, scalar } from '../../kernels/scalar.ts';
import { type DType, isFloat } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import type { Aval } from '../ir/aval.ts';
import { fixedShape } from '../ir/dim.ts';
import type { Reference } from './rules.ts';

export type Index = readonly number[];

const product = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** An array from its parts, in row-major order. */
export function referenceOf(dtype: DType, shape: readonly number[], data: ArrayLike<number>): Reference {
  if (data.length !== product(shape)) throw new InternalError(`${data.length} numbers do not fill [${shape}]`);
  return { dtype, shape, data: Float64Array.from(data) };
}

/** Positions of `shape` in row-major order. The index handed to `visit` is reused: copy it to keep it. */
export function eachIndex(shape: readonly number[], visit: (index: Index, flat: number) => void): void {
  const index = shape.map(() => 0);
  const count = product(shape);
  for (let flat = 0; flat < count; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
}

/** The array whose element at each index is what `element` says. */
export function tabulate(like: Aval, element: (index: Index, flat: number) => number): Reference {
  const shape = fixedShape(like.shape);
  const data = new Float64Array(product(shape));
  eachIndex(shape, (index, flat) => {
    data[flat] = element(index, flat);
  });
  return { dtype: like.dtype, shape, data };
}

/** Where the element at `index` lies in row-major order. */
export const flatten = (shape: readonly number[], index: Index): number => shape.reduce((flat, d, axis) => flat * d + index[axis]!, 0);
export const at = (x: Reference, index: Index): number => x.data[flatten(x.shape, index)]!;
export const replaced = (index: Index, axis: number, position: number): Index => index.map((i, a) => (a === axis ? position : i));

/** `index` of a result without `axes`, completed by `positions` on those axes. */
export function completed(index: Index, axes: readonly number[], positions: Index): Index {
  const full: number[] = [];
  for (let axis = 0, kept = 0; axis < index.length + axes.length; axis++) {
    const reduced = axes.indexOf(axis);
    full.push(reduced < 0 ? index[kept++]! : positions[reduced]!);
  }
  return full;
}

/** What storing a whole number in an integer dtype leaves of it. Floating results are not rounded: the reference is exact. */
export function wrap(dtype: DType, value: number | bigint): number {
  if (isFloat(dtype)) return Number(value);
  if (dtype === 'bool') return Number(value) === 0 ? 0 : 1;
  const whole = typeof value === 'bigint' ? value : Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
  return Number(dtype === 'u8' ? BigInt.asUintN(8, whole) : BigInt.asIntN(dtype === 'i32' ? 32 : 64, whole));
}

/** Functions whose integer meaning a float64 cannot carry: intermediate values need more than 53 bits, or bits beyond the 32nd. */
const whole: { readonly [K in ScalarName]?: (x: bigint, y: bigint) => bigint } = {
  mul: (x, y) => x * y,
  pow: (x, y) => (y < 0n ? (x === 1n ? 1n : x === -1n ? (y % 2n === 0n ? 1n : -1n) : 0n) : x ** y),
  bitAnd: (x, y) => x & y,
  bitOr: (x, y) => x | y,
  bitXor: (x, y) => x ^ y,
  bitNot: (x) => ~x,
  shl: (x, y) => x << y,
  shr: (x, y) => x >> y,
};

/** The meaning of a scalar function for operands of `dtype`: float64 as it is, integers modulo their size. */
export function scalarMeaning(fn: ScalarName, dtype: DType): (...x: number[]) => number {
  const f64 = scalar[fn].f64 as (...x: number[]) => number;
  if (isFloat(dtype)) return f64;
  if (dtype === 'bool') return (...x) => f64(...x) & 1;
  const exact = whole[fn];
  if (exact === undefined) return (...x) => wrap(dtype, f64(...x));
  return (x, y) => wrap(dtype, exact(BigInt(x!), BigInt(y ?? 0)));
}
