// Steps as modules: roles of arguments and results, first state, numbers of the host, and that exporting changes nothing.
import { describe, expect, test, vi } from 'vitest';
import { F, manualSeed, nn, optim, randn, type Tensor, tensor, zeros } from '../../compiler/index.ts';
import { type ExportOptions, exportedStep } from '../../compiler/scale/export.ts';
import { mesh, shard } from '../../compiler/scale/index.ts';
import type { StepFunction } from '../../compiler/scale/step.ts';
import { elementsOf, readSafetensors } from '../../runtime/safetensors.ts';

const decoder = new TextDecoder();
function exported(step: StepFunction, options: ExportOptions) {
  const files = exportedStep(step, options);
  const text = decoder.decode(files.get('step.mlir'));
  const [inputs, outputs] = text.slice(0, text.indexOf(') {\n')).split(') -> (') as [string, string];
  const roles = (part: string): string[] => [...part.matchAll(/fluxion\.role = "([^"]*)"/g)].map((m) => m[1]!);
  return { text, inputs: roles(inputs), outputs: roles(outputs), state: readSafetensors(files.get('init.safetensors')!) };
}

/** A step of a network with all kinds of state. */
function network() {
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8), new nn.Dropout(0.25), new nn.Linear(8, 3));
  const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-2 });
  const step = (x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const logits = model(x) as Tensor;
    const loss = F.crossEntropy(logits, y);
    loss.backward();
    optimizer.step();
    return { accuracy: logits.detach().argmax(1).eq(y).float().mean(), loss: loss.detach() };
  };
  const example = { x: zeros([6, 4]), y: zeros([6], { dtype: 'int64' }) };
  return { model, optimizer, step, example };
}

describe('a step of a network', () => {
  test('has roles for batch, parameters, moments, statistics, random numbers and numbers of the host', () => {
    const { step, example } = network();
    const { inputs, outputs, text } = exported(step, { example });
    const kinds = new Map<string, number>();
    for (const role of inputs) kinds.set(role.split(':')[0]!, (kinds.get(role.split(':')[0]!) ?? 0) + 1);
    expect(Object.fromEntries(kinds)).toEqual({ batch: 2, param: 6, buffer: 2, expAvg: 6, expAvgSq: 6, rng: 2, scalar: 3 });
    expect(inputs).toContain('param:0.weight');
    expect(inputs).toContain('buffer:1.runningMean');
    expect(outputs.slice(0, 2)).toEqual(['metric:accuracy', 'loss']);
    expect(outputs.slice(2).sort()).toEqual(inputs.filter((r) => /^(param|buffer|expAvg|expAvgSq):/.test(r)).sort());
    expect(text).toContain('fluxion.value = "(-lr) / (1 - (0.9 ** (step + 1)))"');
    expect(text).toContain('fluxion.value = "1 - (lr * 0.01)"');
    expect(text).toContain('fluxion.rates = "{\\22lr\\22:0.01}"');
  });

  test('changes neither model nor optimiser, and starts from what they are', () => {
    const { model, optimizer, step, example } = network();
    const before = Object.fromEntries(Object.entries(model.stateDict()).map(([name, t]) => [name, t.tolistSync()]));
    const { state } = exported(step, { example });
    expect(Object.fromEntries(Object.entries(model.stateDict()).map(([name, t]) => [name, t.tolistSync()]))).toEqual(before);
    expect(model.parameters().every((p) => p.grad === null)).toBe(true);
    expect([...optimizer.state.values()].every((s) => s.step === 0)).toBe(true);
    const weight = elementsOf(state.tensors.get('param:0.weight')!)!.elements;
    expect([...(weight as Float32Array)]).toEqual((model.parameters()[0]!.flatten() as Tensor).tolistSync());
    expect(state.metadata.get('step')).toBe('0');
    expect(JSON.parse(state.metadata.get('updates')!)['0.weight']).toEqual([0, 1]);
  });

  test('counts on from the updates that were made before the export', () => {
    const { step, example, optimizer } = network();
    for (let i = 0; i < 3; i++) step(randn([6, 4]), example.y);
    expect(optimizer.state.size).toBe(6);
    const { text, state } = exported(step, { example });
    expect(text).toContain('(0.9 ** ((3 + step) + 1))');
    expect(JSON.parse(state.metadata.get('updates')!)['0.weight']).toEqual([3, 1]);
  });

  test('counts the updates of each parameter, and of no other counter', () => {
    const [used, unused] = [new nn.Linear(2, 2), new nn.Linear(2, 2)];
    const optimizer = new optim.Adam([...used.parameters(), ...unused.parameters()]);
    const step = (x: Tensor) => {
      optimizer.zeroGrad();
      const dropped = [1, 2, 3].map(() => F.dropout(used(x) as Tensor, 0.5));
      const loss = dropped.reduce((a, b) => a.add(b)).sum();
      loss.backward();
      optimizer.step();
      return loss.detach();
    };
    const { state } = exported(step, { example: { x: zeros([3, 2]) }, model: new nn.Sequential(used, unused) });
    expect(JSON.parse(state.metadata.get('updates')!)).toEqual({ '0.weight': [0, 1], '0.bias': [0, 1] });
  });

  test('says of whole numbers in a batch which axis they point into', () => {
    const table = new nn.Embedding(7, 3);
    const { text } = exported((ids: Tensor) => table(ids).sum(), { example: { ids: zeros([4], { dtype: 'int32' }) } });
    expect(text).toContain('{fluxion.role = "batch:ids", fluxion.below = 7 : i64}');
  });

  test('knows the label that losses ignore', () => {
    const { step, example } = network();
    expect(exported(step, { example }).text).toContain('{fluxion.role = "batch:y", fluxion.below = 3 : i64, fluxion.except = -100 : i64}');
  });

  test('takes whole rows of an embedding, not its elements one by one', () => {
    const table = new nn.Embedding(7, 3);
    const { text } = exported((ids: Tensor) => table(ids).sum(), { example: { ids: zeros([4], { dtype: 'int32' }) } });
    expect(text).toContain('slice_sizes = array<i64: 1, 3>');
  });
});

test('learning rates of several groups have names of their own', () => {
  const [a, b] = [new nn.Linear(2, 2), new nn.Linear(2, 1)];
  const model = new nn.Sequential(a, b);
  const optimizer = new optim.SGD([{ params: a.parameters() }, { params: b.parameters(), lr: 0.5 }], { lr: 0.1 });
  const step = (x: Tensor) => {
    optimizer.zeroGrad();
    const loss = (model(x) as Tensor).sum();
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  const { text } = exported(step, { example: { x: zeros([3, 2]) } });
  expect(text).toContain('fluxion.rates = "{\\22lr0\\22:0.1,\\22lr1\\22:0.5}"');
  expect(text).toContain('fluxion.value = "-lr1"');
});

test('tensors that belong to no module and no optimiser keep a place in the state', () => {
  const scale = tensor([2, 3]);
  const { inputs, state } = exported((x: Tensor) => x.mul(scale).sum(), { example: { x: zeros([4, 2]) } });
  expect(inputs.sort()).toEqual(['batch:x', 'const:0']);
  expect([...(elementsOf(state.tensors.get('const:0')!)!.elements as Float32Array)]).toEqual([2, 3]);
});

describe('constrain', () => {
  const grid = mesh({ data: 2, model: 4 });

  test('is itself and gives its gradient on', () => {
    const x = randn([2, 4], { requiresGrad: true });
    const y = x.constrain(grid, ['data', null]);
    expect(y.tolistSync()).toEqual(x.tolistSync());
    y.mul(3).sum().backward();
    expect(x.grad!.tolistSync()).toEqual([
      [3, 3, 3, 3],
      [3, 3, 3, 3],
    ]);
  });

  test('stands in the step for the value and for its gradient', () => {
    const w = randn([4, 8], { requiresGrad: true });
    const optimizer = new optim.SGD([w], { lr: 0.1 });
    const step = (x: Tensor) => {
      optimizer.zeroGrad();
      const loss = x.matmul(w).constrain(grid, ['data', 'model']).tanh().sum();
      loss.backward();
      optimizer.step();
      return loss.detach();
    };
    const { text } = exported(step, { example: { x: zeros([2, 4]) }, mesh: grid });
    expect(text).toContain('sdy.mesh @mesh = <["data"=2, "model"=4]>');
    expect(text.match(/sdy\.sharding_constraint %\d+ <@mesh, \[\{"data"\}, \{"model"\}\]> : tensor<2x8xf32>/g)).toHaveLength(2);
  });

  test('refuses axes that the mesh or the tensor lacks', () => {
    expect(() => zeros([2]).constrain(grid, ['pipe'])).toThrow('constrain: the mesh has no axis pipe; it has data, model');
    expect(() => zeros([2]).constrain(grid, ['data', null])).toThrow('constrain: 2 axes are placed, the tensor has 1');
  });
});

test('rules and mesh go along for the runner', () => {
  const { step, example } = network();
  const { text } = exported(step, { example, mesh: mesh({ data: 2, model: 4 }), rules: [shard('0.weight', ['model', null])] });
  expect(text).toContain('fluxion.mesh = "data=2,model=4"');
  expect(text).toContain('fluxion.rules = "[[\\220.weight\\22,[\\22model\\22,null]]]"');
});

test('a long run of elementwise ops is warned about, with the way out', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  try {
    const repeated = (times: number) => (x: Tensor) =>
      Array.from({ length: times })
        .reduce<Tensor>((y) => y.sin(), x)
        .sum();
    exported(repeated(100), { example: { x: zeros([2]) } });
    expect(warn).not.toHaveBeenCalled();
    exported(repeated(3001), { example: { x: zeros([2]) } });
    expect(warn.mock.calls.flat()).toEqual([
      expect.stringMatching(
        /^exportStep: 3001 elementwise ops follow one on the other; .* Write the recurrence with scan\(\) or whileLoop\(\)$/,
      ),
    ]);
  } finally {
    warn.mockRestore();
  }
});
