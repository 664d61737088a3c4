import { expect, test } from 'vitest';
import { printKernel } from '../../../kernels/print.ts';
import { flattenGrids } from '../../../kernels/schedule/grid.ts';
import { dedent, kernelOf, run } from '../run.ts';

test('what is computed between two parallel loops goes into the inner one', () => {
  const kernel = kernelOf(`
    kernel @k(x: read f32[3], y: write f32[12]) {
      par i: 3 {
        let v = x[i]
        par j: 4 {
          y[i*4 + j] = v
        }
      }
    }
  `);
  const flat = { ...kernel, body: flattenGrids(kernel.body) };
  expect(printKernel(flat)).toBe(
    dedent(`
      kernel @k(x: read f32[3], y: write f32[12]) {
        par i: 3 {
          par j: 4 {
            let v = x[i]
            y[i*4 + j] = v
          }
        }
      }
    `),
  );
  expect(run(flat, { x: [1, 2, 3] })).toEqual(run(kernel, { x: [1, 2, 3] }));
});

test('what sums on the way stays outside', () => {
  const kernel = kernelOf(`
    kernel @k(x: read f32[3], y: write f32[3]) {
      par i: 3 {
        var s = 0_f32
        serial k: 3 {
          s += x[k]
        }
        par j: 1 {
          y[i + j] = s
        }
      }
    }
  `);
  expect(flattenGrids(kernel.body)).toEqual(kernel.body);
});
