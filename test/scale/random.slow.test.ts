// Random graphs, with branches, loops and composites, agree on XLA and in the float64 reference.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodesOf } from '../../compiler/ir/node.ts';
import { print } from '../../compiler/ir/print.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { isFloat } from '../../runtime/dtype.ts';
import { runs } from '../effort.ts';
import { graphsWithData } from '../random-graphs.ts';
import { evaluateByXla, python } from './python.ts';

/** Signs and bases of these are open. */
const factors = new Set(['qr', 'eigh', 'svd', 'lu', 'cholesky']);

describe.runIf(python !== undefined)('random graphs on XLA', () => {
  test.each([
    ['of integers and bools, to the bit', { dtypes: ['i32', 'i64', 'u8', 'bool'] as const, maxOps: 14 }, 0],
    [
      'of float64, where small changes change little',
      { dtypes: ['f64', 'i64', 'bool'] as const, finite: true, continuous: true, maxOps: 12 },
      1e-6,
    ],
  ])(
    '%s',
    (_, options, tolerance) => {
      const sample = fc
        .sample(graphsWithData({ ...options, regions: ['composite', 'controlFlow', 'kernel'] }), { numRuns: runs(150), seed: 7 })
        .filter(({ graph }) => nodesOf(graph).every((n) => !factors.has(n.op)));
      const evaluated = evaluateByXla(sample);
      for (const [i, { graph, data }] of sample.entries()) {
        const actual = evaluated[i]!;
        if ('error' in actual) return expect.fail(`${print(graph)}\n${actual.error}`);
        evaluate(graph, data).forEach((e, result) => {
          e.data.forEach((want, k) => {
            const got = actual.results[result]!.data[k]!;
            const apart = Object.is(got, want) || got === want ? 0 : Math.abs(got - want) / (isFloat(e.dtype) ? 1 + Math.abs(want) : 1);
            if (!(apart <= tolerance)) expect.fail(`${print(graph)}\nresult ${result} at ${k}: ${got}, not ${want}`);
          });
        });
      }
    },
    300_000,
  );
});
