// Places intermediates in one block of memory, so that those that are alive at different times share bytes.
import { arenaAlignment } from '../../runtime/program.ts';

/** Alive from launch `first`, which writes it, to launch `last`, which reads it last, both included. */
export type Lifetime = { readonly bytes: number; readonly first: number; readonly last: number };

export type ArenaPlan = {
  /** In bytes from the start of the arena, by lifetime. */
  readonly offsets: readonly number[];
  readonly arenaBytes: number;
  /** Bytes alive at once at the worst launch: no plan needs less. */
  readonly liveBytes: number;
};

const aligned = (bytes: number): number => Math.ceil(bytes / arenaAlignment) * arenaAlignment;

/** Beyond this many lifetimes only the sweep is tried: the greedy placements compare each with all that are placed. */
const mostCompared = 2000;

/** The best of a few placements; it ends with the first that needs no more than what is alive at once. */
export function planArena(lifetimes: readonly Lifetime[]): ArenaPlan {
  const sizes = lifetimes.map((l) => aligned(l.bytes));
  const liveBytes = largestLiveSet(lifetimes, sizes);
  let best = sweep(lifetimes, sizes);
  if (lifetimes.length <= mostCompared) {
    const indices = lifetimes.map((_, i) => i);
    const span = (i: number): number => lifetimes[i]!.last - lifetimes[i]!.first + 1;
    const orders: readonly ((i: number, j: number) => number)[] = [
      (i, j) => sizes[j]! - sizes[i]! || span(j) - span(i),
      (i, j) => sizes[j]! * span(j) - sizes[i]! * span(i),
      (i, j) => span(j) - span(i) || sizes[j]! - sizes[i]!,
      (i, j) => lifetimes[i]!.first - lifetimes[j]!.first || sizes[j]! - sizes[i]!,
    ];
    for (const order of orders) {
      if (best.arenaBytes <= liveBytes) break;
      const placed = placeInOrder(
        indices.toSorted((i, j) => order(i, j) || i - j),
        lifetimes,
        sizes,
      );
      if (placed.arenaBytes < best.arenaBytes) best = placed;
    }
  }
  return { ...best, liveBytes };
}

type Placement = Pick<ArenaPlan, 'offsets' | 'arenaBytes'>;

function largestLiveSet(lifetimes: readonly Lifetime[], sizes: readonly number[]): number {
  const change = new Map<number, number>();
  const at = (launch: number, bytes: number): void => void change.set(launch, (change.get(launch) ?? 0) + bytes);
  lifetimes.forEach((l, i) => {
    at(l.first, sizes[i]!);
    at(l.last + 1, -sizes[i]!);
  });
  let live = 0;
  let largest = 0;
  for (const launch of [...change.keys()].sort((a, b) => a - b)) {
    live += change.get(launch)!;
    largest = Math.max(largest, live);
  }
  return largest;
}

/** Puts each in the smallest gap between those already placed that are alive at the same time (greedy by size, best fit). */
function placeInOrder(order: readonly number[], lifetimes: readonly Lifetime[], sizes: readonly number[]): Placement {
  const offsets = lifetimes.map(() => 0);
  /** Placed ones by offset. */
  const placed: number[] = [];
  let arenaBytes = 0;
  for (const i of order) {
    const { first, last } = lifetimes[i]!;
    let end = 0;
    let offset = -1;
    let smallest = Number.POSITIVE_INFINITY;
    for (const j of placed) {
      if (lifetimes[j]!.first > last || lifetimes[j]!.last < first) continue;
      const gap = offsets[j]! - end;
      if (gap >= sizes[i]! && gap < smallest) {
        smallest = gap;
        offset = end;
      }
      end = Math.max(end, offsets[j]! + sizes[j]!);
    }
    offsets[i] = offset < 0 ? end : offset;
    arenaBytes = Math.max(arenaBytes, offsets[i]! + sizes[i]!);
    insertByOffset(placed, i, offsets);
  }
  return { offsets, arenaBytes };
}

function insertByOffset(placed: number[], i: number, offsets: readonly number[]): void {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[placed[middle]!]! <= offsets[i]!) low = middle + 1;
    else high = middle;
  }
  placed.splice(low, 0, i);
}

type Gap = { start: number; end: number };

/** Allocates and frees launch by launch, as an allocator would: near-linear, for programs of any length. */
function sweep(lifetimes: readonly Lifetime[], sizes: readonly number[]): Placement {
  const byFirst = lifetimes.map((_, i) => i).sort((i, j) => lifetimes[i]!.first - lifetimes[j]!.first || sizes[j]! - sizes[i]! || i - j);
  const byLast = byFirst.toSorted((i, j) => lifetimes[i]!.last - lifetimes[j]!.last);
  const offsets = lifetimes.map(() => 0);
  /** Free ranges below `arenaBytes`, by start, none touching the next. */
  const gaps: Gap[] = [];
  let arenaBytes = 0;
  let freed = 0;
  for (const i of byFirst) {
    for (; lifetimes[byLast[freed]!]!.last < lifetimes[i]!.first; freed++) free(gaps, offsets[byLast[freed]!]!, sizes[byLast[freed]!]!);
    const size = sizes[i]!;
    let best: Gap | undefined;
    for (const gap of gaps)
      if (gap.end - gap.start >= size && (best === undefined || gap.end - gap.start < best.end - best.start)) best = gap;
    if (best !== undefined) {
      offsets[i] = best.start;
      best.start += size;
      if (best.start === best.end) gaps.splice(gaps.indexOf(best), 1);
    } else {
      // The last gap may reach the end: it is grown.
      const tail = gaps.at(-1)?.end === arenaBytes ? gaps.pop()! : { start: arenaBytes, end: arenaBytes };
      offsets[i] = tail.start;
      arenaBytes = tail.start + size;
    }
  }
  return { offsets, arenaBytes };
}

function free(gaps: Gap[], start: number, size: number): void {
  if (size === 0) return;
  let at = gaps.findIndex((gap) => gap.start > start);
  if (at < 0) at = gaps.length;
  gaps.splice(at, 0, { start, end: start + size });
  for (const i of [at, at - 1]) {
    const [left, right] = [gaps[i], gaps[i + 1]];
    if (left !== undefined && right !== undefined && left.end === right.start) gaps.splice(i, 2, { start: left.start, end: right.end });
  }
}
