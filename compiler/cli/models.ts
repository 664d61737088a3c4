// The model files that a command line means, and what is told of them: each in a process of its own where there are several.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Diagnostic } from '../build/diagnostic.ts';
import { type Invocation, UsageError } from './arguments.ts';

/** The files by absolute path: those that are named, else all below the working folder that declare something for building. */
export function modelFiles({ files = [] }: Invocation): string[] {
  const folder = process.cwd();
  const found = files.length > 0 ? [...new Set(files.map((f) => resolve(f)))] : declaringFiles(folder);
  if (found.length === 0) throw new UsageError('no file here declares anything for building: name one, or export what aot() gives');
  for (const file of found) {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) throw new UsageError(`there is no file ${relative(folder, file)}`);
    if (!stat.isFile()) throw new UsageError(`${relative(folder, file)} is not a file`);
  }
  return found;
}

function declaringFiles(root: string): string[] {
  const found: string[] = [];
  const folders = [root];
  for (const folder of folders)
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules' || entry.name === 'dist') continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (/\.[cm]?tsx?$/.test(entry.name) && !/\.d\.[cm]?ts$/.test(entry.name) && declares(readFileSync(path, 'utf8')))
        found.push(path);
    }
  return found.sort();
}

const declares = (text: string): boolean => /^export\b.*\baot\s*\(/m.test(text) && /\bfrom\s*['"]fluxion['"]/.test(text);

/** What a command found out about its files, as `--json` prints it. */
export type Outcome<T> = { readonly built: readonly T[]; readonly diagnostics: readonly Diagnostic[] };

/** Runs the same command on one file in a process of its own: models know nothing of each other, nor of what was built before. */
export function apart<T>(command: string, file: string, options: ReadonlyMap<string, string>): Outcome<T> {
  const args = [...options]
    .filter(([name]) => name !== 'json' && name !== 'watch')
    .flatMap(([name, value]) => [`--${name}`, ...(value === '' ? [] : [value])]);
  const ran = spawnSync(process.execPath, [...process.execArgv, process.argv[1]!, command, file, '--json', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 30,
  });
  if (ran.error !== undefined) throw ran.error;
  if (ran.status === 2) throw new UsageError(`${relative(process.cwd(), file)} was left alone`);
  return JSON.parse(ran.stdout) as Outcome<T>;
}

/** All that is wrong, with a line that counts it, as the TypeScript compiler says it. */
export function problemsText(diagnostics: readonly Diagnostic[], text: (d: Diagnostic) => string): string {
  const files = new Set(diagnostics.map((d) => d.file)).size;
  const count = `Found ${diagnostics.length} ${diagnostics.length === 1 ? 'error' : 'errors'}${files > 1 ? ` in ${files} files` : ''}.`;
  return [...diagnostics.map(text), count].join('\n');
}
