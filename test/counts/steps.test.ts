// What whole training steps cost: kernels, and memory against its lower bound.
import { describe, expect, test } from 'vitest';
import { F, nn, optim, randn, type Tensor } from '../../compiler/index.ts';
import type { ProgramReport } from '../../compiler/inspect/index.ts';
import { isThorough } from '../effort.ts';
import { type Step, steps } from '../replay/steps.ts';
import { namesOf, programOf, programsOf } from './programs.ts';

/** The Program of a step in the steady state: all steps are the same one. */
function programOfStep(make: () => Step): ProgramReport {
  const step = make();
  const reports = programsOf(() => {
    for (let i = 0; i < 3; i++) step();
  });
  expect(reports).toHaveLength(1);
  return reports[0]!;
}

const parameter = (...shape: number[]): Tensor => new nn.Parameter(randn(shape));

test('the backward pass of layer norm is at most two kernels', () => {
  const leaves = [parameter(8, 16), parameter(16), parameter(16)] as const;
  const [x, weight, bias] = leaves;
  const forward = programOf([x.detach()], (v) => F.layerNorm(v, [16], { weight: weight.detach(), bias: bias.detach() }));
  const both = programOf([randn([8, 16])], (ct) => {
    const y = F.layerNorm(x, [16], { weight, bias });
    y.backward(ct);
    return y.detach();
  });
  expect(namesOf(both).length - namesOf(forward).length).toBeLessThanOrEqual(2);
});

test('an MLP step with cross-entropy and SGD is at most ten kernels', () => {
  expect(namesOf(programOfStep(steps.mlp)).length).toBeLessThanOrEqual(10);
});

test('an Adam step over 20 parameters of different shapes is at most two kernels', () => {
  const parameters = Array.from({ length: 20 }, (_, i) => parameter(...(i % 3 === 0 ? [i + 1] : [i + 1, 2 * i + 3])));
  for (const p of parameters) p.grad = randn(p.shape);
  const adam = new optim.Adam(parameters);
  expect(namesOf(programOfStep(() => () => adam.step() as never)).length).toBeLessThanOrEqual(2);
});

describe('the arena is at most 1.15 times the largest live set', () => {
  test.each(Object.entries(isThorough ? steps : { mlp: steps.mlp }))('%s', (_, make) => {
    const { arenaBytes, liveBytes } = programOfStep(make);
    expect(liveBytes).toBeGreaterThan(0);
    expect(arenaBytes).toBeLessThanOrEqual(1.15 * liveBytes);
  });
});
