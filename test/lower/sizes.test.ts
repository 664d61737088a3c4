// Programs with an open size: what they compute, for every size, is what a Program for that size alone computes.
import { describe, expect, test } from 'vitest';
import { bindDim, parseDim } from '../../compiler/ir/dim.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { load } from '../../compiler/jit/executable.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import { allocate, type TypedArray } from '../../runtime/dtype.ts';
import { lengthAt } from '../../runtime/sizes.ts';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';

const max = 64;
const targets: readonly Target[] = [jsTarget, wasmTarget('mul+add')];

/** The text with `n` a number. */
const at = (text: string, n: number): string =>
  text
    .replace(/\[([^[\]]*\bn\b[^[\]]*)\]/g, (_, shape: string) => {
      const dims = shape.split(',').map((d) => (/\bn\b/.test(d) ? bindDim(parseDim(d.trim()), new Map([['n', n]])) : d.trim()));
      return `[${dims.join(',')}]`;
    })
    .replace(/size: ([^}]+)\}/g, (_, d: string) => `size: ${bindDim(parseDim(d), new Map([['n', n]]))}}`);

/** Numbers that differ from element to element, the same at every size. */
function fill(array: TypedArray, seed: number): TypedArray {
  for (let i = 0; i < array.length; i++) {
    const x = ((i * 7919 + seed * 104729) % 1013) / 506.5 - 1;
    array[i] =
      array instanceof BigInt64Array
        ? BigInt(Math.round(x))
        : array instanceof Float32Array || array instanceof Float64Array
          ? x
          : Math.abs(Math.round(x * 2));
  }
  return array;
}

/** Runs the graph with its size open, and closed, at several sizes. */
function agree(text: string, sizes: readonly number[] = [2, 3, 7, 8, 33, 64]): void {
  for (const target of targets) {
    const open = load(compileGraph(parse(text), target, { sizes: [{ name: 'n', min: 2, max }] }));
    for (const n of sizes) {
      const closed = load(compileGraph(parse(at(text, n)), target));
      const inputs = closed.program.inputs.map((port, i) => fill(allocate(port.dtype, lengthAt(port, [])), i));
      const slots = new Float64Array(closed.program.slots.length).fill(0.5);
      expect(open.run(inputs, slots), `${target.name} at ${n}`).toEqual(closed.run(inputs, slots));
    }
  }
}

describe('a program with an open size computes what closed ones do:', () => {
  test('elementwise over a flat buffer', () =>
    agree(`graph @g(%0: f32[n,5], %1: f32[n,5], %2: slot f32) -> (%5) {
      %3: f32[n,5] = mul(%0, %1)
      %4: f32[n,5] = expand(%2) {shape: [n,5], at: [0,1]}
      %5: f32[n,5] = add(%3, %4) }`));
  test('rows', () =>
    agree(`graph @g(%0: f32[n,10]) -> (%5) {
      %1: f32[n] = amax(%0) {axes: [1]}
      %2: f32[n,10] = expand(%1) {shape: [n,10], at: [1]}
      %3: f32[n,10] = sub(%0, %2)
      %4: f32[n,10] = exp(%3)
      %5: f32[n] = sum(%4) {axes: [1]} }`));
  test('a product with a bias and an activation', () =>
    agree(`graph @g(%0: f32[n,48], %1: f32[48,20], %2: f32[20], %3: slot f32) -> (%7) {
      %4: f32[n,20] = dot(%0, %1) {batch: []x[], contract: [1]x[0]}
      %5: f32[n,20] = expand(%2) {shape: [n,20], at: [0]}
      %6: f32[n,20] = add(%4, %5)
      %7: f32[n,20] = tanh(%6) }`));
  test('a gradient by the weights, which sums over the open axis', () =>
    agree(`graph @g(%0: f32[n,48], %1: f32[n,20]) -> (%2) { %2: f32[48,20] = dot(%0, %1) {batch: []x[], contract: [0]x[0]} }`));
  test('products of many rows and columns, packed', () =>
    agree(`graph @g(%0: f32[3*n,200], %1: f32[200,130]) -> (%2) { %2: f32[3*n,130] = dot(%0, %1) {batch: []x[], contract: [1]x[0]} }`));
  test('a product whose result has the open axis last', () =>
    agree(`graph @g(%0: f32[130,200], %1: f32[n,200]) -> (%2) { %2: f32[130,n] = dot(%0, %1) {batch: []x[], contract: [1]x[1]} }`));
  test('products of a batch', () =>
    agree(`graph @g(%0: f32[n,9,40], %1: f32[n,40,24]) -> (%2) { %2: f32[n,9,24] = dot(%0, %1) {batch: [0]x[0], contract: [2]x[1]} }`));
  test('scores of everything with everything, and their softmax', () =>
    agree(`graph @g(%0: f32[n,16], %1: f32[n,16]) -> (%6) {
      %2: f32[n,n] = dot(%0, %1) {batch: []x[], contract: [1]x[1]}
      %3: f32[n] = amax(%2) {axes: [1]}
      %4: f32[n,n] = expand(%3) {shape: [n,n], at: [1]}
      %5: f32[n,n] = sub(%2, %4)
      %6: f32[n,n] = exp(%5) }`));
  test.each([
    ['with a border', 'stride: [1,1], padding: [1,1]x[1,1], dilation: [1,1], groups: 1', 'f32[n,4,9,9]', 'f32[6,4,3,3]', 'f32[n,6,9,9]'],
    ['with steps', 'stride: [2,2], padding: [0,0]x[0,0], dilation: [1,1], groups: 1', 'f32[n,2,9,9]', 'f32[8,2,3,3]', 'f32[n,8,4,4]'],
    ['in groups', 'stride: [1,1], padding: [1,1]x[1,1], dilation: [1,1], groups: 4', 'f32[n,4,6,6]', 'f32[4,1,3,3]', 'f32[n,4,6,6]'],
  ])('a convolution %s, and its gradients', (_, attrs, x, w, y) => {
    const spatial = (type: string): string => `[${type.split(',').slice(2).join(',')}`;
    agree(`graph @g(%0: ${x}, %1: ${w}) -> (%2) { %2: ${y} = conv(%0, %1) {${attrs}} }`);
    agree(`graph @g(%0: ${y}, %1: ${w}) -> (%2) { %2: ${x} = convInputGrad(%0, %1) {${attrs}, spatial: ${spatial(x)}} }`);
    agree(`graph @g(%0: ${x}, %1: ${y}) -> (%2) { %2: ${w} = convWeightGrad(%0, %1) {${attrs}, spatial: ${spatial(w)}} }`);
  });
  test('padding, concatenation, slices and reversal along the open axis', () =>
    agree(`graph @g(%0: f32[n,3], %1: f32[4,3], %2: slot f32) -> (%7, %4) {
      %3: f32[n+4,3] = concat(%0, %1) {axis: 0}
      %4: f32[n+2,3] = slice(%3) {start: [2,0], stop: [n+4,3], step: [1,1]}
      %5: f32[n+2,3] = flip(%4) {axes: [0]}
      %6: f32[n+5,3] = pad(%5, %2) {low: [1,0], high: [2,0], interior: [0,0]}
      %7: f32[n+5,3] = exp(%6) }`));
  test('sums along the open axis, and the size as a number', () =>
    agree(`graph @g(%0: i32[n,7]) -> (%1, %2, %4) {
      %1: i32[7] = sum(%0) {axes: [0]}
      %2: i32[] = sum(%0) {axes: [0,1]}
      %3: i32[] = size() {dtype: i32, size: 7*n}
      %4: i32[] = add(%2, %3) }`));
  test('running sums, and gathered and scattered rows', () =>
    agree(
      `graph @g(%0: i32[n,7], %1: i32[n,7]) -> (%2, %3, %4, %5) {
      %2: i32[n,7] = cumsum(%0) {axis: 0, reverse: false}
      %3: i32[n,7] = cumsum(%0) {axis: 1, reverse: true}
      %4: i32[n,7] = gather(%0, %1) {axis: 0, mode: trusted}
      %5: i32[n,7] = scatterAdd(%0, %1, %1) {axis: 0, mode: trusted} }`,
      [3, 8, 64],
    ));
});

describe('what is wrong with the arguments of a launch is told by its sizes:', () => {
  const text = `graph @g(%0: f32[n,3], %1: i32[n,3]) -> (%2) { %2: f32[n,3] = gather(%0, %1) {axis: 0, mode: checked} }`;
  test.each(targets)('an index beyond the open axis ($name)', (target) => {
    const { run } = load(compileGraph(parse(text), target, { sizes: [{ name: 'n', min: 2, max }] }));
    const index = new Int32Array(15);
    index[7] = 5;
    expect(() => run([new Float32Array(15), index], new Float64Array(0))).toThrow('index 5 is out of range for a dimension of 5 elements');
    expect(run([new Float32Array(18), Int32Array.of(...index, 0, 0, 0)], new Float64Array(0))).toHaveLength(1);
  });
  test.each(targets)('sizes out of range, no whole ones, and inputs that do not agree ($name)', (target) => {
    const { run } = load(compileGraph(parse(text), target, { sizes: [{ name: 'n', min: 2, max }] }));
    const at = (x: number, y: number) => () => run([new Float32Array(x), new Int32Array(y)], new Float64Array(0));
    expect(at(195, 195)).toThrow("main is for 2 to 64 of 'n', got 65");
    expect(at(3, 3)).toThrow('got 1');
    expect(at(10, 10)).toThrow('got 3.3333333333333335');
    expect(at(12, 15)).toThrow('[4,3] has 12 elements, got 15');
  });
  test('a size that no input tells', () => {
    const lone = parse('graph @g(%0: f32[3]) -> (%1) { %1: f32[n,3] = expand(%0) {shape: [n,3], at: [0]} }');
    expect(() => compileGraph(lone, jsTarget, { sizes: [{ name: 'n', min: 2, max }] })).toThrow('no input tells what the size n is');
  });
  test('a size without bounds', () => expect(() => compileGraph(parse(text), jsTarget)).toThrow('the size n must be known here'));
});
