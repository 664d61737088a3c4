import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isStatic } from '../compiler/ir/dim.ts';
import { dtypeOf, type Node, nodesOf, shapeOf } from '../compiler/ir/node.ts';
import { opNames } from '../compiler/ir/opset.ts';
import { verify } from '../compiler/ir/verify.ts';
import { evaluate } from '../compiler/ops/evaluate.ts';
import { jsTarget } from '../runtime/target.ts';
import { isThorough, runs } from './effort.ts';
import { graphs, graphsWithData } from './random-graphs.ts';

const regions = ['composite', 'controlFlow', 'kernel'] as const;

test('random graphs obey the rules and evaluate to what their types say', () => {
  fc.assert(
    fc.property(graphsWithData({ symbolic: true, regions, maxOps: 16 }), ({ graph, data }) => {
      verify(graph, jsTarget);
      const results = evaluate(graph, data);
      expect(results.map((r) => [r.dtype, r.shape, r.data.length])).toEqual(
        graph.outputs.map((v) => [dtypeOf(v), shapeOf(v), shapeOf(v).reduce<number>((n, d) => n * (d as number), 1)]),
      );
    }),
    { numRuns: runs(300) },
  );
});

test('with the option `finite`, no value is NaN or infinite', () => {
  fc.assert(
    fc.property(graphsWithData({ finite: true, regions, maxOps: 16 }), ({ graph, data }) => {
      for (const r of evaluate(graph, data)) expect(r.data.every(Number.isFinite)).toBe(true);
    }),
    { numRuns: runs(500) },
  );
});

test('with the option `continuous`, small changes of the data change results little', () => {
  const options = { finite: true, continuous: true, dtypes: ['f64', 'bool'], maxOps: 10 } as const;
  fc.assert(
    fc.property(graphsWithData(options), ({ graph, data }) => {
      const moved = data.map((r) => (r.dtype === 'bool' ? r : { ...r, data: r.data.map((x) => x + 1e-9) }));
      const [before, after] = [evaluate(graph, data), evaluate(graph, moved)];
      for (const [i, r] of before.entries())
        for (const [j, x] of r.data.entries()) expect(Math.abs(after[i]!.data[j]! - x)).toBeLessThan(1e-3 * (1 + Math.abs(x)));
    }),
    { numRuns: runs(300) },
  );
});

test.runIf(isThorough)('every op stands in some random graph, and several results, shared values, empty axes and symbolic sizes do', () => {
  const sample = fc.sample(graphs({ symbolic: true, regions, maxOps: 40 }), { numRuns: 3000, seed: 1 });
  const nodes = sample.map(nodesOf);
  const ops = new Set(nodes.flat().map((n) => n.op));
  expect(opNames.filter((op) => !ops.has(op) && !['input', 'slot', 'size'].includes(op))).toEqual([]);
  const isShared = (list: readonly Node[]): boolean => new Set(list.flatMap((n) => n.inputs)).size < list.flatMap((n) => n.inputs).length;
  expect(nodes.some(isShared)).toBe(true);
  expect(sample.some((g) => g.outputs.length > 2)).toBe(true);
  expect(sample.some((g) => g.inputs.some((v) => v.node.op === 'slot'))).toBe(true);
  expect(nodes.flat().some((n) => n.outputs.some((a) => a.shape.includes(0)))).toBe(true);
  expect(nodes.flat().some((n) => n.outputs.some((a) => !isStatic(a.shape)))).toBe(true);
});
