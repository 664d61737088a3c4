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
