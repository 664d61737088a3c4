// The remembered register tile: taken from its folder if it is there and sound, tried anew otherwise.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { machineTile } from '../../compiler/jit/tile.ts';
import { type fastestTile, tiles } from '../../kernels/wasm/tiles.ts';

const found = tiles['mul+add'][1];
const tryAll = vi.fn<typeof fastestTile>();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fluxion-cache-'));
  vi.stubEnv('FLUXION_CACHE', folder);
  tryAll.mockReset();
  tryAll.mockReturnValue(found);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const entry = (): string => join(folder, readdirSync(folder)[0]!);

it('is tried once, and read from then on', () => {
  expect(machineTile('mul+add', tryAll)).toEqual(found);
  expect(JSON.parse(readFileSync(entry(), 'utf8'))).toEqual(found);
  tryAll.mockReturnValue(tiles['mul+add'][0]);
  expect(machineTile('mul+add', tryAll)).toEqual(found);
  expect(tryAll).toHaveBeenCalledTimes(1);
});

it('is remembered for each numerics class', () => {
  machineTile('mul+add', tryAll);
  tryAll.mockReturnValue(tiles.madd[0]);
  expect(machineTile('madd', tryAll)).toEqual(tiles.madd[0]);
  expect(readdirSync(folder)).toHaveLength(2);
});

it.each(['', '{"rows":4', 'null', '{"rows":400,"columns":8,"spread":"load"}', '[]'])('is tried anew if the entry is %j', (text) => {
  machineTile('mul+add', tryAll);
  writeFileSync(entry(), text);
  expect(machineTile('mul+add', tryAll)).toEqual(found);
  expect(tryAll).toHaveBeenCalledTimes(2);
  expect(JSON.parse(readFileSync(entry(), 'utf8'))).toEqual(found);
});

it('is not remembered if trying gave no answer', () => {
  tryAll.mockReturnValue(undefined);
  expect(machineTile('mul+add', tryAll)).toBeUndefined();
  expect(readdirSync(folder)).toEqual([]);
});

it('is not written where FLUXION_CACHE is off, nor where nothing can be written', () => {
  vi.stubEnv('FLUXION_CACHE', 'off');
  expect(machineTile('mul+add', tryAll)).toEqual(found);
  writeFileSync(join(folder, 'file'), '');
  vi.stubEnv('FLUXION_CACHE', join(folder, 'file', 'below'));
  expect(machineTile('mul+add', tryAll)).toEqual(found);
  expect(readdirSync(folder)).toEqual(['file']);
});
