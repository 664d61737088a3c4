// Tensors as part of a program that uses WebGPU itself: its buffers as tensors, tensors as its buffers, what tensors take, and a lost device.

import { emptyBuffer } from '../../runtime/buffer.ts';
import { bytesPerElement } from '../../runtime/dtype.ts';
import { ArgumentError, DeviceError, DTypeError } from '../../runtime/errors.ts';
import { performed } from '../../runtime/webgpu/jobs.ts';
import { adopt, inputMemory } from '../../runtime/webgpu/memory.ts';
import { usage } from '../../runtime/webgpu/state.ts';
import { reopenWebGpu, webgpuMachine } from '../jit/gpu.ts';
import { demandTensors } from './arguments.ts';
import { realise } from './boundary.ts';
import { checkedShape } from './creation.ts';
import { targetOf } from './device.ts';
import { type DTypeName, dtypeName, elementOf } from './dtypes.ts';
import { newTensor } from './op.ts';
import { leafOfBuffer, recording } from './record.ts';
import { storageOf } from './storage.ts';
import type { Tensor } from './tensor.ts';
import { placeOfTensor } from './transfer.ts';

/**
 * A tensor over a buffer of the caller's own, on the device that `init` was given, without a copy: elements dense and row-major, a bool one
 * byte. The buffer stays the caller's, who destroys it when no tensor that was computed from it pends any more, and does not write to it
 * before. It must have the usages STORAGE and COPY_SRC.
 */
export function fromGPUBuffer(memory: GPUBuffer, shape: readonly number[], options: { readonly dtype?: DTypeName } = {}): Tensor {
  const op = 'fromGPUBuffer';
  const m = webgpuMachine();
  const dtype = elementOf(options.dtype ?? 'float32', op);
  if (!targetOf('webgpu').dtypes.includes(dtype)) throw new DTypeError(`the device webgpu has no ${dtypeName(dtype)}`, { op });
  const sizes = checkedShape(op, shape, dtype);
  const length = sizes.reduce((n, d) => n * d, 1);
  const bytes = 4 * Math.ceil((length * bytesPerElement[dtype]) / 4);
  if (memory.size < bytes) throw new ArgumentError(`shape [${sizes}] takes ${bytes} bytes, and the buffer has ${memory.size}`, { op });
  const needed = usage.storage | usage.copyFrom;
  if ((memory.usage & needed) !== needed)
    throw new ArgumentError('the buffer lacks a usage', { op, fix: 'make it with GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC' });
  const buffer = emptyBuffer(dtype, length, 'webgpu');
  adopt(m, buffer, memory, false, `a buffer of the caller: ${dtype}[${sizes}]`, true);
  return newTensor(storageOf(leafOfBuffer(buffer, { dtype, shape: sizes })));
}

/**
 * The buffer that holds the elements of a tensor on webgpu, dense and row-major, once the work that computes them is submitted: passes that are
 * submitted from then on find them there. It is to be read only, and stays valid as long as the tensor is held, not disposed, and not written to.
 */
export async function gpuBuffer(t: Tensor): Promise<GPUBuffer> {
  demandTensors('gpuBuffer', t);
  if (placeOfTensor(t) !== 'webgpu')
    throw new DeviceError('the tensor is on the CPU', { op: 'gpuBuffer', fix: "move it with to('webgpu') first" });
  const m = webgpuMachine();
  const buffer = realise(recording(() => t.value()));
  const memory = inputMemory(m, buffer, `${t.element}[${t.shape}]`);
  return performed(m, () => memory);
}

export type GpuMemory = {
  /** Bytes that tensors have, and bytes that are kept for use again. */
  readonly live: number;
  readonly idle: number;
  /** Who has them, the largest first: dtype, shape and the op and line that computed them. */
  readonly holders: readonly { readonly what: string; readonly count: number; readonly bytes: number }[];
};

/** What tensors take on webgpu. As `torch.cuda.memory_summary`: what grows from step to step is held by somebody. */
export function gpuMemory(): GpuMemory {
  const { blocks, liveBytes, idleBytes } = webgpuMachine();
  const holders = new Map<string, { count: number; bytes: number }>();
  for (const { what, memory } of blocks) {
    const entry = holders.get(what) ?? { count: 0, bytes: 0 };
    holders.set(what, { count: entry.count + 1, bytes: entry.bytes + (memory?.size ?? 0) });
  }
  return {
    live: liveBytes,
    idle: idleBytes,
    holders: [...holders].map(([what, entry]) => ({ what, ...entry })).sort((a, b) => b.bytes - a.bytes),
  };
}

/**
 * Opens another device in the place of a lost one; does nothing where the device works. Tensors whose elements the host has go on as if
 * nothing had happened; those that were only on the lost device throw DeviceLostError when they are used: load them anew, from a state dict
 * that was moved to the CPU. `device`: one of your own.
 */
export const recover = (options: { readonly device?: GPUDevice } = {}): Promise<void> => reopenWebGpu(options.device);
