// Kernels of equal layers: lowered once, and told apart by everything that shows in their code.
import { expect, test } from 'vitest';
import { parse } from '../../compiler/ir/parse.ts';
import { compileGraph } from '../../compiler/lower/compile.ts';
import type { Kernel } from '../../kernels/loop.ts';
import { jsTarget, type Target, wasmTarget } from '../../runtime/target.ts';

/** The nest of each launch. */
function nestsOf(text: string, target: Target): Kernel[] {
  const nests: Kernel[] = [];
  compileGraph(parse(text), target, { onKernel: (_, nest) => void nests.push(nest) });
  return nests;
}

const layers = `graph @g(%0: f32[4,4], %1: f32[4,4], %2: f32[4,4]) -> (%6) {
  %3: f32[4,4] = dot(%0, %1) {contract: [1]x[0], batch: []x[]}
  %4: f32[4,4] = tanh(%3)
  %5: f32[4,4] = dot(%4, %2) {contract: [1]x[0], batch: []x[]}
  %6: f32[4,4] = tanh(%5)
}`;

test.each([jsTarget, wasmTarget('madd')])('equal layers share one nest on $name', (target) => {
  const [first, second, ...others] = nestsOf(layers, target);
  expect(second).toBe(first);
  expect(others).toEqual([]);
  expect(compileGraph(parse(layers), target).kernels.map((k) => k.name)).toEqual(['dot_tanh_4x4']);
});

test.each([
  ['names', layers.replaceAll('%4', '%hidden')],
  ['lines', layers.replace('tanh(%5)', 'tanh(%5) loc("other.ts:2")')],
  ['ops', layers.replace('tanh(%5)', 'exp(%5)')],
  ['shapes', layers.replace('%2: f32[4,4]', '%2: f32[4,5]').replaceAll(/%([56]): f32\[4,4\]/g, '%$1: f32[4,5]')],
])('layers of other %s do not', (_, text) => {
  const [first, second] = nestsOf(text, jsTarget);
  expect(second).not.toEqual(first);
});

test('kernels that read other numbers of the launch do not', () => {
  const [first, second] = nestsOf(
    `graph @g(%0: f32[4], %1: slot f32, %2: slot f32) -> (%4, %6) {
      %3: f32[4] = expand(%1) {shape: [4], at: [0]}
      %4: f32[4] = mul(%0, %3)
      %5: f32[4] = expand(%2) {shape: [4], at: [0]}
      %6: f32[4] = mul(%0, %5)
    }`,
    { ...jsTarget, maxBuffersPerKernel: 2 },
  );
  expect(second).not.toEqual(first);
});
