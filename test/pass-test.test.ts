import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { b } from '../compiler/ir/builder.ts';
import { type Graph, makeNode, type Value } from '../compiler/ir/node.ts';
import type { Pass } from '../compiler/passes/pass.ts';
import { checkPass, passLeaves, passTest, rewriteExpectation } from './pass-test.ts';

const toy = (run: (x: Value, graph: Graph) => Value, idempotent = true): Pass => ({
  name: 'toy',
  after: {},
  idempotent,
  optional: true,
  run: (graph, context) => {
    context.fired('toy rule');
    context.note('because of toys');
    return { inputs: graph.inputs, outputs: [run(graph.outputs[0]!, graph)] };
  },
});
const undoNegation = toy((v) => (v.node.op === 'neg' && v.node.inputs[0].node.op === 'neg' ? v.node.inputs[0].node.inputs[0] : v));

const twice = 'graph @g(%x: f32[2,n], %i: i64[2,n]) -> (%b) { %a: f32[2,n] = neg(%x); %b: f32[2,n] = neg(%a) }';
const nothing = 'graph @g(%x: f32[2,n], %i: i64[2,n]) -> (%x) {}';

passTest(undoNegation, 'two negations are none', twice, nothing, { fires: ['toy rule'], notes: 'of toys' });
passLeaves(undoNegation, 'one negation stays', 'graph @g(%x: f32[2]) -> (%b) { %b: f32[2] = neg(%x) }');

describe('a pass test fails', () => {
  const cases: readonly (readonly [string, Pass, string, RegExp])[] = [
    ['where the text is another', toy((v) => v), nothing, /graph @g/],
    [
      'where the meaning is another',
      toy((_, g) => b.abs(g.inputs[0]!)),
      'graph @g(%x: f32[2,n], %i: i64[2,n]) -> (%0) { %0: f32[2,n] = abs(%x) }',
      /result 0 differs at element/,
    ],
    ['where the type of a result is another', toy((_, g) => g.inputs[1]!), 'graph @g(%x: f32[2,n], %i: i64[2,n]) -> (%i) {}', /i64\[2,3\]/],
    [
      'where the result breaks a rule',
      toy((v) => makeNode('exp', [v, v], {}, [], v.node.outputs).values[0]!),
      nothing,
      /has 2 operands instead of 1/,
    ],
    [
      'where a second run changes something',
      toy((v) => b.neg(b.neg(v))),
      'graph @g(%x: f32[2,n], %i: i64[2,n]) -> (%1) { %a: f32[2,n] = neg(%x); %b: f32[2,n] = neg(%a) %0: f32[2,n] = neg(%b); %1: f32[2,n] = neg(%0) }',
      /the second run/,
    ],
  ];
  test.each(cases)('%s', (_, pass, after, message) => expect(() => checkPass(pass, twice, after)).toThrow(message));

  test('unless the pass says that it is not idempotent', () => {
    checkPass(
      toy((v) => b.neg(b.neg(v)), false),
      twice,
      undefined,
    );
  });
});

test('an expectation is rewritten where it stands, indented as the text before it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-'));
  try {
    const file = join(folder, 'x.test.ts');
    const source = (after: string): string =>
      `passTest(p, 'title', \`\n    before\`, \`${after}\`);\npassTest(p, 'other', \`\n    before\`, \`old\`);`;
    writeFileSync(file, source('old'));
    rewriteExpectation(file, 'title', '\n    before', 'old', 'graph {\n  `x`\n}');
    expect(readFileSync(file, 'utf8')).toBe(source('\n    graph {\n      \\`x\\`\n    }'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
