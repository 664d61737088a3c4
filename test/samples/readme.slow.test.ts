// The training loop of the README, run as it stands there.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside the repository, so that `fluxion` means its sources.
const folder = mkdtempSync(join(root, 'test/samples/readme-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('learns the exclusive or', () => {
  const programs = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!);
  const program = programs.find((text) => text.includes('DataLoader'))!;
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
