// Threads keep no process alive, neither spinning nor asleep.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('a process with threads ends by itself', () => {
  const script = fileURLToPath(new URL('endsByItself.ts', import.meta.url));
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, ['--import', 'tsx', script], {
    encoding: 'utf8',
    timeout: 25_000,
  });
  expect({ stdout, stderr, status, signal }).toEqual({ stdout: 'at the end\n', stderr: '', status: 0, signal: null });
});
