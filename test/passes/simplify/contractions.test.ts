// Contractions of views: what each rule makes of a graph, as text, and that not a bit of the results changes.
import { contractions } from '../../../compiler/passes/simplify/contractions.ts';
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
  'a product whose permuted and own result are both used',
  `
  graph @g(%x: f32[2,3], %y: f32[3,4]) -> (%a: f32[2,4], %r: f32[4,2]) {
    %a: f32[2,4] = dot(%x, %y) {batch: []x[], contract: [1]x[0]}
    %r: f32[4,2] = permute(%a) {order: [1,0]}
  }`,
);

testsEveryRule(contractions, tested);
