// Tensors as text: PyTorch's, but for the names of our own things.
import { describe, expect, it } from 'vitest';
import { F, type Tensor } from '../../compiler/index.ts';
import { readOracle, type Stored, tensorOf } from './tensors.ts';

type Repr = {
  readonly name: string;
  readonly tensor: Stored;
  readonly requiresGrad: boolean;
  readonly gradFn?: boolean;
  readonly text: string;
};

/** Our names stand where PyTorch prints its own: dtypes without a module, options in camelCase. */
const ours = (text: string): string =>
  text.replaceAll('dtype=torch.', 'dtype=').replaceAll('requires_grad=True', 'requiresGrad=true').replaceAll('grad_fn=', 'gradFn=');

const derived: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  'x * 2': (x) => x.mul(2),
  'x.sum()': (x) => x.sum(),
  'x.exp()': (x) => x.exp(),
  'x.reshape([4])': (x) => x.reshape([4]),
  'x.matmul(x)': (x) => x.matmul(x),
  'x.relu()': (x) => x.relu(),
  'x.mean()': (x) => x.mean(),
  'x[0]': (x) => x.index(0),
  'x.to(float64)': (x) => x.to('float64'),
  'x.detach()': (x) => x.detach(),
  'x.transpose(0, 1)': (x) => x.transpose(0, 1),
  'softmax(x, 1)': (x) => F.softmax(x, 1),
};

describe('printing', () => {
  const { reprs } = readOracle<{ reprs: readonly Repr[] }>('printing');
  it.each(reprs.map((r) => [r.name, r] as const))('%s', (name, { tensor, requiresGrad, gradFn, text }) => {
    const x = tensorOf(tensor, requiresGrad);
    expect((gradFn ? derived[name]! : (t: Tensor) => t)(x).toString()).toBe(ours(text));
  });
});
