// exportStep: what users call, in a program of their own or in a file that `npx fluxion export` runs.

import { destined } from './destination.ts';
import { type ExportOptions, exportedStep } from './export.ts';
import { runner, writeFiles } from './files.ts';
import type { StepFunction } from './step.ts';

/**
 * Writes a training step for JAX/XLA: `step.mlir` (StableHLO), `init.safetensors` (what it starts from), `run.py` and `requirements.txt`.
 *
 *     await exportStep(step, { example: { x, y }, mesh: mesh({ data: 8 }), rules: [shard('*.ffn.up.weight', [null, 'model'])], out: 'run' });
 *
 * The step is a function of tensors, named in order by `example`, whose shapes count. It is recorded and not run: model and optimiser stay as
 * they are. Throws CompileError at the line where it looks at a value, and ArgumentError where mesh, rules and shapes do not fit.
 */
export async function exportStep(step: StepFunction, options: ExportOptions & { readonly out?: string }): Promise<void> {
  const out = destined('stablehlo', 'exportStep', options.out);
  await writeFiles(out, new Map([...exportedStep(step, options), ['run.py', runner()]]));
}
