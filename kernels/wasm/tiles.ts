// Which register tile is fastest here: engines and processors differ by a factor of two, and no rule foretells it. Bits do not depend on it.
import type { Tile } from '../schedule/product.ts';
import { buildModule } from './binary.ts';
import { productFunction } from './product.ts';
import { newUnit } from './unit.ts';

/** The tiles that were ahead on some machine, the likeliest first. */
export const tiles = {
  madd: [
    { rows: 5, columns: 8, spread: 'shuffle' },
    { rows: 6, columns: 8, spread: 'load' },
    { rows: 4, columns: 8, spread: 'load' },
  ],
  'mul+add': [
    { rows: 2, columns: 16, spread: 'load' },
    { rows: 4, columns: 8, spread: 'load' },
  ],
} as const satisfies Readonly<Record<string, readonly Tile[]>>;

/** Steps of k: both panels lie in the first cache. */
const depth = 256;
const calls = 8;
/** How much faster optimised code is than what engines begin with, at least. */
const speedUp = 2;

/**
 * Tries the tiles of a numerics class in turns until the engine has optimised all of them. Undefined if `patience` milliseconds were not
 * enough for that; nothing is known then. To be asked once per process: engines keep optimised code, and would not be seen to optimise again.
 */
export function fastestTile(numerics: keyof typeof tiles, patience = 40): Tile | undefined {
  const candidates: readonly Tile[] = tiles[numerics];
  const module = buildModule();
  module.importMemory('env', 'memory', { min: 1, max: 1, shared: false });
  const unit = newUnit(module, numerics === 'madd');
  candidates.forEach(({ rows, columns, spread }, i) => {
    const shape = {
      rows,
      columns,
      depth,
      dtype: 'f32',
      from: 'zero',
      a: { k: rows, row: 1, spread },
      b: { k: columns },
      c: { row: columns },
    } as const;
    module.exportFunction(`tile${i}`, productFunction(unit, shape));
  });
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish().binary), { env: { memory } });
  const [a, b, c] = [1024, 16384, 49152];
  /** Milliseconds for each sum of the tile. */
  const burst = (i: number): number => {
    const run = exports[`tile${i}`] as (...args: number[]) => void;
    const start = performance.now();
    for (let n = 0; n < calls; n++) run(a, b, c, depth);
    return (performance.now() - start) / (candidates[i]!.rows * candidates[i]!.columns);
  };
  const first = candidates.map((_, i) => burst(i));
  const best = [...first];
  let rounds = 0;
  for (const start = performance.now(); performance.now() - start < patience; ) {
    for (const i of candidates.keys()) best[i] = Math.min(best[i]!, burst(i));
    const isOptimised = best.every((time, i) => time * speedUp < first[i]!);
    if (isOptimised && rounds++ > 20) return candidates[best.indexOf(Math.min(...best))];
  }
  return undefined;
}
