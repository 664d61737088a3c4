// What recording leaves of a model file: names, shapes, weights by key, counters, and Programs with all of their inputs bound.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Built, buildModel } from '../../compiler/build/build.ts';
import type { BuiltEntry } from '../../compiler/build/model.ts';
import { evaluateHost } from '../../runtime/host.ts';
import { elementsOf, readSafetensors } from '../../runtime/safetensors.ts';

const path = fileURLToPath(new URL('models/networks.ts', import.meta.url));

describe('a model with several functions', () => {
  let built: Built;
  const entry = (name: string): BuiltEntry => built.model.entries.find((e) => e.name === name)!;
  beforeAll(async () => {
    built = await buildModel(path);
  });

  test('is told by its file and what that imports', () => {
    expect([built.model.name, built.model.source.path]).toEqual(['networks', 'networks.ts']);
    expect(built.model.source.text).toBe(readFileSync(path, 'utf8'));
    expect([...built.sources.texts.keys()].map((file) => file.replace(/.*\//, ''))).toEqual(['networks.ts', 'normalised.ts']);
  });

  test('has its functions in their order, with places and comments', () => {
    expect(built.model.entries.map(({ name, line, column, doc }) => [name, line, column, doc])).toEqual([
      ['classify', 11, 14, 'Tells what rows are.'],
      ['train', 25, 14, 'One step of training.'],
      ['weighted', 37, 14, undefined],
    ]);
    expect(entry('train').inputs.map(({ name, doc }) => [name, doc])).toEqual([
      ['rows', 'a batch'],
      ['labels', undefined],
    ]);
    expect(entry('train').numbers).toEqual([{ name: 'scale', doc: 'of the loss' }]);
  });

  test('has weights once, by the keys of a state dict, and moments by the optimiser', () => {
    const keys = built.model.weights.map((w) => w.key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.filter((key) => !key.startsWith('optimizer.'))).toEqual([
      '0.weight',
      '0.bias',
      '1.runningMean',
      '1.runningVar',
      '1.weight',
      '1.bias',
      '3.weight',
      '3.bias',
      'constant',
    ]);
    expect(keys.filter((key) => key.startsWith('optimizer.')).length).toBe(12);
    expect(built.model.weights.filter((w) => !w.written).map((w) => w.key)).toEqual(['constant']);
  });

  test('counts what training counts', () => {
    const { counters } = built.model;
    expect(counters.map((c) => c.key).sort()).toEqual(['optimizer.0.weight.step', 'streams']);
    const now = new Map(counters.map((c) => [c.key, c.value]));
    expect(entry('train').advances.map(({ key, to }) => evaluateHost(to, (c) => now.get(c)!) - now.get(key)!)).toEqual([1, 1]);
    expect(entry('classify').advances).toEqual([]);
  });

  test('has a Program for each target and size, with everything bound', () => {
    expect(built.model.entries.map((e) => e.variants.map((v) => v.sizes))).toEqual([
      [{ batch: 1 }, { batch: 5 }],
      [{}],
      [{ n: 1 }, { n: { min: 2, max: 9 } }],
    ]);
    const keys = new Set(built.model.weights.map((w) => w.key));
    for (const { variants, inputs } of built.model.entries)
      for (const { programs } of variants) {
        expect(Object.keys(programs).sort()).toEqual(['js', 'relaxed', 'wasm']);
        for (const { program, inputs: bound, slots, outputs } of Object.values(programs)) {
          expect([bound.length, slots.length, outputs.length]).toEqual([
            program.inputs.length,
            program.slots.length,
            program.outputs.length,
          ]);
          for (const b of bound) expect(b.from === 'weight' ? keys.has(b.key) : b.index < inputs.length).toBe(true);
        }
      }
  });

  test('describes arguments and results as trees, with open dimensions where they are', () => {
    const n = { dim: 'n', min: 1, max: 9 };
    expect(entry('weighted').inputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['of.a', [{ ...n, times: 1, plus: 0 }, 2]],
      ['of.rest.0', [{ ...n, times: 1, plus: 0 }, 2]],
    ]);
    expect(entry('weighted').parameters).toEqual([
      {
        name: 'of',
        tree: {
          kind: 'record',
          keys: ['a', 'rest'],
          items: [
            { kind: 'tensor', index: 0 },
            { kind: 'list', items: [{ kind: 'tensor', index: 1 }] },
          ],
        },
      },
      { name: 'by', tree: { kind: 'number', index: 0 } },
    ]);
    expect(entry('weighted').result).toMatchObject({ items: [{}, { shape: [{ ...n, times: 2, plus: 0 }] }] });
    expect(entry('classify').result).toMatchObject({
      kind: 'record',
      keys: ['probabilities', 'best', 'kind'],
      items: [
        { dtype: 'f32', shape: [{ dim: 'batch', times: 1, plus: 0 }, 3] },
        { dtype: 'i64', shape: [{ dim: 'batch' }] },
        { kind: 'static', value: 'rows' },
      ],
    });
  });
});

test('a file of weights is part of what a model was made of', async () => {
  const folder = fileURLToPath(new URL('../../samples/digit-app/', import.meta.url));
  const { model, data } = await buildModel(`${folder}model.ts`);
  expect(data).toEqual([`${folder}weights.safetensors`]);
  const { tensors } = readSafetensors(readFileSync(`${folder}weights.safetensors`));
  expect(model.weights.map((w) => w.key).sort()).toEqual([...tensors.keys()].sort());
  for (const { key, data: elements } of model.weights) expect(elements).toEqual(elementsOf(tensors.get(key)!)!.elements);
});
