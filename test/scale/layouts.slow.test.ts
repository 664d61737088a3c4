// One text of a step in every layout: the same training on one device, on eight, in two processes, and after a process was killed.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { F, manualSeed, nn, optim, type Tensor, zeros } from '../../compiler/index.ts';
import { draws } from '../../compiler/inspect/data.ts';
import { exportedStep } from '../../compiler/scale/export.ts';
import { mesh } from '../../compiler/scale/index.ts';
import { elementsOf, readSafetensors, storedOf, writeSafetensors } from '../../runtime/safetensors.ts';
import { freePort, launch, lossesOf, member, start } from './launch.ts';
import { python } from './python.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-layouts-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (file: string): string => join(folder, file);
const common = [
  place('step.mlir'),
  '--state',
  place('init.safetensors'),
  '--data',
  place('train.safetensors'),
  '--log-every',
  '1',
  '--explain',
];
const steps = 6;

/** Megatron's cut of two layers. */
const tensorParallel = ['--shard', '0.weight=model', '--shard', '0.bias=model', '--shard', '2.weight=,model'];
/** All of the state in parts, gathered where it is used. */
const sharded = ['--shard', '0.weight=data', '--shard', '0.bias=data', '--shard', '2.weight=,data'];

function finalState(out: string): ReadonlyMap<string, Float32Array> {
  const { tensors } = readSafetensors(new Uint8Array(readFileSync(join(out, 'final.safetensors'))));
  return new Map([...tensors].map(([role, t]) => [role, elementsOf(t)!.elements as Float32Array]));
}

describe.runIf(python !== undefined)('the same training', () => {
  let single: ReadonlyMap<string, Float32Array>;
  let losses: ReadonlyMap<number, number>;

  beforeAll(async () => {
    manualSeed(5);
    const model = new nn.Sequential(new nn.Linear(24, 32), new nn.ReLU(), new nn.Linear(32, 8));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
    const step = (x: Tensor, y: Tensor) => {
      optimizer.zeroGrad();
      const loss = F.mseLoss(model(x) as Tensor, y);
      loss.backward();
      optimizer.step();
      return loss.detach();
    };
    const files = exportedStep(step, { example: { x: zeros([16, 24]), y: zeros([16, 8]) }, mesh: mesh({ data: 1 }) });
    for (const [file, bytes] of files) writeFileSync(place(file), bytes);
    const draw = draws(9);
    const rows = (width: number) =>
      storedOf(
        'f32',
        [64, width],
        Float32Array.from({ length: 64 * width }, () => draw() - 0.5),
      );
    writeFileSync(place('train.safetensors'), writeSafetensors([['x', rows(24)] as const, ['y', rows(8)] as const]));
    const out = place('single');
    losses = lossesOf(await launch([...common, '--steps', String(steps), '--out', out]));
    single = finalState(out);
  }, 120_000);

  /** Orders of summation differ, and so do last bits. */
  function agrees(out: string): void {
    for (const [role, got] of finalState(out)) {
      const want = single.get(role)!;
      got.forEach((v, i) => void expect(Math.abs(v - want[i]!), `${role}[${i}]`).toBeLessThan(1e-6));
    }
  }

  test.each<[string, string, readonly string[], RegExp]>([
    ['data over 8 devices', 'data=8', [], /collectives per step: 1 all-reduce\n/],
    ['layers over 8 devices', 'model=8', tensorParallel, /collectives per step: 1 all-reduce\n/],
    ['data over 4, layers over 2', 'data=4,model=2', tensorParallel, /collectives per step: 2 all-reduce\n/],
    ['data and all of the state over 8', 'data=8', sharded, /all-gather/],
  ])(
    '%s',
    async (title, grid, rules, collectives) => {
      const out = place(title.replaceAll(/\W/g, '-'));
      const output = await launch([...common, '--mesh', grid, ...rules, '--steps', String(steps), '--out', out], 8);
      expect(output).toMatch(collectives);
      agrees(out);
    },
    60_000,
  );

  test.each([
    ['two processes', 1, 'data=2', [] as string[]],
    ['two processes of two devices', 2, 'data=2,model=2', tensorParallel],
  ])(
    '%s',
    async (title, devices, grid, rules) => {
      const out = place(title.replaceAll(' ', '-'));
      const port = await freePort();
      const run = (i: number) =>
        launch([...common, '--mesh', grid, ...rules, '--steps', String(steps), '--out', out, ...member(port, 2, i)], devices);
      const [first, second] = await Promise.all([run(0), run(1)]);
      expect(first).toContain('2 processes');
      expect(second).not.toContain('loss');
      agrees(out);
    },
    120_000,
  );

  test('several steps in one launch', async () => {
    const out = place('launches');
    await launch([...common, '--mesh', 'data=2', '--steps', String(steps), '--steps-per-launch', '4', '--out', out], 2);
    agrees(out);
  }, 60_000);

  test('interrupted, and taken up at the last checkpoint', async () => {
    const out = place('resumed');
    await launch([...common, '--steps', '4', '--save-every', '2', '--out', out]);
    writeFileSync(join(out, 'checkpoint-000000009.safetensors'), 'cut off');
    const output = await launch([...common, '--steps', String(steps), '--resume', '--out', out]);
    expect(output).toMatch(/no safetensors file.*taking the one before/);
    expect(output).toContain('checkpoint-000000004.safetensors at step 4');
    expect([...lossesOf(output)]).toEqual([...losses].slice(4));
    for (const [role, got] of finalState(out)) expect([...got], role).toEqual([...single.get(role)!]);
  }, 60_000);

  test('a killed process ends the other within the heartbeat, and training resumes to the same losses', async () => {
    const out = place('killed');
    mkdirSync(out);
    writeFileSync(
      place('slow.py'),
      `import sys, time
sys.path.insert(0, ${JSON.stringify(folder)})
import numpy as np
from run import read_safetensors
rows, _ = read_safetensors(${JSON.stringify(place('train.safetensors'))})
def next_batch(step, part):
    time.sleep(0.3)
    lo = step % 4 * 16
    return {name: rows[name][lo + part.start:lo + part.stop] for name in ('x', 'y')}
`,
    );
    writeFileSync(place('run.py'), readFileSync(new URL('../../compiler/scale/run.py', import.meta.url)));
    const port = await freePort();
    const args = [
      ...common.slice(0, 3),
      '--data',
      `${place('slow.py')}:next_batch`,
      '--log-every',
      '1',
      '--mesh',
      'data=2',
      '--steps',
      '400',
      '--save-every',
      '2',
      '--out',
      out,
    ];
    const members = [0, 1].map((i) => start([...args, '--heartbeat', '10', ...member(port, 2, i)], 1));
    for (let waited = 0; !/step 4 /.test(members[0]!.output()); waited++) {
      if (waited > 300) throw new Error(`no progress: ${members.map((m) => m.output()).join('\n')}`);
      await sleep(200);
    }
    members[1]!.child.kill('SIGKILL');
    const since = Date.now();
    const ended = await members[0]!.ended;
    expect(ended.code).not.toBe(0);
    expect(Date.now() - since).toBeLessThan(60_000);
    const checked = await launch([...common, '--resume', '--check', '--out', out]);
    const done = Number(/at step (\d+)/.exec(checked)![1]);
    expect(done).toBeGreaterThanOrEqual(4);
    const until = ['--steps', String(done + 3)];
    const resumed = lossesOf(await launch([...common, ...until, '--resume', '--out', out]));
    const whole = lossesOf(await launch([...common, ...until, '--out', place('whole')]));
    expect(resumed.size).toBe(3);
    for (const [k, loss] of resumed) expect(Math.abs(loss - whole.get(k)!), `step ${k}`).toBeLessThan(1e-6);
  }, 180_000);
});
