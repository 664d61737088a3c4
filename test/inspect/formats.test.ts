// Graphs in the formats of other viewers.
import { describe, expect, test } from 'vitest';
import { dotOf, drawingOf, graphAt, mermaidOf, modelExplorerOf, nodeDataOf } from '../../compiler/inspect/index.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { jsTarget } from '../../runtime/target.ts';

const graph = parse(`graph @g(%x: f32[4,6]) -> (%c: f32[4]) {
  %b: f32[4,6] = exp(%x) loc("m.ts:1")
  %c: f32[4] = sum(%b) {axes: [1]} loc("m.ts:2")
}`);
const recorded = drawingOf(graph, 'g');
const fused = drawingOf(graphAt(graph, jsTarget, 'fuse'), 'g');

test('a drawing has a box for each node, input and output, and an arrow for each operand', () => {
  expect(recorded.boxes.map((b) => [b.id, b.op, b.line])).toEqual([
    ['vx', 'input', undefined],
    ['vb', 'exp', 'm.ts:1'],
    ['vc', 'sum', 'm.ts:2'],
    ['output0', 'output', undefined],
  ]);
  expect(recorded.arrows.map((a) => [a.from, a.to, a.type, a.bytes])).toEqual([
    ['vx', 'vb', 'f32[4,6]', 96],
    ['vb', 'vc', 'f32[4,6]', 96],
    ['vc', 'output0', 'f32[4]', 16],
  ]);
});

test('a kernel is a group of what it holds; arrows go to the boxes inside', () => {
  expect(fused.groups.map((g) => g.label)).toEqual(['exp_sum_4']);
  const inside = fused.boxes.filter((b) => b.group !== undefined).map((b) => b.op);
  expect(inside).toEqual(['exp', 'sum']);
  const ids = new Set(fused.boxes.map((b) => b.id));
  expect(ids.size).toBe(fused.boxes.length);
  for (const { from, to } of fused.arrows) expect([ids.has(from), ids.has(to)]).toEqual([true, true]);
});

test('DOT', () => {
  expect(dotOf(recorded)).toBe(`digraph "g" {
  node [shape=box, style=rounded, fontname="sans-serif", fontsize=11]
  edge [fontname="sans-serif", fontsize=9]
  vx [label="input\\nf32[4,6]", shape=ellipse]
  vb [label="exp\\nf32[4,6]\\nm.ts:1"]
  vc [label="sum\\nf32[4]\\nm.ts:2"]
  output0 [label="output\\nf32[4]", shape=ellipse]
  vx -> vb [label="f32[4,6]", penwidth=1]
  vb -> vc [label="f32[4,6]", penwidth=1]
  vc -> output0 [label="f32[4]", penwidth=1]
}
`);
  expect(dotOf(fused)).toContain('  subgraph cluster_vc {\n    label="exp_sum_4"\n');
});

test('Mermaid', () => {
  expect(mermaidOf(recorded)).toBe(`flowchart TD
  vx(["input<br>f32[4,6]"])
  vb["exp<br>f32[4,6]<br>m.ts:1"]
  vc["sum<br>f32[4]<br>m.ts:2"]
  output0(["output<br>f32[4]"])
  vx -->|"f32[4,6]"| vb
  vb -->|"f32[4,6]"| vc
  vc -->|"f32[4]"| output0
`);
});

describe('Model Explorer', () => {
  const costs = new Map([['exp_sum_4', { flops: 48, bytes: 112, ms: 0.5 }]]);
  const collection = modelExplorerOf('m.ts', [fused], [costs]);

  test('has kernels as namespaces with their costs, and edges that name what they come from', () => {
    const [{ nodes, groupNodeAttributes }] = collection.graphs as [(typeof collection.graphs)[number]];
    expect(groupNodeAttributes).toEqual({ exp_sum_4: { line: 'm.ts:2', flops: '48', bytes: '112', ms: '0.5000' } });
    const sum = nodes.find((n) => n.label === 'sum')!;
    expect(sum).toMatchObject({
      namespace: 'exp_sum_4',
      attrs: [
        { key: 'axes', value: '[1]' },
        { key: 'line', value: 'm.ts:2' },
      ],
    });
    const exp = nodes.find((n) => n.label === 'exp')!;
    expect(sum.incomingEdges).toEqual([{ sourceNodeId: exp.id, sourceNodeOutputId: '0', targetNodeInputId: '0' }]);
  });

  test('lays time over the boxes of a kernel', () => {
    const { g } = nodeDataOf(fused, 'ms', costs) as { g: { results: Record<string, { value: number }> } };
    expect(Object.values(g.results)).toEqual([{ value: 0.5 }, { value: 0.5 }]);
  });
});
