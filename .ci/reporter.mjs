// Ends a test run with one plain line, `N passed, N failed`, that people and machines read alike.

/** Counts tests by outcome. A file that could not even be loaded has no tests and counts as one failure. */
function tally(modules) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    let tests = 0;
    for (const test of module.children.allTests()) {
      counts[test.result().state === 'passed' ? 'passed' : test.result().state === 'failed' ? 'failed' : 'skipped']++;
      tests++;
    }
    if (tests === 0 && module.state() === 'failed') counts.failed++;
  }
  return counts;
}

export default class {
  onTestRunEnd(modules, errors, reason) {
    const { passed, failed, skipped } = tally(modules);
    // Errors outside any test (a rejected promise nobody awaited) fail the run without failing a test.
    const stray = failed === 0 && (errors.length > 0 || reason === 'failed') ? 1 : 0;
    console.log(`${passed} passed, ${failed + stray} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  }
}
