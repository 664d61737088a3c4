// Conditions on the remainder of an axis: a copy of the body for each remainder, and the results of the nest as it was.
import { expect, it, test } from 'vitest';
import { printKernel } from '../../../kernels/print.ts';
import { splitResidues } from '../../../kernels/schedule/residues.ts';
import { vectorise } from '../../../kernels/schedule/vectorise.ts';
import { verifyKernel } from '../../../kernels/verify.ts';
import { dedent, kernelOf, noise, run } from '../run.ts';
import { runWasm } from '../wasm/run.ts';

const spread = (extent: number, by: number): string => `
  kernel @k(x: read f32[40], y: write f32[${extent}]) {
    par l: ${extent} {
      let a = choose(0 <= l mod ${by} < 1, x[l div ${by}], 0_f32)
      let b = choose(0 <= l - 1 < ${extent - 1} & 0 <= (l + ${by - 1}) mod ${by} < 1, x[(l + ${by - 1}) div ${by} + 1], 2_f32)
      y[l] = a * 2_f32 + b
    }
  }
`;

test('each copy computes what holds for its remainder, and no more', () => {
  expect(printKernel(splitResidues(kernelOf(spread(9, 2))))).toBe(
    dedent(`
      kernel @k(x: read f32[40], y: write f32[9]) {
        par l: 4 {
          let a_2 = x[l]
          let b_2 = 2_f32
          y[l*2] = a_2 * 2_f32 + b_2
          let a_3 = 0_f32
          let b_3 = x[l + 2]
          y[l*2 + 1] = a_3 * 2_f32 + b_3
        }
        let a_4 = x[4]
        let b_4 = 2_f32
        y[8] = a_4 * 2_f32 + b_4
      }
    `),
  );
});

it.each([
  [9, 2],
  [40, 2],
  [37, 2],
  [12, 3],
  [38, 3],
  [33, 4],
  [4, 4],
])('results stay as they were: %i elements by %i', (extent, by) => {
  const kernel = kernelOf(spread(extent, by));
  const split = splitResidues(kernel);
  verifyKernel(split);
  const x = noise(40);
  const expected = run(kernel, { x }).y;
  expect(printKernel(split)).not.toContain('mod');
  expect(run(split, { x }).y).toEqual(expected);
  expect(runWasm(vectorise(split), { x }).y).toEqual(expected);
});

test('two axes are split one after the other, and sums keep their order', () => {
  const kernel = kernelOf(`
    kernel @k(x: read f32[12], y: write f32[54], z: write f32[1]) {
      var s = 0_f32
      serial k: 6 {
        serial l: 9 {
          let a = choose(0 <= k mod 2 < 1 & 0 <= l mod 3 < 1, x[k div 2*3 + l div 3], 1_f32)
          s += a
          y[k*9 + l] = s
        }
      }
      z[0] = s
    }
  `);
  const split = splitResidues(kernel);
  verifyKernel(split);
  expect(printKernel(split)).not.toContain('choose');
  expect(run(split, { x: noise(12) })).toEqual(run(kernel, { x: noise(12) }));
});

test('more remainders than copies are worth stay conditions', () => {
  const kernel = kernelOf(spread(40, 5));
  expect(splitResidues(kernel)).toEqual(kernel);
});
