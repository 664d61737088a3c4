// What the network is shown of a drawing: as large as the digits that it has learned from, and in the middle.
import { expect, test } from 'vitest';
import { side } from '../../samples/mnist/digits.ts';
import { centred, type Drawing } from '../../samples/web/centre.ts';

const size = 200;
/** A box of ink. */
const boxOf = (left: number, top: number, width: number, height: number): Drawing => {
  const ink = new Float32Array(size * size);
  for (let y = top; y < top + height; y++) ink.fill(1, y * size + left, y * size + left + width);
  return { ink, size };
};
const inked = (ink: Float32Array): number => ink.reduce((n, x) => n + Number(x > 0.5), 0);

test('an empty pad shows nothing', () => {
  expect(centred(boxOf(0, 0, 0, 0))).toBeUndefined();
});

test('a drawing is of the same size and in the same place, wherever and however large it was drawn', () => {
  const small = centred(boxOf(10, 20, 40, 40))!;
  const large = centred(boxOf(60, 70, 120, 120))!;
  expect(inked(small)).toBe(20 * 20);
  expect(large).toEqual(small);
  expect(small[4 * side + 4]).toBe(1);
  expect(small[23 * side + 23]).toBe(1);
  expect(small[3 * side + 4]).toBe(0);
  expect(small[24 * side + 23]).toBe(0);
});

test('proportions are kept: a stroke stays thin', () => {
  const ink = centred(boxOf(90, 20, 8, 160))!;
  // 20 rows of a pixel, or of two halves of one.
  expect(ink.reduce((a, b) => a + b, 0)).toBeCloseTo(20);
  expect(ink.filter((x) => x > 0).length).toBeLessThanOrEqual(40);
});

test('ink that reaches the rim is no trouble', () => {
  expect(inked(centred(boxOf(0, 0, size, size))!)).toBe(20 * 20);
});
