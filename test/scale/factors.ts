// How far factors are from what they must be: orthonormal, and with the matrix as their product. Signs and bases are left open.
import type { Reference } from '../../compiler/ops/rules.ts';

type Matrix = readonly (readonly number[])[];

function matricesOf({ shape, data }: Reference): readonly Matrix[] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const size = rows * columns;
  return Array.from({ length: size === 0 ? 0 : data.length / size }, (_, m) =>
    Array.from({ length: rows }, (_, r) => [...data.subarray(m * size + r * columns, m * size + (r + 1) * columns)]),
  );
}
/** Vectors of `length`, as diagonal matrices of the given size. */
const diagonals = ({ shape, data }: Reference, rows: number, columns: number): readonly Matrix[] => {
  const length = shape.at(-1)!;
  return Array.from({ length: length === 0 ? 0 : data.length / length }, (_, m) =>
    Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) => (r === c ? data[m * length + r]! : 0))),
  );
};
const transposed = (a: Matrix): Matrix => a[0]!.map((_, c) => a.map((row) => row[c]!));
const product = (a: Matrix, b: Matrix): Matrix => a.map((row) => b[0]!.map((_, c) => row.reduce((sum, v, k) => sum + v * b[k]![c]!, 0)));
const difference = (a: Matrix, b: Matrix): number => Math.max(...a.flatMap((row, r) => row.map((v, c) => Math.abs(v - b[r]![c]!))));
const identity = (n: number): Matrix => Array.from({ length: n }, (_, r) => Array.from({ length: n }, (_, c) => (r === c ? 1 : 0)));
const skew = (q: Matrix): number => difference(product(transposed(q), q), identity(q[0]!.length));
/** The symmetric matrix of which only the lower triangle is read. */
const mirrored = (x: Matrix): Matrix => x.map((row, r) => row.map((_, c) => (c <= r ? x[r]![c]! : x[c]![r]!)));

/** The largest error over all matrices of a batch. */
export function factorError(op: 'qr' | 'eigh' | 'svd', x: Reference, results: readonly Reference[]): number {
  const xs = matricesOf(x);
  const errors = xs.map((matrix, i) => {
    switch (op) {
      case 'qr': {
        const [q, r] = results.map((result) => matricesOf(result)[i]!) as [Matrix, Matrix];
        return Math.max(skew(q), difference(product(q, r), matrix));
      }
      case 'eigh': {
        const v = matricesOf(results[1]!)[i]!;
        const d = diagonals(results[0]!, v.length, v.length)[i]!;
        return Math.max(skew(v), difference(product(product(v, d), transposed(v)), mirrored(matrix)));
      }
      case 'svd': {
        const [u, vh] = [matricesOf(results[0]!)[i]!, matricesOf(results[2]!)[i]!];
        const s = diagonals(results[1]!, u[0]!.length, vh.length)[i]!;
        return Math.max(skew(u), skew(transposed(vh)), difference(product(product(u, s), vh), matrix));
      }
      default:
        return op satisfies never;
    }
  });
  return Math.max(0, ...errors);
}
