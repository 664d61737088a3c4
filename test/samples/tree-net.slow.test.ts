// The tree sample learns to evaluate expressions, also of shapes that it has not seen, and records few of its steps.
import { expect, test } from 'vitest';
import { runSample } from './run.ts';

test('samples/tree-net learns what the parts of an expression do', () => {
  const { status, stdout, stderr } = runSample('tree-net');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const [loss, traces, steps] = /^epoch 40 {2}loss ([\d.]+) {2}traces (\d+) of (\d+) steps$/m.exec(stdout)!.slice(1).map(Number);
  expect(loss).toBeLessThan(0.05);
  expect(traces! / steps!).toBeLessThan(0.06);
  const shares = [...stdout.matchAll(/shapes(?: that it learned from)?: ([\d.]+) %/g)].map((m) => Number(m[1]));
  expect(shares[0]).toBeGreaterThan(97);
  expect(shares[1]).toBeGreaterThan(85);
});
