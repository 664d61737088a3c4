// Which buffers a launch binds, and where in them its parameters lie: what the emitter and the runtime must agree on.
import { bytesPerElement } from '../dtype.ts';
import type { BufferRef } from '../program.ts';

/** A whole buffer of the device. Of a launch's buffers, number 0 is the arena, used or not. */
export type Storage = { readonly space: 'arena' } | { readonly space: 'input' | 'output' | 'constant'; readonly index: number };

/** Where a parameter lies: in which of the launch's buffers, and whether elsewhere than at its beginning. */
export type ParamPlace = { readonly buffer: number; readonly isShifted: boolean };

/** Several parameters in one buffer bind it once: the same memory may not be bound twice where it is written. */
export function storageOf(refs: readonly BufferRef[]): { readonly storage: readonly Storage[]; readonly places: readonly ParamPlace[] } {
  const storage: Storage[] = [{ space: 'arena' }];
  const places = refs.map((ref): ParamPlace => {
    if (ref.space === 'arena') return { buffer: 0, isShifted: true };
    const known = storage.findIndex((s) => s.space === ref.space && s.index === ref.index);
    const buffer = known >= 0 ? known : storage.push({ space: ref.space, index: ref.index }) - 1;
    return { buffer, isShifted: ref.rows !== undefined };
  });
  return { storage, places };
}

/** The first element of a parameter in its buffer, in the given turns of the loops around its launch. */
export function offsetOf(ref: BufferRef, turns: readonly number[]): number {
  const start = ref.space === 'arena' ? ref.offset / bytesPerElement[ref.dtype] : 0;
  return (ref.rows ?? []).reduce((at, { loop, length }) => at + turns[loop]! * length, start);
}
