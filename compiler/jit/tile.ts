// The register tile of this machine: found by trying once, and remembered on disk for the processes after this one.
import { fastestTile, tiles } from '../../kernels/wasm/tiles.ts';
import type { RegisterTile } from '../../runtime/target.ts';
import { environment } from './environment.ts';

type Numerics = keyof typeof tiles;

/** The fastest tile; undefined where trying gave no answer, so that the target's default serves. Bits do not depend on it. */
export function machineTile(numerics: Numerics, tryAll: typeof fastestTile = fastestTile): RegisterTile | undefined {
  const file = cacheFile(numerics);
  const remembered = file === undefined ? undefined : rememberedIn(file, numerics);
  if (remembered !== undefined) return remembered;
  const found = tryAll(numerics);
  if (found !== undefined && file !== undefined) remember(file, found);
  return found;
}

const fs = () => globalThis.process?.getBuiltinModule?.('node:fs');
const path = () => globalThis.process?.getBuiltinModule?.('node:path');
const os = () => globalThis.process?.getBuiltinModule?.('node:os');

/** Where this engine on this processor has its entry: in FLUXION_CACHE, else where the system keeps such things. `off` keeps nothing. */
function cacheFile(numerics: Numerics): string | undefined {
  const [wanted] = environment('FLUXION_CACHE');
  if (fs() === undefined || wanted === 'off') return undefined;
  const folder = wanted ?? path().join(systemCache(), 'fluxion');
  const who = [process.versions.v8, process.arch, os().cpus()[0]?.model ?? '', numerics].join(' ');
  return path().join(folder, `tile ${who}`.replace(/[^A-Za-z0-9]+/g, '-').concat('.json'));
}

function systemCache(): string {
  const { LOCALAPPDATA, XDG_CACHE_HOME } = process.env;
  if (process.platform === 'win32') return LOCALAPPDATA ?? os().tmpdir();
  if (process.platform === 'darwin') return path().join(os().homedir(), 'Library', 'Caches');
  return XDG_CACHE_HOME || path().join(os().homedir(), '.cache');
}

/** An entry counts only if it is one of the tiles that would be tried: files are cut short, edited, and outlive versions. */
function rememberedIn(file: string, numerics: Numerics): RegisterTile | undefined {
  const candidates: readonly RegisterTile[] = tiles[numerics];
  try {
    const entry = JSON.parse(fs().readFileSync(file, 'utf8')) as Partial<RegisterTile> | null;
    return candidates.find((t) => t.rows === entry?.rows && t.columns === entry.columns && t.spread === entry.spread);
  } catch {
    return undefined;
  }
}

/** Processes that start together write the same file: each renames a file of its own. A folder that cannot be written is no error. */
function remember(file: string, tile: RegisterTile): void {
  const own = `${file}.${process.pid}`;
  try {
    fs().mkdirSync(path().dirname(file), { recursive: true });
    fs().writeFileSync(own, JSON.stringify(tile));
    fs().renameSync(own, file);
  } catch {
    // The next process tries again.
  }
}
