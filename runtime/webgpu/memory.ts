// Elements in the memory of a GPU: given out, filled from the host, read back, and used again.
import { type Block, type Buffer, bytesOf, readSync, release } from '../buffer.ts';
import { type DType, type TypedArray, viewOf } from '../dtype.ts';
import { DeviceError, DeviceLostError, FluxionError } from '../errors.ts';
import { perform, performed } from './jobs.ts';
import { checkHealth, checkStatus, type Machine, mapForReading, newBuffer, usage } from './state.ts';

/** `what` says whose elements they are: the name, dtype and shape, and the line that computed them. */
export type GpuBlock = Block & {
  readonly dtype: DType;
  readonly length: number;
  what: string;
  memory: GPUBuffer | undefined;
  /** Whether the memory belongs to somebody else, who gives it back. */
  readonly isBorrowed: boolean;
};

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
  forget(m, block);
  if (memory !== undefined && !block.isBorrowed) retire(m, memory);
}

/** Keeps memory for use again, or destroys it. */
export function retire(m: Machine, memory: GPUBuffer): void {
  if (m.idleBytes + memory.size > idleBound) {
    perform(m, () => memory.destroy());
    return;
  }
  m.idleBytes += memory.size;
  const list = m.idle.get(memory.size);
  if (list === undefined) m.idle.set(memory.size, [memory]);
  else list.push(memory);
}

/** Counts a block no longer as one that a tensor has. */
export function forget(m: Machine, block: GpuBlock): void {
  if (block.memory !== undefined) m.liveBytes -= block.memory.size;
  block.memory = undefined;
  m.blocks.delete(block);
  m.registry.unregister(block);
}

function attach(m: Machine, buffer: Buffer, isCopied: boolean, what: string): GPUBuffer {
  sweep(m);
  return adopt(m, buffer, take(m, bytesOf(buffer), what), isCopied, what, false);
}

/** Makes `memory` what holds the elements of a buffer. */
export function adopt(m: Machine, buffer: Buffer, memory: GPUBuffer, isCopied: boolean, what: string, isBorrowed: boolean): GPUBuffer {
  const { dtype, length } = buffer;
  const block: GpuBlock = { home: m.home, isCopied, spilled: undefined, dtype, length, what, memory, isBorrowed };
  buffer.block = block;
  m.blocks.add(block);
  m.liveBytes += memory.size;
  m.registry.register(buffer, block, block);
  return memory;
}

/**
 * JavaScript's collector does not see the memory of a GPU: past a mark it is made to look, by an array that is dropped at once. What it finds
 * comes back when the program yields.
 */
function sweep(m: Machine): void {
  if (m.liveBytes < m.sweepFrom) return;
  void new ArrayBuffer(256 << 20);
  m.sweepFrom = Math.max(m.sweepFrom, 2 * m.liveBytes);
}

/** The memory of an input, filled from the host unless its elements are there. */
export function inputMemory(m: Machine, buffer: Buffer, what: string): GPUBuffer {
  const { block } = buffer;
  if (block?.home === m.home) {
    const { memory } = block as GpuBlock;
    if (memory !== undefined) return memory;
    if (buffer.host === undefined) throw elementsLost((block as GpuBlock).what);
  } else if (block !== undefined) {
    readSync(buffer);
    release(buffer);
  }
  const host = readSync(buffer);
  const memory = attach(m, buffer, true, what);
  upload(m, memory, host);
  return memory;
}

const elementsLost = (what: string): DeviceLostError =>
  new DeviceLostError('gone', `the elements of ${what} lay on a device that was lost, and nowhere else`);

/** New memory for an output. What the buffer held before may be read by the run that writes it, so it is retired only behind that. */
export function outputMemory(
  m: Machine,
  buffer: Buffer,
  what: string,
): { readonly memory: GPUBuffer; readonly before: GPUBuffer | undefined } {
  const { block } = buffer;
  buffer.host = undefined;
  const own = block?.home === m.home ? (block as GpuBlock) : undefined;
  if (own?.memory === undefined || own.isBorrowed) {
    if (block !== undefined) release(buffer);
    return { memory: attach(m, buffer, false, what), before: undefined };
  }
  // State changes its memory in every step: the collector knows its block already.
  const before = own.memory;
  own.memory = take(m, bytesOf(buffer), what);
  own.what = what;
  own.isCopied = false;
  m.liveBytes += own.memory.size - before.size;
  return { memory: own.memory, before };
}

/** Sizes of copies are multiples of four bytes. */
export function upload(m: Machine, memory: GPUBuffer, host: TypedArray): void {
  const { byteLength } = host;
  const bytes = new Uint8Array(host.buffer as ArrayBuffer, host.byteOffset, byteLength);
  const padded = byteLength % 4 === 0 ? bytes : new Uint8Array(Math.ceil(byteLength / 4) * 4);
  if (padded !== bytes) padded.set(bytes);
  perform(m, () => m.device.queue.writeBuffer(memory, 0, padded));
}

/** The elements, once all work before is done. Throws what went wrong in that work. */
export async function readBlock(m: Machine, { dtype, length, memory, what }: GpuBlock): Promise<TypedArray> {
  checkHealth(m);
  if (memory === undefined) throw elementsLost(what);
  const bytes = await readAfterStatus(m, memory, bytesOf({ dtype, length }));
  return viewOf(dtype, bytes, 0, length);
}

/** Waits for all work, and throws what went wrong in it. */
export const readStatus = (m: Machine): Promise<unknown> => readAfterStatus(m, m.status, 0);

/** Words of the status that are read along, so that one wait serves both. */
const statusBytes = 16;

async function readAfterStatus(m: Machine, memory: GPUBuffer, length: number): Promise<ArrayBuffer> {
  checkHealth(m);
  const bytes = Math.ceil(length / 4) * 4;
  const staging = newBuffer(m, 'read-back', statusBytes + bytes, usage.mapRead | usage.copyTo);
  const { generation } = m;
  await performed(m, () => {
    if (m.generation !== generation) return;
    const encoder = m.device.createCommandEncoder();
    encoder.copyBufferToBuffer(m.status, 0, staging, 0, statusBytes);
    if (bytes > 0) encoder.copyBufferToBuffer(memory, 0, staging, statusBytes, bytes);
    m.device.queue.submit([encoder.finish()]);
  });
  const copy = await mapped(m, staging);
  checkStatus(m, new Int32Array(copy, 0, 3));
  return copy.slice(statusBytes);
}

/** The bytes of a buffer that work submitted before copies into; the buffer is gone then. */
export async function mapped(m: Machine, staging: GPUBuffer): Promise<ArrayBuffer> {
  const { generation } = m;
  try {
    await staging.mapAsync(mapForReading);
    checkHealth(m);
    return staging.getMappedRange().slice(0);
  } catch (cause) {
    if (cause instanceof FluxionError) throw cause;
    // The promise of the loss may settle after that of the mapping.
    await Promise.resolve();
    checkHealth(m);
    if (m.generation !== generation) throw new DeviceLostError('gone', 'the device was lost before its elements had come');
    throw new DeviceError(`the elements could not be read: ${String(cause)}`, { op: 'read', cause });
  } finally {
    staging.destroy();
  }
}
