// PyTorch's answers in linear algebra: values, gradients, and what is refused.
import { describe, expect, it } from 'vitest';
import { autograd, FluxionError, type Tensor, tensor } from '../../compiler/index.ts';
import { difference, readOracle, type Stored, tensorOf } from '../oracle/tensors.ts';
import { type Args, calls } from './calls.ts';

type Case = {
  readonly name: string;
  readonly fn: string;
  readonly inputs: readonly Stored[];
  readonly args: Args;
  readonly outputs?: readonly Stored[];
  readonly grads?: readonly (Stored | null)[];
  readonly error?: string;
};

function cotangent(t: Tensor): Tensor {
  return tensor(
    Float64Array.from({ length: t.numel() }, (_, k) => ((k % 7) + 1) / 4),
    { dtype: t.dtype },
  ).reshape(t.shape);
}

function run(c: Case): { readonly inputs: readonly Tensor[]; readonly outputs: readonly Tensor[] } {
  const inputs = c.inputs.map((s, i) => tensorOf(s, c.grads?.[i] != null));
  const result = calls[c.fn.replace('linalg.', '')]!(inputs, c.args);
  return { inputs, outputs: Array.isArray(result) ? (result as Tensor[]) : [result as Tensor] };
}

/** Elimination in another order of operations moves the last digits, the more the worse the condition. */
const slack = 32;

function expectAsPyTorch(c: Case): void {
  const { inputs, outputs } = run(c);
  const roots = outputs.filter((t) => t.requiresGrad);
  if (c.grads !== undefined) autograd.backward(roots, roots.map(cotangent));
  const found = [
    ...outputs.map((t, i) => difference(t, c.outputs![i]!, slack)),
    ...(c.grads ?? []).map((g, i) => (g === null ? undefined : difference(inputs[i]!.grad!, g, 4 * slack))),
  ];
  expect(found, c.name).toEqual(found.map(() => undefined));
}

describe('linear algebra is as in PyTorch', () => {
  const { cases } = readOracle<{ cases: readonly Case[] }>('linalg');
  it.each(cases.filter((c) => c.error === undefined))('$name', expectAsPyTorch);
  it.each(cases.filter((c) => c.error !== undefined))('$name is refused', (c) => {
    expect(() => {
      for (const t of run(c).outputs) t.dataSync();
    }).toThrow(FluxionError);
  });
});
