// Two graphs that differ in a size become one, or the difference is told.
import { describe, expect, test } from 'vitest';
import { generalise, isInstance, Misfit } from '../../compiler/ir/generalise.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';

const graphOf = (write: (n: number) => string, n: number) => parse(write(n));
const general = (write: (n: number) => string, sizes: readonly [number, number] = [6, 4]) =>
  generalise([graphOf(write, sizes[0]), graphOf(write, sizes[1])], 'n', sizes);

const mean = (n: number): string => `graph @g(%0: f32[${n},3]) -> (%3: f32[3]) {
  %1: f32[3] = sum(%0) {axes: [0]}
  %2: f32[] = literal() {value: f32 ${n}}
  %3: f32[3] = composite(%1, %2) {name: "spread", params: {}} body(%0: f32[3], %1: f32[]) -> (%3) {
    %2: f32[3] = expand(%1) {shape: [3], at: [0]}
    %3: f32[3] = div(%0, %2)
  }
}
`;

describe('graphs that differ in a size', () => {
  test('become one, in which constants that are made of the size are computed', () => {
    const found = general(mean);
    expect(found).not.toBeInstanceOf(Misfit);
    expect(print(found as never, { name: 'g' })).toBe(`graph @g(%0: f32[n,3]) -> (%3: f32[3]) {
  %1: f32[3] = sum(%0) {axes: [0]}
  %2: f32[] = size() {dtype: f32, size: n}
  %3: f32[3] = composite(%1, %2) {name: "spread", params: {}} body(%0: f32[3], %1: f32[]) -> (%3) {
    %2: f32[3] = expand(%1) {shape: [3], at: [0]}
    %3: f32[3] = div(%0, %2)
  }
}`);
  });
  test('are both instances of it, as is a third', () => {
    const found = general(mean) as never;
    for (const n of [2, 4, 6, 50]) expect(isInstance(found, 'n', n, graphOf(mean, n))).toBe(true);
    expect(isInstance(found, 'n', 5, graphOf(mean, 4))).toBe(false);
  });
  test('products of the size with constants are sizes too', () => {
    const flat = (n: number): string => `graph @g(%0: f32[${n},2,3]) -> (%1) { %1: f32[${6 * n}] = reshape(%0) {shape: [${6 * n}]} }`;
    expect(print(general(flat) as never, { name: 'g' })).toContain('reshape(%0) {shape: [6*n]}');
  });
  test.each([
    [
      'another op',
      (n: number) => `graph @g(%0: f32[${n}]) -> (%1) { %1: f32[${n}] = ${n > 5 ? 'exp' : 'log'}(%0) }`,
      /exp, the other has log/,
    ],
    ['half of it', (n: number) => `graph @g(%0: f32[${n}], %1: f32[${n / 2}]) -> (%0) { }`, /no straight line/],
    [
      'an offset',
      (n: number) => `graph @g(%0: f32[${n}]) -> (%1) { %1: f32[1] = slice(%0) {start: [${n - 1}], stop: [${n}], step: [1]} }`,
      /'start' of slice/,
    ],
    ['a square', (n: number) => `graph @g(%0: f32[${n},${n}]) -> (%1) { %1: f32[${n * n}] = reshape(%0) {shape: [${n * n}]} }`, /reshape/],
    ['a constant', (n: number) => `graph @g(%0: f32[${n}]) -> (%1) { %1: f32[] = literal() {value: f32 ${1 / n}} }`, /different constants/],
  ])('do not, and it is told, where %s differs', (_, write, why) => {
    const found = general(write);
    expect(found).toBeInstanceOf(Misfit);
    expect((found as Misfit).why).toMatch(why);
  });
});
