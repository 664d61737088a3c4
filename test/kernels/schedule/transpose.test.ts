// Reads down columns: they become blocks that are turned in scratch, and results stay as they were.
import { describe, expect, it, test } from 'vitest';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { transposeReads } from '../../../kernels/schedule/transpose.ts';
import { vectorise } from '../../../kernels/schedule/vectorise.ts';
import { type DType, dtypes } from '../../../runtime/dtype.ts';
import { dedent, kernelOf, noise, run } from '../run.ts';
import { runWasm } from '../wasm/run.ts';

test('a transposed copy goes in blocks through scratch', () => {
  const kernel = kernelOf(`
    kernel @k(x: read f32[26000], y: write f32[26000]) {
      par i: 130 {
        par j: 200 {
          y[i*200 + j] = x[j*130 + i] + 1_f32
        }
      }
    }
  `);
  expect(printKernel(transposeReads(kernel)).split('\n').slice(0, 12).join('\n')).toBe(
    dedent(`
      kernel @k(x: read f32[26000], y: write f32[26000]) {
        par j_block: 3 {
          par i_block: 2 {
            scratch x_block: f32[4352]
            transpose x_block[0] row 68 = x[j_block*8320 + i_block*64] row 130 over (64, 64)
            par i_in: 64 {
              par j_in: 64 {
                y[i_block*12800 + i_in*200 + j_block*64 + j_in] = x_block[i_in*68 + j_in] + 1_f32
              }
            }
          }
          scratch x_block_2: f32[136]
    `).trimEnd(),
  );
});

test('a copy into short rows is the transposition itself', () => {
  const kernel = parseKernel(`
    kernel @k(x: read u8[192], y: write u8[192]) {
      par i: 64 { par j: 3 { y[i*3 + j] = x[j*64 + i] } }
    }
  `);
  expect(printKernel(transposeReads(kernel))).toContain('transpose y[0] row 3 = x[0] row 64 over (3, 64)');
});

const values = (dtype: DType, n: number): number[] =>
  noise(n).map((v, i) => (dtype === 'bool' ? (i % 3) & 1 : dtype[0] === 'f' ? v : i % 251));

describe('results are those of the nest as it was', () => {
  const check = (kernel: ReturnType<typeof parseKernel>, x: readonly number[]): void => {
    const turned = transposeReads(kernel);
    expect(printKernel(turned)).toContain('transpose');
    const expected = run(kernel, { x }).y;
    expect(run(turned, { x }).y).toEqual(expected);
    expect(runWasm(vectorise(turned), { x }).y).toEqual(expected);
  };

  describe.each(dtypes.filter((d) => d !== 'f16'))('of %s', (dtype) => {
    it.each([
      [130, 70],
      [64, 64],
      [5, 7],
      [67, 3],
      [3, 129],
      [2, 33],
    ])('%i x %i', (rows, columns) => {
      const n = rows * columns;
      check(
        parseKernel(`kernel @k(x: read ${dtype}[${n}], y: write ${dtype}[${n}]) {
          par i: ${rows} { par j: ${columns} { let t = x[j*${rows} + i]  y[i*${columns} + j] = t } }
        }`),
        values(dtype, n),
      );
      check(
        parseKernel(`kernel @k(x: read ${dtype}[${n}], y: write ${dtype}[${n}]) {
          par i: ${rows} { par j: ${columns} { y[i*${columns} + j] = x[j*${rows} + i] } }
        }`),
        values(dtype, n),
      );
    });
  });

  it('axes in between, and what is read along rows', () => {
    check(
      parseKernel(`kernel @k(x: read f32[4200], y: write f32[4200]) {
        par i: 20 { par k: 3 { par j: 70 { y[i*210 + k*70 + j] = x[j*60 + k*20 + i] * x[i*210 + k*70 + j] } } }
      }`),
      noise(4200),
    );
  });
});

test.each([
  ['what is written is read', 'update f32[400]', 'y[i*20 + j] = y[j*20 + i]'],
  ['the read is not surely made', 'write f32[400]', 'y[i*20 + j] = choose(0 <= j - 1 < 19, x[j*20 + i - 20], 0_f32)'],
  ['rows are read as they lie', 'write f32[400]', 'y[i*20 + j] = x[i*20 + j]'],
])('where %s the nest stays as it is', (_, access, body) => {
  const kernel = parseKernel(`kernel @k(x: read f32[400], y: ${access}) { par i: 20 { par j: 20 { ${body} } } }`);
  expect(transposeReads(kernel)).toEqual(kernel);
});
