// A run that is killed while it writes a checkpoint leaves the one before, whole; what it left aside is swept up by the next run that writes.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { loadCheckpoint, nn, saveCheckpoint } from '../../compiler/index.ts';
import { runs } from '../effort.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-killed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'run.safetensors');
const writer = fileURLToPath(new URL('checkpointWriter.ts', import.meta.url));

/** Lets a run write from this step on, and kills it so many milliseconds after its first checkpoint. */
function killed(step: number, after: number): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', writer, file, String(step)], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), after));
    child.on('exit', () => resolve());
  });
}

it('any time', async () => {
  const model = new nn.Linear(1024, 1024);
  let last = 0;
  for (let i = 0; i < runs(4); i++) {
    await killed(last + 1, (i * 37) % 100);
    const { step } = await loadCheckpoint(file, { model });
    expect(step).toBeGreaterThan(last);
    last = step!;
    for (const t of [model.weight, model.bias!]) expect(t.eq(last).all().itemSync()).toBe(1);
  }
  await saveCheckpoint(file, { model });
  expect(readdirSync(folder)).toEqual(['run.safetensors']);
}, 300_000);
