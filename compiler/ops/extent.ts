// Sizes of the graph as extents of loops.
import type { Extent, Size } from '../../kernels/loop.ts';
import { add, constant, mul, sizeOf } from '../../kernels/position.ts';
import type { Dim, Shape } from '../ir/dim.ts';

/** The sizes that a Program is compiled for, by name, with their bounds. */
export type Sizes = ReadonlyMap<string, Size>;
const unbounded: Sizes = new Map();

/** A size whose bounds nobody gave is an extent without bounds. */
export function extentOf(d: Dim, sizes: Sizes = unbounded): Extent {
  if (typeof d === 'number') return d;
  const terms = d.terms.map(({ coefficient, names }) =>
    names.reduce((p, name) => mul(p, sizes.get(name) ?? { size: name }), constant(coefficient)),
  );
  return sizeOf(add(...terms));
}

export const extentsOf = (shape: Shape, sizes?: Sizes): readonly Extent[] => shape.map((d) => extentOf(d, sizes));
