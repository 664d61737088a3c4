// State: tensors that outlive the interval in which they are made, such as parameters, buffers of modules and moments of optimisers.
import { type Buffer, hostBuffer } from '../../runtime/buffer.ts';
import { allocate, type DType, type TypedArray } from '../../runtime/dtype.ts';
import { b } from '../ir/builder.ts';
import { realise } from './boundary.ts';
import { convert } from './creation.ts';
import { apply, newTensor } from './op.ts';
import { currentInterval, leafOf, leafOfBuffer, recording } from './record.ts';
import { keep, storageOfData, write } from './storage.ts';
import type { Tensor } from './tensor.ts';
import { placeOfTensor } from './transfer.ts';

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
  placeOfTensor(t) === 'webgpu'
    ? kept(converted(t, dtype))
    : stateOf(dtype === t.element ? t.dataSync() : convert(t.dataSync(), dtype), dtype, t.shape);

/** A copy of the elements that never leaves the device. */
const converted = (t: Tensor, dtype: DType): Tensor =>
  apply('to', [t.detach()], (v) => (dtype === t.element ? b.reshape(v, { shape: t.shape }) : b.cast(v, { to: dtype })));

/** Replaces the elements of a tensor that is no view by those of `array`, which the caller gives away; history plays no part. */
export const overwrite = (t: Tensor, array: TypedArray): void => replace(t, hostBuffer(t.element, array, placeOfTensor(t)));

/** The same by a buffer. */
export function replace(t: Tensor, buffer: Buffer): void {
  write(t.storage, leafOfBuffer(buffer, { dtype: t.element, shape: t.shape }));
  // Where the elements came from, a replay of compiled code would not know.
  currentInterval().repeatable = false;
}

/** Converts a tensor in place, its gradient as well; views of it that exist are left behind. */
export function retype(t: Tensor, dtype: DType): void {
  if (t.element === dtype) return;
  const value =
    placeOfTensor(t) === 'webgpu' ? converted(t, dtype).value() : leafOf(convert(t.dataSync(), dtype), { dtype, shape: t.shape });
  write(t.storage, value);
  if (t.gradient !== null) t.gradient = stateCopy(t.gradient, dtype);
}

const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
