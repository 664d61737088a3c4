// `fluxion import`: what run.py trained, as weights by the names of a state dict, and what the optimiser remembers beside them.
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { FluxionError } from '../../runtime/errors.ts';
import { writeSafetensors } from '../../runtime/safetensors.ts';
import { writeFiles } from '../scale/files.ts';
import { readTrained } from '../scale/import.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { subjectOf } from './subject.ts';

export async function importCommand(invocation: Invocation): Promise<number> {
  const { file, path } = subjectOf(invocation);
  const out = resolve(invocation.options.get('out') ?? 'weights.safetensors');
  if (!out.endsWith('.safetensors')) throw new UsageError('--out names a .safetensors file');
  try {
    const { step, weights, moments, updates } = readTrained(new Uint8Array(readFileSync(path)));
    const remembered = [...moments].flatMap(([name, slots]) => [...slots].map(([slot, tensor]) => [`${slot}:${name}`, tensor] as const));
    const counts = JSON.stringify(Object.fromEntries(updates));
    const files = new Map([[basename(out), writeSafetensors(weights, [['step', String(step)]])]]);
    if (remembered.length > 0)
      files.set(basename(out).replace(/\.safetensors$/, '.optimizer.safetensors'), writeSafetensors(remembered, [['updates', counts]]));
    await writeFiles(dirname(out), files);
    console.log(`${[...files.keys()].join(' and ')}: ${weights.size} tensors after ${step} steps, of ${file}`);
    return 0;
  } catch (error) {
    if (error instanceof FluxionError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}
