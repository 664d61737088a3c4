// `fluxion explain` as users run it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const launcher = fileURLToPath(new URL('../../compiler/cli/fluxion.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fluxion-explain-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function explained(program: string, ...options: string[]): { status: number | null; stdout: string } {
  writeFileSync(join(folder, 'program.ts'), program);
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
  return spawnSync(process.execPath, [launcher, 'explain', 'program.ts', ...options], { cwd: folder, encoding: 'utf8', env });
}

const program = `import { compile, ones, tensor } from 'fluxion';
const f = compile(function sign(x) {
  return x.sum().gt(0).itemSync() ? x.mul(2) : x.neg();
});
for (const x of [tensor([1]), tensor([-1]), ones([2])]) console.log(f(x).tolistSync());
`;

test('it tells specialisations, branches with their lines, and re-traces', () => {
  const { status, stdout } = explained(program);
  expect(stdout).toMatch(/^compile\(sign\) at program\.ts:2: 3 calls, 3 traces, 2 specialisations\n/);
  expect(stdout).toContain('args[0]: float32[1]\n');
  expect(stdout).toContain('looks at a number at program.ts:3\n');
  expect(stdout).toContain('re-trace in call 2:\n  saw 0 for the first time, after 1 at program.ts:3\n');
  expect(stdout).toContain('re-trace in call 3:\n  0: size of dimension 0 of args[0]: expected 1, got 2\n');
  expect(status).toBe(0);
});

test('--json prints the same as data', () => {
  const { functions } = JSON.parse(explained(program, '--json').stdout) as { functions: { name: string; traces: number }[] };
  expect(functions).toHaveLength(1);
  expect(functions[0]).toMatchObject({ name: 'sign', calls: 3, traces: 3 });
});

test('a program without compiled functions is told so', () => {
  expect(explained(`import { ones } from 'fluxion'; console.log(ones([2]).sum().itemSync());`).stdout).toMatch(/compiles no function/);
});
