// `fluxion build`: compiles what model files declare, ahead of time, and writes it as modules that need no compiler.
import { relative, resolve } from 'node:path';
import { FluxionError } from '../../runtime/errors.ts';
import type { Diagnostic } from '../build/diagnostic.ts';
import { hashOf, inputsOf, isUnchanged, type ManifestEntry, readManifest, sourcesOf, writeOutput } from '../build/output.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { dataText } from './json.ts';
import { apart, modelFiles, type Outcome, problemsText } from './models.ts';
import { redirectOutput } from './stdout.ts';
import { rerunOnChange } from './watch.ts';

/** A model that was built, as `--json` prints it. */
type Built = {
  readonly file: string;
  /** Of the module: `model.js` is what is imported. */
  readonly name: string;
  readonly files: readonly string[];
  /** All that it was made of: the model file, what it imports, what it reads. */
  readonly sources: readonly string[];
  readonly unchanged: boolean;
  /** Sizes, and what compressing weights cost, for people. */
  readonly report: string;
};

const kinds = ['float32', 'float16', 'int8'] as const;
type Kind = (typeof kinds)[number];

export async function build(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const files = modelFiles(invocation);
  const folder = resolve(options.get('out') ?? 'build');
  const weights = weightsOf(options);
  if (options.has('watch')) return rerunOnChange('build', files, options);
  const write = redirectOutput();
  const outcomes: Outcome<Built>[] = [];
  const names = new Map<string, string>();
  for (const file of files) {
    const name = nameOf(file);
    const other = names.get(name.toLowerCase());
    if (other !== undefined) throw new UsageError(`${shown(other)} and ${shown(file)} would both be written as ${name}.js`);
    names.set(name.toLowerCase(), file);
  }
  for (const file of files)
    outcomes.push(
      usable(() => upToDate(file, folder, weights)) ??
        (files.length === 1 ? await buildHere(file, folder, weights) : apart('build', file, options)),
    );
  const built = outcomes.flatMap((o) => o.built);
  const diagnostics = outcomes.flatMap((o) => o.diagnostics);
  if (options.has('json')) write(`${dataText({ built, diagnostics })}\n`);
  else {
    for (const { file, files: made, unchanged, report } of built)
      write(unchanged ? `${shown(file)} is unchanged\n` : `${shown(file)} -> ${shown(folder)}: ${made.join(', ')}\n${report}\n`);
    if (diagnostics.length > 0) {
      const { diagnosticText } = await import('../build/diagnostic.ts');
      write(`${problemsText(diagnostics, (d: Diagnostic) => diagnosticText(d, process.cwd()))}\n`);
    }
  }
  return diagnostics.length === 0 ? 0 : 1;
}

const shown = (path: string): string => relative(process.cwd(), path) || '.';
const nameOf = (file: string): string => file.replace(/^.*[\\/]/, '').replace(/\.[^.]+$/, '');

function weightsOf(options: ReadonlyMap<string, string>): Kind {
  const asked = options.get('weights') ?? 'float32';
  const kind = kinds.find((k) => k === asked);
  if (kind === undefined) throw new UsageError(`there are no weights of '${asked}'; use ${kinds.join(', ')}`);
  return kind;
}

/** What the output folder refuses is a mistake of the command line. */
function usable<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof FluxionError) throw new UsageError(error.message);
    throw error;
  }
}

/** Known by what was read and written last time, without a compiler. */
function upToDate(file: string, folder: string, weights: Kind): Outcome<Built> | undefined {
  const known = isUnchanged(folder, file, weights, readManifest(folder));
  return known && { built: [{ ...describe(file, known), unchanged: true, report: '' }], diagnostics: [] };
}

const describe = (file: string, entry: ManifestEntry): Omit<Built, 'unchanged' | 'report'> => ({
  file,
  name: nameOf(file),
  files: Object.keys(entry.files),
  sources: sourcesOf(file, entry),
});

async function buildHere(file: string, folder: string, weights: Kind): Promise<Outcome<Built>> {
  const { BuildError } = await import('../build/diagnostic.ts');
  const { buildModel } = await import('../build/build.ts');
  const { lossText } = await import('../build/artifact/weights.ts');
  const { sizeText } = await import('../build/artifact/sizes.ts');
  const { writeArtifact } = await import('../build/artifact/write.ts');
  try {
    const { model, sources, data } = await buildModel(file);
    const { files, sizes, losses } = writeArtifact(model, { weights });
    const entry = { inputs: inputsOf(file, sources.texts, data), options: weights };
    usable(() => writeOutput(folder, model.name, files, entry));
    const hashes = Object.fromEntries([...files].map(([name, bytes]) => [name, hashOf(bytes)]));
    const report = [sizeText(sizes), lossText(losses), ...model.notes].filter((line) => line !== '').join('\n');
    return { built: [{ ...describe(file, { ...entry, files: hashes }), unchanged: false, report }], diagnostics: [] };
  } catch (error) {
    if (error instanceof BuildError) return { built: [], diagnostics: error.diagnostics };
    throw error;
  }
}
