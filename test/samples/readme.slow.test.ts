// Programs of the README, run as they stand there.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside the repository, so that `fluxion` means its sources.
const folder = mkdtempSync(join(root, 'test/samples/readme-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const blocks = (language: string): string[] =>
  [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(([, l]) => l === language)
    .map(([, , text]) => text!);

test('the training loop learns the exclusive or', () => {
  const program = blocks('ts').find((text) => text.includes('DataLoader'))!;
  writeFileSync(join(folder, 'main.ts'), `import { manualSeed } from 'fluxion';\nmanualSeed(0);\n${program}`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', join(folder, 'main.ts')], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const losses = stdout
    .trim()
    .split('\n')
    .map((line) => Number(line.split(' ')[1]));
  expect(losses).toHaveLength(5);
  expect(losses[0]).toBeGreaterThan(0.5);
  expect(losses[4]).toBeLessThan(0.02);
}, 60_000);

test('the model is built, and its module called', () => {
  writeFileSync(join(folder, 'model.ts'), blocks('ts').find((text) => text.includes('aot('))!);
  const use = blocks('js').find((text) => text.includes('./built/model.js'))!;
  writeFileSync(join(folder, 'use.ts'), `${use}\nconsole.log(probabilities.length, probabilities.reduce((a, b) => a + b).toFixed(3));`);
  const run = (...args: string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  const built = run(join(root, 'compiler/cli/fluxion.mjs'), 'build', 'model.ts', '--out', 'built');
  expect([built.status, built.stderr]).toEqual([0, '']);
  const { status, stdout, stderr } = run('--import', 'tsx', 'use.ts');
  expect(stderr).toBe('');
  expect([status, stdout]).toEqual([0, '10 1.000\n']);
}, 60_000);
