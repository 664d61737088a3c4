// What all Programs on a WebGPU device share, and whether it still works.
import type { Home } from '../buffer.ts';
import { type FluxionError, OutOfMemoryError } from '../errors.ts';
import { fail } from '../executable.ts';
import type { Shader } from '../program.ts';
import type { Job } from './jobs.ts';
import type { GpuBlock } from './memory.ts';
import type { Pipeline } from './pipelines.ts';

/** The bits of `GPUBufferUsage` and `GPUMapMode`, which Node has under no global name. */
export const usage = { mapRead: 1, copyFrom: 4, copyTo: 8, uniform: 64, storage: 128, indirect: 256 } as const;
export const mapForReading = 1;

/** A routine of the library over arrays, then extents and flags. */
export type HostRoutine = (...args: unknown[]) => void;

export type Machine = {
  /** A lost device is replaced by another one, of the next generation: what was made on one before is made anew. */
  device: GPUDevice;
  generation: number;
  readonly home: Home;
  /** Which failure came first, and the two words of its value. */
  status: GPUBuffer;
  /** What the first word of the status means, from 1 on. */
  readonly failures: Shader['failures'][number][];
  /** Routines that no shader has, by name: they run on the host, and all work behind them waits. */
  readonly routineOf: (name: string) => HostRoutine | undefined;
  /** Intermediates of whatever Program runs, as nothing in them outlives a run; and how often it was made anew. */
  arena: GPUBuffer | undefined;
  arenas: number;
  readonly pipelines: Map<string, Pipeline>;
  /** What waits for pipelines, or behind what waits, in order; whether one is under way; and who sees to it. */
  readonly jobs: Job[];
  isBusy: boolean;
  draining: Promise<void> | undefined;
  /** What went wrong in work that nobody has looked at yet. */
  raised: FluxionError | undefined;
  /** Buffers out of use, by their size. */
  readonly idle: Map<number, GPUBuffer[]>;
  idleBytes: number;
  /** What tensors have, and from how many bytes on unreachable ones are looked for. */
  readonly blocks: Set<GpuBlock>;
  liveBytes: number;
  sweepFrom: number;
  /** Gives the memory of collected buffers back. */
  readonly registry: FinalizationRegistry<GpuBlock>;
  /** Why nothing works any more, or what went wrong behind the last call. */
  broken: FluxionError | undefined;
};

/** Throws what went wrong before, if anything did. */
export function checkHealth({ broken }: Machine): void {
  if (broken !== undefined) throw broken;
}

/** A buffer of at least `bytes`. What is larger than the device allows is refused before the device hears of it. */
export function newBuffer({ device }: Machine, label: string, bytes: number, flags: number): GPUBuffer {
  const most = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  if (bytes > most)
    throw new OutOfMemoryError(`${label} wants ${bytes} bytes, and a buffer of this adapter holds ${most}`, {
      op: 'webgpu',
      fix: "use smaller batches, or the device 'wasm'",
    });
  return device.createBuffer({ label, size: Math.max(4, Math.ceil(bytes / 4) * 4), usage: flags });
}

/** Throws what went wrong in the work so far, on the host or as the words of the status tell; once. */
export function checkStatus(m: Machine, [code, low, high]: Int32Array): void {
  const { raised } = m;
  m.raised = undefined;
  if (raised !== undefined) throw raised;
  if (code === undefined || code === 0) return;
  m.device.queue.writeBuffer(m.status, 0, new Int32Array(3));
  const { op, below } = m.failures[code - 1]!;
  const value = (BigInt(high!) << 32n) | BigInt(low! >>> 0);
  fail(op, below === undefined ? undefined : value, below);
}
