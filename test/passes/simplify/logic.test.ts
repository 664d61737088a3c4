// Logic: what each rule makes of a graph, as text, and that not a bit of the results changes.
import { logic } from '../../../compiler/passes/simplify/logic.ts';
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
  'not not x = x',
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %a: bool[2,3] = not(%x)
    %b: bool[2,3] = not(%a)
    %r: bool[2,3] = and(%b, %y)
  }`,
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %r: bool[2,3] = and(%x, %y)
  }`,
);

ruleTest(
  'not (x = y) is x != y',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: bool[2,3]) {
    %a: bool[2,3] = eq(%x, %y)
    %r: bool[2,3] = not(%a)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: bool[2,3]) {
    %r: bool[2,3] = ne(%x, %y)
  }`,
);

ruleTest(
  'not (x != y) is x = y',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: bool[2,3]) {
    %a: bool[2,3] = ne(%x, %y)
    %r: bool[2,3] = not(%a)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: bool[2,3]) {
    %r: bool[2,3] = eq(%x, %y)
  }`,
);

ruleTest(
  'x and x = x',
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %a: bool[2,3] = and(%x, %x)
    %r: bool[2,3] = or(%a, %y)
  }`,
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %r: bool[2,3] = or(%x, %y)
  }`,
);

ruleTest(
  'x or x = x',
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %a: bool[2,3] = or(%x, %x)
    %r: bool[2,3] = and(%a, %y)
  }`,
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %r: bool[2,3] = and(%x, %y)
  }`,
);

ruleTest(
  'x and true = x',
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %c0: bool[] = literal() {value: bool true}
    %c: bool[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: bool[2,3] = and(%c, %x)
    %r: bool[2,3] = or(%a, %y)
  }`,
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %r: bool[2,3] = or(%x, %y)
  }`,
);

ruleTest(
  'x or false = x',
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %c0: bool[] = literal() {value: bool false}
    %c: bool[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: bool[2,3] = or(%x, %c)
    %r: bool[2,3] = and(%a, %y)
  }`,
  `
  graph @g(%x: bool[2,3], %y: bool[2,3]) -> (%r: bool[2,3]) {
    %r: bool[2,3] = and(%x, %y)
  }`,
);

ruleTest(
  'bitNot bitNot x = x',
  `
  graph @g(%x: i32[2,3], %y: i32[2,3]) -> (%r: i32[2,3]) {
    %a: i32[2,3] = bitNot(%x)
    %b: i32[2,3] = bitNot(%a)
    %r: i32[2,3] = add(%b, %y)
  }`,
  `
  graph @g(%x: i32[2,3], %y: i32[2,3]) -> (%r: i32[2,3]) {
    %r: i32[2,3] = add(%x, %y)
  }`,
);

ruleTest(
  'select(c, x, x) = x',
  `
  graph @g(%p: bool[2,3], %x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: f32[2,3] = select(%p, %x, %x)
    %r: f32[2,3] = mul(%a, %y)
  }`,
  `
  graph @g(%p: bool[2,3], %x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = mul(%x, %y)
  }`,
);

ruleTest(
  'select(true, x, y) = x',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: bool[] = literal() {value: bool true}
    %c: bool[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: f32[2,3] = select(%c, %x, %y)
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%x)
  }`,
);

ruleTest(
  'select(false, x, y) = y',
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %c0: bool[] = literal() {value: bool false}
    %c: bool[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %a: f32[2,3] = select(%c, %x, %y)
    %r: f32[2,3] = exp(%a)
  }`,
  `
  graph @g(%x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = exp(%y)
  }`,
);

ruleTest(
  'select(not c, x, y) = select(c, y, x)',
  `
  graph @g(%p: bool[2,3], %x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %a: bool[2,3] = not(%p)
    %r: f32[2,3] = select(%a, %x, %y)
  }`,
  `
  graph @g(%p: bool[2,3], %x: f32[2,3], %y: f32[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = select(%p, %y, %x)
  }`,
);

ruleTest(
  'select(c, 1, 0) = cast c',
  `
  graph @g(%p: bool[2,3]) -> (%r: f32[2,3]) {
    %c0: f32[] = literal() {value: f32 1}
    %c: f32[2,3] = expand(%c0) {shape: [2,3], at: [0,1]}
    %z0: f32[] = literal() {value: f32 0}
    %z: f32[2,3] = expand(%z0) {shape: [2,3], at: [0,1]}
    %r: f32[2,3] = select(%p, %c, %z)
  }`,
  `
  graph @g(%p: bool[2,3]) -> (%r: f32[2,3]) {
    %r: f32[2,3] = cast(%p) {to: f32}
  }`,
);

testsEveryRule(logic, tested);
