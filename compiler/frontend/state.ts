// State: tensors that outlive the interval in which they are made, such as parameters, buffers of modules and moments of optimisers.
import { allocate, type DType, type TypedArray } from '../../runtime/dtype.ts';
import { realise } from './boundary.ts';
import { convert } from './creation.ts';
import { newTensor } from './op.ts';
import { currentInterval, leafOf, recording } from './record.ts';
import { keep, storageOfData, write } from './storage.ts';
import type { Tensor } from './tensor.ts';

/** Makes a tensor state, in place: its value is computed if it is not yet, and writes to it are stored from the first one on. */
export function kept<T extends Tensor>(t: T): T {
  realise(recording(() => t.value()));
  keep(t.storage);
  return t;
}

/** State over an array that the caller gives away. */
function stateOf(array: TypedArray, dtype: DType, shape: readonly number[]): Tensor {
  const t = newTensor(storageOfData(array, dtype, shape));
  keep(t.storage);
  return t;
}

export const stateZeros = (shape: readonly number[], dtype: DType): Tensor => stateOf(allocate(dtype, elements(shape)), dtype, shape);

/** State with the present elements of `t`, in a buffer of its own. */
export const stateCopy = (t: Tensor, dtype: DType = t.element): Tensor =>
  stateOf(dtype === t.element ? t.dataSync() : convert(t.dataSync(), dtype), dtype, t.shape);

/** Replaces the elements of a tensor that is no view by those of `array`, which the caller gives away; history plays no part. */
export function overwrite(t: Tensor, array: TypedArray): void {
  write(t.storage, leafOf(array, { dtype: t.element, shape: t.shape }));
  // Where the elements came from, a replay of compiled code would not know.
  currentInterval().repeatable = false;
}

/** Converts a tensor in place, its gradient as well; views of it that exist are left behind. */
export function retype(t: Tensor, dtype: DType): void {
  if (t.element === dtype) return;
  write(t.storage, leafOf(convert(t.dataSync(), dtype), { dtype, shape: t.shape }));
  if (t.gradient !== null) t.gradient = stateCopy(t.gradient, dtype);
}

const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
