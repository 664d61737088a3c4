// Why two ops are two kernels, told with the user's lines.
import { expect, test } from 'vitest';
import { describeUnfused, inspectedGraph, unfusedOf } from '../../compiler/inspect/index.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { jsTarget } from '../../runtime/target.ts';

test('each pair that was kept apart is named by op and line, with the reason', () => {
  const graph = parse(`graph @two(%x: f32[4,8]) -> (%b: f32[4], %c: f32[8]) {
    %b: f32[4] = sum(%x) {axes: [1]} loc("m.ts:1")
    %c: f32[8] = sum(%x) {axes: [0]} loc("m.ts:2")
  }`);
  const inspected = inspectedGraph('two', graph, jsTarget);
  const [first] = unfusedOf(inspected);
  expect(first).toMatchObject({ producer: 'sum m.ts:1', consumer: 'sum m.ts:2' });
  expect(first!.reason).not.toBe('');
  expect(describeUnfused(inspected)).toBe(`two: not fused\n  sum m.ts:1 and sum m.ts:2: ${first!.reason}\n`);
});

test('where all is one kernel, nothing was kept apart', () => {
  const graph = parse('graph @one(%x: f32[4]) -> (%y: f32[4]) { %y: f32[4] = exp(%x) }');
  expect(describeUnfused(inspectedGraph('one', graph, jsTarget))).toBe('one: nothing was kept apart\n');
});
