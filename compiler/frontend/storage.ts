// A storage holds the current value of a tensor and of all its views, and counts how often it was written.
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import { avalOf, type Value } from '../ir/node.ts';
import { currentInterval, type Interval, leafOf, recordedOf, resolve } from './record.ts';

/** Values are immutable; a write in place replaces the storage's value and bumps its version. */
export type Storage = {
  value: Value;
  version: number;
  /** The interval in which it was made: a write to an older storage must be stored at the boundary. */
  readonly born: Interval;
};

/** A storage for a value that was just recorded (or a leaf). */
export function storageOf(value: Value): Storage {
  const storage: Storage = { value, version: 0, born: currentInterval() };
  hold(storage);
  return storage;
}

/** A storage for data that exist. */
export const storageOfData = (array: TypedArray, dtype: DType, shape: readonly number[]): Storage => storageOf(leafOf(array, { dtype, shape }));

/** Lets the value's node know who holds it, so that the storage lets go of the graph when the value is realised. */
function hold(storage: Storage): void {
  if (storage.value.node.op === 'input' || storage.value.node.op === 'slot') return;
  const r = recordedOf(storage.value.node);
  (r.holders ??= []).push(storage);
}

/** The current value, usable in the current interval. */
export function read(storage: Storage): Value {
  const value = resolve(storage.value);
  storage.value = value;
  return value;
}

/** Replaces the value. `value` has the storage's dtype and shape. */
export function write(storage: Storage, value: Value): void {
  const interval = currentInterval();
  if (storage.born !== interval && !interval.written.has(storage)) interval.written.set(storage, storage.value);
  storage.value = value;
  storage.version++;
  hold(storage);
}

export const storageAval = (storage: Storage): ReturnType<typeof avalOf> => avalOf(storage.value);
