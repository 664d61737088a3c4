// The one seam for fault injection: a test installs `at`, which may throw when the n-th allocation or launch of a run comes up.

export type FaultPoint = 'alloc' | 'launch';
export type Faults = { at: ((point: FaultPoint, n: number) => void) | undefined };

/** Handed to `bind` by the JIT. An artifact binds without it, so nothing of this file is in a bundle. */
export const faults: Faults = { at: undefined };
