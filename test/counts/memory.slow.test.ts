// A loop that never yields, whose handles are dropped, and in which nobody forces a collection, holds no more memory than it did at first.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('many-steps.ts', import.meta.url));

test('20 000 steps hold what 200 did, as soon as V8 has collected', () => {
  const steps = [200, ...Array.from({ length: 61 }, (_, i) => 8000 + 200 * i)].map(String);
  const text = execFileSync(process.execPath, ['--import', 'tsx', program, ...steps], { encoding: 'utf8' });
  const [early, ...later] = JSON.parse(text) as [number, ...number[]];
  // V8 lets garbage grow to some 100 MB between two collections. Keeping the 70 nodes of every step would add hundreds of megabytes to what
  // they leave, one gradient of each step 10.
  expect(Math.min(...later)).toBeLessThan(early + 10 * 2 ** 20);
}, 60_000);

test('1 000 variants more than are kept hold no more memory', () => {
  const program = fileURLToPath(new URL('many-variants.ts', import.meta.url));
  const text = execFileSync(process.execPath, ['--expose-gc', '--import', 'tsx', program, '600', '1600'], { encoding: 'utf8' });
  const [early, late, kept] = JSON.parse(text) as [number, number, number];
  expect(kept).toBe(8);
  // Compiled code of the engine comes and goes; with all recordings and their Programs kept, 34 MB were added on wasm.
  expect(late).toBeLessThan(early + 12 * 2 ** 20);
}, 60_000);
