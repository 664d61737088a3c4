// Tensors from device to device: up to a GPU at once, down from it as soon as it has come so far.
import { arrivals, fetched } from '../../runtime/arrival.ts';
import { type Buffer, hostBuffer, type Place, readSync } from '../../runtime/buffer.ts';
import { AutogradError, DeviceError, DTypeError } from '../../runtime/errors.ts';
import { idle } from '../../runtime/webgpu/machine.ts';
import { isWebGpuOpen, webgpuMachine } from '../jit/gpu.ts';
import { isGradEnabled } from './autograd/mode.ts';
import { realise, stepBoundary } from './boundary.ts';
import { placeNow, targetOf } from './device.ts';
import { dtypeName } from './dtypes.ts';
import { requiresGradOf } from './handle.ts';
import { newTensor } from './op.ts';
import { currentCall, currentTrace, leafOfBuffer, placeOfValue, recording } from './record.ts';
import { storageOf, write } from './storage.ts';
import type { Tensor } from './tensor.ts';

/** Where a tensor belongs. */
export const placeOfTensor = (t: Tensor): Place => placeOfValue(t.storage.value) ?? placeNow();

/** The same elements in another place. */
export function moved(buffer: Buffer, place: Place): Buffer {
  if (buffer.place === place) return buffer;
  if (place === 'cpu') return fetched(buffer);
  if (!targetOf(place).dtypes.includes(buffer.dtype))
    throw new DTypeError(`the device webgpu has no ${dtypeName(buffer.dtype)}`, { op: 'to', fix: "convert with to('float32') first" });
  return hostBuffer(buffer.dtype, readSync(buffer), place);
}

/** The elements of a tensor in a buffer of `place`; whatever pends runs. */
export const bufferIn = (t: Tensor, place: Place): Buffer => moved(realise(recording(() => t.value())), place);

/** The tensor in another place; itself where it is there already. Gradients do not follow. */
export function transfer(t: Tensor, place: Place): Tensor {
  if (placeOfTensor(t) === place) return t;
  if (currentCall() !== undefined || currentTrace() !== undefined)
    throw new DeviceError('a function that is compiled or transformed runs on one device as a whole', {
      op: 'to',
      fix: 'move tensors before the call, or after it',
    });
  if (isGradEnabled() && requiresGradOf(t) && t.gradFn !== null)
    throw new AutogradError('gradients do not flow from one device to another', {
      op: 'to',
      fix: 'detach() first, or build the whole graph on one device',
    });
  const copy = newTensor(storageOf(leafOfBuffer(bufferIn(t, place), { dtype: t.element, shape: t.shape })));
  if (t.requiresGrad) copy.requiresGrad_(true);
  return copy;
}

/** Moves a tensor in place, its gradient as well; views of it that exist are left behind. */
export function rehouse(t: Tensor, place: Place): void {
  if (placeOfTensor(t) !== place) write(t.storage, leafOfBuffer(bufferIn(t, place), { dtype: t.element, shape: t.shape }));
  if (t.gradient !== null) rehouse(t.gradient, place);
}

/**
 * Waits until all that was recorded has run and all that was moved to the CPU has arrived. As `torch.cuda.synchronize`. Throws what went
 * wrong on the way, such as an index out of range.
 */
export async function synchronize(): Promise<void> {
  stepBoundary();
  await arrivals();
  if (isWebGpuOpen()) await idle(webgpuMachine());
}
