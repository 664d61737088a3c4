// `--watch`: runs a command again, in a process of its own, whenever a file that its models are made of has changed.
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';

/** Milliseconds between two looks at the files. Looking is what works on every system and for every editor's way of saving. */
const period = 200;

/** Runs until it is interrupted. */
export async function rerunOnChange(command: string, files: readonly string[], options: ReadonlyMap<string, string>): Promise<number> {
  const args = [...options]
    .filter(([name]) => name !== 'watch')
    .flatMap(([name, value]) => [`--${name}`, ...(value === '' ? [] : [value])]);
  for (;;) {
    const watched = await madeOf(files);
    const before = stampOf(watched);
    await run([command, ...files, ...args]);
    console.error('fluxion: waiting for changes');
    while (stampOf(watched) === before) await new Promise((done) => setTimeout(done, period));
  }
}

/** The files and what they import. While one of them does not parse, it alone is watched. */
async function madeOf(files: readonly string[]): Promise<string[]> {
  const { readSources } = await import('../build/sources.ts');
  const all = new Set<string>(files);
  for (const file of files)
    try {
      for (const path of (await readSources(file)).texts.keys()) all.add(path);
    } catch {
      // It was removed, or is being written at this moment: the next look will tell.
    }
  return [...all];
}

const stampOf = (files: readonly string[]): string => files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0).join();

function run(args: readonly string[]): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], { stdio: 'inherit' });
    child.once('error', fail);
    child.once('exit', () => done());
  });
}
