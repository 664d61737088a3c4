// Ends a test run with one plain line, `N passed, N failed`, that people and machines read alike.
import type { Reporter } from 'vitest/reporters';

/** As much of a test file's outcome as is counted here. */
type File = {
  readonly children: { readonly allTests: () => Iterable<{ readonly result: () => { readonly state: string } }> };
  readonly state: () => string;
};

/** Counts tests by outcome. A file that could not even be loaded has no tests and counts as one failure. */
function tally(files: readonly File[]): { passed: number; failed: number; skipped: number } {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of files) {
    const states = [...file.children.allTests()].map((test) => test.result().state);
    for (const state of states) counts[state === 'passed' || state === 'failed' ? state : 'skipped']++;
    if (states.length === 0 && file.state() === 'failed') counts.failed++;
  }
  return counts;
}

export default class implements Reporter {
  onTestRunEnd(files: readonly File[], errors: readonly unknown[], reason: string): void {
    const { passed, failed, skipped } = tally(files);
    // Errors outside any test (a rejected promise nobody awaited) fail the run without failing a test.
    const stray = failed === 0 && (errors.length > 0 || reason === 'failed') ? 1 : 0;
    console.log(`${passed} passed, ${failed + stray} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  }
}
