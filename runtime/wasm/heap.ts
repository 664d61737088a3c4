// Who has which bytes of linear memory: two-level segregated fit (Masmano et al. 2004), so that giving and taking back cost the same at any size.

/** Sizes and addresses are multiples of this: a cache line. */
export const grain = 64;

/** A stretch of bytes, given out or free. Neighbours by address are linked, so that free ones become one; free ones of a size are linked too. */
export type Range = {
  readonly address: number;
  bytes: number;
  isFree: boolean;
  before: Range | undefined;
  after: Range | undefined;
  previousFree: Range | undefined;
  nextFree: Range | undefined;
};

/** `top` is where memory begins that nobody has touched: touching costs more than recycling, so it is given out last. */
export type Heap = {
  top: number;
  limit: number;
  /** The range below `top`. */
  last: Range | undefined;
  used: number;
  /** Free ranges by class of size, the latest first since they are warm. */
  readonly bins: (Range | undefined)[];
  /** Which rows of classes, and which classes in each row, have a free range. */
  rows: number;
  readonly columns: Int32Array;
  /** Asks for memory up to `limit` at least; gives the new limit, the old one where there is no more. */
  readonly extend: (limit: number) => number;
};

/** Classes in a row, which spans a power of two: a range is at most a sixteenth larger than what was asked for. */
const columnBits = 4;
const columnCount = 1 << columnBits;
/** Ranges of less than 4 GiB. */
const rowCount = 32 - Math.log2(grain);

export function makeHeap(start: number, limit: number, extend: Heap['extend']): Heap {
  return {
    top: start,
    limit,
    last: undefined,
    used: 0,
    bins: new Array<undefined>(rowCount * columnCount).fill(undefined),
    rows: 0,
    columns: new Int32Array(rowCount),
    extend,
  };
}

/** The class of ranges of `grains`, and how many grains the smallest range in it has. */
function classOf(grains: number): number {
  const row = 31 - Math.clz32(grains);
  const shift = row - columnBits;
  return row * columnCount + ((shift >= 0 ? grains >>> shift : grains << -shift) & (columnCount - 1));
}

/** `bytes` rounded up to the smallest size of a class, so that a range that comes back serves the next request for as much. */
export function rounded(bytes: number): number {
  const grains = Math.max(1, Math.ceil(bytes / grain));
  const step = Math.max(1, 2 ** (31 - Math.clz32(grains) - columnBits));
  return Math.ceil(grains / step) * step * grain;
}

/** A range of at least `bytes`; undefined where there is none. */
export function take(heap: Heap, bytes: number): Range | undefined {
  const range = takeTouched(heap, bytes);
  return range ?? takeUntouched(heap, bytes);
}

/** As `take`, from memory that was in use before. */
export function takeTouched(heap: Heap, bytes: number): Range | undefined {
  const size = rounded(bytes);
  const range = findFree(heap, size);
  if (range === undefined) return undefined;
  unlinkFree(heap, range);
  if (range.bytes > size) {
    const rest = insertAfter(heap, range, range.address + size, range.bytes - size);
    range.bytes = size;
    linkFree(heap, rest);
  }
  heap.used += range.bytes;
  return range;
}

function takeUntouched(heap: Heap, bytes: number): Range | undefined {
  const size = rounded(bytes);
  const tail = heap.last?.isFree ? heap.last : undefined;
  const start = tail?.address ?? heap.top;
  const end = start + size;
  if (end > heap.limit) heap.limit = heap.extend(end);
  if (end > heap.limit) return undefined;
  if (tail !== undefined) unlinkFree(heap, tail);
  const range = tail ?? insertAfter(heap, heap.last, start, size);
  range.bytes = size;
  heap.top = end;
  heap.used += size;
  return range;
}

/** Takes a range back. */
export function give(heap: Heap, range: Range): void {
  heap.used -= range.bytes;
  let whole = range;
  const { before, after } = range;
  if (after?.isFree) {
    unlinkFree(heap, after);
    whole.bytes += after.bytes;
    remove(heap, after);
  }
  if (before?.isFree) {
    unlinkFree(heap, before);
    before.bytes += whole.bytes;
    remove(heap, whole);
    whole = before;
  }
  linkFree(heap, whole);
}

/** The first range of the first class that has one, from the class of `size` on: all in these are large enough. */
function findFree(heap: Heap, size: number): Range | undefined {
  if (size >= grain * 2 ** rowCount) return undefined;
  const from = classOf(size / grain);
  const row = Math.floor(from / columnCount);
  const inRow = heap.columns[row]! & (-1 << (from % columnCount));
  if (inRow !== 0) return heap.bins[row * columnCount + lowestBit(inRow)];
  const above = row + 1 < 32 ? heap.rows & (-1 << (row + 1)) : 0;
  if (above === 0) return undefined;
  const next = lowestBit(above);
  return heap.bins[next * columnCount + lowestBit(heap.columns[next]!)];
}

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits);

function linkFree(heap: Heap, range: Range): void {
  const at = classOf(range.bytes / grain);
  const next = heap.bins[at];
  range.isFree = true;
  range.previousFree = undefined;
  range.nextFree = next;
  if (next !== undefined) next.previousFree = range;
  heap.bins[at] = range;
  const row = Math.floor(at / columnCount);
  heap.rows |= 1 << row;
  heap.columns[row]! |= 1 << (at % columnCount);
}

function unlinkFree(heap: Heap, range: Range): void {
  const { previousFree, nextFree } = range;
  range.isFree = false;
  range.previousFree = undefined;
  range.nextFree = undefined;
  if (nextFree !== undefined) nextFree.previousFree = previousFree;
  if (previousFree !== undefined) {
    previousFree.nextFree = nextFree;
    return;
  }
  const at = classOf(range.bytes / grain);
  heap.bins[at] = nextFree;
  if (nextFree !== undefined) return;
  const row = Math.floor(at / columnCount);
  heap.columns[row]! &= ~(1 << (at % columnCount));
  if (heap.columns[row] === 0) heap.rows &= ~(1 << row);
}

function insertAfter(heap: Heap, before: Range | undefined, address: number, bytes: number): Range {
  const after = before?.after;
  const range: Range = { address, bytes, isFree: false, before, after, previousFree: undefined, nextFree: undefined };
  if (before !== undefined) before.after = range;
  if (after !== undefined) after.before = range;
  else heap.last = range;
  return range;
}

function remove(heap: Heap, range: Range): void {
  if (range.before !== undefined) range.before.after = range.after;
  if (range.after !== undefined) range.after.before = range.before;
  else heap.last = range.before;
}
