// Merging of views: what each rule makes of a graph, as text, and that not a bit of the results changes.

import { simplify } from '../../../compiler/passes/simplify/simplify.ts';
import { views } from '../../../compiler/passes/simplify/views.ts';
import { passTest } from '../../pass-test.ts';
import { keepsBits, testsEveryRule } from './rules.ts';

const tested: string[] = [];
function ruleTest(rule: string, before: string, after: string): void {
  tested.push(rule);
  passTest(simplify, rule, before, after);
  keepsBits(rule, before);
}

ruleTest(
  'a reshape of a reshape is one',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[3,2]) {
    %a: f32[6] = reshape(%x) {shape: [6]}
    %r: f32[3,2] = reshape(%a) {shape: [3,2]}
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[3,2]) {
    %r: f32[3,2] = reshape(%x) {shape: [3,2]}
  }`,
);

ruleTest(
  'a reshape to the same shape is none',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = reshape(%x) {shape: [2,3]}
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'a permute in place is none',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = permute(%x) {order: [0,1]}
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'a permute of a permute is one',
  `
  graph @g(%x: f32[2,3,4]) -> (%r: f32[3,4,2]) {
    %a: f32[3,2,4] = permute(%x) {order: [1,0,2]}
    %r: f32[3,4,2] = permute(%a) {order: [0,2,1]}
  }`,
  `
  graph @g(%x: f32[2,3,4]) -> (%r: f32[3,4,2]) {
    %r: f32[3,4,2] = permute(%x) {order: [1,2,0]}
  }`,
);

ruleTest(
  'a permute that moves only axes of size 1 is a reshape',
  `
  graph @g(%x: f32[2,1,3]) -> (%r: f32[1,2,3]) {
    %r: f32[1,2,3] = permute(%x) {order: [1,0,2]}
  }`,
  `
  graph @g(%x: f32[2,1,3]) -> (%r: f32[1,2,3]) {
    %r: f32[1,2,3] = reshape(%x) {shape: [1,2,3]}
  }`,
);

ruleTest(
  'an expand of no axes is none',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = expand(%x) {shape: [2,3], at: []}
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'an expand of an expand is one',
  `
  graph @g(%x: f32[3]) -> (%r: f32[2,4,3,5]) {
    %a: f32[2,3] = expand(%x) {shape: [2,3], at: [0]}
    %r: f32[2,4,3,5] = expand(%a) {shape: [2,4,3,5], at: [1,3]}
  }`,
  `
  graph @g(%x: f32[3]) -> (%r: f32[2,4,3,5]) {
    %r: f32[2,4,3,5] = expand(%x) {shape: [2,4,3,5], at: [0,1,3]}
  }`,
);

ruleTest(
  'an expand by axes of size 1 is a reshape',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[1,2,3]) {
    %r: f32[1,2,3] = expand(%x) {shape: [1,2,3], at: [0]}
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[1,2,3]) {
    %r: f32[1,2,3] = reshape(%x) {shape: [1,2,3]}
  }`,
);

ruleTest(
  'a view of a splat is a splat',
  `
  graph @g(%s: slot f32) -> (%r: f32[6]) {
    %a: f32[2,3] = expand(%s) {shape: [2,3], at: [0,1]}
    %r: f32[6] = reshape(%a) {shape: [6]}
  }`,
  `
  graph @g(%s: slot f32) -> (%r: f32[6]) {
    %r: f32[6] = expand(%s) {shape: [6], at: [0]}
  }`,
);

ruleTest(
  'a reshape of an expand is an expand of a reshape',
  `
  graph @g(%x: f32[6]) -> (%r: f32[20,2,1,3]) {
    %a: f32[4,5,6] = expand(%x) {shape: [4,5,6], at: [0,1]}
    %r: f32[20,2,1,3] = reshape(%a) {shape: [20,2,1,3]}
  }`,
  `
  graph @g(%x: f32[6]) -> (%r: f32[20,2,1,3]) {
    %0: f32[2,1,3] = reshape(%x) {shape: [2,1,3]}
    %r: f32[20,2,1,3] = expand(%0) {shape: [20,2,1,3], at: [0]}
  }`,
);

ruleTest(
  'a permute of an expand is an expand of a permute',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[3,4,2]) {
    %a: f32[2,4,3] = expand(%x) {shape: [2,4,3], at: [1]}
    %r: f32[3,4,2] = permute(%a) {order: [2,1,0]}
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[3,4,2]) {
    %0: f32[3,2] = permute(%x) {order: [1,0]}
    %r: f32[3,4,2] = expand(%0) {shape: [3,4,2], at: [1]}
  }`,
);

ruleTest(
  'a flip of no axes is none',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = flip(%x) {axes: []}
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'a flip of a flip is one',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = flip(%x) {axes: [0]}
    %r: f32[2,3] = flip(%a) {axes: [0,1]}
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = flip(%x) {axes: [1]}
  }`,
);

ruleTest(
  'a slice of everything is none',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = slice(%x) {start: [0,0], stop: [2,3], step: [1,1]}
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'a slice of a slice is one',
  `
  graph @g(%x: f32[20]) -> (%r: f32[2]) {
    %a: f32[8] = slice(%x) {start: [3], stop: [18], step: [2]}
    %r: f32[2] = slice(%a) {start: [1], stop: [7], step: [3]}
  }`,
  `
  graph @g(%x: f32[20]) -> (%r: f32[2]) {
    %r: f32[2] = slice(%x) {start: [5], stop: [12], step: [6]}
  }`,
);

ruleTest(
  'a slice of a pad that keeps what was padded undoes it',
  `
  graph @g(%x: f32[2,3], %f: f32[]) -> (%r: f32[2,3]) {
    %a: f32[3,7] = pad(%x, %f) {low: [1,0], high: [0,2], interior: [0,1]}
    %b: f32[2,3] = slice(%a) {start: [1,0], stop: [3,5], step: [1,2]}
    %r: f32[2,3] = exp(%b)
  }`,
  `
  graph @g(%x: f32[2,3], %f: f32[]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'a slice within one operand of a concat is a slice of it',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,2]) {
    %a: f32[2,6] = concat(%x, %y) {axis: 1}
    %r: f32[2,2] = slice(%a) {start: [0,4], stop: [2,6], step: [1,1]}
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,2]) {
    %r: f32[2,2] = slice(%y) {start: [0,1], stop: [2,3], step: [1,1]}
  }`,
);

ruleTest(
  'a pad by nothing is none',
  `
  graph @g(%x: f32[2,3], %f: f32[]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = pad(%x, %f) {low: [0,0], high: [0,0], interior: [0,0]}
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3], %f: f32[]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'a pad of a pad with the same fill is one',
  `
  graph @g(%x: f32[2,3], %f: f32[]) -> (%r: f32[4,6]) {
    %a: f32[3,5] = pad(%x, %f) {low: [1,0], high: [0,2], interior: [0,0]}
    %r: f32[4,6] = pad(%a, %f) {low: [0,1], high: [1,0], interior: [0,0]}
  }`,
  `
  graph @g(%x: f32[2,3], %f: f32[]) -> (%r: f32[4,6]) {
    %r: f32[4,6] = pad(%x, %f) {low: [1,1], high: [1,2], interior: [0,0]}
  }`,
);

ruleTest(
  'a concat of one is none',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = concat(%x) {axis: 0}
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'a concat within a concat is one',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[6,3]) {
    %a: f32[4,3] = concat(%x, %y) {axis: 0}
    %r: f32[6,3] = concat(%a, %x) {axis: 0}
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[6,3]) {
    %r: f32[6,3] = concat(%x, %y, %x) {axis: 0}
  }`,
);

ruleTest(
  'a reshape moves below what is computed elementwise',
  `
  graph @g(%x: f32[2,3], %w: f32[2,1], %s: slot f32) -> (%r: f32[2,3]) {
    %a: f32[2] = sum(%x) {axes: [1]}
    %k: f32[2,1] = reshape(%a) {shape: [2,1]}
    %b: f32[2,1] = mul(%k, %w)
    %c: f32[2,1] = expand(%s) {shape: [2,1], at: [0,1]}
    %d: f32[2,1] = sub(%b, %c)
    %e: f32[2] = reshape(%d) {shape: [2]}
    %r: f32[2,3] = expand(%e) {shape: [2,3], at: [1]}
  }`,
  `
  graph @g(%x: f32[2,3], %w: f32[2,1], %s: slot f32) -> (%r: f32[2,3]) {
    %a: f32[2] = sum(%x) {axes: [1]}
    %0: f32[2] = reshape(%w) {shape: [2]}
    %1: f32[2] = mul(%a, %0)
    %2: f32[2] = expand(%s) {shape: [2], at: [0]}
    %e: f32[2] = sub(%1, %2)
    %r: f32[2,3] = expand(%e) {shape: [2,3], at: [1]}
  }`,
);

testsEveryRule(views, tested);
