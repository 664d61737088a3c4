// Words of linear algebra on graph values: products, transposes, triangles and diagonals of the matrices in the last two axes.
import { b, full } from '../ir/builder.ts';
import { fixed, type Shape } from '../ir/dim.ts';
import { avalOf, dtypeOf, shapeOf, type Value } from '../ir/node.ts';
import { keepIf } from './composite/shape.ts';

/** Products of equally many matrices. */
export function matmul(x: Value, y: Value): Value {
  const lead = shapeOf(x).length - 2;
  return b.dot(x, y, { batch: Array.from({ length: lead }, (_, i) => [i, i] as const), contract: [[lead + 1, lead]] });
}
export const chain = (...xs: readonly [Value, ...Value[]]): Value => xs.reduce(matmul);

export function transposed(x: Value): Value {
  const rank = shapeOf(x).length;
  const order = Array.from({ length: rank }, (_, i) => i);
  return b.permute(x, { order: [...order.slice(0, -2), rank - 1, rank - 2] });
}

/** Where the row of an element compares so with its column. */
function where(x: Value, compare: (row: Value, column: Value) => Value): Value {
  const shape = shapeOf(x);
  const at = (axis: number): Value => b.iota({ dtype: 'i32', shape, axis });
  return compare(at(shape.length - 2), at(shape.length - 1));
}
/** The part on the diagonal. */
export const diagonalPart = (x: Value): Value => keepIf(where(x, b.eq), x);
/** The part off the diagonal. Selecting, not multiplying: an infinite or undefined diagonal leaves no trace. */
export const offDiagonal = (x: Value): Value => keepIf(where(x, b.ne), x);
export const lower = (x: Value): Value =>
  keepIf(
    where(x, (row, column) => b.le(column, row)),
    x,
  );
export const strictlyLower = (x: Value): Value =>
  keepIf(
    where(x, (row, column) => b.lt(column, row)),
    x,
  );
export const upper = (x: Value): Value => keepIf(where(x, b.le), x);
export const strictlyUpper = (x: Value): Value => keepIf(where(x, b.lt), x);

/** `x` with ones on its diagonal. */
export const withUnitDiagonal = (x: Value): Value => b.select(where(x, b.eq), full(1, avalOf(x)), x);

/** The identity, for each matrix of the batch. */
export const identityLike = (x: Value): Value => withUnitDiagonal(full(0, avalOf(x)));

/** The elements on the diagonal of square matrices. */
export const diagonalOf = (x: Value): Value => b.sum(diagonalPart(x), { axes: [shapeOf(x).length - 1] });
/** Square matrices with these diagonals. */
export const diagonalMatrix = (d: Value): Value => diagonalPart(inRows(d));
export const trace = (x: Value): Value => b.sum(diagonalOf(x), { axes: [shapeOf(x).length - 2] });

/** Vectors [..., n] as the rows of matrices [..., rows, n]; square unless said otherwise. */
export function inRows(v: Value, rows = fixed(shapeOf(v).at(-1)!)): Value {
  const shape = shapeOf(v);
  const lead = shape.slice(0, -1);
  return b.expand(v, { shape: [...lead, rows, shape.at(-1)!], at: [lead.length] });
}
/** Vectors [..., n] as the columns of matrices [..., n, columns]; square unless said otherwise. */
export function inColumns(v: Value, columns = fixed(shapeOf(v).at(-1)!)): Value {
  const shape = shapeOf(v);
  return b.expand(v, { shape: [...shape, columns], at: [shape.length] });
}
/** Each column of `x` times its element of `d`: x diag(d). */
export const scaleColumns = (x: Value, d: Value): Value => b.mul(x, inRows(d, fixed(shapeOf(x).at(-2)!)));
/** Each row of `x` times its element of `d`: diag(d) x. */
export const scaleRows = (d: Value, x: Value): Value => b.mul(inColumns(d, fixed(shapeOf(x).at(-1)!)), x);

/** Numbers [...], one a matrix, in the shape of the matrices `x`. */
export function spread(perMatrix: Value, x: Value): Value {
  const shape = shapeOf(x);
  return b.expand(perMatrix, { shape, at: [shape.length - 2, shape.length - 1] });
}

export const half = (x: Value): Value => b.mul(x, full(0.5, avalOf(x)));
export const symmetric = (x: Value): Value => half(b.add(x, transposed(x)));
/** The lower triangle with half its diagonal: of a symmetric matrix, the L with L + L' = x. */
export const lowerHalf = (x: Value): Value => half(b.add(lower(x), strictlyLower(x)));

/** Solutions of op(a) x = y. */
type Triangle = { readonly upper?: boolean; readonly transpose?: boolean; readonly unit?: boolean };
export const solveTriangle = (a: Value, y: Value, { upper = false, transpose = false, unit = false }: Triangle): Value =>
  b.triangularSolve(a, y, { upper, transpose, unit });
/** Solutions of x op(a) = y, by the system of the transposes. */
export const solveTriangleRight = (a: Value, y: Value, { transpose = false, ...rest }: Triangle): Value =>
  transposed(solveTriangle(a, transposed(y), { ...rest, transpose: !transpose }));

/** A permutation [..., n] of rows as the index of a gather from matrices like `x`. */
const rowIndex = (permutation: Value, x: Value): Value => inColumns(permutation, fixed(shapeOf(x).at(-1)!));
const rowAxis = (x: Value): number => shapeOf(x).length - 2;
/** Row i of the result is row permutation[i] of `x`. */
export const permuteRows = (x: Value, permutation: Value): Value =>
  b.gather(x, rowIndex(permutation, x), { axis: rowAxis(x), mode: 'trusted' });
/** Row permutation[i] of the result is row i of `x`. */
export const unpermuteRows = (x: Value, permutation: Value): Value =>
  b.scatterAdd(full(0, avalOf(x)), rowIndex(permutation, x), x, { axis: rowAxis(x), mode: 'trusted' });

/** The first rows and columns. */
export function corner(x: Value, rows: number, columns: number): Value {
  const shape = shapeOf(x);
  const lead: Shape = shape.slice(0, -2);
  if (shape.at(-2) === rows && shape.at(-1) === columns) return x;
  return b.slice(x, { start: shape.map(() => 0), stop: [...lead, rows, columns], step: shape.map(() => 1) });
}
/** Zeros below and to the right, up to this many rows and columns. */
export function padded(x: Value, rows: number, columns: number): Value {
  const shape = shapeOf(x);
  const none = shape.map(() => 0);
  const high = [...none.slice(2), rows - fixed(shape.at(-2)!), columns - fixed(shape.at(-1)!)];
  return high.every((n) => n === 0) ? x : b.pad(x, full(0, { dtype: dtypeOf(x), shape: [] }), { low: none, high, interior: none });
}
