import { expect, test } from 'vitest';
import { sortByRank } from '../../../kernels/schedule/ranks.ts';
import { kernelOf, run } from '../run.ts';

const rows = [3, Number.NaN, 1, 3, -0, 0, Number.POSITIVE_INFINITY, 2];

test.each([
  ['ascending', 0, -1],
  ['descending', 1, -1],
  ['the three largest', 1, 3],
])('ranks place elements where the routine sorts them: %s', (_, descending, k) => {
  const kept = k < 0 ? 4 : k;
  const kernel = kernelOf(`
    kernel @k(x: read f32[8], values: write f32[${2 * kept}], order: write i64[${2 * kept}]) {
      library sort(x, values, order) extents(1, 4, 2) flags(${descending}, ${k})
    }
  `);
  const ranked = sortByRank(kernel);
  expect(ranked.body[0]!.kind).toBe('loop');
  expect(run(ranked, { x: rows })).toEqual(run(kernel, { x: rows }));
});
