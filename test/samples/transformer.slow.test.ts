// The transformer sample learns, resumes to the same bits, and ends within a step of Ctrl-C with its checkpoint written.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { io } from '../../compiler/index.ts';
import { runSample } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-transformer-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'checkpoint.safetensors');

/** What a run printed of each round, without the time it took. */
function roundsOf(...args: string[]): string[] {
  const { status, stdout, stderr } = runSample('transformer', ...args);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout
    .split('\n')
    .slice(1, -1)
    .map((line) => line.replace(/ {2}[\d.]+ s$/, ''));
}

test('samples/transformer learns, and goes on from a checkpoint as if it had never stopped', () => {
  const whole = roundsOf('--rounds', '2', '--steps', '12');
  const losses = whole.map((line) => /^round \d\/2 {2}loss ([\d.]+)$/.exec(line)?.[1]).filter((loss) => loss !== undefined);
  expect(losses).toHaveLength(2);
  expect(Number(losses[1])).toBeLessThan(Number(losses[0]) - 0.3);
  roundsOf('--rounds', '1', '--steps', '12', '--save', file);
  expect(roundsOf('--rounds', '2', '--steps', '12', '--seed', '7', '--resume', file)).toEqual(whole.slice(2));
}, 60_000);

test('Ctrl-C ends the run after the step at hand: its checkpoint is written, and the exit code is 130', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'samples/transformer/main.ts', '--rounds', '1000', '--steps', '5', '--save', file],
    {
      cwd: root,
    },
  );
  let [out, errors] = ['', ''];
  child.stderr.on('data', (data) => {
    errors += String(data);
  });
  child.stdout.on('data', (data) => {
    if (!out.includes('round 1') && `${out}${data}`.includes('round 1')) setTimeout(() => child.kill('SIGINT'), 200);
    out += String(data);
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect({ code, errors }).toEqual({ code: 130, errors: '' });
  const checkpoint = await io.open(file);
  expect(Number(checkpoint.metadata.get('step'))).toBeLessThan(1000);
  await checkpoint.close();
}, 60_000);
