// From a model file to a built model: read as TypeScript, run once, recorded. Loaded when something is built; what it throws is a BuildError.
import { dirname, relative, resolve } from 'node:path';
import { declarationOf } from '../frontend/aot.ts';
import { BuildError, diagnosticOf } from './diagnostic.ts';
import { evaluateModel } from './evaluate.ts';
import type { BuiltModel } from './model.ts';
import { type Exports, recordDeclarations, recordModel } from './record.ts';
import { readSources, type Sources } from './sources.ts';

export type Built = {
  readonly model: BuiltModel;
  readonly sources: Sources;
  /** Other files that were read while the model file ran. */
  readonly data: readonly string[];
};

/** Builds what a model file declares. The file is run in this process, once: after a change it takes a new one. */
export async function buildModel(path: string): Promise<Built> {
  const { sources, exports, data } = await opened(path);
  const model = recordModel(sources, exports, relative(dirname(resolve(path)), resolve(path)));
  return { model, sources, data: [...data, ...weightFiles(sources, exports)] };
}

/** The files that declarations take their weights from. */
const weightFiles = ({ path, written }: Sources, exports: Exports): string[] =>
  Object.entries(exports).flatMap(([name, value]) => {
    const weights = declarationOf(value)?.weights;
    return weights === undefined ? [] : [resolve(dirname(written.get(name)?.file ?? path), weights)];
  });

/** Records what a model file declares, without compiling anything, and tells how many functions that are. */
export async function checkModel(path: string): Promise<{ readonly sources: Sources; readonly functions: number }> {
  const { sources, exports } = await opened(path);
  return { sources, functions: recordDeclarations(sources, exports).length };
}

async function opened(path: string): Promise<{ sources: Sources; exports: Exports; data: readonly string[] }> {
  const sources = await readSources(path);
  if (sources.problems.length > 0) throw new BuildError(sources.problems);
  // Frames of the library count too, and layers of the user's may lie deep.
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 100;
  try {
    const { exports, read } = await evaluateModel(sources.path);
    return { sources, exports, data: read };
  } catch (error) {
    throw new BuildError([diagnosticOf(error, sources.texts, { file: sources.path, line: 1, column: 1 })]);
  } finally {
    Error.stackTraceLimit = before;
  }
}
