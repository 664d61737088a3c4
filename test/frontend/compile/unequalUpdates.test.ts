// Compiled steps that update different parameters: counts of updates come apart, and each parameter goes on with its own.
import { expect, test } from 'vitest';
import { compile, optim, type Tensor, tensor } from '../../../compiler/index.ts';

/** Three parameters, of which a step updates those whose number it is given. */
function run(optimizerOf: (params: Tensor[]) => optim.Adam | optim.SGD, calls: readonly (readonly number[])[], isCompiled: boolean) {
  const params = [1, 2, 3].map((x) => tensor([x, -x]).requiresGrad_());
  const optimizer = optimizerOf(params);
  const step = (which: readonly number[], x: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = which.map((i) => params[i]!.mul(x).square().sum()).reduce((a, b) => a.add(b));
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  const compiled = compile(step);
  const losses = calls.map((which, i) => (isCompiled ? compiled : step)(which, tensor([0.5 + i / 10, 1])).itemSync());
  return { losses, params: params.map((p) => p.tolistSync()), traces: compiled.traces() };
}

const calls = Array.from(
  { length: 30 },
  (_, i) =>
    [
      [0, 1],
      [0, 2],
      [1, 2],
      [0, 1, 2],
    ][(i * 7) % 4]!,
);

test.each([
  ['Adam', (params: Tensor[]) => new optim.Adam(params, { lr: 0.1 })],
  ['SGD with momentum', (params: Tensor[]) => new optim.SGD(params, { lr: 0.1, momentum: 0.9 })],
])('%s updates each as it would uncompiled', (_, optimizerOf) => {
  const { traces, ...compiled } = run(optimizerOf, calls, true);
  const { losses, params } = run(optimizerOf, calls, false);
  expect(compiled).toEqual({ losses, params });
  expect(traces).toBeLessThanOrEqual(8);
});

test('as long as all are updated together, one recording serves', () => {
  const all = Array.from({ length: 10 }, () => [0, 1, 2]);
  expect(run((params) => new optim.Adam(params), all, true).traces).toBe(1);
});
