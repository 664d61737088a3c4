// The allocator of linear memory: ranges never overlap, what comes back is one again, and warm memory is given out before untouched memory.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { give, grain, type Heap, makeHeap, type Range, rounded, take } from '../../../runtime/wasm/heap.ts';

const fixed = (bytes: number): Heap => makeHeap(grain, bytes, () => bytes);

/** All ranges in order of address. */
function ranges(heap: Heap): Range[] {
  const all: Range[] = [];
  for (let range = heap.last; range !== undefined; range = range.before) all.unshift(range);
  return all;
}

test('ranges tile the memory below the top whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: -40, max: -1 })), { maxLength: 200 }), (steps) => {
      const heap = fixed(1 << 17);
      const held: Range[] = [];
      for (const step of steps) {
        if (step < 0) {
          const [range] = held.splice(-step % Math.max(1, held.length), 1);
          if (range !== undefined) give(heap, range);
          continue;
        }
        const range = take(heap, step);
        if (range === undefined) continue;
        expect(range.bytes).toBeGreaterThanOrEqual(step);
        expect(range.address % grain).toBe(0);
        held.push(range);
      }
      let end = grain;
      let isFree = false;
      for (const range of ranges(heap)) {
        expect(range.address).toBe(end);
        expect(isFree && range.isFree).toBe(false);
        end += range.bytes;
        ({ isFree } = range);
      }
      expect(end).toBe(heap.top);
      expect(heap.used).toBe(held.reduce((sum, range) => sum + range.bytes, 0));
      for (const range of held) give(heap, range);
      expect(ranges(heap).length).toBeLessThanOrEqual(1);
      expect(heap.used).toBe(0);
    }),
  );
});

test('a size is rounded up by a sixteenth at most, and rounding twice changes nothing', () => {
  for (let bytes = 1; bytes < 2 ** 31; bytes = Math.ceil(bytes * 1.37)) {
    const size = rounded(bytes);
    expect(size).toBeGreaterThanOrEqual(bytes);
    expect(size - bytes).toBeLessThan(Math.max(grain, bytes / 16 + grain));
    expect(rounded(size)).toBe(size);
  }
});

test('what is given back serves the next request of its size, the latest first', () => {
  const heap = fixed(1 << 20);
  const [a, , b] = [take(heap, 10_000)!, take(heap, 64)!, take(heap, 10_000)!, take(heap, 64)!];
  const top = heap.top;
  give(heap, a);
  give(heap, b);
  expect(take(heap, 10_000)!.address).toBe(b.address);
  expect(take(heap, 10_000)!.address).toBe(a.address);
  expect(heap.top).toBe(top);
});

test('a free range at the top is extended, not left behind', () => {
  const heap = fixed(1 << 20);
  const last = take(heap, 1000)!;
  give(heap, last);
  expect(take(heap, 100_000)!.address).toBe(last.address);
});

test('memory is asked for only when what is there does not do, and undefined says there is no more', () => {
  const asked: number[] = [];
  const heap = makeHeap(grain, 4096, (limit) => {
    asked.push(limit);
    return 4096;
  });
  expect(take(heap, 2048)).toBeDefined();
  expect(asked).toEqual([]);
  expect(take(heap, 2048)).toBeUndefined();
  expect(asked).toHaveLength(1);
  expect(take(heap, 1024)).toBeDefined();
  for (const bytes of [2 ** 31, 2 ** 32, 2 ** 38, 2 ** 53]) expect(take(heap, bytes)).toBeUndefined();
});
