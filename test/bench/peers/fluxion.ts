// Fluxion as a contender: rows run through `compile`, and write their results into tensors that exist, as PyTorch's do by `out=`.
import * as fluxion from '../../../compiler/index.ts';
import { autograd, compile, type DeviceName, fromTypedArray, setDefaultDevice, type Tensor, zerosLike } from '../../../compiler/index.ts';
import { forgetStructures } from '../../../compiler/jit/structure.ts';
import type { HostArray } from '../data.ts';
import type { FunctionRow, Input, StepRow } from '../row.ts';
import { type Subject, sampleSync } from './subject.ts';

/** Where Fluxion can run in Node. */
export const devices: readonly DeviceName[] = ['js', 'wasm'];

type Threads = { readonly setNumThreads?: (count: number) => void };
/** Chooses the device and its threads for the rest of the process. */
export function configure(device: DeviceName, threads: number): void {
  // Compiling is timed, not reading what an earlier run compiled.
  process.env.FLUXION_CACHE = 'off';
  setDefaultDevice(device);
  (fluxion as Threads).setNumThreads?.(threads);
}

const tensors = (inputs: readonly Input[], data: readonly HostArray[]): Tensor[] =>
  inputs.map(({ shape }, i) => fromTypedArray(data[i]!.slice(), shape));

/** What a row computes, as a user writes it. */
export function functionOf(row: FunctionRow, xs: readonly Tensor[]): () => readonly Tensor[] {
  const { gradients, fluxion: fn } = row;
  if (gradients === undefined) return () => [fn(...xs)];
  const operands = xs.slice(0, -1);
  const wrt = operands.slice(0, gradients);
  for (const x of wrt) x.requiresGrad_();
  return () => autograd.grad(fn(...operands), wrt, { gradOutputs: [xs.at(-1)] }) as Tensor[];
}

/** The step, or the function with its results written in place, ready for `compile`. */
export function workOf(row: FunctionRow | StepRow, data: readonly HostArray[]): () => readonly Tensor[] {
  const xs = tensors(row.inputs, data);
  if (row.kind === 'step') return row.fluxion(...xs);
  const compute = functionOf(row, xs);
  const outs = compute().map((y) => zerosLike(y));
  for (const out of outs) out.dataSync();
  return () => {
    for (const [i, y] of compute().entries()) outs[i]!.copy_(y);
    return outs;
  };
}

export function fluxionSubject(row: FunctionRow | StepRow, data: readonly HostArray[]): Subject {
  const run = compile(workOf(row, data));
  let last: readonly Tensor[] = [];
  return {
    sample: sampleSync(() => {
      last = run();
    }),
    results: () => last.map((y) => y.dataSync()),
    close: () => {
      last = [];
    },
  };
}

/** Milliseconds from a step that this process has never compiled to its first results. */
export function fluxionCold(step: StepRow, data: readonly HostArray[]): number {
  const work = workOf(step, data);
  forgetStructures();
  const start = performance.now();
  for (const y of compile(work)()) y.dataSync();
  return performance.now() - start;
}
