// The sample of a network with a path of its own at every step learns, by gradients of whatever path it took.
import { expect, test } from 'vitest';
import { runSample } from './run.ts';

test('samples/control-flow takes different paths and learns on all of them', () => {
  const { status, stdout, stderr } = runSample('control-flow');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const lines = [...stdout.matchAll(/^step +\d+ {2}loss ([\d.]+) {2}gradient ([\d.]+) {2}hidden:((?: relu| tanh)+)$/gm)];
  expect(lines).toHaveLength(11);
  expect(new Set(lines.map((l) => l[3]!.trim().split(' ').length)).size).toBeGreaterThan(1);
  expect(Number(lines.at(-1)![1])).toBeLessThan(Number(lines[0]![1]) / 4);
  expect(lines.every((l) => Number(l[2]) > 0)).toBe(true);
});
