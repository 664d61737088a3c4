// Runs kernels in tests: text is parsed, verified, printed back, emitted and called over fresh buffers.
import { expect } from 'vitest';
import { emit } from '../../kernels/js/emit.ts';
import type { Kernel } from '../../kernels/loop.ts';
import { parseKernel } from '../../kernels/parse.ts';
import { printKernel } from '../../kernels/print.ts';
import { verifyKernel } from '../../kernels/verify.ts';
import { allocate, type TypedArray } from '../../runtime/dtype.ts';

export type Buffers = Readonly<Record<string, readonly number[] | TypedArray>>;

/** Indentation of template literals in tests does not count. */
export const dedent = (text: string): string => {
  const lines = text
    .replace(/^\n/, '')
    .replace(/\n\s*$/, '\n')
    .split('\n');
  const margin = Math.min(...lines.filter((l) => l.trim() !== '').map((l) => l.length - l.trimStart().length));
  return lines.map((l) => l.slice(margin)).join('\n');
};

/** The kernel of a text that is as the printer would write it. */
export function kernelOf(text: string): Kernel {
  const kernel = parseKernel(text);
  verifyKernel(kernel);
  expect(printKernel(kernel)).toBe(dedent(text));
  return kernel;
}

export class Refused extends Error {}

/** Calls the kernel; buffers not given start as zeros. Returns all buffers by name. */
export function run(kernel: Kernel, given: Buffers = {}, slots: readonly number[] = []): Record<string, TypedArray> {
  verifyKernel(kernel);
  expect(printKernel(parseKernel(printKernel(kernel)))).toBe(printKernel(kernel));
  const { source, params } = emit(kernel);
  const buffers: Record<string, TypedArray> = {};
  for (const p of kernel.params) {
    const buffer = allocate(p.dtype, p.length as number);
    const values = given[p.name];
    if (values !== undefined)
      for (let i = 0; i < values.length; i++) buffer[i] = p.dtype === 'i64' ? BigInt(values[i]!) : Number(values[i]);
    buffers[p.name] = buffer;
  }
  const fail = (op: string, value?: number, below?: number): never => {
    throw new Refused(value === undefined ? op : `${op}: ${value} is not below ${below}`);
  };
  new Function(...params, source)(...kernel.params.map((p) => buffers[p.name]), Float64Array.from(slots), fail);
  return buffers;
}

/** Repeatable values in (-1, 1). */
export const noise = (length: number, seed = 1): number[] =>
  Array.from({ length }, (_, i) => Math.fround(Math.sin(i * 12.9898 + seed * 78.233)));
