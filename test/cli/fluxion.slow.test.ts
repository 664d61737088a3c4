// The `fluxion` command as users run it: a process of its own.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encode as encodePng } from 'fast-png';
import { afterAll, describe, expect, test } from 'vitest';
import { helpOf } from '../../compiler/cli/arguments.ts';
import { commands } from '../../compiler/cli/commands.ts';
import { parseModule } from '../../compiler/ir/parse.ts';
import { print } from '../../compiler/ir/print.ts';

const launcher = fileURLToPath(new URL('../../compiler/cli/fluxion.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fluxion-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
function fluxion(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
  return spawnSync(process.execPath, [launcher, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...env, FLUXION_CACHE: join(folder, 'cache') },
  });
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
  const { status, stdout } = fluxion('kernels', '--target', 'js', 'program.ts');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\/\/ program1: 1 kernel, 20 bytes moved, 12 flops\n\/\/ arena 0 bytes, lower bound 0 bytes\n/);
  expect(stdout).toContain(
    '// launch 1: reads 16 bytes, writes 4 bytes, 12 flops, 0.60 flops per byte\nfunction add_mul_sum_1(x, y, slots, fail) {\n',
  );
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
  expect(fluxion('kernels', '--why', '--target', 'js', 'two.ir').stdout).toMatch(
    /^\/\/ not fused \(values as at the stage dce\):\n\/\/ {3}\S.*b.*c/m,
  );
  expect(fluxion('kernels', 'two.ir').stdout).not.toContain('not fused');
});

describe('a name behind the file', () => {
  test('of a program is an exported function: what it compiles is shown, and nothing else', () => {
    write(
      'exports.ts',
      `import { tensor } from 'fluxion';\ntensor([1]).add(1).itemSync();\nexport const step = () => tensor([2]).exp().itemSync();\nexport const size = 3;`,
    );
    const { status, stdout } = fluxion('ir', 'exports.ts:step');
    expect(stdout.match(/^graph @/gm)).toHaveLength(1);
    expect(stdout).toContain('exp(');
    expect(status).toBe(0);
    expect(fluxion('ir', 'exports.ts:size')).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining("exports.ts exports no function 'size'; it has step"),
    });
    expect(fluxion('ir', 'exports.ts:pace').stderr).toContain("exports.ts has no export 'pace'; it has step");
  });

  test('of an .ir file is a graph', () => {
    expect(fluxion('ir', 'program.ir:program1').stdout).toBe(recorded);
  });
});

test('fluxion kernels --target shows the code for another target than the one it ran on', () => {
  const { status, stdout } = fluxion('kernels', '--target', 'wasm', 'program.ts');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^;; program1: 1 kernel/);
  expect(stdout).toContain('(func $add_mul_sum_1 ');
});

test('fluxion profile writes a trace that is one JSON document', () => {
  const { status, stdout } = fluxion('profile', '--trace', 'trace.json', '--device', 'wasm', 'program.ts');
  expect(status).toBe(0);
  expect(stdout).toMatch(/program1 .* 3 runs\n {2}add_mul_sum_1 .* 3 launches\n/);
  const { traceEvents } = JSON.parse(readFileSync(join(folder, 'trace.json'), 'utf8')) as { traceEvents: { ph: string }[] };
  expect(traceEvents.filter((e) => e.ph === 'X')).toHaveLength(6);
});

test('fluxion bisect says whether results are right, as an exit code too', () => {
  expect(fluxion('bisect', 'program.ts')).toMatchObject({ status: 0, stdout: 'program1: agrees with the float64 reference\n' });
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

/** What the examples are about. Those that build and export come first in the table, and leave what others read. */
const subjects: Readonly<Record<string, string>> = {
  'train.ts': `import { tensor } from 'fluxion';\ntensor([1]).add(1).itemSync();`,
  'model.ts': `import { aot, spec, type Tensor } from 'fluxion';\nexport const brightness = aot((image: Tensor) => image.mean(), { inputs: { image: spec([1, 2, 4]) } });`,
  'step.ts': `import { optim, type Tensor, tensor, nn } from 'fluxion';
import { exportStep } from 'fluxion/scale';
const net = new nn.Linear(2, 1);
const sgd = new optim.SGD(net.parameters(), { lr: 0.1 });
const step = (x: Tensor) => {
  sgd.zeroGrad();
  const loss = net(x).square().mean();
  loss.backward();
  sgd.step();
  return { loss: loss.detach() };
};
await exportStep(step, { example: { x: tensor([[1, 2]]) } });`,
};

test.each(Object.entries(commands))('the example in the help of %s is a command line that works', (name, command) => {
  for (const [file, text] of Object.entries(subjects)) write(file, text);
  writeFileSync(join(folder, 'digit.png'), encodePng({ width: 4, height: 2, channels: 1, data: new Uint8Array(8) }));
  // What training on JAX leaves is of the kind that it begins with.
  if (name === 'import') copyFileSync(join(folder, 'run/init.safetensors'), join(folder, 'run/final.safetensors'));
  const [, example] = /^Example: npx fluxion (.*)$/m.exec(helpOf(name, command))!;
  expect(fluxion(...example!.split(' '))).toMatchObject({ status: 0 });
});

test('help lists all commands', () => {
  const { status, stdout } = fluxion('--help');
  expect(status).toBe(0);
  expect([...stdout.matchAll(/^ {2}fluxion (\w+)/gm)].map((m) => m[1])).toEqual(Object.keys(commands));
});
