// Command lines that mean nothing, and help: in this process, since no user's program runs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { commands } from '../../compiler/cli/commands.ts';
import { main } from '../../compiler/cli/main.ts';
import { pipeline } from '../../compiler/passes/pipeline.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-arguments-'));
const program = join(folder, 'program.ts');
const broken = join(folder, 'broken.ir');
writeFileSync(program, '');
writeFileSync(broken, 'graph @g(%x: f32[2]) -> (%y: f32[2]) {\n  %y: f32[3] = neg(%x)\n}');
const several = join(folder, 'several.ir');
writeFileSync(several, ['one', 'two'].map((name) => `graph @${name}(%x: f32[2]) -> (%y: f32[2]) { %y: f32[2] = neg(%x) }`).join('\n'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function fluxion(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const out = vi.spyOn(console, 'log').mockImplementation(() => {});
  const err = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    const status = await main(args);
    return { status, stdout: out.mock.calls.join('\n'), stderr: err.mock.calls.join('\n') };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

const all = Object.keys(commands).join(', ');
const irOptions = '--stage, --diff, --device, --json, --dot, --mermaid, --html, --format, --help';
const allStages = ['recorded', ...pipeline.map((p) => p.name), 'loops', 'scheduled', 'joint', 'simplified', 'fused'].join(', ');

describe('a wrong command line is one line and exit code 2', () => {
  test.each([
    [['frobnicate'], `fluxion: there is no command 'frobnicate'; use ${all} or --help`],
    [['--frobnicate'], `fluxion: there is no option '--frobnicate'; use ${all} or --help`],
    [['toString'], `fluxion: there is no command 'toString'; use ${all} or --help`],
    [['ir'], 'fluxion: ir wants a FILE, as in `npx fluxion ir --stage fuse train.ts`'],
    [['ir', 'nowhere.ts'], 'fluxion: there is no file nowhere.ts'],
    [['ir', folder], `fluxion: ${folder} is not a file`],
    [['ir', '--size', program], `fluxion: ir has no option --size; it has ${irOptions}`],
    [['ir', '-x', program], `fluxion: ir has no option -x; it has ${irOptions}`],
    [['kernels', '--why=yes', program], 'fluxion: --why takes no value'],
    [['ir', program, '--stage'], `fluxion: --stage wants NAME: ${commands.ir!.options.stage!.help}`],
    [['ir', program, '3'], `fluxion: ir takes one FILE, not '3' too; arguments for ${program} go behind \`--\``],
    [['ir', '--stage', '-1', program], `fluxion: there is no stage '-1'; use ${allStages}`],
    [['ir', '--format', 'png', program], "fluxion: there is no format 'png'; use text, json, dot, mermaid, model-explorer, html"],
    [['ir', '--dot', '--json', program], 'fluxion: --json and --dot cannot be had at once'],
    [['ir', '--diff', '--dot', program], 'fluxion: --diff is text; --dot shows whole graphs'],
    [['ir', '--stage', 'loops', '--json', program], 'fluxion: loops are loop nests, no graph; --json is for graphs'],
    [['kernels', '--target', 'cuda', program], "fluxion: there is no target 'cuda'; use js or wasm or webgpu"],
    [['memory', '--device', 'tpu', program], "fluxion: there is no device 'tpu'; use js or wasm or webgpu"],
    [['doctor', program], `fluxion: doctor takes no FILE, not '${program}'`],
    [['ir', `${several}:three`], `fluxion: ${several} has no graph 'three'; it has one, two`],
  ])('%j', async (args, line) => {
    expect(await fluxion(...args)).toEqual({ status: 2, stdout: '', stderr: line });
  });

  test('a graph that does not parse names its place', async () => {
    const { status, stderr } = await fluxion('ir', broken);
    expect(stderr).toMatch(/^fluxion: .*broken\.ir:2:\d+$/);
    expect(status).toBe(2);
  });

  test('no command at all shows what there is', async () => {
    const { status, stdout, stderr } = await fluxion();
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Usage: fluxion COMMAND');
  });
});

test('help and version are for the asking', async () => {
  for (const help of ['--help', '-h', 'help']) {
    const { status, stdout } = await fluxion(help);
    expect(stdout).toContain('fluxion kernels FILE');
    expect(status).toBe(0);
  }
  expect(await fluxion('ir', '--help', 'any', 'thing')).toMatchObject({ status: 0, stdout: expect.stringContaining('--stage NAME') });
  expect((await fluxion('--version')).stdout).toMatch(/^\d+\.\d+\.\d+$/);
});
