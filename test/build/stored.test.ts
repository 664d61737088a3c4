// Weights from a file take the place of those of the modules, if they match to the last key.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { BuildError } from '../../compiler/build/diagnostic.ts';
import type { RecordedEntry } from '../../compiler/build/entry.ts';
import type { BuiltWeight } from '../../compiler/build/model.ts';
import { storedWeights } from '../../compiler/build/stored.ts';
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import { storedOf, writeSafetensors } from '../../runtime/safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'fluxion-stored-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const weight = (key: string, ...data: number[]): BuiltWeight => ({
  key,
  dtype: 'f32',
  shape: [data.length],
  data: Float32Array.from(data),
  written: false,
});
const own = [weight('weight', 0, 0, 0), weight('bias', 0), weight('optimizer.weight.expAvg', 5, 5, 5), weight('constant', 7)];
const written = { file: join(folder, 'model.ts'), line: 3, column: 14, doc: undefined, parameters: [] };
const entry = { declaration: { weights: './model.safetensors' }, written } as unknown as RecordedEntry;
const sources = { path: written.file, texts: new Map(), problems: [], written: new Map() };

type Tensors = readonly (readonly [key: string, dtype: DType, shape: readonly number[], data: TypedArray])[];
function read(tensors: Tensors): BuiltWeight[] {
  writeFileSync(join(folder, 'model.safetensors'), writeSafetensors(tensors.map(([key, ...t]) => [key, storedOf(...t)])));
  return storedWeights(own, [entry], sources);
}
function messageOf(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    if (error instanceof BuildError) return error.diagnostics.map((d) => `${d.line}:${d.column} ${d.message}`).join('\n');
    throw error;
  }
  return 'none';
}

const weights = ['weight', 'f32', [3], Float32Array.of(1, 2, 3)] as const;
const bias = ['bias', 'f32', [1], Float32Array.of(4)] as const;

test('elements come from the file, and what no module owns stays', () => {
  expect(read([bias, weights]).map((w) => [w.key, ...w.data])).toEqual([
    ['weight', 1, 2, 3],
    ['bias', 4],
    ['optimizer.weight.expAvg', 5, 5, 5],
    ['constant', 7],
  ]);
});

test.each<[string, Tensors, string]>([
  ['a missing tensor', [weights], "./model.safetensors has no tensor 'bias'"],
  [
    'a stranger',
    [weights, bias, ['gain', 'f32', [1], Float32Array.of(1)]],
    "./model.safetensors has a tensor 'gain' that nothing here reads",
  ],
  [
    'another shape',
    [['weight', 'f32', [1, 3], Float32Array.of(1, 2, 3)], bias],
    "tensor 'weight' of ./model.safetensors is F32 [1, 3], where the model has F32 [3]",
  ],
  [
    'another dtype',
    [weights, ['bias', 'f64', [1], Float64Array.of(1)]],
    "tensor 'bias' of ./model.safetensors is F64 [1], where the model has F32 [1]",
  ],
])('%s is refused at the declaration', (_name, tensors, message) => {
  expect(messageOf(() => read(tensors))).toBe(`3:14 ${message}`);
});

test('a file that is none, or is not there, is refused at the declaration', () => {
  writeFileSync(join(folder, 'model.safetensors'), 'nothing of the kind');
  expect(messageOf(() => storedWeights(own, [entry], sources))).toMatch(/^3:14 safetensors: .*byte \d+/);
  rmSync(join(folder, 'model.safetensors'));
  expect(messageOf(() => storedWeights(own, [entry], sources))).toMatch(/^3:14 Error: ENOENT/);
});
