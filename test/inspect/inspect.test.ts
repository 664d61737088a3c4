// What inspection says about Programs, as text and as data.
import { afterEach, describe, expect, test } from 'vitest';
import { tensor, zeros } from '../../compiler/index.ts';
import {
  describeGraphs,
  describePrograms,
  graphAt,
  inspectedGraph,
  plain,
  reportOf,
  stages,
  type Watch,
  watch,
} from '../../compiler/inspect/index.ts';
import { parse, parseModule } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { forgetStructures } from '../../compiler/jit/structure.ts';
import { ArgumentError } from '../../runtime/errors.ts';
import { jsTarget } from '../../runtime/target.ts';

let watched: Watch | undefined;
afterEach(() => watched?.stop());

/** Two equal contractions, one after the other: one generated function, launched twice. */
const twice = `graph @twice(%0: f32[8,8]) -> (%2: f32[8,8]) {
  %1: f32[8,8] = dot(%0, %0) {batch: []x[], contract: [1]x[0]}
  %2: f32[8,8] = dot(%1, %1) {batch: []x[], contract: [1]x[0]}
}`;

describe('watching', () => {
  test('sees each distinct graph once, in the order of compilation', () => {
    forgetStructures();
    watched = watch();
    for (let i = 0; i < 3; i++) tensor([1, 2]).mul(i);
    for (let i = 0; i < 3; i++) tensor([1, 2]).mul(i).dataSync();
    tensor([1, 2]).sum().itemSync();
    forgetStructures();
    tensor([3, 4]).sum().itemSync();
    expect(watched.programs().map(({ name, graph }) => [name, graph.outputs[0]!.node.op])).toEqual([
      ['program1', 'mul'],
      ['program2', 'sum'],
    ]);
  });

  test('ends', () => {
    const ended = watch();
    ended.stop();
    zeros([3])
      .add(zeros([3]))
      .sub(zeros([3]))
      .dataSync();
    expect(ended.programs()).toEqual([]);
  });
});

describe('stages', () => {
  const graph = parse(
    'graph @g(%x: f32[2,3]) -> (%b: f32[6]) { %a: f32[3,2] = reshape(%x) {shape: [3,2]} %b: f32[6] = reshape(%a) {shape: [6]} }',
  );

  test('are the recording and the passes', () => {
    expect(stages[0]).toBe('recorded');
    expect(stages.at(-1)).toBe('fuse');
    for (const stage of stages) expect(() => graphAt(graph, jsTarget, stage)).not.toThrow();
  });

  test('show a graph between passes', () => {
    expect(graphAt(graph, jsTarget, 'recorded')).toBe(graph);
    expect(print(graphAt(graph, jsTarget, 'simplify'))).toContain('%b: f32[6] = reshape(%x) {shape: [6]}');
  });

  test('that do not exist are refused with those that do', () => {
    expect(() => graphAt(graph, jsTarget, 'polish')).toThrow(ArgumentError);
    expect(() => graphAt(graph, jsTarget, 'polish')).toThrow(/there is no stage 'polish'; use recorded, simplify/);
  });
});

describe('reports', () => {
  const inspected = inspectedGraph('twice', parse(twice), jsTarget);
  const report = reportOf(inspected.program());

  test('count a kernel as often as it is launched', () => {
    expect(report.kernels).toHaveLength(2);
    expect(report).toMatchObject({ name: 'twice', flops: 2 * 2 * 8 ** 3, bytesMoved: 4 * 8 * 8 * 4, arenaBytes: 256, liveBytes: 256 });
    expect(new Set(report.kernels.map((k) => k.source)).size).toBe(1);
  });

  test('show its code once, saying which launches run it', () => {
    const text = describePrograms([inspected]);
    expect(text).toContain('// twice: 2 kernels, 1,024 bytes moved, 2,048 flops\n// arena 256 bytes, lower bound 256 bytes\n');
    expect(text).toContain('// launches 1, 2, each: reads 256 bytes, writes 256 bytes, 1,024 flops, 2.00 flops per byte\n');
    expect(text.match(/^function /gm)).toHaveLength(1);
  });

  test('style headings and asides, and nothing of the code', () => {
    const style = { ...plain, heading: (s: string) => `<h>${s}</h>`, aside: (s: string) => `<a>${s}</a>` };
    const styled = describePrograms([inspected], { style, why: true });
    expect(styled).toContain('<h>// twice:');
    expect(styled.replaceAll(/<\/?[ha]>/g, '')).toBe(describePrograms([inspected], { why: true }));
  });
});

test('graphs of several Programs are one text that parses', () => {
  const graphs = [inspectedGraph('one', parse(twice), jsTarget), inspectedGraph('two', parse(twice), jsTarget)];
  for (const stage of ['recorded', 'fuse']) {
    const read = parseModule(describeGraphs(graphs, stage));
    expect(read.map(({ name, graph }) => [name, print(graph)])).toEqual(
      ['one', 'two'].map((name) => [name, print(graphAt(parse(twice), jsTarget, stage))]),
    );
  }
});
