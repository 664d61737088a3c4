// Processes that fill one cache at the same time, some of them killed while they do: nobody reads a wrong Program, and the folder stays sound.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { decodeEntry } from '../../compiler/jit/cache.ts';
import { runs } from '../effort.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-cache-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const filler = fileURLToPath(new URL('cacheFiller.ts', import.meta.url));

/** How the process ended. One that is killed has begun, and so many milliseconds more. */
function fill(count: number, killAfter?: number): Promise<{ code: number | null; errors: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', filler, String(count), '40'], {
      env: { ...process.env, FLUXION_CACHE: folder },
    });
    let errors = '';
    child.stderr.on('data', (data) => (errors += String(data)));
    if (killAfter !== undefined) child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), killAfter));
    child.on('close', (code) => resolve({ code, errors }));
  });
}

it('every result is right, and what is left is whole', async () => {
  const processes = Math.min(8, runs(4));
  const count = Math.min(2000, runs(200));
  const ended = await Promise.all(Array.from({ length: processes }, (_, i) => fill(count, i % 4 === 3 ? 20 * i : undefined)));
  for (const [i, { code, errors }] of ended.entries()) if (i % 4 !== 3) expect({ code, errors }).toEqual({ code: 0, errors: '' });
  const entries = readdirSync(folder).filter((name) => name.endsWith('.flx'));
  expect(entries).toHaveLength(40);
  for (const name of entries) expect(decodeEntry(readFileSync(join(folder, name))), name).toBeDefined();
}, 120_000);
