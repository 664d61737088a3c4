// When a result may be written over an operand: hand-written nests, some of which would read what they have overwritten.
import { expect, test } from 'vitest';
import { inPlaceOf } from '../../compiler/lower/in-place.ts';
import { scheduleKernel } from '../../compiler/lower/schedule.ts';
import { parseKernel } from '../../kernels/parse.ts';
import { jsTarget } from '../../runtime/target.ts';
import { lowered } from './region-of.ts';

/** Whether parameter `y`, the last, may overwrite `x`, the first. */
const may = (text: string): boolean => {
  const kernel = parseKernel(text);
  return inPlaceOf(kernel).mayOverwrite(kernel.params.length - 1, 0);
};

test('an element that is read where it is written may be overwritten', () => {
  expect(may('kernel @k(x: read f32[8], y: write f32[8]) {\n  par i: 8 {\n    y[i] = x[i] * x[i]\n  }\n}')).toBe(true);
});

test('an element that is read elsewhere may not', () => {
  expect(may('kernel @k(x: read f32[8], y: write f32[8]) {\n  par i: 8 {\n    y[i] = x[7 - i]\n  }\n}')).toBe(false);
});

test('a read behind the store forbids it', () => {
  const text = 'kernel @k(x: read f32[8], z: write f32[8], y: write f32[8]) {\n  par i: 8 {\n    y[i] = x[i]\n    z[i] = x[i]\n  }\n}';
  expect(may(text)).toBe(false);
});

test('a second pass over what a first one overwrites forbids it', () => {
  const text =
    'kernel @k(x: read f32[8], z: write f32[8], y: write f32[8]) {\n  par i: 8 {\n    y[i] = x[i]\n  }\n  par i: 8 {\n    z[i] = x[i]\n  }\n}';
  expect(may(text)).toBe(false);
});

test('loops of one name but other lengths are other elements', () => {
  const text = `kernel @k(x: read f32[8], y: write f32[8]) {
  var a = 0_f32
  par i: 8 {
    a += x[i]
  }
  par i: 4 {
    y[i] = x[i]
  }
  par i: 4 {
    y[i + 4] = a
  }
}`;
  expect(may(text)).toBe(false);
});

test('other element sizes forbid it', () => {
  expect(may('kernel @k(x: read f64[8], y: write f32[8]) {\n  par i: 8 {\n    y[i] = f32(x[i])\n  }\n}')).toBe(false);
});

test('a softmax may overwrite its operand, row by row', () => {
  const text = `graph @softmax(%x: f32[4,10]) -> (%y: f32[4,10]) {
    %m: f32[4] = amax(%x) {axes: [1]}
    %0: f32[4,10] = expand(%m) {shape: [4,10], at: [1]}
    %y: f32[4,10] = sub(%x, %0)
  }`;
  expect(inPlaceOf(lowered('rows', text, { space: [4, 10], reduce: [1] })).mayOverwrite(1, 0)).toBe(true);
});

test('a tiled product may overwrite what its epilogue reads, never a factor', () => {
  const text = `graph @residual(%x: f32[7,7], %w: f32[7,7], %r: f32[7,7]) -> (%y: f32[7,7]) {
    %0: f32[7,7] = dot(%x, %w) {batch: []x[], contract: [1]x[1]}
    %y: f32[7,7] = add(%0, %r)
  }`;
  const kernel = scheduleKernel(lowered('contraction', text, { space: [7, 7] }), 'contraction', jsTarget);
  const inPlace = inPlaceOf(kernel);
  expect([0, 1, 2].map((operand) => inPlace.mayOverwrite(3, operand))).toEqual([false, false, true]);
});
