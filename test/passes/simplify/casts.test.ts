// Casts: what each rule makes of a graph, as text, and that not a bit of the results changes.
import { casts } from '../../../compiler/passes/simplify/casts.ts';
import { simplify } from '../../../compiler/passes/simplify/simplify.ts';
import { passLeaves, passTest } from '../../pass-test.ts';
import { keepsBits, testsEveryRule } from './rules.ts';

const tested: string[] = [];
function ruleTest(rule: string, before: string, after: string): void {
  tested.push(rule);
  passTest(simplify, rule, before, after);
  keepsBits(rule, before);
}

ruleTest(
  'a cast to the same dtype is none',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = cast(%x) {to: f32}
    %r: f32[2,3] = mul(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  'a cast of a widening cast is one cast',
  `
  graph @g(%x: i32[2,3], %y: f32[2,3]) -> (%r: f32[2,3], %s: f32[2,3]) {
    %a: f64[2,3] = cast(%x) {to: f64}
    %r: f32[2,3] = cast(%a) {to: f32}
    %b: f64[2,3] = cast(%y) {to: f64}
    %d: f32[2,3] = cast(%b) {to: f32}
    %s: f32[2,3] = exp(%d)
  }`,
  `
  graph @g(%x: i32[2,3], %y: f32[2,3]) -> (%r: f32[2,3], %s: f32[2,3]) {
    %r: f32[2,3] = cast(%x) {to: f32}
    %s: f32[2,3] = exp(%y)
  }`,
);

passLeaves(
  simplify,
  'a cast that loses',
  `
  graph @g(%x: f64[3]) -> (%r: f64[3]) {
    %a: f32[3] = cast(%x) {to: f32}
    %r: f64[3] = cast(%a) {to: f64}
  }`,
);

testsEveryRule(casts, tested);
