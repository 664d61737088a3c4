// Every op of the table on every backend: its samples, compiled alone, against the float64 reference within the ulps that its rules promise.
import { describe, expect, test } from 'vitest';
import { opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { rules } from '../../compiler/ops/table.ts';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';
import { isThorough } from '../effort.ts';
import { casesOf } from '../ops/samples.ts';
import { run, ulpsApart } from '../run-program.ts';

const fused: readonly Target[] = isThorough && wasmNumerics() === 'madd' ? [wasmTarget('madd')] : [];
const targets: readonly Target[] = [jsTarget, wasmTarget('mul+add'), ...fused];
/** Control flow inside a graph and kernels by hand are no ops that a user's graph compiles with. */
const notCompiled = new Set(['kernel', 'composite', 'input', 'slot']);

describe.each(targets)('on $name, $numerics', (target) => {
  for (const op of opNames) {
    if (notCompiled.has(op)) continue;
    test(`${op} agrees with its meaning`, () => {
      const cases = casesOf(op);
      expect(cases.length).toBeGreaterThan(0);
      for (const { title, graph, data } of cases) {
        const expected = evaluate(graph, data);
        const actual = run(graph, data, target);
        expected.forEach((e, result) => {
          expect(`${actual[result]!.dtype}[${actual[result]!.shape}]`, title).toBe(`${e.dtype}[${e.shape}]`);
          e.data.forEach((value, i) => {
            const apart = ulpsApart(actual[result]!.data[i]!, value, e.dtype);
            if (!(apart <= rules[op].ulp))
              expect.fail(`${title}: result ${result} at ${i} is ${actual[result]!.data[i]}, ${apart} ulp from ${value}`);
          });
        });
      }
    });
  }
});
