// The arena plan: no two values that are alive together share bytes, and little more is taken than what is alive at once.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Lifetime, planArena } from '../../compiler/lower/arena.ts';
import { runs } from '../effort.ts';

const lifetime = (launches: number, longest: number): fc.Arbitrary<Lifetime> =>
  fc
    .tuple(fc.integer({ min: 0, max: launches - 1 }), fc.integer({ min: 0, max: longest }), fc.integer({ min: 0, max: 40 }))
    .map(([first, span, units]) => ({ first, last: Math.min(launches - 1, first + span), bytes: units * units * 100 }));

function expectDisjoint(lifetimes: readonly Lifetime[], offsets: readonly number[], arenaBytes: number): void {
  lifetimes.forEach((a, i) => {
    expect(offsets[i]! % 64).toBe(0);
    expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(arenaBytes);
    lifetimes.forEach((b, j) => {
      const together = i < j && a.first <= b.last && b.first <= a.last && a.bytes > 0 && b.bytes > 0;
      if (together) expect(offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!, `${i} and ${j}`).toBe(true);
    });
  });
}

test('values that are alive together never share bytes', () => {
  fc.assert(
    fc.property(fc.array(lifetime(30, 12), { maxLength: 60 }), (lifetimes) => {
      const { offsets, arenaBytes } = planArena(lifetimes);
      expectDisjoint(lifetimes, offsets, arenaBytes);
    }),
    { numRuns: runs(200), seed: 3 },
  );
});

test('the arena is at most 1.15 times what is alive at once', () => {
  fc.assert(
    fc.property(fc.array(lifetime(40, 8), { minLength: 1, maxLength: 60 }), (lifetimes) => {
      const { arenaBytes, liveBytes } = planArena(lifetimes);
      expect(arenaBytes).toBeGreaterThanOrEqual(liveBytes);
      expect(arenaBytes).toBeLessThanOrEqual(1.15 * liveBytes);
    }),
    { numRuns: runs(500), seed: 4 },
  );
});

test('a chain needs two of its values at once', () => {
  const chain = Array.from({ length: 1000 }, (_, i) => ({ bytes: 640, first: i, last: i + 1 }));
  expect(planArena(chain)).toMatchObject({ arenaBytes: 1280, liveBytes: 1280 });
});

test('a chain of 50 000 values is planned by the sweep', () => {
  const chain = Array.from({ length: 50_000 }, (_, i) => ({ bytes: 64 * (1 + (i % 3)), first: i, last: i + 1 }));
  const { offsets, arenaBytes, liveBytes } = planArena(chain);
  expect(liveBytes).toBe(320);
  expect(arenaBytes).toBeLessThanOrEqual(2 * liveBytes);
  expect(
    chain.every((c, i) => i === 0 || offsets[i]! + c.bytes <= offsets[i - 1]! || offsets[i - 1]! + chain[i - 1]!.bytes <= offsets[i]!),
  ).toBe(true);
});

test('nothing takes nothing', () => {
  expect(planArena([])).toEqual({ offsets: [], arenaBytes: 0, liveBytes: 0 });
});
