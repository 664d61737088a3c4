// Every rule of simplify: what it makes of a graph, as text, and that not a bit of the results changes.
import { expect, test } from 'vitest';
import { parse } from '../../compiler/ir/parse.ts';
import { simplify, simplifyRules } from '../../compiler/passes/simplify/simplify.ts';
import { jsTarget } from '../../runtime/target.ts';
import { passLeaves, passTest } from '../pass-test.ts';
import { differences } from './bits.ts';

const tested = new Set<string>();

/** The rule must fire among all rules, so that none shadows it; the sign of a zero counts unless an option says otherwise. */
function ruleTest(rule: string, before: string, after: string, { signOfZero = true } = {}): void {
  tested.add(rule);
  passTest(simplify, rule, before, after);
  test(`${rule}: fires, and keeps every bit`, () => {
    const graph = parse(before);
    const fired: string[] = [];
    const result = simplify.run(graph, { target: jsTarget, note: () => {}, fired: (name) => fired.push(name) });
    expect(fired).toContain(rule);
    for (let seed = 1; seed <= 20; seed++) expect(differences(graph, result, seed, signOfZero)).toEqual([]);
  });
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

ruleTest(
  'a dot of a permute takes its axes elsewhere',
  `
  graph @g(%x: f32[3,2], %y: f32[4,3]) -> (%r: f32[2,4]) {
    %a: f32[2,3] = permute(%x) {order: [1,0]}
    %b: f32[3,4] = permute(%y) {order: [1,0]}
    %r: f32[2,4] = dot(%a, %b) {batch: []x[], contract: [1]x[0]}
  }`,
  `
  graph @g(%x: f32[3,2], %y: f32[4,3]) -> (%r: f32[2,4]) {
    %r: f32[2,4] = dot(%x, %y) {batch: []x[], contract: [0]x[1]}
  }`,
);

ruleTest(
  'a permute of a dot that exchanges its operands is the dot exchanged',
  `
  graph @g(%x: f32[5,2,3], %y: f32[5,3,4]) -> (%r: f32[5,4,2]) {
    %a: f32[5,2,4] = dot(%x, %y) {batch: [0]x[0], contract: [2]x[1]}
    %r: f32[5,4,2] = permute(%a) {order: [0,2,1]}
  }`,
  `
  graph @g(%x: f32[5,2,3], %y: f32[5,3,4]) -> (%r: f32[5,4,2]) {
    %r: f32[5,4,2] = dot(%y, %x) {batch: [0]x[0], contract: [1]x[2]}
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

passLeaves(
  simplify,
  'sums that round in between',
  `
  graph @g(%x: f32[2,3,4]) -> (%r: f32[2]) {
    %a: f32[2,3] = sum(%x) {axes: [2]}
    %r: f32[2] = sum(%a) {axes: [1]}
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

passLeaves(
  simplify,
  'a product whose permuted and own result are both used',
  `
  graph @g(%x: f32[2,3], %y: f32[3,4]) -> (%a: f32[2,4], %r: f32[4,2]) {
    %a: f32[2,4] = dot(%x, %y) {batch: []x[], contract: [1]x[0]}
    %r: f32[4,2] = permute(%a) {order: [1,0]}
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

test('every rule is tested, and no two share a name', () => {
  const names = simplifyRules.map((r) => r.name);
  expect([...tested].sort()).toEqual([...new Set(names)].sort());
  expect(names.length).toBe(new Set(names).size);
});
