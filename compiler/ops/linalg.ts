// The rules of factorisations and triangular systems, on the matrices that the last two axes hold.
import { AutogradError } from '../../runtime/errors.ts';
import { b, full } from '../ir/builder.ts';
import { fixed, fixedShape } from '../ir/dim.ts';
import { avalOf, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import * as factorize from './factorize.ts';
import {
  chain,
  corner,
  diagonalMatrix,
  diagonalOf,
  inColumns,
  inRows,
  lower,
  lowerHalf,
  matmul,
  offDiagonal,
  padded,
  permuteRows,
  scaleColumns,
  scaleRows,
  solveTriangle,
  solveTriangleRight,
  strictlyLower,
  strictlyUpper,
  symmetric,
  transposed,
  unpermuteRows,
  upper,
  withUnitDiagonal,
} from './matrix.ts';
import { referenceOf } from './reference.ts';
import type { Reference, Refusal, RulesFor } from './rules.ts';
import { f32, f64, i32 } from './samples.ts';

export type LinalgName = 'cholesky' | 'lu' | 'triangularSolve' | 'qr' | 'eigh' | 'svd';
type Maybe = Value | null;

const plus = (x: Maybe, y: Maybe): Maybe => (x === null ? y : y === null ? x : b.add(x, y));

// ---- what the rules have in common

/** The matrices of an array, in order. */
function matricesOf(x: Reference): factorize.Matrix[] {
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const count = x.shape.slice(0, -2).reduce((n, d) => n * d, 1);
  return Array.from({ length: count }, (_, m) =>
    Array.from({ length: rows }, (_, i) => [...x.data.subarray((m * rows + i) * columns, (m * rows + i + 1) * columns)]),
  );
}

/** The results of a node from those of each matrix, each a list of numbers in row-major order. */
function collected(n: NodeOf<LinalgName>, each: readonly (readonly (readonly number[])[])[]): readonly Reference[] {
  return n.outputs.map(({ dtype, shape }, result) =>
    referenceOf(
      dtype,
      fixedShape(shape),
      each.flatMap((results) => results[result]!),
    ),
  );
}

const whole = { batch: { kind: 'pointwise' }, lower: { kind: 'library' }, ulp: 256 } as const;
const notSquare: Refusal<'cholesky'>[] = [
  { inputs: [f32(2, 3)], attrs: {}, message: /a square matrix is wanted, not f32\[2,3\]/ },
  { inputs: [f32(2)], attrs: {}, message: /f32\[2\] holds no matrix/ },
  { inputs: [i32(2, 2)], attrs: {}, message: /must be floating, not i32/ },
];
/** Symmetric, positive-definite, with distinct eigenvalues; and two of them. */
const definite = [4, 1, 0.5, 1, 3, 0.25, 0.5, 0.25, 2];
const twoDefinite = [...definite, 9, 3, 1, 3, 5, 2, 1, 2, 7];

// ---- gaps between eigenvalues and singular values

/** x_ij / (v_j - v_i) off the diagonal. */
const overGaps = (x: Value, values: Value): Value => offDiagonal(b.div(x, withUnitDiagonal(b.sub(inRows(values), inColumns(values)))));
/** x_ij / (s_j^2 - s_i^2) off the diagonal; as a product, which keeps close values apart. */
const overSquareGaps = (x: Value, s: Value): Value =>
  offDiagonal(b.div(x, withUnitDiagonal(b.mul(b.sub(inRows(s), inColumns(s)), b.add(inRows(s), inColumns(s))))));
const skew = (x: Value): Value => b.sub(x, transposed(x));

// ---- singular values

type Svd = NodeOf<'svd'>;
/** Sizes and reduced factors: the vectors that complete a basis are arbitrary, so no gradient flows through them. */
function reduced({ inputs: [x], values: [u, s, vh] }: Svd) {
  const [rows, columns] = shapeOf(x).slice(-2).map(fixed) as [number, number];
  const short = Math.min(rows, columns);
  return { rows, columns, short, u: corner(u!, rows, short), s: s!, vh: corner(vh!, short, columns) };
}

/** Townsend 2016, "Differentiating the singular value decomposition"; infinite where values coincide or, with rectangles, vanish. */
function svdVjp([givenU, gs, givenVh]: readonly Maybe[], n: Svd): Value | null {
  const { rows, columns, short, u, s, vh } = reduced(n);
  const gu = givenU === null || givenU === undefined ? null : corner(givenU, rows, short);
  const gvh = givenVh === null || givenVh === undefined ? null : corner(givenVh, short, columns);
  const v = transposed(vh);
  const inner = [
    gs ? diagonalMatrix(gs) : null,
    gu && scaleColumns(overSquareGaps(skew(matmul(transposed(u), gu)), s), s),
    gvh && scaleRows(s, overSquareGaps(skew(matmul(vh, transposed(gvh))), s)),
  ].reduce<Maybe>(plus, null);
  const inverse = b.div(full(1, avalOf(s)), s);
  let total = inner && chain(u, inner, vh);
  if (gu !== null && rows > short) {
    const outside = b.sub(gu, chain(u, transposed(u), gu));
    total = plus(total, matmul(scaleColumns(outside, inverse), vh));
  }
  if (gvh !== null && columns > short) {
    const outside = b.sub(gvh, chain(gvh, v, vh));
    total = plus(total, matmul(u, scaleRows(inverse, outside)));
  }
  return total;
}

function svdJvp(t: Value, n: Svd): readonly Value[] {
  const { rows, columns, short, u, s, vh } = reduced(n);
  const v = transposed(vh);
  const p = chain(transposed(u), t, v);
  const inverse = b.div(full(1, avalOf(s)), s);
  const ps = scaleColumns(p, s);
  const sp = scaleRows(s, p);
  let du = matmul(u, overSquareGaps(b.add(ps, transposed(ps)), s));
  let dv = matmul(v, overSquareGaps(b.add(sp, transposed(sp)), s));
  if (rows > short) du = b.add(du, scaleColumns(b.sub(matmul(t, v), matmul(u, p)), inverse));
  if (columns > short) dv = b.add(dv, scaleColumns(b.sub(matmul(transposed(t), u), matmul(v, transposed(p))), inverse));
  const { full: isFull } = n.attrs;
  return [padded(du, rows, isFull ? rows : short), diagonalOf(p), padded(transposed(dv), isFull ? columns : short, columns)];
}

// ---- orthogonal factors

function demandUnique({ inputs: [x], attrs: { complete } }: NodeOf<'qr'>): void {
  const [rows, columns] = shapeOf(x).slice(-2).map(fixed) as [number, number];
  if (complete && rows > columns)
    throw new AutogradError("mode 'complete' has no derivative where there are more rows than columns", {
      op: 'linalg.qr',
      fix: "use mode: 'reduced'; the further columns of Q are arbitrary",
    });
}

/** Walter and Lehmann 2018, "Algorithmic differentiation of linear algebra functions". */
function qrVjp([gq, gr]: readonly Maybe[], n: NodeOf<'qr'>): Value {
  demandUnique(n);
  const [q, r] = n.values as readonly [Value, Value];
  const m = plus(gr ? matmul(r, transposed(upper(gr))) : null, gq ? b.neg(matmul(transposed(gq), q)) : null)!;
  const copied = b.add(lower(m), transposed(strictlyLower(m)));
  return solveTriangleRight(r, plus(matmul(q, copied), gq ?? null)!, { upper: true, transpose: true });
}

function qrJvp(t: Value, n: NodeOf<'qr'>): readonly Value[] {
  demandUnique(n);
  const [q, r] = n.values as readonly [Value, Value];
  const tr = solveTriangleRight(r, t, { upper: true });
  const inside = matmul(transposed(q), tr);
  const turn = skew(strictlyLower(inside));
  const stretch = b.sub(inside, turn);
  return [b.sub(tr, matmul(q, stretch)), matmul(stretch, r)];
}

export const linalgRules = {
  cholesky: {
    doc: 'Lower triangular L of a positive-definite x = L times its transpose; only the lower triangle of x is read.',
    // Iain Murray 2016, "Differentiation of the Cholesky decomposition": x moves among symmetric matrices, and so does its gradient.
    derivative: {
      kind: 'custom',
      vjp: ([ct], { values: [l] }) => {
        if (!ct) return [null];
        const inner = lowerHalf(matmul(transposed(l!), lower(ct)));
        return [symmetric(solveTriangleRight(l!, solveTriangle(l!, inner, { transpose: true }), {}))];
      },
      jvp: ([t], { values: [l] }) => [
        t && matmul(l!, lowerHalf(solveTriangleRight(l!, solveTriangle(l!, symmetric(t), {}), { transpose: true }))),
      ],
    },
    ...whole,
    reference: ([x], n) =>
      collected(
        n,
        matricesOf(x!).map((m) => [factorize.cholesky(m).flat()]),
      ),
    samples: [
      { inputs: [f64(3, 3)], attrs: {}, data: [definite] },
      { inputs: [f32(2, 3, 3)], attrs: {}, data: [twoDefinite] },
      { inputs: [f64(1, 1)], attrs: {}, data: [[4]] },
      { inputs: [f64(0, 0)], attrs: {} },
      { inputs: [f64(0, 2, 2)], attrs: {} },
    ],
    refuses: notSquare,
  },
  lu: {
    doc: 'Unit lower L and upper U in one matrix, with L times U the rows of x in the order of the second result; the third is the sign of that order.',
    // With P x = L U fixed in P: inv(L) P dx inv(U) = inv(L) dL + dU inv(U), a strictly lower part and an upper one.
    derivative: {
      kind: 'custom',
      vjp: ([ct], { values: [factors, permutation] }) => {
        if (!ct) return [null];
        const l = withUnitDiagonal(strictlyLower(factors!));
        const u = upper(factors!);
        const inner = b.add(strictlyLower(matmul(transposed(l), strictlyLower(ct))), upper(matmul(upper(ct), transposed(u))));
        const left = solveTriangle(factors!, inner, { transpose: true, unit: true });
        return [unpermuteRows(solveTriangleRight(factors!, left, { upper: true, transpose: true }), permutation!)];
      },
      jvp: ([t], { values: [factors, permutation] }) => {
        if (t === null) return [null, null, null];
        const left = solveTriangle(factors!, permuteRows(t, permutation!), { unit: true });
        const inner = solveTriangleRight(factors!, left, { upper: true });
        const l = withUnitDiagonal(strictlyLower(factors!));
        return [b.add(matmul(l, strictlyLower(inner)), matmul(upper(inner), upper(factors!))), null, null];
      },
    },
    ...whole,
    reference: ([x], n) =>
      collected(
        n,
        matricesOf(x!).map((m) => {
          const { factors, permutation, sign } = factorize.lu(m, n.attrs.singular);
          return [factors.flat(), permutation, [sign]];
        }),
      ),
    samples: [
      { inputs: [f64(3, 3)], attrs: { singular: 'refused' } },
      { inputs: [f64(2, 4, 4)], attrs: { singular: 'refused' } },
      { inputs: [f32(2, 3, 3)], attrs: { singular: 'allowed' } },
      { inputs: [f64(2, 2)], attrs: { singular: 'allowed' }, data: [[1, 2, 2, 4]] },
      { inputs: [f64(1, 1)], attrs: { singular: 'refused' }, range: [1, 2] },
      { inputs: [f64(0, 0)], attrs: { singular: 'refused' } },
    ],
    refuses: notSquare.map((r) => ({ ...r, attrs: { singular: 'refused' as const } })),
  },
  triangularSolve: {
    doc: 'The solution of op(a) x = y for a triangular a, whose other triangle is not read.',
    derivative: {
      kind: 'custom',
      vjp: ([ct], { inputs: [a], attrs, values: [x] }, [aWanted]) => {
        if (!ct) return [null, null];
        const gy = b.triangularSolve(a, ct, { ...attrs, transpose: !attrs.transpose });
        if (!aWanted) return [null, gy];
        const ga = attrs.transpose ? matmul(x!, transposed(gy)) : matmul(gy, transposed(x!));
        return [b.neg(triangle(ga, attrs)), gy];
      },
      jvp: ([ta, ty], { inputs: [a], attrs, values: [x] }) => {
        const moved = ta && triangle(ta, attrs);
        const pushed = moved && b.neg(matmul(attrs.transpose ? transposed(moved) : moved, x!));
        return [b.triangularSolve(a, plus(ty, pushed)!, attrs)];
      },
    },
    ...whole,
    reference: ([a, y], n) => {
      const right = matricesOf(y!);
      return collected(
        n,
        matricesOf(a!).map((m, i) => [factorize.triangularSolve(m, right[i]!, n.attrs).flat()]),
      );
    },
    samples: [
      ...[false, true].flatMap((isUpper) =>
        [false, true].map((transpose) => ({
          inputs: [f64(3, 3), f64(3, 2)] as const,
          attrs: { upper: isUpper, transpose, unit: isUpper === transpose },
          range: [0.5, 2] as const,
        })),
      ),
      { inputs: [f64(2, 2, 2), f64(2, 2, 3)], attrs: { upper: true, transpose: false, unit: false }, range: [0.5, 2] },
      { inputs: [f32(2, 3, 3), f32(2, 3, 1)], attrs: { upper: false, transpose: true, unit: false }, range: [0.5, 2] },
      { inputs: [f64(0, 0), f64(0, 2)], attrs: { upper: true, transpose: false, unit: false } },
      { inputs: [f64(2, 2), f64(2, 0)], attrs: { upper: true, transpose: false, unit: false } },
    ],
    refuses: [
      ...notSquare.map((r) => ({ ...r, inputs: [r.inputs[0]!, f32(2, 2)], attrs: { upper: true, transpose: false, unit: false } })),
      {
        inputs: [f64(2, 2), f64(3, 1)],
        attrs: { upper: true, transpose: false, unit: false },
        message: /a system f64\[2,2\] does not fit the right side f64\[3,1\]/,
      },
    ],
  },
  qr: {
    doc: 'Orthonormal columns Q and an upper triangular R with Q times R = x, which has no more columns than rows; signs are those of LAPACK.',
    derivative: {
      kind: 'custom',
      vjp: (cts, n) => [qrVjp(cts, n)],
      jvp: ([t], n) => (t === null ? [null, null] : qrJvp(t, n)),
    },
    ...whole,
    reference: ([x], n) => {
      const [, columns] = x!.shape.slice(-2) as [number, number];
      const width = fixed(n.outputs[0]!.shape.at(-1)!);
      return collected(
        n,
        matricesOf(x!).map((m) => {
          const { q, r } = factorize.qr(m, columns, width);
          return [q.flat(), r.flat()];
        }),
      );
    },
    samples: [
      { inputs: [f64(3, 3)], attrs: { complete: true } },
      { inputs: [f64(2, 4, 2)], attrs: { complete: false } },
      { inputs: [f32(4, 3)], attrs: { complete: false } },
      { inputs: [f32(4, 2)], attrs: { complete: true } },
      { inputs: [f64(3, 2)], attrs: { complete: false }, data: [[3, 1, 0, 2, 0, 0]] },
      { inputs: [f64(1, 1)], attrs: { complete: false }, range: [1, 2] },
      { inputs: [f64(3, 0)], attrs: { complete: false } },
    ],
    refuses: [
      { inputs: [f64(2, 3)], attrs: { complete: false }, message: /no more columns than rows, got f64\[2,3\]/ },
      { inputs: [f64(2)], attrs: { complete: false }, message: /f64\[2\] holds no matrix/ },
      { inputs: [i32(2, 2)], attrs: { complete: false }, message: /must be floating, not i32/ },
    ],
  },
  eigh: {
    doc: 'Ascending eigenvalues of a symmetric x, of which only the lower triangle is read, and their vectors as columns.',
    // The gradient of the vectors divides by the gaps between values: infinite or undefined where two are equal.
    derivative: {
      kind: 'custom',
      vjp: ([gl, gv], { values: [l, v] }) => {
        const turn = gv ? symmetric(overGaps(matmul(transposed(v!), gv), l!)) : null;
        return [chain(v!, plus(gl ? diagonalMatrix(gl) : null, turn)!, transposed(v!))];
      },
      jvp: ([t], { values: [l, v] }) => {
        if (t === null) return [null, null];
        const w = symmetric(chain(transposed(v!), t, v!));
        return [diagonalOf(w), matmul(v!, overGaps(w, l!))];
      },
    },
    ...whole,
    reference: ([x], n) =>
      collected(
        n,
        matricesOf(x!).map((m) => {
          const { values, vectors } = factorize.eigh(m);
          return [values, vectors.flat()];
        }),
      ),
    samples: [
      { inputs: [f64(3, 3)], attrs: {}, data: [definite] },
      { inputs: [f32(2, 3, 3)], attrs: {}, data: [twoDefinite] },
      { inputs: [f64(2, 2)], attrs: {}, data: [[0, 9, 1, 0]] },
      { inputs: [f64(1, 1)], attrs: {} },
      { inputs: [f64(0, 0)], attrs: {} },
    ],
    refuses: notSquare,
  },
  svd: {
    doc: 'U, descending S and Vh with U diag(S) Vh = x; with `full`, U and Vh are square.',
    derivative: {
      kind: 'custom',
      vjp: (cts, n) => [svdVjp(cts, n)],
      jvp: ([t], n) => (t === null ? [null, null, null] : svdJvp(t, n)),
    },
    ...whole,
    reference: ([x], n) =>
      collected(
        n,
        matricesOf(x!).map((m) => {
          const { u, s, vh } = factorize.svd(m, x!.shape.at(-1)!, n.attrs.full);
          return [u.flat(), s, vh.flat()];
        }),
      ),
    samples: [
      { inputs: [f64(3, 3)], attrs: { full: false } },
      { inputs: [f64(4, 2)], attrs: { full: false } },
      { inputs: [f64(2, 2, 4)], attrs: { full: false } },
      { inputs: [f32(2, 4, 3)], attrs: { full: true } },
      { inputs: [f32(2, 4)], attrs: { full: true } },
      { inputs: [f64(3, 2)], attrs: { full: true }, data: [[1, 2, 2, 4, 3, 6]] },
      { inputs: [f64(1, 1)], attrs: { full: false } },
      { inputs: [f64(0, 3)], attrs: { full: true } },
    ],
    refuses: [
      { inputs: [f64(2)], attrs: { full: false }, message: /f64\[2\] holds no matrix/ },
      { inputs: [i32(2, 2)], attrs: { full: false }, message: /must be floating, not i32/ },
    ],
  },
} satisfies RulesFor<LinalgName>;

/** The triangle of a gradient or tangent that a system reads. */
function triangle(x: Value, attrs: NodeOf<'triangularSolve'>['attrs']): Value {
  if (attrs.unit) return attrs.upper ? strictlyUpper(x) : strictlyLower(x);
  return attrs.upper ? upper(x) : lower(x);
}
