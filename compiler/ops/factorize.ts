// The float64 meaning of the factorisations: one matrix at a time, as lists of rows.
import { LinAlgError } from '../../runtime/errors.ts';

export type Matrix = number[][];

const rowsOf = (x: Matrix): number => x.length;
export const zeros = (rows: number, columns: number): Matrix => Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
export const identity = (n: number): Matrix => zeros(n, n).map((row, i) => row.with(i, 1));
export const transpose = (x: Matrix, columns: number): Matrix => Array.from({ length: columns }, (_, j) => x.map((row) => row[j]!));
const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
/** A sum from the left of `start` less products: the order that a substitution has. */
const less = (start: number, count: number, product: (k: number) => number): number => {
  let rest = start;
  for (let k = 0; k < count; k++) rest -= product(k);
  return rest;
};

/** Lower L with L L' = x, reading the lower triangle of x. */
export function cholesky(x: Matrix): Matrix {
  const n = rowsOf(x);
  const l = zeros(n, n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const rest = less(x[i]![j]!, j, (k) => l[i]![k]! * l[j]![k]!);
      if (j === i && !(rest > 0))
        throw new LinAlgError(`the matrix is not positive-definite (its leading minor of order ${i + 1} is not)`, {
          op: 'linalg.cholesky',
        });
      l[i]![j] = j === i ? Math.sqrt(rest) : rest / l[j]![j]!;
    }
  return l;
}

export type LU = { readonly factors: Matrix; readonly permutation: number[]; readonly sign: number };

/** Elimination with partial pivoting. */
export function lu(x: Matrix, singular: 'refused' | 'allowed'): LU {
  const n = rowsOf(x);
  const factors = x.map((row) => [...row]);
  const permutation = x.map((_, i) => i);
  let sign = 1;
  for (let k = 0; k < n; k++) {
    let p = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(factors[i]![k]!) > Math.abs(factors[p]![k]!)) p = i;
    if (p !== k) {
      [factors[k], factors[p]] = [factors[p]!, factors[k]!];
      [permutation[k], permutation[p]] = [permutation[p]!, permutation[k]!];
      sign = -sign;
    }
    if (factors[k]![k] === 0) {
      if (singular === 'allowed') continue;
      throw new LinAlgError(`the matrix is singular (pivot ${k + 1} of its elimination is zero)`, { op: 'linalg' });
    }
    for (let i = k + 1; i < n; i++) {
      const factor = factors[i]![k]! / factors[k]![k]!;
      factors[i]![k] = factor;
      for (let j = k + 1; j < n; j++) factors[i]![j]! -= factor * factors[k]![j]!;
    }
  }
  return { factors, permutation, sign };
}

export type Triangle = { readonly upper: boolean; readonly transpose: boolean; readonly unit: boolean };

/** x with op(a) x = y, by substitution. */
export function triangularSolve(a: Matrix, y: Matrix, { upper, transpose: isTransposed, unit }: Triangle): Matrix {
  const n = rowsOf(a);
  const x = y.map((row) => [...row]);
  const fromEnd = upper !== isTransposed;
  const order = a.map((_, step) => (fromEnd ? n - 1 - step : step));
  for (const [step, i] of order.entries()) {
    if (!unit) x[i] = x[i]!.map((v) => v / a[i]![i]!);
    for (const j of order.slice(step + 1)) {
      const factor = isTransposed ? a[i]![j]! : a[j]![i]!;
      x[j] = x[j]!.map((v, c) => v - factor * x[i]![c]!);
    }
  }
  return x;
}

/** Householder's reflections, with LAPACK's signs: a column's image is minus the sign of its head. */
export function qr(x: Matrix, columns: number, width: number): { readonly q: Matrix; readonly r: Matrix } {
  const rows = rowsOf(x);
  const r = x.map((row) => [...row]);
  const reflections: { readonly k: number; readonly tau: number; readonly v: readonly number[] }[] = [];
  const reflect = (into: Matrix, k: number, tau: number, v: readonly number[], from: number): void => {
    for (let j = from; j < (into[0]?.length ?? 0); j++) {
      let along = 0;
      for (let i = k; i < rows; i++) along += v[i]! * into[i]![j]!;
      for (let i = k; i < rows; i++) into[i]![j]! -= v[i]! * (tau * along);
    }
  };
  for (let k = 0; k < columns; k++) {
    let below = 0;
    for (let i = k + 1; i < rows; i++) below = Math.hypot(below, r[i]![k]!);
    if (below === 0) continue;
    const head = r[k]![k]!;
    const image = head < 0 ? Math.hypot(head, below) : -Math.hypot(head, below);
    const tau = (image - head) / image;
    const v = r.map((row, i) => (i < k ? 0 : i === k ? 1 : row[k]! / (head - image)));
    for (let i = k; i < rows; i++) r[i]![k] = i === k ? image : 0;
    reflect(r, k, tau, v, k + 1);
    reflections.push({ k, tau, v });
  }
  const q = zeros(rows, width).map((row, i) => (i < width ? row.with(i, 1) : row));
  for (const { k, tau, v } of reflections.reverse()) reflect(q, k, tau, v, k);
  return { q, r: r.slice(0, width) };
}

/** Cosine and sine of the rotation that makes a pair with difference `apart` and product `off` orthogonal. */
function rotation(apart: number, off: number): { readonly t: number; readonly c: number; readonly s: number } {
  const theta = apart / (2 * off);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  return { t, c, s: t * c };
}
function rotate(x: Matrix, p: number, q: number, c: number, s: number): void {
  const [g, h] = [x[p]!, x[q]!];
  x[p] = g.map((v, k) => c * v - s * h[k]!);
  x[q] = g.map((v, k) => s * v + c * h[k]!);
}
const largest = (v: readonly number[]): number => v.reduce((best, e) => (Math.abs(e) > Math.abs(best) ? e : best), 0);

/** The power of two below the largest element, so that squares neither overflow nor vanish; refuses what is not finite. */
function scaleOf(x: Matrix, op: string): number {
  const size = x.reduce((most, row) => row.reduce((m, v) => Math.max(m, Math.abs(v)), most), 0);
  if (!Number.isFinite(size)) throw new LinAlgError('the matrix holds a value that is not finite', { op });
  return size === 0 ? 1 : 2 ** Math.max(-1000, Math.floor(Math.log2(size)));
}

function demandConvergence(sweep: number, op: string): void {
  if (sweep === 100) throw new LinAlgError('the rotations did not converge', { op });
}

/** Jacobi's method on the lower triangle; vectors are the columns, each with its largest element positive. */
export function eigh(x: Matrix): { readonly values: number[]; readonly vectors: Matrix } {
  const n = rowsOf(x);
  const lower = x.map((row, i) => row.map((_, j) => (j <= i ? x[i]![j]! : x[j]![i]!)));
  const scale = scaleOf(lower, 'linalg.eigh');
  const a = lower.map((row) => row.map((v) => v / scale));
  const v = identity(n);
  for (let turned = true, sweep = 0; turned; sweep++) {
    demandConvergence(sweep, 'linalg.eigh');
    turned = false;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const off = a[p]![q]!;
        const [app, aqq] = [a[p]![p]!, a[q]![q]!];
        if (Math.abs(off) <= 2 ** -54 * Math.min(Math.abs(app), Math.abs(aqq))) continue;
        turned = true;
        const { t, c, s } = rotation(aqq - app, off);
        rotate(a, p, q, c, s);
        for (let k = 0; k < n; k++) [a[k]![p], a[k]![q]] = [a[p]![k]!, a[q]![k]!];
        [a[p]![p], a[q]![q], a[p]![q], a[q]![p]] = [app - t * off, aqq + t * off, 0, 0];
        rotate(v, p, q, c, s);
      }
  }
  const order = a.map((_, i) => i).sort((i, j) => a[i]![i]! - a[j]![j]!);
  return {
    values: order.map((i) => a[i]![i]! * scale),
    vectors: transpose(
      order.map((i) => (largest(v[i]!) < 0 ? v[i]!.map((e) => -e) : v[i]!)),
      n,
    ),
  };
}

/** The axis that the basis covers least, made orthogonal to the basis, twice for accuracy. */
function complement(basis: readonly (readonly number[])[], length: number): number[] {
  const covered = Array.from({ length }, (_, k) => basis.reduce((sum, v) => sum + v[k]! ** 2, 0));
  const least = covered.reduce((best, c, k) => (c < covered[best]! ? k : best), 0);
  let next = covered.map((_, k) => Number(k === least));
  for (let pass = 0; pass < 2; pass++)
    for (const v of basis) {
      const along = dot(v, next);
      next = next.map((e, k) => e - along * v[k]!);
    }
  const norm = Math.sqrt(dot(next, next));
  return next.map((e) => e / norm);
}

/** Beside a largest element of about 1 such a vector is zero, and its square is about to underflow. */
const negligible = 2 ** -480;

export type SVD = { readonly u: Matrix; readonly s: number[]; readonly vh: Matrix };

/** Hestenes' one-sided Jacobi method; each left vector has its largest element positive. */
export function svd(x: Matrix, columns: number, full: boolean): SVD {
  const rows = rowsOf(x);
  const wide = rows < columns;
  const [long, short] = wide ? [columns, rows] : [rows, columns];
  const scale = scaleOf(x, 'linalg.svd');
  const a = (wide ? x : transpose(x, columns)).map((row) => row.map((v) => v / scale));
  const turned = identity(short);
  for (let turns = true, sweep = 0; turns; sweep++) {
    demandConvergence(sweep, 'linalg.svd');
    turns = false;
    for (let i = 0; i < short; i++)
      for (let j = i + 1; j < short; j++) {
        const [ii, jj, ij] = [dot(a[i]!, a[i]!), dot(a[j]!, a[j]!), dot(a[i]!, a[j]!)];
        if (Math.min(ii, jj) < negligible ** 2 || Math.abs(ij) <= Math.max(8, long) * 2 ** -53 * Math.sqrt(ii) * Math.sqrt(jj)) continue;
        turns = true;
        const { c, s } = rotation(jj - ii, ij);
        rotate(a, i, j, c, s);
        rotate(turned, i, j, c, s);
      }
  }
  const norms = a.map((row) => Math.sqrt(dot(row, row))).map((norm) => (norm < negligible ? 0 : norm));
  const order = a.map((_, i) => i).sort((i, j) => norms[j]! - norms[i]!);
  const left: number[][] = [];
  const right: number[][] = [];
  for (let i = 0; i < (full ? long : short); i++) {
    const norm = i < short ? norms[order[i]!]! : 0;
    const vector = norm > 0 ? a[order[i]!]!.map((v) => v / norm) : complement(left, long);
    const other = i < short ? turned[order[i]!]! : undefined;
    const sign = largest(wide && other !== undefined ? other : vector) < 0 ? -1 : 1;
    left.push(vector.map((v) => sign * v));
    if (other !== undefined) right.push(other.map((v) => sign * v));
  }
  const [us, vh] = wide ? [right, left] : [left, right];
  return { u: transpose(us, rows), s: order.map((i) => norms[i]! * scale), vh };
}
