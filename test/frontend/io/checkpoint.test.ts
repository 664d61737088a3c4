// Checkpoints: training that is resumed computes the bits of training that never stopped.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  compile,
  F,
  FormatError,
  io,
  KeyError,
  loadCheckpoint,
  manualSeed,
  nn,
  optim,
  rand,
  ShapeError,
  saveCheckpoint,
  type Tensor,
  tensor,
} from '../../../compiler/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'run.safetensors');

const optimizers = {
  sgd: (params: Iterable<Tensor>) => new optim.SGD(params, { lr: 0.05, momentum: 0.9 }),
  adam: (params: Iterable<Tensor>) => new optim.Adam(params, { lr: 0.01, amsgrad: true }),
  adamW: (params: Iterable<Tensor>) => new optim.AdamW(params, { lr: 0.01 }),
} as const;

/** A small network with statistics and dropout, its optimiser, and a step on random data; seeded as asked. */
function training(seed: number, kind: keyof typeof optimizers, isCompiled = false) {
  manualSeed(seed);
  const model = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Dropout(0.3), new nn.Linear(8, 1));
  const optimizer = optimizers[kind](model.parameters());
  const scheduler = new optim.StepLR(optimizer, 3, { gamma: 0.7 });
  const forward = (x: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = F.mseLoss(model(x) as Tensor, x.sum(1, { keepdim: true }));
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  const step = isCompiled ? compile(forward) : forward;
  const losses = (count: number): number[] =>
    Array.from({ length: count }, () => {
      const loss = step(rand([6, 4])).itemSync();
      scheduler.step();
      return loss;
    });
  return { model, losses, parts: { model, optimizer, scheduler } };
}

const weights = (model: nn.Module): object =>
  Object.fromEntries(Object.entries(model.stateDict()).map(([name, t]) => [name, [...t.dataSync()]]));

test.each([
  ['sgd', false],
  ['adam', false],
  ['adamW', true],
] as const)('20 steps are 10 and 10 more (%s, compiled: %s)', async (kind, isCompiled) => {
  const whole = training(1, kind, isCompiled);
  const expected = whole.losses(20);
  const first = training(1, kind, isCompiled);
  expect(first.losses(10)).toEqual(expected.slice(0, 10));
  await saveCheckpoint(file, { ...first.parts, step: 10, extra: { best: Number.POSITIVE_INFINITY, names: ['a'], none: null } });
  const resumed = training(2, kind, isCompiled);
  resumed.losses(3);
  expect(await loadCheckpoint(file, resumed.parts)).toEqual({
    step: 10,
    extra: { best: Number.POSITIVE_INFINITY, names: ['a'], none: null },
  });
  expect(resumed.losses(10)).toEqual(expected.slice(10));
  expect(weights(resumed.model)).toEqual(weights(whole.model));
});

test('saving changes nothing: a run that saves goes on like one that does not', async () => {
  const plain = training(3, 'adam').losses(6);
  const saving = training(3, 'adam');
  const losses: number[] = [];
  for (let i = 0; i < 6; i++) {
    losses.push(...saving.losses(1));
    await saveCheckpoint(file, saving.parts);
  }
  expect(losses).toEqual(plain);
});

test('parts that are not asked for stay as they are, those that are not there are missed', async () => {
  const run = training(1, 'adam');
  run.losses(2);
  await saveCheckpoint(file, { model: run.model });
  const other = training(2, 'adam');
  await loadCheckpoint(file, { model: other.model });
  expect(weights(other.model)).toEqual(weights(run.model));
  await expect(loadCheckpoint(file, other.parts)).rejects.toThrow('loadCheckpoint: the checkpoint has no optimizer');
  expect(await loadCheckpoint(file)).toEqual({});
});

test('a checkpoint that does not fit changes nothing', async () => {
  const run = training(1, 'adam');
  run.losses(2);
  await saveCheckpoint(file, run.parts);
  const other = training(2, 'adam');
  other.losses(1);
  const before = weights(other.model);
  const misfit = new optim.Adam([{ params: [other.model.parameters()[0]!] }]);
  await expect(loadCheckpoint(file, { model: other.model, optimizer: misfit })).rejects.toThrow('parameters');
  expect(weights(other.model)).toEqual(before);
  await expect(loadCheckpoint(file, { model: new nn.Linear(4, 8) })).rejects.toThrow(KeyError);
  const wider = new nn.Sequential(new nn.Linear(5, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Dropout(0.3), new nn.Linear(8, 1));
  await expect(loadCheckpoint(file, { model: wider })).rejects.toThrow(ShapeError);
});

test('another file, or a damaged one, is refused', async () => {
  await expect(loadCheckpoint(await io.encodeSafetensors({ x: tensor([1]) }))).rejects.toThrow(
    'the file is no checkpoint; use load() for other files',
  );
  const run = training(1, 'sgd');
  await saveCheckpoint(file, run.parts);
  const bytes = readFileSync(file);
  await expect(loadCheckpoint(bytes.subarray(0, -1), run.parts)).rejects.toThrow(FormatError);
});

test('a scheduler that waits for the best loss remembers that there was none', async () => {
  const net = new nn.Linear(1, 1);
  const optimizer = new optim.SGD(net.parameters(), { lr: 1 });
  const bytes = await io.encodeCheckpoint({ scheduler: new optim.ReduceLROnPlateau(optimizer) });
  const scheduler = new optim.ReduceLROnPlateau(optimizer);
  scheduler.step(3);
  await loadCheckpoint(bytes, { scheduler });
  expect(scheduler.stateDict()).toMatchObject({ best: Number.POSITIVE_INFINITY });
});
