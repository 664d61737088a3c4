// The `fluxion` command as users run it: a process of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { parseModule } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';

const launcher = fileURLToPath(new URL('../../compiler/cli/fluxion.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fluxion-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
function fluxion(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
  return spawnSync(process.execPath, [launcher, ...args], { cwd: folder, encoding: 'utf8', env });
}

write(
  'program.ts',
  `import { tensor } from 'fluxion';
const x = tensor([[1, 2], [3, 4]]);
for (let i = 0; i < 3; i++)
  console.log(x.add(i).mul(x).sum().itemSync());
`,
);
const recorded = `graph @program1(%0: slot f32, %1: f32[2,2]) -> (%5: f32[]) {
  %2: f32[2,2] = expand(%0) {shape: [2,2], at: [0,1]} loc("program.ts:4")
  %3: f32[2,2] = add(%1, %2) loc("program.ts:4")
  %4: f32[2,2] = mul(%3, %1) loc("program.ts:4")
  %5: f32[] = sum(%4) {axes: [0,1]} loc("program.ts:4")
}
`;

describe('fluxion ir', () => {
  test('prints each distinct graph once, with source lines; what the program prints goes to stderr', () => {
    const { status, stdout, stderr } = fluxion('ir', 'program.ts');
    expect(stdout).toBe(recorded);
    expect(stderr).toBe('30\n40\n50\n');
    expect(status).toBe(0);
  });

  test('--stage shows the graph after a pass', () => {
    const { stdout } = fluxion('ir', 'program.ts', '--stage', 'fuse');
    expect(stdout).toContain('= kernel(%0, %1) {name: "add_mul_sum_1", form: rows, space: [2,2], reduce: [0,1]}');
    expect(parseModule(stdout).map(({ name, graph }) => `${print(graph, { name })}\n`)).toEqual([stdout]);
  });

  test('what it prints is a file that it reads', () => {
    write('program.ir', recorded);
    expect(fluxion('ir', 'program.ir').stdout).toBe(recorded);
    const stages = ['program.ts', 'program.ir'].map((file) => fluxion('ir', file, '--stage=simplify').stdout);
    expect(stages[0]).toBe(stages[1]);
  });
});

test('fluxion kernels prints JavaScript, with costs as comments', () => {
  const { status, stdout } = fluxion('kernels', 'program.ts');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\/\/ program1: 1 kernel, 20 bytes moved, 12 flops\n\/\/ arena 0 bytes, lower bound 0 bytes\n/);
  expect(stdout).toContain('// launch 1: reads 16 bytes, writes 4 bytes, 12 flops\nfunction add_mul_sum_1(x, y, slots, fail) {\n');
  expect(() => new Function(stdout)).not.toThrow();
});

test.each(['ir', 'kernels'])('fluxion %s --json gives graphs and kernels as data', (command) => {
  const { stdout } = fluxion(command, '--json', 'program.ts');
  expect(JSON.parse(stdout)).toMatchObject({
    programs: [
      {
        graph: recorded.trimEnd(),
        kernels: [{ name: 'add_mul_sum_1', flops: 12, bytesRead: 16, bytesWritten: 4 }],
        arenaBytes: 0,
        liveBytes: 0,
      },
    ],
  });
});

test('--why tells what was kept apart, and why', () => {
  write(
    'two.ir',
    'graph @two(%x: f32[4,8]) -> (%b: f32[4], %c: f32[8]) { %b: f32[4] = sum(%x) {axes: [1]} %c: f32[8] = sum(%x) {axes: [0]} }',
  );
  expect(fluxion('kernels', '--why', 'two.ir').stdout).toMatch(/^\/\/ not fused \(values as at the stage dce\):\n\/\/ {3}\S.*b.*c/m);
  expect(fluxion('kernels', 'two.ir').stdout).not.toContain('not fused');
});

describe('the program that is looked at', () => {
  test('gets its arguments and runs to its end, promises and timers included', () => {
    write(
      'late.mjs',
      `import { tensor } from 'fluxion';
setTimeout(() => console.log(tensor([1]).add(tensor([1])).itemSync(), process.argv.slice(1).map((a) => a.split('/').at(-1))), 20);`,
    );
    const { status, stdout, stderr } = fluxion('ir', 'late.mjs', '--', '--epochs', '1');
    expect(stdout).toContain('add(');
    expect(stderr).toBe("2 [ 'late.mjs', '--epochs', '1' ]\n");
    expect(status).toBe(0);
  });

  test('may exit as it likes', () => {
    write('exits.ts', `import { tensor } from 'fluxion';\ntensor([1]).add(tensor([1])).itemSync();\nprocess.exit(7);`);
    const { status, stdout } = fluxion('ir', 'exits.ts');
    expect(stdout).toContain('add(');
    expect(status).toBe(7);
  });

  test('may fail: what it compiled until then is shown, and its error', () => {
    write(
      'fails.ts',
      `import { tensor } from 'fluxion';\ntensor([1]).add(tensor([1])).itemSync();\ntensor([1, 2]).add(tensor([1, 2, 3]));`,
    );
    const { status, stdout, stderr } = fluxion('ir', 'fails.ts');
    expect(stdout).toContain('add(');
    expect(stderr).toContain('ShapeError');
    expect(stderr).toContain('fails.ts:3');
    expect(status).toBe(1);
  });

  test('may compile nothing', () => {
    write('idle.ts', `import { tensor } from 'fluxion';\ntensor([1]).add(1);`);
    const { status, stdout, stderr } = fluxion('ir', 'idle.ts');
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr).toContain('compiled nothing; no value was looked at');
  });
});

test('help is for the asking, and its examples are commands that exist', () => {
  const { status, stdout } = fluxion('--help');
  expect(status).toBe(0);
  const names = [...stdout.matchAll(/^ {2}fluxion (\w+) FILE/gm)].map((m) => m[1]!);
  expect(names).toEqual(['ir', 'kernels']);
  for (const name of names) {
    const help = fluxion(name, '--help');
    expect(help.status).toBe(0);
    const [, example] = /^Example: npx fluxion (.*)$/m.exec(help.stdout)!;
    write('train.ts', `import { tensor } from 'fluxion';\ntensor([1]).add(1).itemSync();`);
    expect(fluxion(...example!.split(' ')).status).toBe(0);
  }
});
