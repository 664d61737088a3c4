// The linear memory that all Programs of a process share, and views of it for the host.
import { type DType, dtypes, type TypedArray, viewOf } from '../dtype.ts';
import { OutOfMemoryError } from '../errors.ts';
import { grain, type Heap, makeHeap } from './heap.ts';

const pageBytes = 65536;
/** 4 GiB: what 32-bit addresses reach. */
export const maximumPages = 65536;
/** Memory is asked for in steps of this: more calls cost time, and what nobody touches costs nothing. */
const stepBytes = 64 << 20;

export type LinearMemory = {
  readonly memory: WebAssembly.Memory;
  /** Shared memory grows under views that exist; other memory takes them away. */
  readonly isShared: boolean;
  readonly maximumBytes: number;
  readonly heap: Heap;
  /** Of the whole memory. Views of one's own hold until the next allocation. */
  views: Readonly<Record<DType, TypedArray>>;
  /** As `views.i32` and `views.f64`, typed. */
  words: Int32Array;
  doubles: Float64Array;
};

/** Whether threads may share memory here: a page needs headers for it, which `crossOriginIsolated` tells. */
export const canShare = (): boolean =>
  typeof SharedArrayBuffer === 'function' && (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;

/** Reserves addresses for `maximum` pages, fewer where the machine refuses so many; nothing of it is in use yet. */
export function openMemory(maximum = maximumPages, isShared = canShare()): LinearMemory {
  const { memory, pages } = reserve(maximum, isShared);
  const extend = (limit: number): number => {
    grow(opened, limit);
    return memory.buffer.byteLength - grain;
  };
  // Address 0 stays nobody's, so that it can mean none. Behind the last range too there are readable bytes: kernels load past an end.
  const heap = makeHeap(grain, memory.buffer.byteLength - grain, extend);
  const opened: LinearMemory = { memory, isShared, maximumBytes: pages * pageBytes, heap, ...viewsOf(memory) };
  return opened;
}

function reserve(maximum: number, shared: boolean): { memory: WebAssembly.Memory; pages: number } {
  for (let pages = maximum; ; pages = Math.floor(pages / 2)) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 1, maximum: pages, shared }), pages };
    } catch (cause) {
      if (pages > 1) continue;
      throw new OutOfMemoryError('no linear memory can be had', { op: 'wasm', cause });
    }
  }
}

/** Grows so that `limit` and the grain behind it fit, by a whole step if there is one left. */
function grow(m: LinearMemory, limit: number): void {
  const before = m.memory.buffer.byteLength;
  const wanted = limit + grain;
  if (wanted > m.maximumBytes) return;
  const generous = Math.min(m.maximumBytes, Math.max(wanted, before + stepBytes));
  if (!growTo(m.memory, generous) && !growTo(m.memory, wanted)) return;
  Object.assign(m, viewsOf(m.memory));
}

function growTo(memory: WebAssembly.Memory, bytes: number): boolean {
  try {
    memory.grow(Math.ceil(bytes / pageBytes) - memory.buffer.byteLength / pageBytes);
    return true;
  } catch {
    return false;
  }
}

function viewsOf({ buffer }: WebAssembly.Memory): Pick<LinearMemory, 'views' | 'words' | 'doubles'> {
  const view = (dtype: DType): TypedArray => viewOf(dtype, buffer, 0, buffer.byteLength / viewOf(dtype, buffer, 0, 0).BYTES_PER_ELEMENT);
  const views = Object.fromEntries(dtypes.map((d) => [d, view(d)])) as Record<DType, TypedArray>;
  return { views, words: views.i32 as Int32Array, doubles: views.f64 as Float64Array };
}
