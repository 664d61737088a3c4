// exportStep: what users call, in a program of their own or in a file that `npx fluxion export` runs.
import { ArgumentError } from '../../runtime/errors.ts';
import { type ExportOptions, exportedStep } from './export.ts';
import { runner, writeFiles } from './files.ts';
import type { StepFunction } from './step.ts';

let destination: string | undefined;
let count = 0;

/** Where exports go that name no folder, until the function that is returned is called; it tells how many there were. */
export function exportTo(folder: string): () => number {
  destination = folder;
  count = 0;
  return () => {
    destination = undefined;
    return count;
  };
}

/**
 * Writes a training step for JAX/XLA: `step.mlir` (StableHLO), `init.safetensors` (what it starts from), `run.py` and `requirements.txt`.
 *
 *     await exportStep(step, { example: { x, y }, mesh: mesh({ data: 8 }), rules: [shard('*.ffn.up.weight', [null, 'model'])], out: 'run' });
 *
 * The step is a function of tensors, named in order by `example`, whose shapes count. It is recorded and not run: model and optimiser stay as
 * they are. Throws CompileError at the line where it looks at a value, and ArgumentError where mesh, rules and shapes do not fit.
 */
export async function exportStep(step: StepFunction, options: ExportOptions & { readonly out?: string }): Promise<void> {
  const out = options.out ?? destination;
  if (out === undefined)
    throw new ArgumentError('there is no folder to write to', {
      op: 'exportStep',
      fix: "pass { out: 'run' }, or run the file by `npx fluxion export`",
    });
  const files = exportedStep(step, options);
  count++;
  await writeFiles(out, new Map([...files, ['run.py', runner()]]));
}
