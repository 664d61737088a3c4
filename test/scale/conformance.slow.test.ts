// Every op of the table on XLA: its samples against the float64 reference, within the ulps that its rules promise.
import { beforeAll, describe, expect, test } from 'vitest';
import { opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { rules } from '../../compiler/ops/table.ts';
import { casesOf } from '../ops/samples.ts';
import { ulpsApart } from '../run-program.ts';
import { type Evaluated, evaluateByXla, python } from './python.ts';

const ops = opNames.filter((op) => op !== 'input' && op !== 'slot');
const cases = ops.flatMap(casesOf);

describe.runIf(python !== undefined)('on XLA', () => {
  let evaluated: readonly Evaluated[];
  beforeAll(() => {
    evaluated = evaluateByXla(cases);
  }, 300_000);

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
});
