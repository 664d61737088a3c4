// The register tile of this machine: found by trying once, and remembered on disk for the processes after this one.
import { fastestTile, tiles } from '../../kernels/wasm/tiles.ts';
import type { RegisterTile } from '../../runtime/target.ts';
import { readEntry, writeEntry } from './store.ts';

type Numerics = keyof typeof tiles;

/** The fastest tile; undefined where trying gave no answer, so that the target's default serves. Bits do not depend on it. */
export function machineTile(numerics: Numerics, tryAll: typeof fastestTile = fastestTile): RegisterTile | undefined {
  const name = entryName(numerics);
  const entry = name === undefined ? undefined : readEntry(name);
  const remembered = entry === undefined ? undefined : decodeTile(entry, numerics);
  if (remembered !== undefined) return remembered;
  const found = tryAll(numerics);
  if (found !== undefined && name !== undefined) writeEntry(name, JSON.stringify(found));
  return found;
}

/** The entry of this engine on this processor. */
function entryName(numerics: Numerics): string | undefined {
  const os = globalThis.process?.getBuiltinModule?.('node:os');
  if (os === undefined) return undefined;
  const who = [process.versions.v8, process.arch, os.cpus()[0]?.model ?? '', numerics].join(' ');
  return `tile ${who}`.replace(/[^A-Za-z0-9]+/g, '-').concat('.json');
}

/** What an entry says; it counts only if it is one of the tiles that would be tried. */
export function decodeTile(bytes: Uint8Array, numerics: Numerics): RegisterTile | undefined {
  const candidates: readonly RegisterTile[] = tiles[numerics];
  try {
    const entry = JSON.parse(new TextDecoder().decode(bytes)) as Partial<RegisterTile> | null;
    return candidates.find((t) => t.rows === entry?.rows && t.columns === entry.columns && t.spread === entry.spread);
  } catch {
    return undefined;
  }
}
