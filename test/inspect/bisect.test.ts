// Comparing compiled graphs with the reference, and blaming the pass that changed a result.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { compile, type Tensor, tensor } from '../../compiler/index.ts';
import { anatomyOf, bisect, describeVerdict, keepRuns, passesToBlame, seededData, watch } from '../../compiler/inspect/index.ts';
import { b } from '../../compiler/ir/builder.ts';
import { literalOf } from '../../compiler/ir/literal.ts';
import { parse } from '../../compiler/ir/parse.ts';
import { forgetStructures } from '../../compiler/jit/structure.ts';
import { cse } from '../../compiler/passes/cse.ts';
import type { Pass } from '../../compiler/passes/pass.ts';
import { pipeline } from '../../compiler/passes/pipeline.ts';
import { jsTarget, wasmTarget } from '../../runtime/target.ts';
import { wasmNumerics } from '../../runtime/wasm/features.ts';

afterEach(() => vi.restoreAllMocks());

const graph = parse(`graph @g(%x: f32[4,6], %s: slot f32) -> (%c: f32[4], %d: i64[4]) {
  %e: f32[4,6] = expand(%s) {shape: [4,6], at: [0,1]}
  %a: f32[4,6] = mul(%x, %e)
  %b: f32[4,6] = exp(%a)
  %c: f32[4] = sum(%b) {axes: [1]}
  %d: i64[4] = argmax(%a) {axis: 1}
}`);
const data = seededData(graph);

/** Makes a pass subtly wrong: it scales the first output. */
function spoil(name: string): void {
  const pass = pipeline.find((p) => p.name === name)! as { run: Pass['run'] };
  const right = pass.run;
  vi.spyOn(pass, 'run').mockImplementation((g, context) => {
    const { inputs, outputs } = right(g, context);
    const [first, ...rest] = outputs;
    const factor = b.expand(b.literal({ value: literalOf(1.01, 'f32') }), { shape: [4], at: [0] });
    return { inputs, outputs: [b.mul(first!, factor), ...rest] };
  });
}

describe.each([jsTarget, wasmTarget(wasmNumerics())])('on $name', (target) => {
  test('a right compilation agrees with the reference', () => {
    expect(bisect(graph, target, data)).toEqual({ kind: 'agrees' });
  });

  test('a wrong pass is named, with the element that is furthest off', () => {
    spoil('cse');
    const verdict = bisect(graph, target, data);
    expect(verdict).toMatchObject({ kind: 'passes', passes: ['cse'], disagreement: { output: 0 } });
    expect(describeVerdict('g', graph, verdict)).toMatch(/the pass cse changed the result; FLUXION_DISABLE=cse avoids it$/);
  });
});

test('a wrong pass that nothing compiles without is not blamed on others', () => {
  spoil('decompose');
  expect(bisect(graph, jsTarget, data)).toMatchObject({ kind: 'unknown', disagreement: { output: 0 } });
});

describe('passes to blame', () => {
  const passes = ['a', 'b', 'c'];
  test.each([
    ['one that is wrong alone', (off: readonly string[]) => off.includes('b'), ['b']],
    ['two that are wrong together', (off: readonly string[]) => off.includes('a') && off.includes('c'), ['a', 'c']],
    ['none, if results never agree', () => false, undefined],
  ])('%s', (_, agreesWithout, expected) => {
    expect(passesToBlame(agreesWithout, passes)).toEqual(expected);
  });
});

test('a program is checked on the data that it ran on, taken before the run', () => {
  forgetStructures();
  const runs = keepRuns();
  const watched = watch();
  tensor([3, 4]).mul(2).sum().itemSync();
  watched.stop();
  runs.stop();
  const { graph } = watched.programs()[0]!;
  const kept = runs.firstOf(graph)!;
  expect(kept.data.map(({ data }) => [...data])).toEqual(expect.arrayContaining([[3, 4], [2]]));
  expect(bisect(kept.graph, jsTarget, kept.data).kind).toBe('agrees');
});

test('a program with an open size is compiled again, and checked at the size that it ran at', () => {
  forgetStructures();
  const runs = keepRuns();
  const watched = watch();
  const f = compile((x: Tensor) => x.mul(2).sum(1));
  for (const n of [5, 3]) f(tensor(Array.from({ length: n }, (_, i) => [i, 1]))).dataSync();
  watched.stop();
  runs.stop();
  const open = watched.programs().find(({ sizes }) => sizes.length > 0)!;
  const { program } = anatomyOf(open);
  expect(program.sizes).toEqual(open.program().sizes);
  const { graph, data } = runs.firstOf(open.graph)!;
  expect(bisect(graph, jsTarget, data).kind).toBe('agrees');
});

test('the pass that the tests spoil is one that may be skipped', () => {
  expect(cse.optional).toBe(true);
});
