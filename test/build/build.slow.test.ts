// `fluxion build` and `fluxion check` as users run them: the same bytes everywhere, nothing half written, and only what has changed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

const launcher = fileURLToPath(new URL('../../compiler/cli/fluxion.mjs', import.meta.url));
// Each test starts several processes, which may have to share the machine with others.
vi.setConfig({ testTimeout: 120_000 });
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fluxion-build-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const model = `import { readFileSync } from 'node:fs';
import { aot, manualSeed, nn, spec, type Tensor } from 'fluxion';
import { scale } from './scale.ts';
manualSeed(Number(readFileSync(new URL('seed.txt', import.meta.url), 'utf8')));
const fc = new nn.Linear(3, 2);
fc.weight.abs().sum().itemSync();
console.log('the model runs');
/** Scores rows. */
export const score = aot((rows: Tensor) => scale(fc(rows)), { inputs: { rows: spec([4, 3]) }, targets: ['wasm', 'js'] });
`;
function project(name: string): string {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'model.ts'), model);
  writeFileSync(
    join(folder, 'scale.ts'),
    "import type { Tensor } from 'fluxion';\nexport const scale = (x: Tensor): Tensor => x.mul(2);\n",
  );
  writeFileSync(join(folder, 'seed.txt'), '7');
  return folder;
}
function fluxion(folder: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  // With a cache, which the build must not take for a part of the model.
  const env = { ...process.env, FLUXION_CACHE: join(root, 'cache') };
  return spawnSync(process.execPath, [launcher, ...args], { cwd: folder, encoding: 'utf8', env });
}
const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'base64')]),
  );

describe('fluxion build', () => {
  test('writes the same bytes wherever the project lies, and only when something has changed', () => {
    const [one, other] = [project('one'), project('other')];
    const first = fluxion(one, 'build', 'model.ts', '--json');
    expect([first.status, first.stderr]).toEqual([0, 'the model runs\n']);
    const { built, diagnostics } = JSON.parse(first.stdout);
    expect(diagnostics).toEqual([]);
    expect(built[0].sources).toEqual(['model.ts', 'scale.ts', 'seed.txt'].map((name) => join(one, name)));
    expect(fluxion(other, 'build', '--out', 'elsewhere').status).toBe(0);
    expect(contents(join(other, 'elsewhere'))).toEqual(contents(join(one, 'build')));
    expect(fluxion(one, 'build', 'model.ts').stdout).toBe('model.ts is unchanged\n');
    writeFileSync(join(one, 'seed.txt'), '8');
    expect(fluxion(one, 'build', 'model.ts').stdout).toMatch(/^model\.ts -> build: /);
    expect(contents(join(other, 'elsewhere'))).not.toEqual(contents(join(one, 'build')));
  });

  test('writes nothing for a model with mistakes, and tells them', () => {
    const folder = project('wrong');
    writeFileSync(
      join(folder, 'scale.ts'),
      "import type { Tensor } from 'fluxion';\nexport const scale = (x: Tensor): Tensor =>\n  x.matmul(x);\n",
    );
    const { status, stdout } = fluxion(folder, 'build', 'model.ts');
    expect([status, stdout.split('\n')[0]]).toEqual([
      1,
      'scale.ts:3:5 - error SHAPE: matmul: inner dimensions differ: [4,2] x [4,2] (contracting 2 with 4)',
    ]);
    expect(readdirSync(folder).sort()).toEqual(['model.ts', 'scale.ts', 'seed.txt']);
  });

  test('builds several files each by itself, and no two under one name', () => {
    const folder = project('several');
    mkdirSync(join(folder, 'more'));
    writeFileSync(join(folder, 'more', 'second.ts'), model.replace("'./scale.ts'", "'../scale.ts'").replace('seed.txt', '../seed.txt'));
    expect(fluxion(folder, 'build', '--out', 'out').status).toBe(0);
    const weights = ['model.js', 'second.js'].map((name) => /base64: '(.*)'/.exec(readFileSync(join(folder, 'out', name), 'utf8'))![1]);
    expect(weights[1]).toBe(weights[0]);
    writeFileSync(join(folder, 'more', 'Model.ts'), model);
    const { status, stderr } = fluxion(folder, 'build', 'model.ts', 'more/Model.ts', '--out', 'third');
    expect([status, stderr]).toEqual([2, 'fluxion: model.ts and more/Model.ts would both be written as Model.js\n']);
    expect(existsSync(join(folder, 'third'))).toBe(false);
  });

  test('leaves a folder alone that is not its own', () => {
    const folder = project('mine');
    const { status, stderr } = fluxion(folder, 'build', 'model.ts', '--out', '.');
    expect(status).toBe(2);
    expect(stderr).toMatch(/^fluxion: build: .* is not empty, and nothing in it says that fluxion wrote it; .*\n$/);
    expect(readdirSync(folder).sort()).toEqual(['model.ts', 'scale.ts', 'seed.txt']);
  });

  test('--watch builds again when an imported file changes', async () => {
    const folder = project('watched');
    const child = spawn(process.execPath, [launcher, 'build', 'model.ts', '--watch'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let told = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => {
        told += String(text);
      });
    const until = async (count: number): Promise<void> => {
      while (told.split('waiting for changes').length <= count) await new Promise((done) => setTimeout(done, 50));
    };
    try {
      await until(1);
      writeFileSync(
        join(folder, 'scale.ts'),
        "import type { Tensor } from 'fluxion';\nexport const scale = (x: Tensor): Tensor => x.nope();\n",
      );
      await until(2);
      expect(told).toContain('scale.ts:2:47 - error ERROR: TypeError: x.nope is not a function');
    } finally {
      child.kill();
      await new Promise((done) => child.once('exit', done));
    }
  });
});

test('fluxion check says nothing where nothing is wrong, and data where data are wanted', () => {
  const folder = project('checked');
  expect(fluxion(folder, 'check').stdout).toBe('1 function can be built\n');
  writeFileSync(join(folder, 'model.ts'), model.replace('scale(fc(rows))', 'rows.sum().itemSync()'));
  const { status, stdout } = fluxion(folder, 'check', 'model.ts', '--json');
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    built: [],
    diagnostics: [
      {
        file: join(folder, 'model.ts'),
        line: 9,
        column: 55,
        code: 'COMPILE',
        message: 'aot: it looks at a value, which is not there yet; choose with where() or cond(), or return the tensor',
      },
    ],
  });
});
