// Makers for factorisations and triangular systems, of matrices made so that every result is unique up to the sign of a vector.
import { b, full } from '../compiler/ir/builder.ts';
import { avalOf, dtypeOf, shapeOf, type Value } from '../compiler/ir/node.ts';
import { diagonalPart, transposed } from '../compiler/ops/matrix.ts';
import { isFloat } from '../runtime/dtype.ts';
import { type Maker, pick } from './random-ops.ts';

/** Factorisations take cubic time. */
const mostRows = 6;

const like = (value: number, v: Value): Value => full(value, avalOf(v));
const sizesOf = (x: Value): readonly number[] => shapeOf(x) as readonly number[];

/** Entries so small that a row of them sums to less than 1/2. */
function small(x: Value): Value {
  const known = b.select(b.eq(x, x), x, like(0, x));
  return b.mul(b.tanh(known), like(0.5 / Math.max(1, ...sizesOf(x).slice(-2)), x));
}

/** 2, 4, 6, ... on the diagonal: what is small beside it moves no pivot and keeps eigenvalues and singular values apart. */
function spaced(x: Value): Value {
  const shape = shapeOf(x);
  const row = b.iota({ dtype: dtypeOf(x), shape, axis: shape.length - 2 });
  return diagonalPart(b.mul(b.add(row, like(1, x)), like(2, x)));
}

function corner(x: Value, rows: number, columns: number): Value {
  const shape = sizesOf(x);
  return b.slice(x, { start: shape.map(() => 0), stop: [...shape.slice(0, -2), rows, columns], step: shape.map(() => 1) });
}

export const factorization: Maker = (c) => {
  const x = pick(
    c,
    (v) => isFloat(dtypeOf(v)) && shapeOf(v).length >= 2 && shapeOf(v).every((d) => typeof d === 'number' && d <= mostRows),
  );
  if (x === undefined) return undefined;
  const [rows, columns] = sizesOf(x).slice(-2) as [number, number];
  const short = Math.min(rows, columns);
  const noise = small(x);
  const square = corner(noise, short, short);
  const near = (m: Value): Value => b.add(spaced(m), m);
  const symmetric = near(b.mul(b.add(square, transposed(square)), like(0.5, square)));
  switch (c.choose(6)) {
    case 0:
      return [b.cholesky(symmetric)];
    case 1:
      return b.lu(near(square), { singular: c.choose(2) === 0 ? 'refused' : 'allowed' });
    case 2: {
      const attrs = { upper: c.choose(2) === 0, transpose: c.choose(2) === 0, unit: c.choose(2) === 0 };
      return [b.triangularSolve(attrs.unit ? square : near(square), corner(noise, short, columns), attrs)];
    }
    case 3:
      return b.qr(near(rows < columns ? transposed(noise) : noise), { complete: c.choose(2) === 0 });
    case 4: {
      const [values, vectors] = b.eigh(symmetric) as readonly [Value, Value];
      return [values, b.abs(vectors)];
    }
    default: {
      // More than one vector to complete a base by may be turned at will.
      const [u, s, v] = b.svd(near(noise), { full: Math.abs(rows - columns) < 2 && c.choose(2) === 0 }) as readonly [Value, Value, Value];
      return [b.abs(u), s, b.abs(v)];
    }
  }
};
