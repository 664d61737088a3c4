// `fluxion export`: runs a file that calls exportStep() or exportModel(), and says where its files are to go.
import { pathToFileURL } from 'node:url';
import { FluxionError } from '../../runtime/errors.ts';
import { type ExportTarget, exportTargets, exportTo } from '../scale/destination.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { subjectOf } from './subject.ts';

export async function exportCommand(invocation: Invocation): Promise<number> {
  const target = targetOf(invocation.options.get('target'));
  const out = invocation.options.get('out');
  if (out === undefined) throw new UsageError('export wants --out FOLDER, as in `npx fluxion export step.ts --target stablehlo --out run`');
  const { file, path } = subjectOf(invocation);
  process.argv = [process.argv[0]!, path, ...invocation.rest];
  const finish = exportTo(target, out);
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    if (!(error instanceof FluxionError)) throw error;
    console.error(`fluxion: ${error.name}: ${error.message}`);
    return 1;
  }
  const count = finish();
  const call = { stablehlo: 'exportStep(step, { example: { x, y } })', onnx: 'exportModel(fn, { example: { x } })' }[target];
  if (count === 0) throw new UsageError(`${file} has nothing to export; let it call \`await ${call}\` from 'fluxion/scale'`);
  if (count > 1) throw new UsageError(`${file} exports ${count} times into one folder; give each its own { out }`);
  console.log(
    target === 'onnx'
      ? `${out}: model.onnx`
      : `${out}: step.mlir, init.safetensors, run.py and requirements.txt; train with: python ${out}/run.py --data FILE --steps N`,
  );
  return 0;
}

function targetOf(name = 'stablehlo'): ExportTarget {
  const target = exportTargets.find((t) => t === name);
  if (target === undefined) throw new UsageError(`export writes ${exportTargets.join(' or ')}, not '${name}'`);
  return target;
}
