// The order of kernels: inputs before users, deterministic, and little memory alive at once.
import { expect, test } from 'vitest';
import { b } from '../../compiler/ir/builder.ts';
import { type Graph, nodesOf, shapeOf, type Value } from '../../compiler/ir/node.ts';
import { schedule } from '../../compiler/passes/order.ts';
import { chainLength } from '../effort.ts';

const input = (n: number): Value => b.input({ dtype: 'f32', shape: [n] });

/** Most elements of intermediates alive at once if nodes run in this order; outputs are not counted. */
function peak(graph: Graph, order: readonly { readonly values: readonly Value[]; readonly inputs: readonly Value[] }[]): number {
  const last = new Map<Value, number>();
  for (const [i, node] of order.entries()) for (const v of node.inputs) last.set(v, i);
  const isCounted = (v: Value): boolean => v.node.op !== 'input' && !graph.outputs.includes(v);
  const size = (v: Value): number => (isCounted(v) ? (shapeOf(v) as number[]).reduce((n, d) => n * d, 1) : 0);
  let alive = 0;
  let most = 0;
  for (const [i, node] of order.entries()) {
    for (const v of node.values) alive += size(v);
    most = Math.max(most, alive);
    for (const v of new Set(node.inputs)) if (last.get(v) === i) alive -= size(v);
  }
  return most;
}

/** k wide intermediates, each of which is summed: one after the other, one is alive at a time. */
function wideThenNarrow(k: number): Graph {
  const xs = Array.from({ length: k }, () => input(8));
  const wide = xs.map((x) => b.expand(x, { shape: [8, 100], at: [1] }));
  const joined = b.concat(
    wide.map((w) => b.sum(w, { axes: [1] })),
    { axis: 0 },
  );
  // Postorder of an output that lists all wide values first would keep them all.
  return {
    inputs: xs,
    outputs: [
      b.mul(
        b.sum(
          b.concat(
            wide.map((w) => b.amax(w, { axes: [1] })),
            { axis: 0 },
          ),
          { axes: [0] },
        ),
        b.sum(joined, { axes: [0] }),
      ),
    ],
  };
}

test('every node runs after its inputs, and once', () => {
  const graph = wideThenNarrow(6);
  const order = schedule(graph);
  const place = new Map(order.map((n, i) => [n, i] as const));
  expect(place.size).toBe(nodesOf(graph).length);
  for (const node of order)
    for (const v of node.inputs) if (v.node.op !== 'input') expect(place.get(v.node)!).toBeLessThan(place.get(node)!);
});

test('a wide intermediate is consumed before the next is made', () => {
  const graph = wideThenNarrow(6);
  expect(peak(graph, schedule(graph))).toBeLessThanOrEqual(2 * 800 + 6 * 16 + 100);
  expect(peak(graph, nodesOf(graph))).toBeGreaterThan(4000);
});

test('the same graph has one order', () => {
  const graph = wideThenNarrow(4);
  expect(schedule(graph)).toEqual(schedule(graph));
});

test('a reshape frees nothing of what it is an alias', () => {
  const x = input(4);
  const y = b.exp(x);
  const graph = { inputs: [x], outputs: [b.add(b.reshape(y, { shape: [4] }), y)] };
  expect(schedule(graph).map((n) => n.op)).toEqual(['exp', 'reshape', 'add']);
});

test('what a barrier holds back waits, though nothing smaller is left to do', () => {
  const [x, big] = [input(1), input(100)];
  const after = b.sum(b.exp(big), { axes: [0] });
  const again = b.exp(b.barrier(x, after));
  const graph = { inputs: [x, big], outputs: [again, after] };
  expect(schedule(graph).map((n) => n.op)).toEqual(['exp', 'sum', 'barrier', 'exp']);
});

test('a barrier frees nothing, and keeps nothing of what it waits for', () => {
  const x = input(4);
  const [y, z] = [b.exp(x), b.neg(x)];
  const graph = { inputs: [x], outputs: [b.add(b.barrier(y, z), y)] };
  expect(schedule(graph).map((n) => n.op)).toEqual(['exp', 'neg', 'barrier', 'add']);
});

test('a long chain of nodes is ordered without recursion', () => {
  const x = input(1);
  let y = x;
  for (let i = 0; i < chainLength; i++) y = b.exp(y);
  expect(schedule({ inputs: [x], outputs: [y] }).length).toBe(chainLength);
});
