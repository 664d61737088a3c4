import { describe } from 'vitest';
import { unroll } from '../../compiler/passes/unroll.ts';
import { passLeaves, passTest } from '../pass-test.ts';

describe('a small reduction', () => {
  passTest(
    unroll,
    'that only feeds another is written out',
    `graph @main(%x: f32[5,3]) -> (%m: f32[]) {
      %s: f32[5] = sum(%x) {axes: [1]}
      %m: f32[] = amax(%s) {axes: [0]}
    }`,
    `graph @main(%x: f32[5,3]) -> (%m: f32[]) {
      %0: f32[5,1] = slice(%x) {start: [0,0], stop: [5,1], step: [1,1]}
      %1: f32[5] = reshape(%0) {shape: [5]}
      %2: f32[5,1] = slice(%x) {start: [0,1], stop: [5,2], step: [1,1]}
      %3: f32[5] = reshape(%2) {shape: [5]}
      %4: f32[5] = add(%1, %3)
      %5: f32[5,1] = slice(%x) {start: [0,2], stop: [5,3], step: [1,1]}
      %6: f32[5] = reshape(%5) {shape: [5]}
      %s: f32[5] = add(%4, %6)
      %m: f32[] = amax(%s) {axes: [0]}
    }`,
  );
});

describe('a reduction stays', () => {
  passLeaves(
    unroll,
    'whose result is stored',
    `graph @main(%x: f32[5,3]) -> (%s: f32[5], %m: f32[]) {
      %s: f32[5] = sum(%x) {axes: [1]}
      %m: f32[] = amax(%s) {axes: [0]}
    }`,
  );
  passLeaves(
    unroll,
    'over more than eight elements',
    `graph @main(%x: f32[5,9]) -> (%m: f32[]) {
      %s: f32[5] = sum(%x) {axes: [1]}
      %m: f32[] = amax(%s) {axes: [0]}
    }`,
  );
  passLeaves(
    unroll,
    'of what is dear to compute again',
    `graph @main(%x: f32[5,3]) -> (%m: f32[]) {
      %e: f32[5,3] = exp(%x)
      %s: f32[5] = sum(%e) {axes: [1]}
      %m: f32[] = amax(%s) {axes: [0]}
    }`,
  );
  passLeaves(
    unroll,
    'that goes back into its own rows, as in a softmax',
    `graph @main(%x: f32[5,3]) -> (%y: f32[5,3]) {
      %s: f32[5] = sum(%x) {axes: [1]}
      %w: f32[5,3] = expand(%s) {shape: [5,3], at: [1]}
      %y: f32[5,3] = div(%x, %w)
    }`,
  );
});
