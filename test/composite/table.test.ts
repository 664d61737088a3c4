import { expect, test } from 'vitest';
import { aval } from '../../compiler/ir/aval.ts';
import { b, recordWith } from '../../compiler/ir/builder.ts';
import { type Node, sameGraph, type Value } from '../../compiler/ir/node.ts';
import { isOpName } from '../../compiler/ir/opset.ts';
import { composite, compositeNames, ruleOf } from '../../compiler/ops/composite/table.ts';
import { cases } from './samples.ts';

const input = (...shape: number[]): Value => b.input({ dtype: 'f32', shape });
const graphOf = (v: Value | undefined) => v!.node.regions[0]!;

test('every composite has samples, and no name is an op', () => {
  for (const name of compositeNames) {
    expect(ruleOf(name)!.samples.length, name).toBeGreaterThan(0);
    expect(isOpName(name), name).toBe(false);
  }
  expect(new Set(cases.map((c) => c.name)).size).toBe(compositeNames.length);
});

test('a composite is recorded as one node', () => {
  const made: Node[] = [];
  const before = recordWith({ resolve: (v) => v, made: (n) => made.push(n) });
  composite('softmax', [input(2, 3)], { axis: 1 });
  recordWith(before);
  expect(made.map((n) => n.op)).toEqual(['input', 'composite']);
});

test('equal types and options share one body', () => {
  const [one] = composite('softmax', [input(2, 3)], { axis: 1 });
  const [other] = composite('softmax', [input(2, 3)], { axis: 1 });
  expect(graphOf(other)).toBe(graphOf(one));
  expect(other!.node.attrs).toBe(one!.node.attrs);
});

test('other shapes, dtypes, options and names have bodies of their own', () => {
  const x = input(3, 3);
  const bodies = [
    composite('softmax', [x], { axis: 0 }),
    composite('softmax', [x], { axis: 1 }),
    composite('softmax', [input(3, 4)], { axis: 1 }),
    composite('softmax', [b.input({ dtype: 'f64', shape: [3, 3] })], { axis: 1 }),
    composite('logSoftmax', [x], { axis: 1 }),
    composite('norm', [x], { axes: [0], p: 3 }),
    composite('norm', [x], { axes: [0], p: 3.5 }),
    composite('norm', [x], { axes: [0, 1], p: 3 }),
  ].map(([y]) => graphOf(y));
  for (const [i, g] of bodies.entries()) for (const h of bodies.slice(i + 1)) expect(sameGraph(g, h)).toBe(false);
});

test('options changed afterwards do not change a recorded node', () => {
  const params = { axis: 1 };
  const [y] = composite('softmax', [input(5, 7)], params);
  params.axis = 0;
  expect(y!.node.attrs).toEqual({ name: 'softmax', params: { axis: 1 } });
});

test('more bodies than are kept are still right', () => {
  for (let n = 1; n <= 5000; n++) expect(composite('relu', [input(n)], {})[0]!.node.outputs).toEqual([aval('f32', [n])]);
});
