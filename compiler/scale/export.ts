// exportStep: writes a step as StableHLO with what it starts from and the program that runs it, all or nothing.

import { readSync } from '../../runtime/buffer.ts';
import { ArgumentError } from '../../runtime/errors.ts';
import { storedOf, writeSafetensors } from '../../runtime/safetensors.ts';
import type { Module } from '../frontend/nn/module.ts';
import { fixedShape } from '../ir/dim.ts';
import { avalOf } from '../ir/node.ts';
import { longChain, longestChain } from './chains.ts';
import { checkLayout } from './layout.ts';
import { type Mesh, mesh as meshOf, type Rule } from './mesh.ts';
import { printModule } from './stablehlo/module.ts';
import { type Example, type RecordedStep, recordStep, type StepFunction } from './step.ts';

export type ExportOptions = {
  /** The arguments of the step in order, by the names that the data have; only shapes and dtypes matter. */
  readonly example: Example;
  /** Whose state dict names the state. Found by itself where the step calls it as `model(x)`. */
  readonly model?: Module;
  /** How many devices there are, and how they are arranged; one unless given. The runner may take another. */
  readonly mesh?: Mesh;
  /** What is cut along which axis of the mesh; the first that matches counts. Batches are cut along `data`, all else is whole. */
  readonly rules?: readonly Rule[];
};

/** A file's contents by its name. */
export type ExportedFiles = ReadonlyMap<string, Uint8Array>;

/** What JAX the runner was tried with: text has no promise of compatibility, so each release wants a look. */
export const requirements = ['jax>=0.10.2,<0.11', 'numpy>=2', 'ml_dtypes>=0.5'];

const encoder = new TextEncoder();

/**
 * The step as StableHLO and its first state: `step.mlir` and `init.safetensors`. The step is recorded and not run; parameters, moments and
 * running statistics are its state, learning rates and counts its numbers. Throws CompileError at the user's line where the step looks at a
 * value, and ArgumentError where rules and mesh do not fit.
 */
export function exportedStep(step: StepFunction, { example, model, mesh = meshOf({ data: 1 }), rules = [] }: ExportOptions): ExportedFiles {
  if (typeof step !== 'function') throw new ArgumentError(`expected a function, got ${typeof step}`, { op: 'exportStep' });
  const recorded = recordStep(step, example, model);
  const laid = recorded.graph.inputs.map((v, i) => ({ role: recorded.inputs[i]!.role, shape: fixedShape(avalOf(v).shape) }));
  checkLayout(
    mesh,
    rules,
    laid.filter(({ role }) => !/^(scalar|rng):/.test(role)),
  );
  warnOfChains(recorded);
  const text = printModule(recorded.graph, {
    name: 'step',
    inputs: recorded.inputs,
    outputs: recorded.outputs,
    mesh,
    notes: {
      mesh: mesh.axes.map(([name, size]) => `${name}=${size}`).join(),
      rules: JSON.stringify(rules.map(({ pattern, axes }) => [pattern, axes])),
      rates: JSON.stringify(recorded.rates),
    },
  });
  return new Map([
    ['step.mlir', encoder.encode(text)],
    ['init.safetensors', firstState(recorded)],
    ['requirements.txt', encoder.encode(`${requirements.join('\n')}\n`)],
  ]);
}

function firstState({ state, updates }: RecordedStep): Uint8Array {
  const tensors = [...state].map(
    ([role, { aval, read }]) => [role, storedOf(aval.dtype, fixedShape(aval.shape), readSync(read()))] as const,
  );
  return writeSafetensors(
    tensors,
    new Map([
      ['step', '0'],
      ['updates', JSON.stringify(updates)],
    ]),
  );
}

function warnOfChains({ graph }: RecordedStep): void {
  const length = longestChain(graph);
  if (length > longChain)
    console.warn(
      `exportStep: ${length} elementwise ops follow one on the other; XLA compiles such chains slowly, or not at all. Write the recurrence with scan() or whileLoop()`,
    );
}
