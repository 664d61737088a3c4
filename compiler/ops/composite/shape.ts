// The few shape words that composites are written in: constants and scalars of a shape, sums over axes and the way back.
import { aval } from '../../ir/aval.ts';
import { b, full } from '../../ir/builder.ts';
import { fixed, type Shape } from '../../ir/dim.ts';
import { avalOf, dtypeOf, shapeOf, type Value } from '../../ir/node.ts';

/** The library's own constant in the shape and dtype of `x`. */
export const constant = (value: number, x: Value): Value => full(value, avalOf(x));
export const zero = (x: Value): Value => constant(0, x);

/** A 0-d value in the shape of `x`. */
export function broadcastScalar(scalar: Value, x: Value): Value {
  const shape = shapeOf(x);
  return shape.length === 0 ? scalar : b.expand(scalar, { shape, at: shape.map((_, i) => i) });
}

/** `row`, which lacks the axes `at`, in the shape of `x`: the way back from a reduction over them, in one expand, so that it fuses. */
export const along = (row: Value, x: Value, at: readonly number[]): Value =>
  at.length === 0 ? row : b.expand(row, { shape: shapeOf(x), at });

/** All axes of `x` but `axes`. */
export const otherAxes = (x: Value, axes: readonly number[]): readonly number[] =>
  shapeOf(x).flatMap((_, i) => (axes.includes(i) ? [] : [i]));
export const allAxes = (x: Value): readonly number[] => otherAxes(x, []);

/** How many elements lie in the axes of a shape. */
export const countIn = (shape: Shape, axes: readonly number[]): number => axes.reduce((n, a) => n * fixed(shape[a]!), 1);

export const sumOver = (x: Value, axes: readonly number[]): Value => (axes.length === 0 ? x : b.sum(x, { axes }));

/** The mean over `axes`; over no elements it is 0/0, NaN. */
export function meanOver(x: Value, axes: readonly number[]): Value {
  const total = sumOver(x, axes);
  return b.div(total, constant(countIn(shapeOf(x), axes), total));
}

export const square = (x: Value): Value => b.mul(x, x);
/** `x` where the condition holds, else zero. Unlike a product with a mask it stops an infinite or undefined `x`. */
export const keepIf = (condition: Value, x: Value): Value => b.select(condition, x, zero(x));
export const zeroIf = (condition: Value, x: Value): Value => b.select(condition, zero(x), x);

/** Positions along `axis`, in the shape of `x`. */
export const positions = (x: Value, axis: number): Value => b.iota({ dtype: 'i32', shape: shapeOf(x), axis });
export const castTo = (x: Value, to: ReturnType<typeof dtypeOf>): Value => (dtypeOf(x) === to ? x : b.cast(x, { to }));

/** Condition as 1 or 0 in the dtype of `like`. */
export const indicator = (condition: Value, like: Value): Value => {
  const one = aval(dtypeOf(like), shapeOf(condition));
  return b.select(condition, full(1, one), full(0, one));
};
