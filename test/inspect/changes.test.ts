// What a pass changed, and which values keep their identity through passes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { align } from '../../compiler/inspect/align.ts';
import { numberedStages } from '../../compiler/inspect/identity.ts';
import { describeChanges, inspectedGraph } from '../../compiler/inspect/index.ts';
import { listingOf, textOf } from '../../compiler/inspect/listing.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { jsTarget } from '../../runtime/target.ts';
import { runs } from '../effort.ts';

const graph = parse(`graph @g(%x: f32[4,6]) -> (%d: f32[4]) {
  %a: f32[24] = reshape(%x) {shape: [24]} loc("m.ts:1")
  %b: f32[4,6] = reshape(%a) {shape: [4,6]} loc("m.ts:2")
  %c: f32[4,6] = exp(%b) loc("m.ts:3")
  %d: f32[4] = sum(%c) {axes: [1]} loc("m.ts:4")
}`);

/** Length of the longest common subsequence, by the table. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    for (const [j, y] of b.entries()) next.push(x === y ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!));
    row = next;
  }
  return row[b.length]!;
}

test('aligning finds as many equal lines as there can be, in order', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 14 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const pairs = align(a, b);
      pairs.forEach(([i, j], at) => {
        expect(a[i]).toBe(b[j]);
        if (at > 0) expect(i > pairs[at - 1]![0] && j > pairs[at - 1]![1]).toBe(true);
      });
      expect(pairs).toHaveLength(commonLength(a, b));
    }),
    { numRuns: runs(500) },
  );
});

test('texts that have nothing in common are not compared to the end', () => {
  const [a, b] = ['a', 'b'].map((letter) => Array.from({ length: 5000 }, (_, i) => `${letter}${i}`)) as [string[], string[]];
  expect(align(a, b)).toEqual([]);
});

test('a listing without kernels is the graph as it prints', () => {
  expect(listingOf(graph, 'g').map(textOf).join('\n')).toBe(print(graph, { name: 'g' }));
});

describe('the changes of a pass', () => {
  const inspected = inspectedGraph('g', graph, jsTarget);

  test('are shown under the ids that values had before it, with the rules that fired', () => {
    const text = describeChanges(inspected, 'simplify').replace(/in [\d.]+ ms/, 'in N ms');
    expect(text).toBe(`g: simplify after recorded: 3 lines less, 1 line more in N ms
  graph @g(%x: f32[4,6]) -> (%d: f32[4]) {
-   %a: f32[24] = reshape(%x) {shape: [24]} loc("m.ts:1")
-   %b: f32[4,6] = reshape(%a) {shape: [4,6]} loc("m.ts:2")
-   %c: f32[4,6] = exp(%b) loc("m.ts:3")
+   %c: f32[4,6] = exp(%x) loc("m.ts:3")
    %d: f32[4] = sum(%c) {axes: [1]} loc("m.ts:4")
  }
rules that fired:
  a reshape of a reshape is one
  a reshape to the same shape is none
`);
  });

  test('of fusion are kernels around lines that stay', () => {
    const lines = describeChanges(inspected, 'fused').split('\n');
    expect(lines.filter((line) => /^[-+]/.test(line)).map((line) => line.replace(/ = kernel.*/, ' = kernel'))).toEqual([
      '+   %d: f32[4] = kernel',
      '+   }',
    ]);
  });

  test('of scheduling are those of nests', () => {
    const product = parse('graph @p(%x: f32[8,8]) -> (%y: f32[8,8]) { %y: f32[8,8] = dot(%x, %x) {batch: []x[], contract: [1]x[0]} }');
    expect(describeChanges(inspectedGraph('p', product, jsTarget), 'scheduled')).toMatch(
      /schedule of launch 1: \d+ lines less, \d+ lines more\n/,
    );
  });

  test('are said to be none where there are none', () => {
    expect(describeChanges(inspected, 'cse')).toMatch(/^g: cse after mergeScans: no change/);
    expect(describeChanges(inspected, 'recorded')).toBe('g: nothing comes before recorded\n');
  });
});

test('nodes that share a body have values of their own in each', () => {
  const twice = parse(`graph @t(%x: f32[3]) -> (%b: f32[3]) {
    %a: f32[3] = composite(%x) {name: "relu", params: {}} body(%0: f32[3]) -> (%2) { %1: f32[3] = neg(%0) %2: f32[3] = exp(%1) }
    %b: f32[3] = composite(%a) {name: "relu", params: {}} body(%0: f32[3]) -> (%2) { %1: f32[3] = neg(%0) %2: f32[3] = exp(%1) }
  }`);
  const [{ lines, numberOf }] = numberedStages([twice], 't') as [ReturnType<typeof numberedStages>[number]];
  const made = lines.flatMap((l) => l.defines.map((v) => numberOf.get(v)));
  expect(made).toHaveLength(4);
  expect(new Set(made).size).toBe(4);
});
