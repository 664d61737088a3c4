// Every op of the table on XLA: its samples against the float64 reference, within the ulps that its rules promise.
import { beforeAll, describe, expect, test } from 'vitest';
import { type OpName, opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { rules } from '../../compiler/ops/table.ts';
import { casesOf } from '../ops/samples.ts';
import { ulpsApart } from '../run-program.ts';
import { factorError } from './factors.ts';
import { type Evaluated, evaluateByXla, python } from './python.ts';

/** Factors that leave signs and bases open are judged by what they make, below. */
const factors = ['qr', 'eigh', 'svd'] as const;
const ops = opNames.filter((op) => op !== 'input' && op !== 'slot' && !(factors as readonly OpName[]).includes(op));
const cases = [...ops, ...factors].flatMap(casesOf);

describe.runIf(python !== undefined)('on XLA', () => {
  let evaluated: readonly Evaluated[];
  beforeAll(() => {
    evaluated = evaluateByXla(cases);
  }, 900_000);

  test.each(ops)('%s agrees with its meaning', (op) => {
    const own = cases.flatMap((c, i) => (c.op === op ? [{ ...c, actual: evaluated[i]! }] : []));
    expect(own.length).toBeGreaterThan(0);
    for (const { title, graph, data, actual } of own) {
      if ('error' in actual) return expect.fail(`${title}: ${actual.error}`);
      evaluate(graph, data).forEach((e, result) => {
        const got = actual.results[result]!;
        expect(`${got.dtype}[${got.shape}]`, title).toBe(`${e.dtype}[${e.shape}]`);
        e.data.forEach((value, i) => {
          const apart = ulpsApart(got.data[i]!, value, e.dtype);
          if (!(apart <= rules[op].ulp)) expect.fail(`${title}: result ${result} at ${i} is ${got.data[i]}, ${apart} ulp from ${value}`);
        });
      });
    }
  });

  test.each([...factors])('the factors of %s are orthonormal, and their product is the matrix', (op) => {
    for (const [i, { title, op: own, data, node }] of cases.entries()) {
      if (own !== op) continue;
      const actual = evaluated[i]!;
      if ('error' in actual) return expect.fail(`${title}: ${actual.error}`);
      const bound = node.outputs[0]!.dtype === 'f32' ? 1e-5 : 1e-13;
      expect(factorError(op, data[0]!, actual.results), title).toBeLessThan(bound);
    }
  });
});
