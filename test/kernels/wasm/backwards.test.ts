// Loops that read the other way round give what one element after the other gives, tails included.
import { describe, expect, it } from 'vitest';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { vectorise } from '../../../kernels/schedule/vectorise.ts';
import { dtypes } from '../../../runtime/dtype.ts';
import { noise, run } from '../run.ts';
import { runWasm } from './run.ts';

describe.each(dtypes.filter((d) => d !== 'f16'))('of %s', (dtype) => {
  it.each([1, 2, 3, 4, 5, 7, 16, 18, 19, 21])('%i elements', (n) => {
    const kernel = parseKernel(`
      kernel @k(x: read ${dtype}[${3 * n}], y: write ${dtype}[${3 * n}]) {
        par i: 3 { par j: ${n} { y[i*${n} + j] = x[i*${n} - j + ${n - 1}] } }
      }
    `);
    const x = noise(3 * n).map((v, i) => (dtype === 'bool' ? (i % 3) & 1 : dtype[0] === 'f' ? v : i));
    const lanes = vectorise(kernel);
    if (n > 4) expect(printKernel(lanes)).toContain('vector j');
    expect(runWasm(lanes, { x }).y).toEqual(run(kernel, { x }).y);
  });
});
