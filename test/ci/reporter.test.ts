import { afterEach, expect, test, vi } from 'vitest';
import Reporter from '../../.ci/reporter.ts';

type State = 'passed' | 'failed' | 'skipped' | 'pending';
const file = (states: State[], state: State = 'passed') => ({
  children: { allTests: () => states.map((s) => ({ result: () => ({ state: s }) })) },
  state: () => state,
});

function lastLine(modules: ReturnType<typeof file>[], errors: unknown[] = [], reason = 'passed'): unknown {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  new Reporter().onTestRunEnd(modules, errors, reason);
  return log.mock.lastCall?.[0];
}
afterEach(() => vi.restoreAllMocks());

test('counts tests by outcome', () => {
  expect(lastLine([file(['passed', 'passed']), file(['passed', 'failed'], 'failed')], [], 'failed')).toBe('3 passed, 1 failed');
});

test('says what was skipped', () => {
  expect(lastLine([file(['passed', 'skipped'])])).toBe('1 passed, 0 failed, 1 skipped');
});

test('a file that does not load is a failure', () => {
  expect(lastLine([file(['passed']), file([], 'failed')], [], 'failed')).toBe('1 passed, 1 failed');
});

test('an error outside any test is a failure', () => {
  expect(lastLine([file(['passed'])], [new Error('unhandled')], 'failed')).toBe('1 passed, 1 failed');
});
