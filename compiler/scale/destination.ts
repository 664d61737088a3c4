// Where exports go: the folder that a call names, or else the one of the command line that runs its file.
import { ArgumentError } from '../../runtime/errors.ts';

export const exportTargets = ['stablehlo', 'onnx'] as const;
export type ExportTarget = (typeof exportTargets)[number];

let asked: { readonly target: ExportTarget; readonly folder: string } | undefined;
let count = 0;

/** Where exports for a target go that name no folder, until the function that is returned is called; it tells how many there were. */
export function exportTo(target: ExportTarget, folder: string): () => number {
  asked = { target, folder };
  count = 0;
  return () => {
    asked = undefined;
    return count;
  };
}

/** The folder of an export. Throws ArgumentError where nobody named one, or the command line asked for something else. */
export function destined(target: ExportTarget, op: string, out: string | undefined): string {
  if (out === undefined && asked === undefined)
    throw new ArgumentError('there is no folder to write to', { op, fix: "pass { out: 'run' }, or run the file by `npx fluxion export`" });
  if (out === undefined && asked!.target !== target)
    throw new ArgumentError(`it makes ${target}, but ${asked!.target} was asked for`, { op, fix: `pass --target ${target}` });
  count++;
  return out ?? asked!.folder;
}
