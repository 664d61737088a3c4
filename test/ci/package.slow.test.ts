import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const npm = process.env.npm_execpath;
const runNpm = (args: string[], cwd: string): string =>
  npm === undefined
    ? execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], shell: process.platform === 'win32' })
    : execFileSync(process.execPath, [npm, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const work = mkdtempSync(join(tmpdir(), 'fluxion-package-'));
/** The folder of a user who installed the package from its tarball. */
const user = join(work, 'user');
let packed: readonly string[];

beforeAll(() => {
  // The package is put together in a copy: the checkout may hold a dist of its own.
  const staging = join(work, 'staging');
  mkdirSync(staging);
  for (const name of ['package.json', 'LICENSE', 'compiler', 'kernels', 'runtime'])
    cpSync(join(root, name), join(staging, name), { recursive: true });
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', join(staging, 'dist')], { stdio: 'inherit' });
  const [tarball] = JSON.parse(runNpm(['pack', '--json', '--ignore-scripts'], staging)) as {
    filename: string;
    files: { path: string }[];
  }[];
  packed = tarball!.files.map(({ path }) => path);

  mkdirSync(user);
  writeFileSync(join(user, 'package.json'), '{ "name": "user", "private": true, "type": "module" }');
  runNpm(['install', '--offline', '--no-audit', '--no-fund', join(staging, tarball!.filename)], user);
}, 120_000);
afterAll(() => rmSync(work, { recursive: true, force: true }));

function node(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: user, encoding: 'utf8' });
}

test('the package holds its code, declarations and sources, and nothing else', () => {
  const folders = new Set(packed.map((path) => path.split('/')[0]));
  expect([...folders].sort()).toEqual(['LICENSE', 'compiler', 'dist', 'kernels', 'package.json', 'runtime']);
  expect(packed.filter((path) => path.includes('.test.'))).toEqual([]);
});

test('both doors open from plain JavaScript', () => {
  const names = `console.log(JSON.stringify([Object.keys(await import('fluxion')), Object.keys(await import('fluxion/runtime'))]))`;
  const { stdout, stderr } = node('--input-type=module', '-e', names);
  expect(stderr).toBe('');
  const [main, runtime] = JSON.parse(stdout) as [string[], string[]];
  expect(main).toEqual(expect.arrayContaining(['tensor', 'compile', 'nn', 'F']));
  expect(runtime.length).toBeGreaterThan(0);
});

test('a strict TypeScript program sees the types', () => {
  writeFileSync(
    join(user, 'program.ts'),
    `import { tensor } from 'fluxion';\nimport * as runtime from 'fluxion/runtime';\nconst t: number = tensor([1, 2]);\nvoid runtime;\n`,
  );
  const { status, stdout } = node(
    tsc,
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--lib',
    'es2023,esnext.disposable,dom',
    'program.ts',
  );
  // The one error shows that `tensor` has a type of its own; a missing declaration would make it `any`, and no error.
  expect(stdout).toMatch(/^program\.ts\(3,7\): error TS2322: Type 'Tensor' is not assignable to type 'number'/);
  expect(stdout.match(/error/g)).toHaveLength(1);
  expect(status).not.toBe(0);
});

test('the command line runs from the package', () => {
  writeFileSync(join(user, 'program.js'), `import { tensor } from 'fluxion';\nconsole.log(tensor([1, 2]).add(1).dataSync());\n`);
  const { status, stdout } = node(join(user, 'node_modules/fluxion/compiler/cli/fluxion.mjs'), 'ir', 'program.js');
  expect(stdout).toContain('graph @');
  expect(status).toBe(0);
});
