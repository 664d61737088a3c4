// Reductions of views: what each rule makes of a graph, as text, and that not a bit of the results changes.
import { reductions } from '../../../compiler/passes/simplify/reductions.ts';
import { simplify } from '../../../compiler/passes/simplify/simplify.ts';
import { passLeaves, passTest } from '../../pass-test.ts';
import { keepsBits, testsEveryRule } from './rules.ts';

const tested: string[] = [];
function ruleTest(rule: string, before: string, after: string, options = { signOfZero: true }): void {
  tested.push(rule);
  passTest(simplify, rule, before, after);
  keepsBits(rule, before, options);
}

ruleTest(
  'axes of a reduction ascend',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[]) {
    %r: f32[] = sum(%x) {axes: [1,0]}
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[]) {
    %r: f32[] = sum(%x) {axes: [0,1]}
  }`,
);

ruleTest(
  'a reduction over axes of size 1 is a reshape',
  `
  graph @g(%x: f32[2,1,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = sum(%x) {axes: [1]}
  }`,
  `
  graph @g(%x: f32[2,1,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = reshape(%x) {shape: [2,3]}
  }`,
  { signOfZero: false },
);

ruleTest(
  'a reduction of the same reduction is one where nothing rounds',
  `
  graph @g(%x: f32[2,3,4], %y: i32[2,3,4]) -> (%r: f32[2], %s: i32[]) {
    %a: f32[2,4] = amax(%x) {axes: [1]}
    %r: f32[2] = amax(%a) {axes: [1]}
    %b: i32[3,4] = sum(%y) {axes: [0]}
    %s: i32[] = sum(%b) {axes: [0,1]}
  }`,
  `
  graph @g(%x: f32[2,3,4], %y: i32[2,3,4]) -> (%r: f32[2], %s: i32[]) {
    %r: f32[2] = amax(%x) {axes: [1,2]}
    %s: i32[] = sum(%y) {axes: [0,1,2]}
  }`,
);

ruleTest(
  'an extremum of copies is the extremum of the original',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,5]) {
    %a: f32[2,4,3,5] = expand(%x) {shape: [2,4,3,5], at: [1,3]}
    %r: f32[2,5] = amin(%a) {axes: [1,2]}
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,5]) {
    %0: f32[2] = amin(%x) {axes: [1]}
    %r: f32[2,5] = expand(%0) {shape: [2,5], at: [1]}
  }`,
);

ruleTest(
  'a reduction of an expand over other axes is an expand of the reduction',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,4]) {
    %a: f32[2,4,3] = expand(%x) {shape: [2,4,3], at: [1]}
    %r: f32[2,4] = sum(%a) {axes: [2]}
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,4]) {
    %0: f32[2] = sum(%x) {axes: [1]}
    %r: f32[2,4] = expand(%0) {shape: [2,4], at: [1]}
  }`,
);

ruleTest(
  'a sum of copies of a number is a multiple',
  `
  graph @g(%x: f32[]) -> (%r: f32[]) {
    %c0: f32[] = literal() {value: f32 0.75}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: f32[] = sum(%c) {axes: [0,1]}
    %r: f32[] = mul(%x, %a)
  }`,
  `
  graph @g(%x: f32[]) -> (%r: f32[]) {
    %a: f32[] = literal() {value: f32 4.5}
    %r: f32[] = mul(%x, %a)
  }`,
);

ruleTest(
  'a reduction of a reshape is a reshape of the reduction',
  `
  graph @g(%x: f32[2,3,4]) -> (%r: f32[2]) {
    %a: f32[2,12] = reshape(%x) {shape: [2,12]}
    %r: f32[2] = sum(%a) {axes: [1]}
  }`,
  `
  graph @g(%x: f32[2,3,4]) -> (%r: f32[2]) {
    %r: f32[2] = sum(%x) {axes: [1,2]}
  }`,
);

ruleTest(
  'a reduction of a permute is a permute of the reduction',
  `
  graph @g(%x: f32[2,3,4]) -> (%r: f32[4,3]) {
    %a: f32[4,2,3] = permute(%x) {order: [2,0,1]}
    %r: f32[4,3] = sum(%a) {axes: [1]}
  }`,
  `
  graph @g(%x: f32[2,3,4]) -> (%r: f32[4,3]) {
    %0: f32[3,4] = sum(%x) {axes: [0]}
    %r: f32[4,3] = permute(%0) {order: [1,0]}
  }`,
);

passLeaves(
  simplify,
  'sums that round in between',
  `
  graph @g(%x: f32[2,3,4]) -> (%r: f32[2]) {
    %a: f32[2,3] = sum(%x) {axes: [2]}
    %r: f32[2] = sum(%a) {axes: [1]}
  }`,
);

testsEveryRule(reductions, tested);
