// Barriers: what each rule makes of a graph, as text, and that not a bit of the results changes.
import { barriers } from '../../../compiler/passes/simplify/barriers.ts';
import { simplify } from '../../../compiler/passes/simplify/simplify.ts';
import { passTest } from '../../pass-test.ts';
import { keepsBits, testsEveryRule } from './rules.ts';

const tested: string[] = [];
function ruleTest(rule: string, before: string, after: string): void {
  tested.push(rule);
  passTest(simplify, rule, before, after);
  keepsBits(rule, before);
}

ruleTest(
  'a barrier before a constant or a number is none',
  `
  graph @g(%x: f32[], %k: slot f32) -> (%r: f32[]) {
    %e: f32[] = exp(%x)
    %b: f32[] = barrier(%k, %e)
    %r: f32[] = mul(%b, %e)
  }`,
  `
  graph @g(%x: f32[], %k: slot f32) -> (%r: f32[]) {
    %e: f32[] = exp(%x)
    %r: f32[] = mul(%k, %e)
  }`,
);

ruleTest(
  'a barrier before a view is a view of a barrier',
  `
  graph @g(%x: f32[2,3], %y: f32[3,2]) -> (%r: f32[3,2]) {
    %e: f32[3,2] = exp(%y)
    %t: f32[3,2] = permute(%x) {order: [1,0]}
    %b: f32[3,2] = barrier(%t, %e)
    %r: f32[3,2] = mul(%b, %e)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[3,2]) -> (%r: f32[3,2]) {
    %e: f32[3,2] = exp(%y)
    %0: f32[2,3] = barrier(%x, %e)
    %b: f32[3,2] = permute(%0) {order: [1,0]}
    %r: f32[3,2] = mul(%b, %e)
  }`,
);

ruleTest(
  'to wait for a view is to wait for what it shows',
  `
  graph @g(%x: f32[2,3], %y: f32[4]) -> (%r: f32[2,3]) {
    %e: f32[4] = exp(%y)
    %s: f32[2] = slice(%e) {start: [0], stop: [2], step: [1]}
    %b: f32[2,3] = barrier(%x, %s)
    %r: f32[2,3] = exp(%b)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[4]) -> (%r: f32[2,3]) {
    %e: f32[4] = exp(%y)
    %b: f32[2,3] = barrier(%x, %e)
    %r: f32[2,3] = exp(%b)
  }`,
);

ruleTest(
  'to wait for what is always there is to wait for nothing but oneself',
  `
  graph @g(%x: f32[2,3], %y: f32[4]) -> (%r: f32[2,3], %s: f32[2,3]) {
    %b: f32[2,3] = barrier(%x, %y)
    %r: f32[2,3] = exp(%b)
    %s: f32[2,3] = exp(%x)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[4]) -> (%r: f32[2,3], %s: f32[2,3]) {
    %b: f32[2,3] = barrier(%x, %x)
    %r: f32[2,3] = exp(%b)
    %s: f32[2,3] = exp(%x)
  }`,
);

testsEveryRule(barriers, tested);
