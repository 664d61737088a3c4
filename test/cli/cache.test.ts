// `fluxion cache`: lists, checks and removes what is on disk.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { main } from '../../compiler/cli/main.ts';
import { tensor } from '../../compiler/index.ts';
import { forgetStructures } from '../../compiler/jit/structure.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fluxion-cache-'));
  vi.stubEnv('FLUXION_CACHE', folder);
  forgetStructures();
  tensor([1, 2]).mul(3).sum().itemSync();
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

async function fluxion(...args: string[]): Promise<{ status: number; text: string }> {
  const lines: string[] = [];
  const spies = (['log', 'error'] as const).map((to) => vi.spyOn(console, to).mockImplementation((line: string) => void lines.push(line)));
  try {
    return { status: await main(['cache', ...args]), text: lines.join('\n') };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

const programs = (): string[] => readdirSync(folder).filter((name) => name.startsWith('program-'));

test('ls shows what each entry computes', async () => {
  const { status, text } = await fluxion('ls');
  expect(status).toBe(0);
  expect(text).toMatch(
    /^\d{4}-\d\d-\d\d \d\d:\d\d +\d+\.\d kB {2}program-\w{12} {2}\w+: mul_sum_\w+\n(.*\n)?\d entr(y|ies), \d+\.\d kB in /,
  );
  expect(JSON.parse((await fluxion('ls', '--json')).text)).toMatchObject({ folder, entries: [{ kind: 'program' }] });
});

test('verify names what is damaged, and it is replaced by use', async () => {
  expect(await fluxion('verify')).toEqual({ status: 0, text: expect.stringMatching(/^\d entr(y|ies): all sound$/) });
  const [name] = programs();
  const file = join(folder, name!);
  writeFileSync(file, readFileSync(file).subarray(0, 99));
  expect(await fluxion('verify')).toEqual({ status: 1, text: expect.stringMatching(new RegExp(`^${name}\n1 of \\d entr(y|ies) damaged`)) });
  expect((await fluxion('ls')).text).toContain('damaged, or of another version');
  forgetStructures();
  expect(tensor([1, 2]).mul(3).sum().itemSync()).toBe(9);
  expect((await fluxion('verify')).status).toBe(0);
});

test('clear removes entries and nothing else', async () => {
  writeFileSync(join(folder, 'notes.txt'), '');
  expect(await fluxion('clear')).toEqual({ status: 0, text: expect.stringMatching(/^\d entr(y|ies) removed from /) });
  expect(readdirSync(folder)).toEqual(['notes.txt']);
});

test('a wrong action, or a cache that is off, is one line', async () => {
  expect(await fluxion('purge')).toEqual({ status: 2, text: "fluxion: cache wants one of ls, clear, verify, not 'purge'" });
  expect(await fluxion()).toEqual({ status: 2, text: 'fluxion: cache wants one of ls, clear, verify' });
  vi.stubEnv('FLUXION_CACHE', 'off');
  expect(await fluxion('ls')).toEqual({ status: 2, text: 'fluxion: the cache is off, as FLUXION_CACHE says' });
});
