// Linear algebra made of factorisations: systems, determinants and pseudo-inverses, with derivatives that hold where a matrix is singular.
import { b } from '../../ir/builder.ts';
import { fixed } from '../../ir/dim.ts';
import { shapeOf, type Value } from '../../ir/node.ts';
import { productOfOthers } from '../cumulative.ts';
import {
  chain,
  diagonalMatrix,
  diagonalOf,
  identityLike,
  inRows,
  matmul,
  offDiagonal,
  permuteRows,
  scaleColumns,
  scaleRows,
  solveTriangle,
  spread,
  trace,
  transposed,
  unpermuteRows,
} from '../matrix.ts';
import { f64 } from '../samples.ts';
import { type Applied, composite, leading, type Maybe } from './rule.ts';
import { broadcastScalar, constant, keepIf, zero } from './shape.ts';

const plus = (x: Maybe, y: Maybe): Maybe => (x === null ? y : y === null ? x : b.add(x, y));
const lastAxis = (x: Value): number => shapeOf(x).length - 1;
const regular = [2, 1, 0, 0.5, 3, 1, 0.25, 0, 4];
/** With equal singular values: a derivative that divides by their gaps would fail. */
const orthogonal = [0, 1, 0, 0, 0, 1, 1, 0, 0];

// ---- systems

/** `transpose` solves the system of the transposed matrix, with the same factors. A singular matrix is refused when computed, or gives inf and NaN. */
type System = { readonly transpose: boolean; readonly singular: 'refused' | 'allowed' };

export const solveSystem = composite<[Value, Value], System>({
  doc: 'X with op(A) X = Y for square A [..., n, n] and Y [..., n, k].',
  body: ([a, y], { transpose, singular: treatment }) => {
    const [factors, permutation] = b.lu(a, { singular: treatment });
    if (transpose) {
      const inner = solveTriangle(factors, y, { upper: true, transpose: true });
      return [unpermuteRows(solveTriangle(factors, inner, { transpose: true, unit: true }), permutation)];
    }
    const inner = solveTriangle(factors, permuteRows(y, permutation), { unit: true });
    return [solveTriangle(factors, inner, { upper: true })];
  },
  vjp: ([ct], { inputs: [a], results: [x], params, composite: make }, [aWanted]) => {
    const [gy] = make('solveSystem', [a, ct!], { ...params, transpose: !params.transpose });
    if (!aWanted) return [null, gy!];
    const [left, right] = params.transpose ? [x!, gy!] : [gy!, x!];
    return [b.neg(matmul(left, transposed(right))), gy!];
  },
  jvp: ([ta, ty], { inputs: [a], results: [x], params, composite: make }) => {
    const pushed = ta ? b.neg(matmul(params.transpose ? transposed(ta) : ta, x!)) : null;
    return make('solveSystem', [a, plus(ty ?? null, pushed)!], params);
  },
  batch: leading(2),
  samples: [false, true].map((transpose) => ({
    inputs: [f64(3, 3), f64(3, 2)],
    params: { transpose, singular: 'refused' as const },
    data: [regular, undefined],
  })),
});

/** The inverse, or its transpose. Singular matrices have inf and NaN in theirs. */
const inverseOf = (a: Value, transpose: boolean, { composite: make }: Applied<[Value], Record<never, never>>): Value =>
  make('solveSystem', [a, identityLike(a)], { transpose, singular: 'allowed' })[0]!;

// ---- determinants

/** The sign and, apart, the diagonal of U: their product is the determinant. */
function eliminated(a: Value): { readonly sign: Value; readonly pivots: Value } {
  const [factors, , sign] = b.lu(a, { singular: 'allowed' });
  return { sign, pivots: diagonalOf(factors) };
}
const productOf = (x: Value): Value => b.prod(x, { axes: [lastAxis(x)] });
/** +1 or -1 for an orthogonal matrix. */
function orientation(a: Value): Value {
  const { sign, pivots } = eliminated(a);
  return b.mul(sign, productOf(b.sign(pivots)));
}

export const det = composite<[Value]>({
  doc: 'Determinant. Its gradient is the matrix of cofactors, finite and right for singular matrices too.',
  body: ([a]) => {
    const { sign, pivots } = eliminated(a);
    return [b.mul(sign, productOf(pivots))];
  },
  vjp: ([ct], { inputs: [a], composite: make }) => [b.mul(spread(ct!, a), make('cofactors', [a], {})[0]!)],
  jvp: ([t], { inputs: [a], composite: make }) => [
    b.sum(b.mul(make('cofactors', [a], {})[0]!, t!), { axes: [lastAxis(a) - 1, lastAxis(a)] }),
  ],
  batch: leading(1),
  samples: [
    { inputs: [f64(3, 3)], params: {} },
    { inputs: [f64(3, 3)], params: {}, data: [orthogonal] },
  ],
});

/** For each pair of singular values, the product of all others; on the diagonal, of all but one. */
function productOfThird(s: Value): Value {
  const n = fixed(shapeOf(s).at(-1)!);
  const lead = shapeOf(s).slice(0, -1);
  const shape = [...lead, n, n, n];
  const axis = lead.length;
  const [i, j, k] = [0, 1, 2].map((offset) => b.iota({ dtype: 'i32', shape, axis: axis + offset })) as [Value, Value, Value];
  const values = b.expand(s, { shape, at: [axis, axis + 1] });
  return b.prod(b.select(b.or(b.eq(i, k), b.eq(j, k)), constant(1, values), values), { axes: [axis + 2] });
}

/**
 * The derivative of the cofactors at `a` applied to `t`: the Hessian of the determinant, so it is its own transpose. In the basis
 * of the singular vectors it is a polynomial in the values: no rank and no repeated value troubles it.
 */
function cofactorSlope(a: Value, t: Value): Value {
  const [u, s, vh] = b.svd(a, { full: false });
  const w = chain(transposed(u), t, transposed(vh));
  const others = productOfThird(s);
  const diagonal = b.sum(offDiagonal(b.mul(others, inRows(diagonalOf(w)))), { axes: [lastAxis(a)] });
  const inner = b.sub(diagonalMatrix(diagonal), offDiagonal(b.mul(others, transposed(w))));
  return b.mul(spread(b.mul(orientation(u), orientation(vh)), a), chain(u, inner, vh));
}

export const cofactors = composite<[Value]>({
  doc: 'The cofactors of a square matrix: the gradient of its determinant.',
  body: ([a]) => {
    const [u, s, vh] = b.svd(a, { full: false });
    const scaled = matmul(scaleColumns(u, productOfOthers(s, lastAxis(s))), vh);
    return [b.mul(spread(b.mul(orientation(u), orientation(vh)), a), scaled)];
  },
  vjp: ([ct], { inputs: [a] }) => [cofactorSlope(a, ct!)],
  jvp: ([t], { inputs: [a] }) => [cofactorSlope(a, t!)],
  batch: leading(1),
  samples: [{ inputs: [f64(3, 3)], params: {} }],
});

export const slogdet = composite<[Value]>({
  doc: 'Sign and logarithm of the size of the determinant: 0 and -inf for a singular matrix, where the gradient is not finite.',
  body: ([a]) => {
    const { sign, pivots } = eliminated(a);
    return [b.mul(sign, productOf(b.sign(pivots))), b.sum(b.log(b.abs(pivots)), { axes: [lastAxis(pivots)] })];
  },
  vjp: ([, ct], at) => {
    const [a] = at.inputs;
    return [ct ? b.mul(spread(ct, a), inverseOf(a, true, at)) : null];
  },
  jvp: ([t], at) => [null, trace(matmul(inverseOf(at.inputs[0], false, at), t!))],
  batch: leading(1),
  samples: [{ inputs: [f64(3, 3)], params: {}, data: [regular] }],
});

// ---- pseudo-inverses

type Operands = readonly [a: Value, atol: Value, rtol: Value];

/** 1 / value where the value exceeds atol and rtol times the largest, else 0. */
function invertedAbove(values: Value, [, atol, rtol]: Operands): Value {
  const sizes = b.abs(values);
  const largest = b.amax(sizes, { axes: [lastAxis(sizes)] });
  const cutoff = b.max(broadcastScalar(atol, largest), b.mul(broadcastScalar(rtol, largest), largest));
  const kept = b.lt(b.expand(cutoff, { shape: shapeOf(sizes), at: [lastAxis(sizes)] }), sizes);
  return keepIf(kept, b.div(constant(1, values), b.select(kept, values, constant(1, values))));
}

/** The pseudo-inverse applied to `y`, or alone. */
function applied(operands: Operands, hermitian: boolean, y: Maybe): Value {
  const [a] = operands;
  if (hermitian) {
    const [l, v] = b.eigh(a);
    return matmul(v, scaleRows(invertedAbove(l, operands), y === null ? transposed(v) : matmul(transposed(v), y)));
  }
  const [u, s, vh] = b.svd(a, { full: false });
  const right = y === null ? transposed(u) : matmul(transposed(u), y);
  return matmul(transposed(vh), scaleRows(invertedAbove(s, operands), right));
}

/** Golub and Pereyra 1973: of the pseudo-inverse p of a, where the rank stays what it is. */
function pinvJvp(a: Value, p: Value, t: Value): Value {
  const tt = transposed(t);
  const pt = transposed(p);
  const left = chain(p, pt, tt);
  const right = chain(tt, pt, p);
  return b.add(b.sub(b.sub(left, chain(left, a, p)), chain(p, t, p)), b.sub(right, chain(p, a, right)));
}
function pinvVjp(a: Value, p: Value, ct: Value): Value {
  const back = transposed(ct);
  const pt = transposed(p);
  const left = chain(back, p, pt);
  const right = chain(pt, p, back);
  return b.add(b.sub(b.sub(left, chain(a, p, left)), chain(pt, ct, pt)), b.sub(right, chain(right, p, a)));
}

const tolerances: readonly [readonly number[], readonly number[]] = [[0], [1e-10]];

export const pinv = composite<[Value, Value, Value], { readonly hermitian: boolean }>({
  doc: 'The pseudo-inverse, in which singular values up to atol or rtol times the largest count as zero; symmetric matrices go by eigenvalues.',
  body: (operands, { hermitian }) => [applied(operands, hermitian, null)],
  vjp: ([ct], { inputs: [a], results: [p] }) => [pinvVjp(a, p!, ct!), null, null],
  jvp: ([t], { inputs: [a], results: [p] }) => [t ? pinvJvp(a, p!, t) : null],
  batch: leading(1),
  samples: [f64(3, 2), f64(2, 3), f64(3, 3)].map((a) => ({
    inputs: [a, f64(), f64()],
    params: { hermitian: false },
    data: [a.shape[0] === a.shape[1] ? regular : undefined, ...tolerances],
  })),
});

export const leastSquares = composite<[Value, Value, Value, Value]>({
  doc: 'The X of least norm among those that make A X - Y smallest; tolerances are those of the pseudo-inverse.',
  body: ([a, y, ...tolerance]) => [applied([a, ...tolerance], false, y)],
  vjp: ([ct], { inputs: [a, y, ...tolerance], composite: make }, [aWanted]) => {
    const [p] = make('pinv', [a, ...tolerance], { hermitian: false });
    return [aWanted ? pinvVjp(a, p!, matmul(ct!, transposed(y))) : null, matmul(transposed(p!), ct!), null, null];
  },
  jvp: ([ta, ty], { inputs: [a, y, ...tolerance], composite: make }) => {
    const [p] = make('pinv', [a, ...tolerance], { hermitian: false });
    return [plus(ta ? matmul(pinvJvp(a, p!, ta), y) : null, ty ? matmul(p!, ty) : null) ?? zero(y)];
  },
  batch: leading(2),
  samples: [f64(4, 2), f64(2, 3)].map((a) => ({
    inputs: [a, f64(a.shape[0] as number, 2), f64(), f64()],
    params: {},
    data: [undefined, undefined, ...tolerances],
  })),
});
