// Runs a sample as users run it: a process of its own, from the root of the repository.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export type Run = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

export function runSample(name: string, ...args: string[]): Run {
  return spawnSync(process.execPath, ['--import', 'tsx', `samples/${name}/main.ts`, ...args], { cwd: root, encoding: 'utf8' });
}
