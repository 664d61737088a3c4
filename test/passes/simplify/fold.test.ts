// Constant folding: what each rule makes of a graph, as text, and that not a bit of the results changes.
import { folding } from '../../../compiler/passes/simplify/fold.ts';
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
  'a function of literals is a literal',
  `
  graph @g(%x: f32[]) -> (%r: f32[]) {
    %a: f32[] = literal() {value: f32 0.1}
    %b: f32[] = literal() {value: f32 3}
    %c: f32[] = mul(%a, %b)
    %d: f32[] = div(%c, %b)
    %r: f32[] = add(%x, %d)
  }`,
  `
  graph @g(%x: f32[]) -> (%r: f32[]) {
    %a: f32[] = literal() {value: f32 0.1}
    %r: f32[] = add(%x, %a)
  }`,
);

ruleTest(
  'a cast of a literal is a literal',
  `
  graph @g(%x: f32[]) -> (%r: f32[]) {
    %a: i32[] = literal() {value: i32 16777217}
    %b: f32[] = cast(%a) {to: f32}
    %r: f32[] = add(%x, %b)
  }`,
  `
  graph @g(%x: f32[]) -> (%r: f32[]) {
    %b: f32[] = literal() {value: f32 16777216}
    %r: f32[] = add(%x, %b)
  }`,
);

ruleTest(
  'what is the same at every element is computed once',
  `
  graph @g(%x: f32[2,3], %s: slot f32) -> (%r: f32[2,3]) {
    %a: f32[2,3] = expand(%s) {shape: [2,3], at: [0,1]}
    %b: f32[2,3] = exp(%a)
    %r: f32[2,3] = mul(%x, %b)
  }`,
  `
  graph @g(%x: f32[2,3], %s: slot f32) -> (%r: f32[2,3]) {
    %0: f32[] = exp(%s)
    %b: f32[2,3] = expand(%0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = mul(%x, %b)
  }`,
);

ruleTest(
  'a function of equal expands is an expand',
  `
  graph @g(%x: f32[3], %y: f32[3], %s: slot f32) -> (%r: f32[2,3]) {
    %a: f32[2,3] = expand(%x) {shape: [2,3], at: [0]}
    %b: f32[2,3] = expand(%y) {shape: [2,3], at: [0]}
    %c: f32[2,3] = add(%a, %b)
    %d: f32[2,3] = expand(%s) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = mul(%c, %d)
  }`,
  `
  graph @g(%x: f32[3], %y: f32[3], %s: slot f32) -> (%r: f32[2,3]) {
    %0: f32[3] = add(%x, %y)
    %1: f32[3] = expand(%s) {shape: [3], at: [0]}
    %2: f32[3] = mul(%0, %1)
    %r: f32[2,3] = expand(%2) {shape: [2,3], at: [0]}
  }`,
);

passLeaves(
  simplify,
  'a dear function of an expand',
  `
  graph @g(%x: f32[3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = expand(%x) {shape: [2,3], at: [0]}
    %r: f32[2,3] = exp(%a)
  }`,
);

testsEveryRule(folding, tested);
