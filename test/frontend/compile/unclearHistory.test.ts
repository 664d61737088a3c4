// Compiled functions that return a view whose history a write has made unclear: an error for who asks for its gradient, as uncompiled.
import { expect, test } from 'vitest';
import { AutogradError, compile, noGrad, type Tensor, tensor } from '../../../compiler/index.ts';

const scaled = (x: Tensor): readonly [Tensor, Tensor] => {
  const y = x.mul(0.5);
  const view = noGrad(() => {
    const v = y.narrow(0, 0, 1);
    y.mul_(2);
    return v;
  });
  return [y, view];
};

test.each([
  ['uncompiled', scaled],
  ['compiled', compile(scaled)],
])('%s', (_, f) => {
  for (let i = 0; i < 3; i++) {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    const [y, view] = f(x);
    expect([y.tolistSync(), view.tolistSync()]).toEqual([[1, 2, 3], [1]]);
    y.sum().backward();
    expect(x.grad!.tolistSync()).toEqual([0.5, 0.5, 0.5]);
    expect(() => view.sum().backward()).toThrow(AutogradError);
  }
});
