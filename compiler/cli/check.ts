// `fluxion check`: the type checker for shapes. Records what is declared for building, without data, and reports what is wrong at its line.
import type { Diagnostic } from '../build/diagnostic.ts';
import type { Invocation } from './arguments.ts';
import { dataText } from './json.ts';
import { apart, modelFiles, type Outcome, problemsText } from './models.ts';
import { redirectOutput } from './stdout.ts';
import { rerunOnChange } from './watch.ts';

type Checked = { readonly file: string; readonly functions: number };

export async function check(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const files = modelFiles(invocation);
  if (options.has('watch')) return rerunOnChange('check', files, options);
  const write = redirectOutput();
  const outcomes: Outcome<Checked>[] = [];
  for (const file of files) outcomes.push(files.length === 1 ? await checkHere(file) : apart('check', file, options));
  const built = outcomes.flatMap((o) => o.built);
  const diagnostics = outcomes.flatMap((o) => o.diagnostics);
  if (options.has('json')) write(`${dataText({ built, diagnostics })}\n`);
  else if (diagnostics.length > 0) {
    const { diagnosticText } = await import('../build/diagnostic.ts');
    write(`${problemsText(diagnostics, (d: Diagnostic) => diagnosticText(d, process.cwd()))}\n`);
  } else {
    const count = built.reduce((sum, { functions }) => sum + functions, 0);
    write(`${count} ${count === 1 ? 'function' : 'functions'} can be built\n`);
  }
  return diagnostics.length === 0 ? 0 : 1;
}

async function checkHere(file: string): Promise<Outcome<Checked>> {
  const { BuildError } = await import('../build/diagnostic.ts');
  const { checkModel } = await import('../build/build.ts');
  try {
    return { built: [{ file, functions: (await checkModel(file)).functions }], diagnostics: [] };
  } catch (error) {
    if (error instanceof BuildError) return { built: [], diagnostics: error.diagnostics };
    throw error;
  }
}
