// What cannot be exported: said in the user's words, at the user's line, before anything is written.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { nn, optim, rand, type Tensor, zeros } from '../../compiler/index.ts';
import { exportStep, importStep, mesh, shard } from '../../compiler/scale/index.ts';
import { storedOf, writeSafetensors } from '../../runtime/safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-export-'));
afterAll(() => rmSync(folder, { recursive: true }));
const out = join(folder, 'run');
const model = new nn.Linear(4, 2);
const example = { x: zeros([6, 4]) };
const step = (x: Tensor) => model(x).sum().detach();

describe('a step', () => {
  test.each<[string, (x: Tensor) => unknown, RegExp]>([
    [
      'that looks at a number',
      (x) => (x.sum().gt(0).itemSync() ? x : x.neg()),
      /exportStep: it looks at a value.*where\(\) or cond\(\).* at refusals\.test\.ts:\d+/,
    ],
    ['that looks at an array', (x) => x.dataSync(), /exportStep: it looks at a value/],
    ['that draws random numbers on the host', (x) => x.add(rand([6, 4])).sum(), /exportStep: it draws random numbers; draw them outside/],
    ['that awaits', async (x) => x.sum(), /exportStep: it is async/],
  ])('%s is refused', async (_, f, message) => {
    await expect(exportStep(f, { example, out })).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  test('that adds to the gradients of the step before is refused', async () => {
    const optimizer = new optim.SGD(model.parameters());
    const accumulating = (x: Tensor) => {
      model(x).sum().backward();
      optimizer.step();
    };
    await expect(exportStep(accumulating, { example, out })).rejects.toThrow(
      /goes on from gradients.*call zeroGrad\(\) before backward\(\)/,
    );
    expect(model.weight.grad).toBe(null);
  });

  test('without a folder, or without being a function, is refused', async () => {
    await expect(exportStep(step, { example })).rejects.toThrow(/no folder to write to; pass \{ out: 'run' \}/);
    await expect(exportStep(3 as never, { example, out })).rejects.toThrow('exportStep: expected a function, got number');
  });

  test('is not written over half: a folder that cannot be made leaves nothing', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(exportStep(step, { example, out: join(folder, 'file', 'run') })).rejects.toThrow(/cannot be written/);
    expect(readdirSync(folder)).toEqual(['file']);
  });
});

describe('mesh and rules', () => {
  const grid = mesh({ data: 4, model: 2 });
  test.each([
    [
      'a batch that the mesh does not divide',
      { mesh: grid },
      /a batch of 6 rows of x is not divided by the 4 devices of the mesh's axis data; use a multiple of 4/,
    ],
    [
      'a rule that matches nothing',
      { rules: [shard('fc.*', ['data'])] },
      /the rule for 'fc\.\*' matches nothing; names are batch:x, weight, bias/,
    ],
    ['an axis that the mesh lacks', { rules: [shard('weight', ['pipe'])] }, /the rule for 'weight' cuts along pipe, the mesh has data/],
    [
      'two rules that disagree',
      { mesh: mesh({ data: 2, model: 2 }), rules: [shard('weight', ['model']), shard('weight', [null, 'model'])] },
      /two rules for 'weight' disagree: \[model\] and \[whole, model\]/,
    ],
    [
      'a rule behind one that takes all of it',
      { mesh: mesh({ data: 2, model: 2 }), rules: [shard('*', []), shard('weight', ['model'])] },
      /the rule for 'weight' never applies: rules before it match all that it does; put it before them/,
    ],
    [
      'a parameter that is not divided',
      { mesh: mesh({ model: 3 }), rules: [shard('weight', ['model'])] },
      /axis 0 of weight, of 2, is not divided by the 3 devices/,
    ],
    ['a rule of too many axes', { mesh: mesh({ model: 2 }), rules: [shard('bias', ['model', null])] }, /bias has 1 axes, its rule 2/],
  ])('%s', async (_, options, message) => {
    await expect(exportStep(step, { example, out, ...options })).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  test('a mesh wants names and sizes, a rule one use of each axis', () => {
    expect(() => mesh({})).toThrow('a mesh has at least one axis');
    expect(() => mesh({ data: 0 })).toThrow('the axis data has 0 devices');
    expect(() => mesh({ 'a b': 2 })).toThrow("'a b' is no name of an axis");
    expect(() => shard('w', ['data', 'data'])).toThrow("'w' is split twice along one axis");
  });
});

describe('importStep', () => {
  const numbers = (n: number) => storedOf('f32', [n], new Float32Array(n));
  const tensors = [
    ['param:weight', storedOf('f32', [2, 4], new Float32Array(8).fill(5))],
    ['param:bias', numbers(2)],
    ['momentumBuffer:weight', storedOf('f32', [2, 4], new Float32Array(8).fill(7))],
    ['momentumBuffer:bias', numbers(2)],
  ] as const;
  const metadata = [
    ['step', '12'],
    ['updates', '{"weight":[3,1],"bias":[3,1]}'],
  ] as const;

  test('brings weights, moments and counts of updates back', () => {
    const own = new nn.Linear(4, 2);
    const optimizer = new optim.SGD(own.parameters(), { momentum: 0.9 });
    expect(importStep(writeSafetensors(tensors, metadata), { model: own, optimizer })).toBe(12);
    expect(own.weight.tolistSync()).toEqual([Array(4).fill(5), Array(4).fill(5)]);
    const state = optimizer.state.get(own.weight)!;
    expect([state.step, state.momentumBuffer.sum().itemSync()]).toEqual([15, 56]);
  });

  test('refuses names that do not fit, and damaged files, and changes nothing', () => {
    const own = new nn.Linear(4, 2);
    const before = own.weight.tolistSync();
    expect(() => importStep(writeSafetensors(tensors.slice(1), metadata), { model: own })).toThrow(
      'the file lacks weight and has nothing beside',
    );
    expect(() => importStep(writeSafetensors([...tensors, ['param:other', numbers(1)]]), { model: own })).toThrow('has other beside');
    expect(() => importStep(writeSafetensors([['weight', numbers(1)]]), { model: own })).toThrow("the tensor 'weight' has no role");
    expect(() => importStep(writeSafetensors(tensors, metadata).slice(0, -3), { model: own })).toThrow(/safetensors/);
    expect(own.weight.tolistSync()).toEqual(before);
  });
});
