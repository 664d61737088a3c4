// The folder that a build writes to: ours or empty, written aside and then renamed, with a manifest that tells which files are ours.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ArgumentError } from '../../runtime/errors.ts';
import { version } from '../jit/version.ts';

/** What the manifest knows of a model: hashes of all that it was made of, and of the files that were written. */
export type ManifestEntry = {
  /** Paths relative to the model file, which is the first. */
  readonly inputs: readonly (readonly [path: string, hash: string])[];
  readonly options: string;
  readonly files: Readonly<Record<string, string>>;
};
export type Manifest = { readonly fluxion: string; readonly models: Readonly<Record<string, ManifestEntry>> };

export const manifestName = 'fluxion-build.json';
export const hashOf = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');

/** Which compiler built something: its version, and in a checkout what its sources hold. */
let stamp: string | undefined;
function compilerStamp(): string {
  stamp ??= import.meta.url.endsWith('.ts') ? `${version}+${sourcesHash()}` : version;
  return stamp;
}

function sourcesHash(): string {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const files = ['compiler', 'kernels', 'runtime'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .sort()
      .map((file) => readFileSync(join(root, folder, file))),
  );
  return hashOf(Buffer.concat(files)).slice(0, 16);
}

const refuse = (what: string, fix: string): ArgumentError => new ArgumentError(what, { op: 'build', fix });

/** The manifest of a folder; undefined where there is none yet. Throws ArgumentError for a folder that is not empty and not ours. */
export function readManifest(folder: string): Manifest | undefined {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (found.isSymbolicLink()) throw refuse(`${folder} is a link to somewhere else`, 'name the folder itself');
  if (!found.isDirectory()) throw refuse(`${folder} is no folder`, 'choose another with --out');
  const names = readdirSync(folder);
  if (names.length === 0) return undefined;
  const manifest = names.includes(manifestName) ? parsed(readFileSync(join(folder, manifestName), 'utf8')) : undefined;
  if (manifest === undefined)
    throw refuse(`${folder} is not empty, and nothing in it says that fluxion wrote it`, 'choose another folder with --out, or empty it');
  return manifest;
}

function parsed(text: string): Manifest | undefined {
  try {
    const m = JSON.parse(text) as Partial<Manifest> | null;
    if (typeof m?.fluxion !== 'string' || typeof m.models !== 'object' || m.models === null) return undefined;
    for (const entry of Object.values(m.models)) for (const name of Object.keys(entry.files)) demandName(name);
    return m as Manifest;
  } catch {
    return undefined;
  }
}

/** Whether what a model was made of, and what was made of it, is still there and the same. */
export function isUnchanged(folder: string, path: string, options: string, manifest: Manifest | undefined): ManifestEntry | undefined {
  const name = basename(path).replace(/\.[^.]+$/, '');
  const known = manifest?.fluxion === compilerStamp() && Object.hasOwn(manifest.models, name) ? manifest.models[name] : undefined;
  if (known === undefined || known.options !== options || known.inputs[0]?.[0] !== basename(path)) return undefined;
  const isSame = (file: string, hash: string): boolean => existsSync(file) && hashOf(readFileSync(file)) === hash;
  const inputs = known.inputs.every(([file, hash]) => isSame(resolve(dirname(path), file), hash));
  return inputs && Object.entries(known.files).every(([file, hash]) => isSame(join(folder, file), hash)) ? known : undefined;
}

/** The inputs of a model as the manifest has them: independent of where the project lies. */
export function inputsOf(path: string, texts: ReadonlyMap<string, string>, data: readonly string[]): ManifestEntry['inputs'] {
  const from = dirname(path);
  const others = [...new Set([...texts.keys(), ...data])].filter((file) => file !== path).sort();
  return [path, ...others].map((file) => [relative(from, file).replaceAll('\\', '/'), hashOf(readFileSync(file))]);
}

/** The paths of those inputs. */
export const sourcesOf = (path: string, { inputs }: Pick<ManifestEntry, 'inputs'>): string[] =>
  inputs.map(([file]) => resolve(dirname(path), file));

/** Names that Windows takes for devices. */
const devices = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
/** Throws ArgumentError for a name that is not that of a file in the folder, on every system. */
export function demandName(name: string): void {
  if (!/^[\w$@+-][\w$@+.-]*$/.test(name) || name.endsWith('.') || devices.test(name))
    throw refuse(`${JSON.stringify(name)} cannot be the name of a file that is written`, 'rename the model file');
}

export type Written = { readonly written: readonly string[]; readonly removed: readonly string[] };

/**
 * Writes the files of a model, and the manifest. Everything is written beside the folder first; if that fails, nothing has changed.
 * Files of the model's last build that it no longer has are removed; files of others are left alone.
 */
export function writeOutput(
  folder: string,
  model: string,
  files: ReadonlyMap<string, Uint8Array>,
  entry: Omit<ManifestEntry, 'files'>,
): Written {
  const before = readManifest(folder);
  for (const name of files.keys()) demandName(name);
  const others = Object.entries(before?.models ?? {}).filter(([name]) => name !== model);
  demandDistinct([...files.keys(), manifestName, ...others.flatMap(([, other]) => Object.keys(other.files))]);
  const mine = new Set(Object.keys(before?.models[model]?.files ?? {}));
  for (const name of files.keys())
    if (!mine.has(name) && existsSync(join(folder, name)))
      throw refuse(`${join(folder, name)} is there already, and fluxion did not write it`, 'move it, or choose another folder with --out');
  const made: ManifestEntry = { ...entry, files: Object.fromEntries([...files].map(([name, bytes]) => [name, hashOf(bytes)])) };
  const models = Object.fromEntries([...others, [model, made] as const].sort(([a], [b]) => (a < b ? -1 : 1)));
  const manifest: Manifest = { fluxion: compilerStamp(), models };
  const all = [...files, [manifestName, new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`)] as const];
  mkdirSync(dirname(folder), { recursive: true });
  const aside = mkdtempSync(join(dirname(folder), `.${basename(folder)}-`));
  try {
    for (const [name, bytes] of all) writeFileSync(join(aside, name), bytes);
    mkdirSync(folder, { recursive: true });
    for (const [name] of all) renameSync(join(aside, name), join(folder, name));
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  const removed = [...mine].filter((name) => !files.has(name));
  for (const name of removed) rmSync(join(folder, name), { force: true });
  return { written: [...files.keys()], removed };
}

/** Throws ArgumentError where two files would be one on a system that does not tell capitals apart. */
function demandDistinct(names: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) throw refuse(`two files would be called ${other} and ${name}`, 'rename one of the model files');
    seen.set(name.toLowerCase(), name);
  }
}
