// What users do wrong with run.py: one clear line each, exit code 2, and nothing half written.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { F, nn, optim, type Tensor, zeros } from '../../compiler/index.ts';
import { exportedStep } from '../../compiler/scale/export.ts';
import { type StoredTensor, storedOf, writeSafetensors } from '../../runtime/safetensors.ts';
import { start } from './launch.ts';
import { python, runner } from './python.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-bad-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (file: string): string => join(folder, file);
const out = place('out');

describe.runIf(python !== undefined)('run.py', () => {
  beforeAll(() => {
    const model = new nn.Sequential(new nn.Linear(4, 3));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const step = (x: Tensor, y: Tensor) => {
      optimizer.zeroGrad();
      const loss = F.nllLoss(F.logSoftmax(model(x) as Tensor, 1), y);
      loss.backward();
      optimizer.step();
      return loss.detach();
    };
    const files = exportedStep(step, { example: { x: zeros([4, 4]), y: zeros([4], { dtype: 'int64' }) } });
    for (const [file, bytes] of files) writeFileSync(place(file), bytes);
    const f32 = (...shape: number[]): StoredTensor => storedOf('f32', shape, new Float32Array(shape.reduce((n, d) => n * d, 1)));
    const write = (file: string, tensors: Readonly<Record<string, StoredTensor>>): void =>
      writeFileSync(place(file), writeSafetensors(Object.entries(tensors)));
    const labels = (...values: number[]): StoredTensor => storedOf('i64', [values.length], BigInt64Array.from(values, BigInt));
    write('train.safetensors', { x: f32(8, 4), y: labels(0, 1, 2, 0, 1, 2, 0, 1) });
    write('labels.safetensors', { x: f32(8, 4), y: labels(0, 1, 2, 0, 1, 7, 0, 1) });
    write('few.safetensors', { x: f32(3, 4), y: labels(0, 1, 2) });
    write('uneven.safetensors', { x: f32(9, 4), y: labels(0, 1, 2, 0) });
    write('narrow.safetensors', { x: f32(8, 5), y: labels(0, 1, 2, 0, 1, 2, 0, 1) });
    write('no-y.safetensors', { x: f32(8, 4) });
    write('lacking.safetensors', { 'param:0.weight': f32(3, 4) });
    write('misshapen.safetensors', { 'param:0.weight': f32(3, 5), 'param:0.bias': f32(3) });
    writeFileSync(place('cut.safetensors'), readFileSync(place('init.safetensors')).subarray(0, -4));
    writeFileSync(place('text.mlir'), 'module {');
  });

  const state = ['--state', place('init.safetensors')];
  const data = ['--data', place('train.safetensors')];
  const step = place('step.mlir');
  test.each<[string, readonly string[], string]>([
    [
      'a state that is cut off',
      [step, '--state', place('cut.safetensors'), ...data],
      'cut.safetensors: no safetensors file: the header describes',
    ],
    [
      'a state that lacks a role',
      [step, '--state', place('lacking.safetensors'), ...data],
      'lacking.safetensors: no tensor "param:0.bias"',
    ],
    [
      'a state of other shapes',
      [step, '--state', place('misshapen.safetensors'), ...data],
      'param:0.weight: the step wants float32[3, 4], the file has float32[3, 5]',
    ],
    ['no state', [step, '--state', place('none.safetensors'), ...data], 'none.safetensors: No such file or directory'],
    ['a step that is none', [place('text.mlir'), ...state, ...data], 'text.mlir: no StableHLO text that this JAX reads'],
    ['no data', [step, ...state], '--data is missing: the step takes x float32[4, 4], y int64[4]'],
    ['data that lack an argument', [step, ...state, '--data', place('no-y.safetensors')], '--data: no rows are called "y"; there are x'],
    [
      'data of other widths',
      [step, ...state, '--data', place('narrow.safetensors')],
      'x: the step wants rows of float32[4], the data have float32[5]',
    ],
    ['data of fewer rows than a batch', [step, ...state, '--data', place('few.safetensors')], 'x: a batch takes 4 rows, the data have 3'],
    [
      'data of different lengths',
      [step, ...state, '--data', place('uneven.safetensors')],
      'the data have different numbers of rows: x 9, y 4',
    ],
    ['a mesh larger than the devices', [step, ...state, ...data, '--mesh', 'data=4'], 'the mesh data=4 needs 4 devices, 1 are here'],
    ['a mesh that is none', [step, ...state, ...data, '--mesh', 'data'], '--mesh data: write it as data=4,model=2'],
    ['a rule that matches nothing', [step, ...state, ...data, '--shard', 'fc.*=data'], 'no argument is called fc.*; there are'],
    ['a rate that is no arithmetic', [step, ...state, ...data, '--lr', '__import__("os").system("true")'], 'is none of numbers'],
    ['a rate by an unknown name', [step, ...state, ...data, '--lr', 'head=0.1'], '--lr head=0.1: there is no rate head; there are lr'],
    ['a number of steps that is none', [step, ...state, ...data, '--steps', '0'], '--steps must be positive'],
  ])(
    '%s',
    async (_, args, message) => {
      const { code, output } = await start([...args, '--out', out], 1).ended;
      expect(output).toContain(`run.py: `);
      expect(output).toContain(message);
      expect(output.trim().split('\n')).toHaveLength(1);
      expect(code).toBe(2);
      expect(existsSync(join(out, 'final.safetensors'))).toBe(false);
    },
    60_000,
  );

  test('a folder that is none', async () => {
    const { code, output } = await start([step, ...state, ...data, '--steps', '1', '--out', step], 1).ended;
    expect([code, output.trim()]).toEqual([2, `run.py: --out ${step}: File exists`]);
  }, 60_000);

  test('without room on the disk, the file and the bytes that are needed are named, and no part of a file stays', async () => {
    const full = place('full');
    // No process below may make a file any longer than nothing, which is what a full disk comes to.
    const line = ['ulimit -f 0; exec "$0" "$@"', python!, runner, step, ...state, ...data, '--steps', '1', '--out', full];
    const { code, output } = await new Promise<{ code: number; output: string }>((done) => {
      execFile('bash', ['-c', ...line], { env: { ...process.env, JAX_PLATFORMS: 'cpu' } }, (error, stdout, stderr) =>
        done({ code: Number(error?.code ?? 0), output: stdout + stderr }),
      );
    });
    expect(output).toMatch(/run\.py: .*final\.safetensors: .* \(\d+ bytes are needed\)/);
    expect(code).toBe(2);
    expect(readdirSync(full)).toEqual([]);
  }, 60_000);

  test('a label out of range is named with its place and its limit', async () => {
    const { code, output } = await start([step, ...state, '--data', place('labels.safetensors'), '--steps', '2', '--out', out], 1).ended;
    expect(output).toContain('run.py: batch:y: 7 at [1] of its rows is out of bounds: it must lie in 0..2');
    expect(code).toBe(2);
  }, 60_000);
});

test.runIf(python !== undefined)('without JAX there is one line that says what to install', async () => {
  const output = await new Promise<string>((done) => {
    execFile(python!, ['-I', '-S', runner], { env: {} }, (_, stdout, stderr) => done(stdout + stderr));
  });
  expect(output.trim()).toMatch(/^run\.py: No module named '\w+'; install what requirements\.txt lists: pip install -r requirements\.txt$/);
});
