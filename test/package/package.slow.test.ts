import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Project, packedFiles, project, root, tarball } from './project.ts';

vi.setConfig({ testTimeout: 240_000 }); // Each starts processes, and bundles hundreds of modules.

let user: Project;
beforeAll(() => {
  user = project();
}, 240_000);
afterAll(() => user?.remove());

/** A tool of the checkout. */
const tool = (path: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'node_modules', path), ...args], { cwd: user.folder, encoding: 'utf8' });

test('the package holds its code, declarations and sources, and nothing else', () => {
  const packed = packedFiles();
  const folders = new Set(packed.map((path) => path.split('/')[0]));
  expect([...folders].sort()).toEqual(['LICENSE', 'README.md', 'compiler', 'dist', 'kernels', 'package.json', 'runtime']);
  const others = packed.filter((path) => !/\.(ts|js|map|mjs|json|md)$|LICENSE$/.test(path));
  expect(others).toEqual(['compiler/scale/run.py']); // What runs an exported step on JAX.
  expect(packed.filter((path) => path.includes('.test.'))).toEqual([]);
});

test('publint has nothing to say', () => {
  const { status, stdout } = tool('publint/src/cli.js', tarball(), '--strict', '--level', 'suggestion');
  expect(stdout).toContain('All good!');
  expect(status).toBe(0);
});

test('the types are right for each way of resolving modules that knows ES modules', () => {
  const { status, stdout } = tool('@arethetypeswrong/cli/dist/index.js', tarball(), '--profile', 'esm-only', '--no-color');
  expect(stdout).toContain('"fluxion/runtime"');
  expect(status, stdout).toBe(0);
});

test('the JIT door opens from plain JavaScript, and computes', () => {
  const { status, stdout, stderr } = user.node(
    '--input-type=module',
    '-e',
    `import { tensor, compile } from 'fluxion';\nconsole.log(compile((x) => x.mul(2).add(1))(tensor([1, 2, 3])));`,
  );
  expect(stderr).toBe('');
  expect(stdout).toBe('tensor([3., 5., 7.])\n');
  expect(status).toBe(0);
});

test('the door of artifacts opens without the compiler', () => {
  const { stdout, stderr } = user.node('--input-type=module', '-e', `console.log(Object.keys(await import('fluxion/runtime')).length > 0)`);
  expect(stderr).toBe('');
  expect(stdout).toBe('true\n');
});

test('a strict TypeScript program sees the types', () => {
  user.write({
    'typed.ts': `import { tensor } from 'fluxion';\nimport * as runtime from 'fluxion/runtime';\nconst t: number = tensor([1, 2]);\nvoid runtime;\n`,
  });
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,esnext.disposable,dom'];
  const { status, stdout } = tool('typescript/bin/tsc', ...options, '--types', '', 'typed.ts');
  // The one error shows that `tensor` has a type of its own; a missing declaration would make it `any`, and no error.
  expect(stdout).toMatch(/^typed\.ts\(3,7\): error TS2322: Type 'Tensor' is not assignable to type 'number'/);
  expect(stdout.match(/error/g)).toHaveLength(1);
  expect(status).not.toBe(0);
});

test('the command line inspects a program in JavaScript', () => {
  user.write({ 'program.js': `import { tensor } from 'fluxion';\nconsole.log(tensor([1, 2]).add(1).dataSync());\n` });
  const { status, stdout } = user.fluxion('ir', 'program.js');
  expect(stdout).toContain('graph @');
  expect(status).toBe(0);
});

test('and in TypeScript of several files, where the project has no loader for it', () => {
  user.write({
    'src/program.ts': [
      `import { tensor } from 'fluxion';`,
      `import { scale } from './scale.js';`,
      `import { Kind } from './kind';`,
      `const x = tensor([1, 2]) as ReturnType<typeof tensor>;`,
      `console.log(scale(x, Kind.twice).dataSync());`,
    ].join('\n'),
    'src/scale.ts': `import type { Tensor } from 'fluxion';\n\nexport const scale = (x: Tensor, by: number): Tensor => x.mul(by);\n`,
    'src/kind.ts': `export enum Kind {\n  twice = 2,\n}\n`,
  });
  const { status, stdout, stderr } = user.fluxion('ir', 'src/program.ts');
  expect(stderr).toMatch(/^Float32Array.*2, 4/);
  expect(stdout).toContain('scale.ts:3');
  expect(status).toBe(0);
});

test('a mistake in such a program is told at its line', () => {
  user.write({ 'wrong.ts': `import { ones } from 'fluxion';\n\ntype N = number;\nconst n: N = 3;\nones([2, n]).add(ones([2]));\n` });
  const { status, stderr } = user.fluxion('ir', 'wrong.ts');
  expect(stderr).toMatch(/wrong\.ts:5/);
  expect(status).toBe(1);
});

test('a model is built by the command line, and the module runs without the compiler', () => {
  user.write({
    'model.ts': `import { aot, nn, noGrad, spec, type Tensor } from 'fluxion';
const twice = new nn.Linear(1, 1);
noGrad(() => {
  twice.weight.fill_(2);
  twice.bias!.fill_(1);
});
/** Twice the number and one. */
export const f = aot((x: Tensor) => twice(x), { inputs: { x: spec([3, 1]) } });
`,
    'run.js': `import { f, load } from './built/model.js';\nawait load();\nconsole.log(String(f(new Float32Array([1, 2, 3]))));\n`,
  });
  const built = user.fluxion('build', 'model.ts', '--out', 'built');
  expect(built.stderr).toBe('');
  expect(built.stdout).toContain('model.wasm.js');
  const ran = user.node('run.js');
  expect(ran.stderr).toBe('');
  expect(ran.stdout).toBe('3,5,7\n');
});
