// Which buffers lie in linear memory. Their blocks are a cache: what has been out of use longest makes room, after a copy to the host if need be.
//
// Neither the garbage collector nor its registries help here: V8 counts no linear memory, and calls no registry back as long as a loop does
// not yield. So a block makes room when it is stale, or when all take more than a bound. That of a dead buffer is copied out like any other,
// and its copy is ordinary garbage.
import { type Block, type Buffer, bytesOf, type Home, readSync, release } from '../buffer.ts';
import { allocate, bytesPerElement, type DType, type TypedArray } from '../dtype.ts';
import { OutOfMemoryError } from '../errors.ts';
import { type Registry, registryOf } from '../registry.ts';
import { give, type Range, take, takeTouched } from './heap.ts';
import type { LinearMemory } from './memory.ts';

/** Of one buffer. It does not know the buffer, which may so be collected, and its block be freed, while the cache holds the block. */
type WasmBlock = Block & {
  readonly dtype: DType;
  readonly length: number;
  /** Undefined once it had to make room. */
  range: Range | undefined;
  /** The run that used it last. */
  usedAt: number;
  older: WasmBlock | undefined;
  newer: WasmBlock | undefined;
};

export type Residency = {
  readonly linear: LinearMemory;
  readonly home: Home;
  /** Bytes that blocks may take before the oldest go. */
  bound: number;
  bytes: number;
  /** The number of the current run: its blocks stay. */
  run: number;
  /** Blocks by their last use, linked. */
  oldest: WasmBlock | undefined;
  newest: WasmBlock | undefined;
  /** Frees blocks of collected buffers, when the program yields. */
  readonly registry: Registry<WasmBlock>;
};

/** A quarter of what there is. Blocks are seldom so many, as they go stale before. */
const defaultBound = 1 << 30;
/** Runs after which a block counts as out of use: its pages, which are warm, then serve before untouched ones. */
const staleAfter = 64;

export function makeResidency(linear: LinearMemory): Residency {
  const home: Home = {
    name: 'wasm',
    read: async (block) => elementsOf(r, block as WasmBlock),
    readSync: (block) => elementsOf(r, block as WasmBlock),
    release: (block) => free(r, block as WasmBlock),
  };
  const r: Residency = {
    linear,
    home,
    bound: defaultBound,
    bytes: 0,
    run: 0,
    oldest: undefined,
    newest: undefined,
    registry: registryOf((block) => free(r, block)),
  };
  return r;
}

/** The address of an input's elements for the current run, copied in unless they are there. */
export function residentInput(r: Residency, buffer: Buffer, what: string): number {
  const known = blockOf(r, buffer);
  if (known?.range !== undefined) {
    use(r, known);
    return known.range.address;
  }
  const host = readSync(buffer);
  const range = reserve(r, bytesOf(buffer), what);
  copyIn(r, buffer.dtype, host, range.address);
  attach(r, buffer, range, true);
  return range.address;
}

/** The address where the current run may put the elements of `buffer`; what it held is gone. */
export function residentOutput(r: Residency, buffer: Buffer, what: string): number {
  const known = blockOf(r, buffer);
  const range = known?.range ?? reserve(r, bytesOf(buffer), what);
  if (known?.range === undefined) attach(r, buffer, range, false);
  else {
    known.isCopied = false;
    use(r, known);
  }
  buffer.host = undefined;
  return range.address;
}

/** Bytes of linear memory for `what`; older blocks make room. Throws OutOfMemoryError where that is not enough. */
export function reserve(r: Residency, bytes: number, what: string): Range {
  const { heap } = r.linear;
  while (r.bytes + bytes > r.bound && evictOldest(r)) {}
  for (let range = takeTouched(heap, bytes); ; range = takeTouched(heap, bytes)) {
    if (range !== undefined) return range;
    if (!evictOldest(r, staleAfter)) break;
  }
  for (;;) {
    const range = take(heap, bytes);
    if (range !== undefined) return range;
    if (!evictOldest(r)) throw outOfMemory(r, bytes, what);
  }
}

const outOfMemory = ({ linear }: Residency, bytes: number, what: string): OutOfMemoryError =>
  new OutOfMemoryError(
    `${what} wants ${bytes} bytes, and ${linear.heap.used} of the ${linear.maximumBytes} that WebAssembly can have are in use`,
    { op: 'wasm', fix: "use smaller batches, or the device 'js'" },
  );

/** The buffer's block in this memory. One of another device is given back once its elements are on the host. */
function blockOf(r: Residency, buffer: Buffer): WasmBlock | undefined {
  const { block } = buffer;
  if (block === undefined || block.home === r.home) return block as WasmBlock | undefined;
  readSync(buffer);
  release(buffer);
  return undefined;
}

function attach(r: Residency, buffer: Buffer, range: Range, isCopied: boolean): void {
  const block: WasmBlock = {
    home: r.home,
    isCopied,
    dtype: buffer.dtype,
    length: buffer.length,
    range,
    spilled: undefined,
    usedAt: r.run,
    older: undefined,
    newer: undefined,
  };
  buffer.block = block;
  r.bytes += range.bytes;
  r.registry.register(buffer, block, block);
  use(r, block);
}

/** Makes the block the newest. */
function use(r: Residency, block: WasmBlock): void {
  block.usedAt = r.run;
  if (r.newest === block) return;
  unlink(r, block);
  block.older = r.newest;
  if (r.newest !== undefined) r.newest.newer = block;
  else r.oldest = block;
  r.newest = block;
}

function unlink(r: Residency, block: WasmBlock): void {
  const { older, newer } = block;
  if (older !== undefined) older.newer = newer;
  else if (r.oldest === block) r.oldest = newer;
  if (newer !== undefined) newer.older = older;
  else if (r.newest === block) r.newest = older;
  block.older = undefined;
  block.newer = undefined;
}

/** Drops the block that has been out of use longest, for `runs` at least; says whether there was one. */
function evictOldest(r: Residency, runs = 1): boolean {
  const block = r.oldest;
  if (block === undefined || block.usedAt + runs > r.run) return false;
  if (!block.isCopied) block.spilled = elementsOf(r, block);
  free(r, block);
  return true;
}

function free(r: Residency, block: WasmBlock): void {
  const { range } = block;
  if (range === undefined) return;
  block.range = undefined;
  unlink(r, block);
  r.registry.unregister(block);
  r.bytes -= range.bytes;
  give(r.linear.heap, range);
}

const elementsOf = (r: Residency, { dtype, length, range }: WasmBlock): TypedArray => copyOut(r, dtype, length, range!.address);

/** Elements at an address, in an array of the caller's own. */
export function copyOut({ linear }: Residency, dtype: DType, length: number, address: number): TypedArray {
  const start = address / bytesPerElement[dtype];
  try {
    // Not by slice(), which takes four times as long where memory is not shared.
    const elements = allocate(dtype, length);
    elements.set(linear.views[dtype].subarray(start, start + length) as never);
    return elements;
  } catch (cause) {
    throw new OutOfMemoryError(`${length * bytesPerElement[dtype]} bytes cannot be had to read a tensor of ${length} elements`, {
      op: 'read',
      cause,
    });
  }
}

/** Writes elements to an address. */
export function copyIn({ linear }: Residency, dtype: DType, elements: TypedArray, address: number): void {
  linear.views[dtype].set(elements as never, address / bytesPerElement[dtype]);
}
