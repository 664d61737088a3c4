// Small training loops of every kind, for tests of recording: what runs, how often, and with which results.
import { noGrad } from '../../compiler/frontend/autograd/mode.ts';
import { onRun, stepBoundary } from '../../compiler/frontend/boundary.ts';
import { tensor } from '../../compiler/frontend/creation.ts';
import { mseLoss } from '../../compiler/frontend/functional/loss.ts';
import { kept } from '../../compiler/frontend/state.ts';
import type { Tensor } from '../../compiler/frontend/tensor.ts';
import { forgetStructures, onCompile } from '../../compiler/jit/structure.ts';

export type Model = { readonly w1: Tensor; readonly b1: Tensor; readonly w2: Tensor; readonly b2: Tensor };

/** Deterministic data without a generator. */
export const wave = (rows: number, columns: number, phase = 0): Tensor =>
  tensor(Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => Math.sin(1.7 * i + 0.9 * j + phase))));

export function model(): Model {
  const parameter = (t: Tensor): Tensor => kept(t).requiresGrad_();
  return {
    w1: parameter(wave(3, 4)),
    b1: parameter(wave(1, 4, 1).reshape([4]).clone().detach()),
    w2: parameter(wave(4, 2, 2)),
    b2: parameter(wave(1, 2, 3).reshape([2]).clone().detach()),
  };
}
export const parametersOf = (m: Model): Tensor[] => [m.w1, m.b1, m.w2, m.b2];
export const hiddenOf = (m: Model, x: Tensor): Tensor => x.matmul(m.w1).add(m.b1).tanh();
export const forward = (m: Model, x: Tensor): Tensor => hiddenOf(m, x).matmul(m.w2).add(m.b2);
export const lossOf = (m: Model, x: Tensor, y: Tensor): Tensor => mseLoss(forward(m, x), y);

/** Plain gradient descent, ending in a boundary as an optimiser's step does. */
export function descend(parameters: readonly Tensor[], rate = 0.1): void {
  noGrad(() => {
    for (const p of parameters) p.sub_(p.grad!.mul(rate));
  });
  stepBoundary();
}
export const forget = (parameters: readonly Tensor[]): void => {
  for (const p of parameters) p.grad = null;
};

/** What a loop cost: Programs compiled in all, and recipes computed after the second round. */
export type Cost = { readonly programs: number; readonly kernels: number[]; readonly late: number };

/** Runs `step` for so many rounds and counts. */
export async function costOf(rounds: number, step: (round: number) => void | Promise<void>): Promise<Cost> {
  forgetStructures();
  const programs: number[] = [];
  let round = 0;
  let late = 0;
  const stop = [
    onCompile((e) => void programs.push(e.program.kernels.length)),
    onRun((kind) => {
      if (kind === 'claims' && round > 12) late++;
    }),
  ];
  try {
    for (; round < rounds; round++) await step(round);
  } finally {
    for (const f of stop) f();
  }
  return { programs: programs.length, kernels: programs, late };
}
