// `fluxion export`: runs a file that calls exportStep(), and says where its files are to go.
import { pathToFileURL } from 'node:url';
import { FluxionError } from '../../runtime/errors.ts';
import { exportTo } from '../scale/exportStep.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { subjectOf } from './subject.ts';

export async function exportCommand(invocation: Invocation): Promise<number> {
  const target = invocation.options.get('target') ?? 'stablehlo';
  if (target !== 'stablehlo') throw new UsageError(`export writes stablehlo, not '${target}'`);
  const out = invocation.options.get('out');
  if (out === undefined)
    throw new UsageError('export wants --out FOLDER, as in `npx fluxion export train.ts --target stablehlo --out run`');
  const { file, path } = subjectOf(invocation);
  process.argv = [process.argv[0]!, path, ...invocation.rest];
  const finish = exportTo(out);
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    if (!(error instanceof FluxionError)) throw error;
    console.error(`fluxion: ${error.name}: ${error.message}`);
    return 1;
  }
  const count = finish();
  if (count === 0)
    throw new UsageError(`${file} exports no step; let it call \`await exportStep(step, { example: { x, y } })\` from 'fluxion/scale'`);
  if (count > 1) throw new UsageError(`${file} exports ${count} steps into one folder; give each its own { out }`);
  console.log(`${out}: step.mlir, init.safetensors, run.py and requirements.txt; train with: python ${out}/run.py --data FILE --steps N`);
  return 0;
}
