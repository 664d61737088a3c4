// The arena over time: blocks, what is alive, and what backward keeps.
import { afterEach, describe, expect, test } from 'vitest';
import { locateAlways } from '../../compiler/frontend/record.ts';
import { nn, randn, tensor } from '../../compiler/index.ts';
import { describeMemory, type Inspected, inspectedGraph, memoryOf, memorySvg, watch } from '../../compiler/inspect/index.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { forgetStructures } from '../../compiler/jit/structure.ts';
import { jsTarget } from '../../runtime/target.ts';

afterEach(() => locateAlways(false));

/** Sums cannot be recomputed cheaply, so that each is stored. */
const chain = inspectedGraph(
  'chain',
  parse(`graph @chain(%x: f32[64,64]) -> (%d: f32[64]) {
  %a: f32[64,64] = dot(%x, %x) {batch: []x[], contract: [1]x[0]} loc("m.ts:1")
  %b: f32[64,64] = dot(%a, %x) {batch: []x[], contract: [1]x[0]} loc("m.ts:2")
  %c: f32[64,64] = dot(%b, %a) {batch: []x[], contract: [1]x[0]} loc("m.ts:3")
  %d: f32[64] = sum(%c) {axes: [0]} loc("m.ts:4")
}`),
  jsTarget,
);

/** The one Program that backward of a small network compiles to. */
function backwardOf(): Inspected {
  forgetStructures();
  const model = new nn.Sequential(new nn.Linear(16, 32), new nn.Tanh(), new nn.Linear(32, 4));
  const x = randn([8, 16]);
  x.dataSync();
  for (const p of model.parameters()) p.dataSync();
  locateAlways(true);
  const watched = watch();
  model.forward(x).square().sum().backward();
  for (const p of model.parameters()) p.grad!.dataSync();
  watched.stop();
  return watched.programs()[0]!;
}

describe('a report', () => {
  const report = memoryOf(chain);

  test('says of each intermediate which launches need it, and where it lies', () => {
    expect(report.blocks.map(({ value, op, line, first, last }) => ({ value, op, line, first, last }))).toEqual([
      { value: '%a: f32[64,64]', op: 'dot', line: 'm.ts:1', first: 0, last: 2 },
      { value: '%b: f32[64,64]', op: 'dot', line: 'm.ts:2', first: 1, last: 2 },
      { value: '%c: f32[64,64]', op: 'dot', line: 'm.ts:3', first: 2, last: 3 },
    ]);
    for (const { offset, bytes } of report.blocks) expect(offset + bytes).toBeLessThanOrEqual(report.arenaBytes);
  });

  test('counts what is alive at each launch; the most of it is the lower bound', () => {
    const size = 64 * 64 * 4;
    expect(report.launches.map(({ liveBytes }) => liveBytes)).toEqual([size, 2 * size, 3 * size, size]);
    expect(report.liveBytes).toBe(3 * size);
  });

  test('of no intermediates says so', () => {
    const none = inspectedGraph('none', parse('graph @none(%x: f32[4]) -> (%y: f32[4]) { %y: f32[4] = exp(%x) }'), jsTarget);
    expect(describeMemory(memoryOf(none))).toBe('none: arena 0 B, lower bound 0 B, 1 launch\nno intermediate is stored\n');
  });
});

test('what forward made and backward reads is saved, by the line of the user that made it', () => {
  const report = memoryOf(backwardOf());
  expect(report.saved).toHaveLength(1);
  expect(report.saved[0]!.line).toMatch(/^memory\.test\.ts:\d+$/);
  expect(report.saved[0]!.values.join()).toMatch(/f32\[8,32\] \(tanh\)/);
  const gradients = report.blocks.filter((b) => !b.isSaved);
  for (const { line } of gradients) expect(line).toMatch(/^memory\.test\.ts:\d+$/);
  expect(describeMemory(report)).toContain('saved for backward, by line\nmemory.test.ts:');
});

test('inference saves nothing', () => {
  forgetStructures();
  const watched = watch();
  tensor([1, 2]).exp().sum().itemSync();
  watched.stop();
  expect(describeMemory(memoryOf(watched.programs()[0]!))).not.toContain('saved for backward, by line');
});

test('the picture has a letter for each block, and dots where nothing is', () => {
  const picture = describeMemory(memoryOf(chain))
    .split('\n')
    .filter((line) => line.includes('|'));
  expect(picture).toHaveLength(12);
  expect(new Set(picture.join('').replaceAll(/[^a-c.]/g, ''))).toEqual(new Set(['a', 'b', 'c', '.']));
});

test('the SVG has a rectangle for each block, and no markup of the program in it', () => {
  const svg = memorySvg({ ...memoryOf(chain), name: '<script>' });
  expect(svg.match(/<rect class="block/g)).toHaveLength(3);
  expect(svg).not.toContain('<script>');
});
