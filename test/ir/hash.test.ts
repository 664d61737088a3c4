import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { b, build, lit, region } from '../../compiler/ir/builder.ts';
import { sym } from '../../compiler/ir/dim.ts';
import type { Literal } from '../../compiler/ir/literal.ts';
import { type Graph, graphHash, type Node, nodesOf, sameGraph, sameNode, type Value } from '../../compiler/ir/node.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';
import { graphs } from '../random-graphs.ts';

const x = b.input({ dtype: 'f32', shape: [2, 3] });
const y = b.input({ dtype: 'f32', shape: [2, 3] });
const literal = (value: Literal): Node => b.literal({ value }).node;

test('nodes built alike have equal hashes and are the same', () => {
  const build = (): Node => b.add(b.exp(x), b.sum(b.expand(y, { shape: [4, 2, 3], at: [0] }), { axes: [0] })).node;
  const exp = b.exp(x);
  expect(build().hash).toBe(build().hash);
  expect(sameNode(b.sin(exp).node, b.sin(exp).node)).toBe(true);
});

describe('what tells two nodes apart', () => {
  const f32 = (bits: bigint): Literal => ({ dtype: 'f32', bits });
  const body = (op: 'exp' | 'sin') => region([{ dtype: 'f32', shape: [2, 3] }], ([v]) => [b[op](v!)]);
  const composite = (name: string, eps: number, op: 'exp' | 'sin' = 'exp') =>
    b.composite([x], { name, params: { eps } }, [body(op)])[0]!.node;
  const sorted = b.sort(b.input({ dtype: 'i64', shape: [2] }), { axis: 0, descending: false });
  const n = b.input({ dtype: 'f32', shape: [sym('n'), sym('m')] });
  const cases: readonly (readonly [string, Node, Node])[] = [
    ['the op', b.exp(x).node, b.sin(x).node],
    ['operands', b.exp(x).node, b.exp(y).node],
    ['the order of operands', b.sub(x, y).node, b.sub(y, x).node],
    ['which result is an operand', b.neg(sorted[0]).node, b.neg(sorted[1]).node],
    ['an attribute', b.sum(x, { axes: [0] }).node, b.sum(x, { axes: [1] }).node],
    ['the order in a list', b.permute(x, { order: [0, 1] }).node, b.permute(x, { order: [1, 0] }).node],
    ['a flag', b.cumsum(x, { axis: 0, reverse: false }).node, b.cumsum(x, { axis: 0, reverse: true }).node],
    ['pairs', b.dot(x, y, { batch: [], contract: [[0, 0]] }).node, b.dot(x, y, { batch: [[0, 0]], contract: [] }).node],
    ['a symbolic size', b.exp(n).node, b.exp(b.input({ dtype: 'f32', shape: [sym('m'), sym('n')] })).node],
    ['the dtype of a literal', lit(1, 'i32').node, lit(1, 'i64').node],
    ['the dtype of a literal with the same bits', literal(f32(1n)), literal({ dtype: 'i32', bits: 1n })],
    ['the sign of zero', lit(0, 'f32').node, lit(-0, 'f32').node],
    ['the bits of a NaN', literal(f32(0x7fc00000n)), literal(f32(0x7fc00001n))],
    ['high bits of an i64', lit(1n << 40n, 'i64').node, lit(1n << 41n, 'i64').node],
    ['the name of a composite', composite('a', 1), composite('b', 1)],
    ['an option of a composite', composite('a', 1), composite('a', 2)],
    ['the sign of a zero option', composite('a', 0), composite('a', -0)],
    ['the region', composite('a', 1, 'exp'), composite('a', 1, 'sin')],
    ['a leaf is equal only to itself', b.slot({ dtype: 'f32' }).node, b.slot({ dtype: 'f32' }).node],
  ];
  test.each(cases)('%s', (_, one, other) => {
    expect(one.hash).not.toBe(other.hash);
    expect(sameNode(one, other)).toBe(false);
  });
});

test('names and locations tell nothing apart', () => {
  const [one, other] = [b.exp(x).node, b.exp(x).node];
  one.name = 'a';
  one.loc = { site: 'model.ts:1' };
  expect(one.hash).toBe(other.hash);
  expect(sameNode(one, other)).toBe(true);
});

test('the hash of a graph does not depend on the identity of its inputs', () => {
  fc.assert(
    fc.property(graphs({ symbolic: true, annotated: true, regions: ['composite', 'controlFlow', 'kernel'] }), (graph) => {
      const twin = parse(print(graph));
      expect(graphHash(twin)).toBe(graphHash(graph));
      expect(sameGraph(twin, graph)).toBe(true);
    }),
  );
});

describe('graphs that differ', () => {
  const graph = (body: (p: Value, q: Value) => readonly Value[], dtype: 'f32' | 'f64' = 'f32'): Graph => {
    const [p, q] = [b.input({ dtype, shape: [2] }), b.input({ dtype, shape: [2] })];
    return { inputs: [p, q], outputs: body(p, q) };
  };
  const positions = (p: Value) => b.sort(b.sort(p, { axis: 0, descending: false })[1], { axis: 0, descending: false });
  const swapped = graph((p, q) => [b.sub(p, q)]);
  const cases: readonly (readonly [string, Graph, Graph])[] = [
    ['by the order of inputs', swapped, { inputs: swapped.inputs.toReversed(), outputs: swapped.outputs }],
    ['by the order of outputs', graph((p, q) => [p, q]), graph((p, q) => [q, p])],
    ['by the number of outputs', graph((p) => [p]), graph((p) => [p, p])],
    ['by the dtype of an input', graph((p) => [p]), graph((p) => [p], 'f64')],
    ['by an operand', graph((p, q) => [b.mul(b.exp(p), b.exp(q))]), graph((p) => [b.mul(b.exp(p), b.exp(p))])],
    ['by sharing', graph((p) => [b.mul(b.exp(p), b.exp(p))]), graph((p) => [((e) => b.mul(e, e))(b.exp(p))])],
    ['by the result used', graph((p) => [b.neg(positions(p)[0])]), graph((p) => [b.neg(positions(p)[1])])],
  ];
  test.each(cases)('%s', (_, one, other) => {
    expect(graphHash(one)).not.toBe(graphHash(other));
    expect(sameGraph(one, other)).toBe(false);
  });

  test('are told apart even where their hashes collide', () => {
    const collide = (node: Node): Node => Object.assign(node, { hash: 7, localHash: 7 });
    for (const [name, one, other] of cases) {
      for (const g of [one, other]) for (const node of [...g.inputs.map((v) => v.node), ...nodesOf(g)]) collide(node);
      expect(sameGraph(one, other), name).toBe(false);
    }
    expect(sameNode(collide(b.sum(x, { axes: [0] }).node), collide(b.sum(x, { axes: [1] }).node))).toBe(false);
    expect(sameNode(collide(lit(0, 'f32').node), collide(lit(-0, 'f32').node))).toBe(false);
    expect(sameNode(collide(b.exp(x).node), collide(build('exp', [y])))).toBe(false);
    expect(sameNode(collide(b.exp(x).node), collide(b.exp(x).node))).toBe(true);
  });
});
