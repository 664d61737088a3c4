// The walkthrough of ARCHITECTURE.md, followed to the letter in a copy of the repository: it type-checks, and the tests cover the new op.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { editsOf, root } from './document.ts';

const copy = mkdtempSync(join(tmpdir(), 'fluxion-add-an-op-'));
const edits = editsOf('How to add an op');

beforeAll(() => {
  for (const name of ['compiler', 'kernels', 'runtime', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts', '.ci'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  for (const { file, below, added } of edits) {
    const path = join(copy, file);
    const lines = readFileSync(path, 'utf8').split('\n');
    const at = lines.indexOf(below);
    if (at < 0) throw new Error(`${file} has no line\n${below}`);
    writeFileSync(path, lines.toSpliced(at + 1, 0, ...added).join('\n'));
  }
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test('the edited library type-checks', () => {
  expect(edits.map((e) => e.file)).toHaveLength(9);
  const config = { extends: './tsconfig.json', include: ['kernels', 'runtime', 'compiler'] };
  writeFileSync(join(copy, 'tsconfig.library.json'), JSON.stringify(config));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  expect(spawnSync(process.execPath, [tsc, '-p', 'tsconfig.library.json'], { cwd: copy, encoding: 'utf8' }).stdout).toBe('');
}, 120_000);

test('the suite tries the new op, though no test was written for it', () => {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--reporter=json', '-t', 'cbrt', 'test/ops', 'test/conformance'];
  const report = JSON.parse(execFileSync(process.execPath, args, { cwd: copy, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  expect(report.numFailedTests).toBe(0);
  expect(report.numPassedTests).toBeGreaterThanOrEqual(9);
}, 120_000);

test('it computes and differentiates', () => {
  writeFileSync(
    join(copy, 'use.ts'),
    `import { tensor } from 'fluxion';
const x = tensor([8, 27], { requiresGrad: true });
const y = x.cbrt();
y.sum().backward();
console.log(y.tolistSync(), x.grad);`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'use.ts'], { cwd: copy, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toBe('[ 2, 3 ] tensor([0.0833, 0.0370])\n');
}, 60_000);
