// A loop that never yields, whose handles are dropped, and in which nobody forces a collection, holds no more memory than it did at first.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('many-steps.ts', import.meta.url));

test('10 000 steps hold what 200 did, but for what V8 has not collected yet', () => {
  const text = execFileSync(process.execPath, ['--import', 'tsx', program, '200', '10000'], { encoding: 'utf8' });
  const [early, late] = JSON.parse(text) as [number, number];
  // A step records some 70 nodes: keeping those of every step would take hundreds of megabytes, one gradient of each step 10.
  expect(late).toBeLessThan(2 * early + 10 * 2 ** 20);
});

test('1 000 variants more than are kept hold no more memory', () => {
  const program = fileURLToPath(new URL('many-variants.ts', import.meta.url));
  const text = execFileSync(process.execPath, ['--expose-gc', '--import', 'tsx', program, '600', '1600'], { encoding: 'utf8' });
  const [early, late, kept] = JSON.parse(text) as [number, number, number];
  expect(kept).toBe(8);
  // Compiled code of the engine comes and goes; 1 000 recordings with their Programs would be tens of megabytes.
  expect(late).toBeLessThan(early + 4 * 2 ** 20);
}, 60_000);
