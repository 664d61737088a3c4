// Arithmetic of extents: numbers where they are known, else sizes that are computed when the kernel is launched.
import type { Extent } from './loop.ts';
import { add, constant, div, mod, mul, sizeOf } from './position.ts';

/** The largest that an extent can be: what memory is laid out for and schedules are chosen by. */
export const mostOf = (e: Extent): number => (typeof e === 'number' ? e : (e.most ?? Number.POSITIVE_INFINITY));

export const sameExtent = (a: Extent, b: Extent): boolean => (typeof a === 'number' || typeof b === 'number' ? a === b : a.size === b.size);

export const plus = (a: Extent, b: Extent): Extent =>
  typeof a === 'number' && typeof b === 'number' ? a + b : sizeOf(add(constant(a), constant(b)));

export function times(a: Extent, b: Extent): Extent {
  if (typeof a === 'number') return typeof b === 'number' ? a * b : sizeOf(mul(constant(b), a));
  return sizeOf(mul(constant(a), b));
}

/** Whole parts of `by`. */
export const wholeParts = (a: Extent, by: number): Extent => (typeof a === 'number' ? Math.floor(a / by) : sizeOf(div(constant(a), by)));

/** What whole parts of `by` leave. */
export const restOf = (a: Extent, by: number): Extent => (typeof a === 'number' ? a % by : sizeOf(mod(constant(a), by)));

export const productOf = (extents: readonly Extent[]): Extent => extents.reduce<Extent>(times, 1);
