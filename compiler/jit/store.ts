// The cache on disk: entries that outlive the process, as files of one folder. Node only; elsewhere nothing is kept.
// Whoever reads an entry checks it: files are cut short, edited, and outlive versions.
import { logged } from './log.ts';

const fs = () => globalThis.process?.getBuiltinModule?.('node:fs');
const path = () => globalThis.process?.getBuiltinModule?.('node:path');
const os = () => globalThis.process?.getBuiltinModule?.('node:os');

/** In FLUXION_CACHE, else where the system keeps such things; undefined where that is `off` or there are no files. */
export function cacheFolder(): string | undefined {
  if (fs() === undefined) return undefined;
  const wanted = process.env.FLUXION_CACHE;
  if (wanted === 'off') return undefined;
  return wanted ? path().resolve(wanted) : path().join(systemCache(), 'fluxion');
}

function systemCache(): string {
  const { LOCALAPPDATA, XDG_CACHE_HOME } = process.env;
  if (process.platform === 'win32') return LOCALAPPDATA ?? os().tmpdir();
  if (process.platform === 'darwin') return path().join(os().homedir(), 'Library', 'Caches');
  return XDG_CACHE_HOME || path().join(os().homedir(), '.cache');
}

/** The bytes of an entry, if there is one that can be read. Reading counts as use: what was not used for longest goes first. */
export function readEntry(name: string): Uint8Array | undefined {
  const bytes = peekEntry(name);
  if (bytes === undefined) return undefined;
  const now = new Date();
  try {
    fs().utimesSync(path().join(cacheFolder()!, name), now, now);
  } catch {
    // Somebody else's file, or gone meanwhile: it keeps its age.
  }
  return bytes;
}

/** The same for who only looks. */
export function peekEntry(name: string): Uint8Array | undefined {
  const folder = cacheFolder();
  if (folder === undefined) return undefined;
  try {
    return fs().readFileSync(path().join(folder, name));
  } catch {
    return undefined;
  }
}

const unwritable = new Set<string>();
let writes = 0;

/** Each writer renames a file of its own, so nobody reads half an entry. A folder that cannot be written is no error: it is told once. */
export function writeEntry(name: string, bytes: Uint8Array | string): void {
  const folder = cacheFolder();
  if (folder === undefined || unwritable.has(folder)) return;
  const file = path().join(folder, name);
  const aside = `${file}.${process.pid}${asideSuffix}`;
  try {
    fs().mkdirSync(folder, { recursive: true, mode: 0o700 });
    fs().writeFileSync(aside, bytes, { mode: 0o600 });
    fs().renameSync(aside, file);
  } catch (error) {
    unwritable.add(folder);
    logged('cache', () => `cache: nothing is kept in ${folder}: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  // Short processes must not look through the folder each time, nor must all of them skip it: where they begin to count differs.
  if ((writes++ + process.pid) % writesPerSweep === 0) sweep();
}

/** A file that a process was writing when it ended has this suffix for ever. */
const asideSuffix = '.part';
const partsLive = 3_600_000;
const writesPerSweep = 64;

/** How much the folder may hold before what was not used for longest goes. */
export type Bounds = { readonly bytes: number; readonly entries: number };
export const bounds: Bounds = { bytes: 256 << 20, entries: 4096 };

export type EntryFile = { readonly name: string; readonly bytes: number; readonly usedMs: number };

const isOurs = (name: string): boolean => /^(program|tile)-[A-Za-z0-9-]+\.(flx|json)(\.\d+\.part)?$/.test(name);

/** The files that are ours, those that were used last first. Others are none of our business. */
export function listEntries(): EntryFile[] {
  const folder = cacheFolder();
  if (folder === undefined) return [];
  let names: readonly string[];
  try {
    names = fs().readdirSync(folder).filter(isOurs);
  } catch {
    return [];
  }
  const entries: EntryFile[] = [];
  for (const name of names)
    try {
      const { size, mtimeMs } = fs().statSync(path().join(folder, name));
      entries.push({ name, bytes: size, usedMs: mtimeMs });
    } catch {
      // Another process removed it meanwhile.
    }
  return entries.sort((a, b) => b.usedMs - a.usedMs);
}

/** Whether it is gone now. */
export function removeEntry(name: string): boolean {
  const folder = cacheFolder();
  if (folder === undefined || !isOurs(name)) return false;
  try {
    fs().rmSync(path().join(folder, name), { force: true });
    return true;
  } catch {
    return false;
  }
}

/** Removes what killed processes left half written, and the oldest entries beyond three quarters of the bounds, if one is crossed. */
export function sweep(limit: Bounds = bounds): void {
  const kept = { bytes: 0, entries: 0 };
  const entries = listEntries();
  const isPart = ({ name }: EntryFile): boolean => name.endsWith(asideSuffix);
  for (const part of entries.filter(isPart)) if (Date.now() - part.usedMs > partsLive) removeEntry(part.name);
  const whole = entries.filter((e) => !isPart(e));
  const total = whole.reduce((sum, e) => sum + e.bytes, 0);
  if (total <= limit.bytes && whole.length <= limit.entries) return;
  for (const { name, bytes } of whole) {
    const fits = kept.bytes + bytes <= limit.bytes * 0.75 && kept.entries + 1 <= limit.entries * 0.75;
    if (!fits) removeEntry(name);
    else {
      kept.bytes += bytes;
      kept.entries++;
    }
  }
}
