// Products of matrices and vectors beyond one: powers, chains in the cheapest order, cross products.
import { ArgumentError, ShapeError } from '../../../runtime/errors.ts';
import { eye } from '../creation.ts';
import { cross as crossProduct, matmul } from '../functional/linear.ts';
import type { Tensor } from '../tensor.ts';
import { demandSquare } from './operands.ts';
import { inv } from './systems.ts';

/** A multiplied n times by itself, in 2 log2(n) products; negative powers are those of the inverse. */
export function matrixPower(A: Tensor, n: number): Tensor {
  const op = 'linalg.matrixPower';
  demandSquare(op, A);
  if (!Number.isInteger(n)) throw new ArgumentError(`the power must be an integer, got ${n}`, { op });
  if (n < 0) return matrixPower(inv(A), -n);
  if (n === 0) return eye(A.shape.at(-1)!, { dtype: A.dtype }).expand(A.shape).clone();
  let result: Tensor | undefined;
  let square = A;
  for (let rest = n; ; square = matmul(square, square)) {
    if (rest % 2 === 1) result = result === undefined ? square : matmul(result, square);
    rest = Math.floor(rest / 2);
    if (rest === 0) return result!;
  }
}

/** The product of all, in the order of fewest multiplications; the first and the last may be vectors. */
export function multiDot(tensors: readonly Tensor[]): Tensor {
  const op = 'linalg.multiDot';
  if (tensors.length < 2) throw new ArgumentError(`expects at least 2 tensors, got ${tensors.length}`, { op });
  const last = tensors.length - 1;
  for (const [i, t] of tensors.entries())
    if (t.ndim !== 2 && !(t.ndim === 1 && (i === 0 || i === last)))
      throw new ShapeError(`tensor ${i} must be a matrix${i === 0 || i === last ? ' or a vector' : ''}, got [${t.shape}]`, { op });
  const matrices = tensors.map((t, i) => (t.ndim === 2 ? t : t.unsqueeze(i === 0 ? 0 : 1)));
  for (let i = 0; i < last; i++)
    if (matrices[i]!.shape[1] !== matrices[i + 1]!.shape[0])
      throw new ShapeError(`tensors ${i} [${tensors[i]!.shape}] and ${i + 1} [${tensors[i + 1]!.shape}] cannot be multiplied`, { op });
  const product = multiplied(matrices, cheapestSplits([matrices[0]!.shape[0]!, ...matrices.map((m) => m.shape[1]!)]), 0, last);
  const first = tensors[0]!.ndim === 1 ? product.squeeze(0) : product;
  return tensors[last]!.ndim === 1 ? first.squeeze(-1) : first;
}

/** Where to cut each run of matrices i..j, of sizes[i] x sizes[i+1] each (Cormen et al., "Matrix-chain multiplication"). */
function cheapestSplits(sizes: readonly number[]): number[][] {
  const count = sizes.length - 1;
  const cost = Array.from({ length: count }, () => new Array<number>(count).fill(0));
  const split = Array.from({ length: count }, () => new Array<number>(count).fill(0));
  for (let length = 2; length <= count; length++)
    for (let i = 0; i + length <= count; i++) {
      const j = i + length - 1;
      cost[i]![j] = Number.POSITIVE_INFINITY;
      for (let k = i; k < j; k++) {
        const total = cost[i]![k]! + cost[k + 1]![j]! + sizes[i]! * sizes[k + 1]! * sizes[j + 1]!;
        if (total < cost[i]![j]!) [cost[i]![j], split[i]![j]] = [total, k];
      }
    }
  return split;
}

function multiplied(matrices: readonly Tensor[], split: readonly (readonly number[])[], i: number, j: number): Tensor {
  if (i === j) return matrices[i]!;
  const k = split[i]![j]!;
  return matmul(multiplied(matrices, split, i, k), multiplied(matrices, split, k + 1, j));
}

/** Cross product of vectors of three elements along `dim`. */
export const cross = (x: Tensor, y: Tensor, options: { readonly dim?: number } = {}): Tensor => crossProduct(x, y, options.dim ?? -1);
