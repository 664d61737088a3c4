// Open dimensions: the sizes that an entry is recorded at, and how the dimensions of its results follow from them.
import type { Declaration, OpenDim } from '../frontend/aot.ts';
import { dimsOf } from '../frontend/aot.ts';
import type { BuiltDim } from './model.ts';

/** A size of each open dimension, by name. */
export type Sizes = Readonly<Record<string, number>>;

/** Recordings are made for every combination of sizes, so there must be few. */
export const maxVariants = 64;

export const boundsOf = (d: OpenDim): { readonly min: number; readonly max: number } =>
  'sizes' in d ? { min: d.sizes[0]!, max: d.sizes[d.sizes.length - 1]! } : { min: d.min, max: d.max };

/** The open dimensions of a declaration, one for each name. */
export function openDims(inputs: Declaration['inputs']): OpenDim[] {
  const byName = new Map<string, OpenDim>();
  for (const d of dimsOf(inputs)) byName.set(d.name, d);
  return [...byName.values()];
}

/** Every combination of the sizes of dimensions that have a few. */
export function combinations(dims: readonly OpenDim[]): Sizes[] {
  let all: Sizes[] = [{}];
  for (const d of dims) {
    if (!('sizes' in d)) continue;
    all = all.flatMap((sofar) => d.sizes.map((size) => ({ ...sofar, [d.name]: size })));
  }
  return all;
}

/** One dimension of a result, from what it was at each of the sizes: fixed, or a multiple of an open one and a constant. Undefined: neither. */
export function dimBehind(extents: readonly number[], sizes: readonly Sizes[], dims: readonly OpenDim[]): BuiltDim | undefined {
  const first = extents[0]!;
  if (extents.every((n) => n === first)) return first;
  for (const d of dims) {
    const at = sizes.map((s) => s[d.name]!);
    const other = at.findIndex((size) => size !== at[0]);
    if (other < 0) continue;
    const times = (extents[other]! - first) / (at[other]! - at[0]!);
    const plus = first - times * at[0]!;
    if (Number.isInteger(times) && extents.every((n, i) => n === times * at[i]! + plus))
      return { dim: d.name, ...boundsOf(d), times, plus };
  }
  return undefined;
}
