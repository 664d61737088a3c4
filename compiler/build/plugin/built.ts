// What the bundler plugin knows of a built model: the files that `fluxion build` wrote for it, and what they were made from.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Built = {
  /** Of the module: model.ts becomes `model`, and `model.js` is what is imported. */
  readonly name: string;
  /** Where the files lie. */
  readonly folder: string;
  /** Their names: `model.js`, `model.d.ts`, weights, code per target. */
  readonly files: readonly string[];
  /** Every file of the user's that was read: the model, what it imports, its weights. */
  readonly sources: readonly string[];
};

export type BuildOptions = {
  /** Absolute. Paths in messages are told from here. */
  readonly root: string;
  /** Further options of `fluxion build`, as on the command line: `['--weights', 'float16']`. */
  readonly args: readonly string[];
};

/** A builder that builds a model when it is asked for the first time, and again when something that it was made from has changed. */
export function builder(options: BuildOptions): (model: string) => Promise<Built> {
  const known = new Map<string, { readonly built: Promise<Built>; stamp: string | undefined }>();
  return async (model) => {
    const before = known.get(model);
    if (before !== undefined && (before.stamp === undefined || before.stamp === stampOf((await before.built).sources))) return before.built;
    const entry = { built: build(model, options), stamp: undefined as string | undefined };
    known.set(model, entry);
    try {
      entry.stamp = stampOf((await entry.built).sources);
    } catch (error) {
      known.delete(model);
      throw error;
    }
    return entry.built;
  };
}

/** The command line, which reads the user's TypeScript. */
const command = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../cli/fluxion.mjs' : '../../../../compiler/cli/fluxion.mjs', import.meta.url),
);

/** What `fluxion build --json` prints. */
type Report = {
  readonly built: readonly Omit<Built, 'folder'>[];
  readonly diagnostics: readonly { readonly file: string; readonly line: number; readonly column: number; readonly message: string }[];
};

/**
 * Runs `fluxion build` in a process of its own: a rebuild reads all modules of the model anew, and neither they nor the compiler stay
 * behind in the bundler.
 */
async function build(model: string, { root, args }: BuildOptions): Promise<Built> {
  const folder = join(
    projectOf(root),
    'node_modules/.cache/fluxion',
    createHash('sha256')
      .update(JSON.stringify([model, args]))
      .digest('hex')
      .slice(0, 16),
  );
  const call = [command, 'build', model, '--out', folder, '--json', ...args];
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((done) => {
    execFile(process.execPath, call, { cwd: root, maxBuffer: 1 << 28 }, (_, stdout, stderr) => done({ stdout, stderr }));
  });
  const { built, diagnostics } = reportIn(stdout) ?? { built: [], diagnostics: [] };
  if (diagnostics.length > 0) throw failure(root, diagnostics);
  const [only] = built;
  // The command itself broke, or the model threw: its error stream says how.
  if (only === undefined) throw new Error(`fluxion build failed for ${relative(root, model)}\n${stderr.trim()}`);
  return { name: only.name, folder, files: only.files, sources: only.sources };
}

/** The nearest folder above that is a package: its node_modules is where tools keep what they can make again. */
function projectOf(root: string): string {
  for (let folder = root; dirname(folder) !== folder; folder = dirname(folder)) if (existsSync(join(folder, 'package.json'))) return folder;
  return root;
}

function reportIn(stdout: string): Report | undefined {
  try {
    return JSON.parse(stdout) as Report;
  } catch {
    return undefined;
  }
}

/** As bundlers show errors: those that know of `loc` print the lines there. */
function failure(root: string, diagnostics: Report['diagnostics']): Error {
  const lines = diagnostics.map(({ file, line, column, message }) => `${relative(root, file)}:${line}:${column} - ${message}`);
  const { file, line, column } = diagnostics[0]!;
  // Where in the plugin it was made is no news to anybody.
  return Object.assign(new Error(lines.join('\n')), { id: file, loc: { file, line, column: column - 1 }, stack: '' });
}

/** Changes when one of the files does. */
function stampOf(files: readonly string[]): string {
  const stamps = files.map((file) => {
    const found = statSync(file, { throwIfNoEntry: false });
    return found === undefined ? 'gone' : `${found.mtimeMs} ${found.size}`;
  });
  return stamps.join();
}
