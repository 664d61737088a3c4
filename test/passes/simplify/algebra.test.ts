// Algebra: what each rule makes of a graph, as text, and that not a bit of the results changes.
import { algebra } from '../../../compiler/passes/simplify/algebra.ts';
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
  'constants stand right',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 2}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = add(%c, %x)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 2}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = add(%x, %c)
  }`,
);

ruleTest(
  'x * 1 = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 1}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: f32[2,3] = mul(%c, %x)
    %r: f32[2,3] = add(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = add(%x, %y)
  }`,
);

ruleTest(
  'x * -1 = -x',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 -1}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = mul(%x, %c)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = neg(%x)
  }`,
);

ruleTest(
  'x / 1 = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 1}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: f32[2,3] = div(%x, %c)
    %r: f32[2,3] = add(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = add(%x, %y)
  }`,
);

ruleTest(
  '1 / x = recip x',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 1}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = div(%c, %x)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = recip(%x)
  }`,
);

ruleTest(
  'x / 2^k = x * 2^-k',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 8}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = div(%x, %c)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %0: f32[] = literal() {value: f32 0.125}
    %1: f32[2,3] = expand(%0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = mul(%x, %1)
  }`,
);

ruleTest(
  'x + (-0) = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 -0}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: f32[2,3] = add(%x, %c)
    %r: f32[2,3] = mul(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  'x - 0 = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 0}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: f32[2,3] = sub(%x, %c)
    %r: f32[2,3] = mul(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  'x + 0 = x for integers',
  `
  graph @g(%x: i32[2,3], %y: i32[2,3]) -> (%r: i32[2,3]) {
    %c0: i32[] = literal() {value: i32 0}
    %c: i32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: i32[2,3] = add(%x, %c)
    %r: i32[2,3] = mul(%a, %y)
  }`,
  `
  graph @g(%x: i32[2,3], %y: i32[2,3]) -> (%r: i32[2,3]) {
    %r: i32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  'x ** 1 = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 1}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: f32[2,3] = pow(%x, %c)
    %r: f32[2,3] = mul(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  '-(-x) = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = neg(%x)
    %b: f32[2,3] = neg(%a)
    %r: f32[2,3] = mul(%b, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  'x + (-y) = x - y',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = neg(%y)
    %r: f32[2,3] = add(%x, %a)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = sub(%x, %y)
  }`,
);

ruleTest(
  '(-x) + y = y - x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = neg(%x)
    %r: f32[2,3] = add(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = sub(%y, %x)
  }`,
);

ruleTest(
  'x - (-y) = x + y',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = neg(%y)
    %r: f32[2,3] = sub(%x, %a)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = add(%x, %y)
  }`,
);

ruleTest(
  '(-x) * (-y) = x * y',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = neg(%x)
    %b: f32[2,3] = neg(%y)
    %r: f32[2,3] = mul(%a, %b)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  '(-x) / (-y) = x / y',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = neg(%x)
    %b: f32[2,3] = neg(%y)
    %r: f32[2,3] = div(%a, %b)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = div(%x, %y)
  }`,
);

ruleTest(
  'abs(-x) = abs x',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = neg(%x)
    %r: f32[2,3] = abs(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = abs(%x)
  }`,
);

ruleTest(
  'abs(abs x) = abs x',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = abs(%x)
    %r: f32[2,3] = abs(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%a: f32[2,3]) {
    %a: f32[2,3] = abs(%x)
  }`,
);

ruleTest(
  'min(x, x) = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = min(%x, %x)
    %r: f32[2,3] = mul(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  'max(x, x) = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = max(%x, %x)
    %r: f32[2,3] = mul(%a, %y)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  'rounding twice is rounding once',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = floor(%x)
    %r: f32[2,3] = round(%a)
  }`,
  `
  graph @g(%x: f32[2,3]) -> (%a: f32[2,3]) {
    %a: f32[2,3] = floor(%x)
  }`,
);

passLeaves(
  simplify,
  'x + 0 of floats, which turns -0 into 0',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 0}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = add(%x, %c)
  }`,
);

passLeaves(
  simplify,
  'x * 0, which is NaN for an infinite x',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 0}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = mul(%x, %c)
  }`,
);

passLeaves(
  simplify,
  'x - x, which is NaN for an infinite x',
  `
  graph @g(%x: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = sub(%x, %x)
  }`,
);

testsEveryRule(algebra, tested);
