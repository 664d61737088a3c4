// Runs a model file once, and takes down which files it reads: what they hold is part of what was built.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Generator, manualSeed } from '../frontend/random.ts';
import { cacheFolder } from '../jit/store.ts';
import type { Exports } from './record.ts';

export type Evaluated = {
  readonly exports: Exports;
  /** Files that were opened for reading, by absolute path: data sets, weights. */
  readonly read: readonly string[];
};

/** Throws whatever the module throws. It draws the random numbers of a fresh process, whatever was drawn in this one. */
export async function evaluateModel(path: string): Promise<Evaluated> {
  manualSeed(new Generator().initialSeed());
  const { read, stop } = watchReads();
  try {
    const exports: Exports = await import(pathToFileURL(path).href);
    return { exports, read: [...read].filter(isData).sort() };
  } finally {
    stop();
  }
}

/** Code counts as source, and packages as what their versions say. What the system and our own cache know of the machine says nothing of a model. */
function isData(path: string): boolean {
  if (/[\\/]node_modules[\\/]|^\/(?:proc|sys|dev)\/|\.[cm]?[jt]sx?$|[\\/](?:package|tsconfig[^\\/]*)\.json$/.test(path)) return false;
  const cache = cacheFolder();
  if (cache !== undefined && path.startsWith(cache)) return false;
  return fs.statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Functions of `fs` whose first argument is a file that they read. */
const readers = ['readFileSync', 'readFile', 'openSync', 'open', 'createReadStream'] as const;

function watchReads(): { readonly read: ReadonlySet<string>; readonly stop: () => void } {
  const read = new Set<string>();
  const note = (file: unknown): void => {
    if (typeof file === 'string') read.add(resolve(file));
    else if (file instanceof URL && file.protocol === 'file:') read.add(fileURLToPath(file));
    else if (file instanceof Uint8Array) read.add(resolve(new TextDecoder().decode(file)));
  };
  const restore: (() => void)[] = [];
  const watch = <T extends object>(owner: T, name: keyof T): void => {
    const before = owner[name] as (...args: unknown[]) => unknown;
    const watched = function (this: unknown, ...args: unknown[]): unknown {
      note(args[0]);
      return before.apply(this, args);
    };
    Object.assign(owner, { [name]: Object.assign(watched, before) });
    restore.push(() => void Object.assign(owner, { [name]: before }));
  };
  for (const name of readers) watch(fs, name);
  for (const name of ['readFile', 'open'] as const) watch(fs.promises, name);
  syncBuiltinESMExports();
  return {
    read,
    stop: () => {
      for (const back of restore) back();
      syncBuiltinESMExports();
    },
  };
}
