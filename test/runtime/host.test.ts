// Numbers that the host computes: expressions over counters mean what JavaScript's arithmetic means.
import { expect, test } from 'vitest';
import { evaluateHost, type HostExpr, hostCall, mapCounters } from '../../runtime/host.ts';

const step: HostExpr = { counter: 'step' };
const correction = hostCall('sqrt', hostCall('sub', 1, hostCall('pow', 0.999, hostCall('add', step, 1))));

test.each([
  ['a number', 0.1, 0.1],
  ['a counter', step, 4],
  ['a bias correction', correction, Math.sqrt(1 - 0.999 ** 5)],
  ['a rate', hostCall('div', hostCall('neg', 0.1), hostCall('mul', step, 3)), -0.1 / 12],
  ['a first step', hostCall('select', hostCall('equal', step, 1), 1, 0.5), 0.5],
  ['a fourth step', hostCall('select', hostCall('equal', step, 4), 1, 0.5), 1],
] as [string, HostExpr, number][])('%s', (_name, expr, value) => {
  expect(evaluateHost(expr, (counter) => (counter === 'step' ? 4 : Number.NaN))).toBe(value);
});

test('counters are replaced wherever they stand', () => {
  expect(mapCounters(correction, (c) => ({ counter: c.length }))).toEqual(
    hostCall<number>('sqrt', hostCall('sub', 1, hostCall('pow', 0.999, hostCall('add', { counter: 4 }, 1)))),
  );
});
