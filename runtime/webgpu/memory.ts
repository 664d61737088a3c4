// Elements in the memory of a GPU: given out, filled from the host, read back, and used again.
import { type Block, type Buffer, bytesOf, readSync, release } from '../buffer.ts';
import { type DType, type TypedArray, viewOf } from '../dtype.ts';
import { DeviceError, FluxionError } from '../errors.ts';
import { checkHealth, checkStatus, type Machine, mapForReading, newBuffer, usage } from './state.ts';

export type GpuBlock = Block & { readonly dtype: DType; readonly length: number; memory: GPUBuffer | undefined };

/** Bytes kept for use again; what comes beyond is destroyed. */
const idleBound = 256 << 20;

const sizeOf = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

function take(m: Machine, bytes: number, what: string): GPUBuffer {
  const size = sizeOf(bytes);
  const known = m.idle.get(size)?.pop();
  if (known === undefined) return newBuffer(m, what, size, usage.storage | usage.copyFrom | usage.copyTo);
  m.idleBytes -= size;
  return known;
}

/** Gives a block's memory back. Work that was submitted before is done before anybody else writes to it. */
export function recycle(m: Machine, block: GpuBlock): void {
  const { memory } = block;
  block.memory = undefined;
  m.registry.unregister(block);
  if (memory === undefined) return;
  if (m.idleBytes + memory.size > idleBound) {
    memory.destroy();
    return;
  }
  m.idleBytes += memory.size;
  const list = m.idle.get(memory.size);
  if (list === undefined) m.idle.set(memory.size, [memory]);
  else list.push(memory);
}

function attach(m: Machine, buffer: Buffer, isCopied: boolean, what: string): GPUBuffer {
  const memory = take(m, bytesOf(buffer), what);
  const { dtype, length } = buffer;
  const block: GpuBlock = { home: m.home, isCopied, spilled: undefined, dtype, length, memory };
  buffer.block = block;
  m.registry.register(buffer, block, block);
  return memory;
}

/** The memory of an input, filled from the host unless its elements are there. */
export function inputMemory(m: Machine, buffer: Buffer, what: string): GPUBuffer {
  const { block } = buffer;
  if (block?.home === m.home) {
    const { memory } = block as GpuBlock;
    if (memory !== undefined) return memory;
  } else if (block !== undefined) {
    readSync(buffer);
    release(buffer);
  }
  const host = readSync(buffer);
  const memory = attach(m, buffer, true, what);
  upload(m, memory, host);
  return memory;
}

/** New memory for an output. What the buffer held before may be read by the run that writes it, so it is given back only now. */
export function outputMemory(m: Machine, buffer: Buffer, what: string): { readonly memory: GPUBuffer; readonly before: Block | undefined } {
  const before = buffer.block;
  const memory = attach(m, buffer, false, what);
  buffer.host = undefined;
  return { memory, before };
}

/** Sizes of copies are multiples of four bytes. */
export function upload({ device }: Machine, memory: GPUBuffer, host: TypedArray): void {
  const { byteLength } = host;
  const bytes = new Uint8Array(host.buffer as ArrayBuffer, host.byteOffset, byteLength);
  if (byteLength % 4 === 0) device.queue.writeBuffer(memory, 0, bytes);
  else {
    const padded = new Uint8Array(Math.ceil(byteLength / 4) * 4);
    padded.set(bytes);
    device.queue.writeBuffer(memory, 0, padded);
  }
}

/** The elements, once all work before is done. Throws what went wrong in that work. */
export async function readBlock(m: Machine, { dtype, length, memory }: GpuBlock): Promise<TypedArray> {
  checkHealth(m);
  if (memory === undefined) throw new DeviceError('the elements are gone: their memory was given back', { op: 'read' });
  const bytes = await readAfterStatus(m, memory, bytesOf({ dtype, length }));
  return viewOf(dtype, bytes, 0, length);
}

/** Waits for all work, and throws what went wrong in it. */
export const readStatus = (m: Machine): Promise<unknown> => readAfterStatus(m, m.status, 0);

/** Words of the status that are read along, so that one wait serves both. */
const statusBytes = 16;

async function readAfterStatus(m: Machine, memory: GPUBuffer, length: number): Promise<ArrayBuffer> {
  checkHealth(m);
  const { device } = m;
  const bytes = Math.ceil(length / 4) * 4;
  const staging = newBuffer(m, 'read-back', statusBytes + bytes, usage.mapRead | usage.copyTo);
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(m.status, 0, staging, 0, statusBytes);
  if (bytes > 0) encoder.copyBufferToBuffer(memory, 0, staging, statusBytes, bytes);
  device.queue.submit([encoder.finish()]);
  try {
    await staging.mapAsync(mapForReading);
    checkHealth(m);
    const copy = staging.getMappedRange().slice(0);
    checkStatus(m, new Int32Array(copy, 0, 3));
    return copy.slice(statusBytes);
  } catch (cause) {
    if (cause instanceof FluxionError) throw cause;
    // The promise of the loss may settle after that of the mapping.
    await Promise.resolve();
    checkHealth(m);
    throw new DeviceError(`the elements could not be read: ${String(cause)}`, { op: 'read', cause });
  } finally {
    staging.destroy();
  }
}
