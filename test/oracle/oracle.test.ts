// Every call that PyTorch's answers are kept of, made here: values, gradients, dtypes, shapes, and what is refused.
import { describe, expect, it } from 'vitest';
import { autograd, FluxionError, isGradEnabled, type Tensor, tensor } from '../../compiler/index.ts';
import { type Args, calls } from './calls.ts';
import { difference, readOracle, type Stored, tensorOf } from './tensors.ts';

type Case = {
  readonly name: string;
  readonly fn: string;
  readonly inputs: readonly (Stored | null)[];
  readonly args: Args;
  readonly outputs?: readonly Stored[];
  readonly grads?: readonly (Stored | null)[];
  readonly error?: string;
};

/** Where we mean to differ from PyTorch, and why. */
const deliberate: Readonly<Record<string, string>> = {
  'full size=[2, 2] fillValue=7': 'a JavaScript number is no integer by itself: full() gives float32',
  'gelu of special values': 'PyTorch gives NaN at infinity, an accident of its vectorised erf; the limit is infinity',
  'softsign of special values': 'the gradient at infinity is its limit 0, where PyTorch divides infinities',
  'hardsigmoid float64[2,5]': 'PyTorch multiplies float64 gradients by 1/6 rounded to float32',
  'cumprod float32[3] dim=0': 'beside a NaN the gradient of a product is exact, where PyTorch divides by the NaN',
  'binary cross entropy of no probability is refused': 'values are not looked at before they are asked for',
};

/** The cotangent of element k is (k mod 7 + 1) / 4. */
function cotangent(t: Tensor): Tensor {
  const data = Float64Array.from({ length: t.numel() }, (_, k) => ((k % 7) + 1) / 4);
  return tensor(data, { dtype: t.dtype }).reshape(t.shape);
}

function run(c: Case): { outputs: readonly Tensor[]; inputs: readonly (Tensor | undefined)[] } {
  const inputs = c.inputs.map((s, i) => (s === null ? undefined : tensorOf(s, c.grads?.[i] != null)));
  const call = calls[c.fn];
  if (call === undefined) throw new Error(`no call is written for ${c.fn}`);
  const result = call(inputs as Tensor[], c.args);
  return { inputs, outputs: Array.isArray(result) ? (result as Tensor[]) : [result as Tensor] };
}

/** All that is wrong with our answer to a case. */
function wrong(c: Case): string[] {
  if (c.error !== undefined) {
    try {
      for (const t of run(c).outputs) t.dataSync();
    } catch (error) {
      return error instanceof FluxionError ? [] : [`threw ${String(error)}, which is no FluxionError`];
    }
    return [`was not refused, though PyTorch says: ${c.error}`];
  }
  const found: string[] = [];
  const { outputs, inputs } = run(c);
  if (c.grads !== undefined) {
    const roots = outputs.filter((t) => t.requiresGrad);
    if (roots.length > 0) autograd.backward(roots, roots.map(cotangent));
  }
  if (outputs.length !== c.outputs!.length) return [`${outputs.length} results, not ${c.outputs!.length}`];
  outputs.forEach((t, i) => {
    const what = difference(t, c.outputs![i]!);
    if (what !== undefined) found.push(`result ${i}: ${what}`);
  });
  c.grads?.forEach((g, i) => {
    if (g === null) return;
    const grad = inputs[i]!.grad;
    const what = grad === null ? 'none' : difference(grad, g, 4);
    if (what !== undefined) found.push(`gradient ${i}: ${what}`);
  });
  return found;
}

describe.each(['elementwise', 'reductions', 'network', 'indexing'])('%s', (file) => {
  const { cases } = readOracle<{ cases: readonly Case[] }>(file);
  const byFunction = new Map<string, Case[]>();
  for (const c of cases) byFunction.set(c.fn, [...(byFunction.get(c.fn) ?? []), c]);

  it.each([...byFunction.keys()])('%s', (fn) => {
    const failures: string[] = [];
    for (const c of byFunction.get(fn)!) {
      if (c.name in deliberate) continue;
      try {
        failures.push(...wrong(c).map((what) => `${c.name}: ${what}`));
      } catch (error) {
        failures.push(
          `${c.name}: threw ${error instanceof Error ? (error.stack ?? '').split('\n').slice(0, 6).join('\n') : String(error)}`,
        );
      }
    }
    if (failures.length > 0) expect.fail(failures.join('\n'));
    expect(isGradEnabled()).toBe(true);
  });
});
