// Dimension numbers as users write them: negative ones count from the end, several may be given, none means all.
import { ArgumentError, IndexError } from '../../runtime/errors.ts';
import { kindOf } from './arguments.ts';

/** One dimension within [0, rank). A 0-d tensor has dimension 0 and -1 for this purpose, as in PyTorch. */
export function dimOf(op: string, dim: number, rank: number): number {
  if (!Number.isInteger(dim))
    throw new ArgumentError(`dimension ${typeof dim === 'number' ? dim : `(${kindOf(dim)})`} is no integer`, { op });
  const range = Math.max(rank, 1);
  if (dim < -range || dim >= range)
    throw new IndexError(`dimension out of range (expected to be in range of [${-range}, ${range - 1}], but got ${dim})`, { op });
  return dim < 0 ? dim + range : dim;
}

/** Dimensions in ascending order; `undefined` and an empty list mean all. Throws where one is named twice. */
export function dimsOf(op: string, dim: number | readonly number[] | undefined, rank: number): readonly number[] {
  if (dim === undefined || (Array.isArray(dim) && dim.length === 0)) return Array.from({ length: rank }, (_, i) => i);
  if (typeof dim !== 'number' && !Array.isArray(dim))
    throw new ArgumentError(`dimensions must be an integer or a list of them, but are ${kindOf(dim)}`, { op });
  const list = (typeof dim === 'number' ? [dim] : [...dim]).map((d) => dimOf(op, d, rank));
  if (new Set(list).size !== list.length) throw new ArgumentError(`a dimension appears twice in [${String(dim)}]`, { op });
  return (rank === 0 ? [] : list).sort((a, c) => a - c);
}

/** The shape that is left, with 1 in the place of reduced dimensions if they are kept. */
export const reducedShape = (shape: readonly number[], dims: readonly number[], keepdim: boolean): readonly number[] =>
  keepdim ? shape.map((n, i) => (dims.includes(i) ? 1 : n)) : shape.filter((_, i) => !dims.includes(i));
