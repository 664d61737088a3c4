// Two scans that carry the same things are one scan.
import { expect, test } from 'vitest';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { b, build, full, region } from '../../compiler/ir/builder.ts';
import { avalOf, nodesOf } from '../../compiler/ir/node.ts';
import { mergeScans } from '../../compiler/passes/merge-scans.ts';
import { silent } from '../../compiler/passes/pass.ts';
import { runPipeline } from '../../compiler/passes/pipeline.ts';
import { jsTarget } from '../../runtime/target.ts';
import { expectSameMeaning } from '../meaning.ts';
import { passTest } from '../pass-test.ts';

const text = (results: string): string => `graph @g(%0: f32[2], %1: f32[5,2]) -> ${results}`;

passTest(
  mergeScans,
  'equal carries are carried once, and what both stack is stacked',
  `${text('(%2: f32[2], %3: f32[5,2], %5: f32[5,2])')} {
  %2, %3: f32[2], f32[5,2] = scan(%0, %1) {carries: 1, length: 5, reverse: false} body(%0: f32[2], %1: f32[2]) -> (%2, %3) {
    %2: f32[2] = add(%0, %1)
    %3: f32[2] = exp(%2)
  }
  %4, %5: f32[2], f32[5,2] = scan(%0, %1) {carries: 1, length: 5, reverse: false} body(%0: f32[2], %1: f32[2]) -> (%2, %3) {
    %2: f32[2] = add(%0, %1)
    %3: f32[2] = neg(%0)
  }
}
`,
  `${text('(%2: f32[2], %3: f32[5,2], %4: f32[5,2])')} {
  %2, %3, %4: f32[2], f32[5,2], f32[5,2] = scan(%0, %1) {carries: 1, length: 5, reverse: false} body(%0: f32[2], %1: f32[2]) -> (%2, %3, %4) {
    %2: f32[2] = add(%0, %1)
    %3: f32[2] = exp(%2)
    %4: f32[2] = neg(%0)
  }
}
`,
);

test.each([
  ['another direction', true, 'add'],
  ['other carries', false, 'mul'],
] as const)('scans with %s stay two', (_, reverse, op) => {
  const f = { dtype: 'f32', shape: [2] } as const;
  const graph = region([f, { dtype: 'f32', shape: [5, 2] }], ([h, xs]) => {
    const scan = (fn: 'add' | 'mul', backwards: boolean) =>
      b.scan([h!, xs!], { carries: 1, length: 5, reverse: backwards }, [region([f, f], ([c, x]) => [b[fn](c!, x!)])])[0]!;
    return [scan('add', false), scan(op, reverse)];
  });
  const after = mergeScans.run(graph, silent(jsTarget));
  expect(nodesOf(after).filter((n) => n.op === 'scan')).toHaveLength(2);
});

test('a forward pass and its gradient run each turn once forwards and once backwards', () => {
  const h = { dtype: 'f32', shape: [3] } as const;
  const graph = region([h, { dtype: 'f32', shape: [3, 3] }, { dtype: 'f32', shape: [4, 3] }], (inputs) => {
    const body = region([h, { dtype: 'f32', shape: [3, 3] }, h], ([c, w, x]) => [
      b.tanh(b.add(b.dot(c!, w!, { batch: [], contract: [[0, 0]] }), x!)),
      w!,
    ]);
    const [last] = build('scan', inputs, { carries: 2, length: 4, reverse: false }, [body]).values;
    const [gh, gw, gx] = pullback([last!], [full(1, avalOf(last!))], inputs);
    return [last!, gh!, gw!, gx!];
  });
  const after = runPipeline(graph, jsTarget, { until: 'dce' });
  expect(nodesOf(after).filter((n) => n.op === 'scan')).toHaveLength(2);
  expectSameMeaning(graph, after);
});
