// Every hash is the same number: whatever is found by hash must be confirmed by equality.
import { afterAll, expect, it, vi } from 'vitest';
import type * as codec from '../../compiler/ir/codec.ts';
import { runs } from '../effort.ts';

// The modules are loaded anew with that hash, and forgotten afterwards: other files share this process.
vi.resetModules();
vi.doMock('../../compiler/ir/codec.ts', async (original) => ({ ...(await original<typeof codec>()), mix: () => 0 }));
afterAll(() => {
  vi.doUnmock('../../compiler/ir/codec.ts');
  vi.resetModules();
});

const { evaluate } = await import('../../compiler/ops/evaluate.ts');
const { graphsWithData } = await import('../random-graphs.ts');
const { expectClose } = await import('../meaning.ts');
const { run } = await import('../run-program.ts');
const { b } = await import('../../compiler/ir/builder.ts');
const { structureOf, survey, forgetStructures } = await import('../../compiler/jit/structure.ts');
const { jsTarget } = await import('../../runtime/target.ts');
const { tensor } = await import('../../compiler/frontend/creation.ts');
await import('../../compiler/frontend/tensor.ts');
const fc = await import('fast-check');

const x = b.input({ dtype: 'f32', shape: [4] });

it('the hash is really the same', () => {
  expect(b.exp(x).node.hash).toBe(b.neg(x).node.hash);
});

it('graphs mean what they mean', () => {
  fc.assert(
    fc.property(
      graphsWithData({ dtypes: ['f64', 'i32', 'bool'], maxOps: 20, finite: true, continuous: true, regions: ['composite'] }),
      ({ graph, data }) => expectClose(run(graph, data), evaluate(graph, data)),
    ),
    { seed: 3, numRuns: runs(60) },
  );
});

it('different stretches of recording are different structures, equal ones are one', () => {
  forgetStructures();
  const of = (...nodes: (typeof x)['node'][]): unknown => structureOf(survey(nodes), jsTarget);
  const all = [
    of(b.exp(x).node),
    of(b.neg(x).node),
    of(b.sum(x, { axes: [0] }).node),
    of(b.exp(b.input({ dtype: 'f32', shape: [5] })).node),
  ];
  expect(new Set(all).size).toBe(4);
  expect(of(b.neg(b.input({ dtype: 'f32', shape: [4] })).node)).toBe(all[1]);
});

it('tensors get their own values', () => {
  const t = tensor([1, 4]);
  for (let round = 0; round < 2; round++)
    expect([t.sqrt(), t.neg(), t.sum(), t.add(t)].map((r) => r.tolistSync())).toEqual([[1, 2], [-1, -4], 5, [2, 8]]);
});
