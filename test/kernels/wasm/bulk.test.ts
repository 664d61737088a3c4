// Copies and zeros of some length are instructions of their own, and change no more than the loop would have.
import { expect, it } from 'vitest';
import { parseKernel } from '../../../kernels/parse.ts';
import { disassemble } from '../../../kernels/wasm/disassemble.ts';
import { emitModule } from '../../../kernels/wasm/module.ts';
import { dtypes } from '../../../runtime/dtype.ts';
import { noise, run } from '../run.ts';
import { runWasm } from './run.ts';

const kernelOf = (dtype: string, body: string): ReturnType<typeof parseKernel> =>
  parseKernel(`kernel @k(x: read ${dtype}[5000], y: update ${dtype}[5000]) { par i: 3 { vector j: 1001 { ${body} } } }`);
const textOf = (kernel: ReturnType<typeof parseKernel>): string => {
  const buffers = kernel.params.map((_, i) => ({ pointerAt: 64 + 4 * i, rows: [] }));
  return disassemble(emitModule([kernel], [{ kind: 'launch', kernel: 0, buffers }], 128, false).binary);
};

it.each(dtypes.filter((d) => d !== 'f16'))('of %s', (dtype) => {
  const zero = dtype === 'bool' ? 'false' : `0_${dtype}`;
  for (const [body, instruction] of [
    ['y[i*1500 + j + 1] = x[i*1400 + j + 3]', 'memory.copy'],
    [`y[i*1500 + j + 1] = ${zero}`, 'memory.fill'],
  ] as const) {
    const kernel = kernelOf(dtype, body);
    expect(textOf(kernel)).toContain(instruction);
    const given = { x: noise(5000).map((v, i) => (dtype[0] === 'f' ? v : i & 1)), y: new Array<number>(5000).fill(1) };
    expect(runWasm(kernel, given).y).toEqual(run(kernel, given).y);
  }
});

it.each([
  ['every other element', 'y[i*1500 + j] = x[j*2]'],
  ['one element', 'y[i*1500 + j] = x[i]'],
  ['something computed', 'y[i*1500 + j] = x[j] + 1_f32'],
  ['another number', 'y[i*1500 + j] = 1_f32'],
])('%s is no copy', (_, body) => {
  const text = textOf(kernelOf('f32', body));
  expect(text).not.toContain('memory.copy');
  expect(text).not.toContain('memory.fill');
});
