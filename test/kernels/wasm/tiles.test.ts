// The choice of a register tile: one of the class, or none where there was no time to find out.
import { expect, test } from 'vitest';
import { fastestTile, tiles } from '../../../kernels/wasm/tiles.ts';
import { wasmNumerics } from '../../../runtime/wasm/features.ts';

test('the fastest tile is one of its numerics class', () => {
  const numerics = wasmNumerics();
  expect([undefined, ...tiles[numerics]]).toContain(fastestTile(numerics));
});

test('without patience nothing is known', () => {
  expect(fastestTile('mul+add', 0)).toBeUndefined();
});
