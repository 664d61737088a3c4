// The declarations of a built module as its users' compiler reads them: right calls pass, and each wrong one is an error on its line.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { writeArtifact } from '../../../compiler/build/artifact/write.ts';
import type { BuiltEntry } from '../../../compiler/build/model.ts';
import { classifier, modelOf, newFolder, removeFolders } from './models.ts';

afterAll(removeFolders);
const root = fileURLToPath(new URL('../../../', import.meta.url));

const [entry] = classifier().entries as [BuiltEntry];
const dim = { dim: 'batch', min: 1, max: 4, times: 1, plus: 0 };
/** `nested({ image, rest: [rate] }, labels)` of an open batch. */
const nested: BuiltEntry = {
  ...entry,
  name: 'nested',
  inputs: [
    { name: 'x.image', dtype: 'f32', shape: [dim, 4] },
    { name: 'labels', dtype: 'i64', shape: [dim] },
  ],
  numbers: [{ name: 'x.rest[0]' }],
  parameters: [
    {
      name: 'x',
      tree: {
        kind: 'record',
        keys: ['image', 'the rest'],
        items: [
          { kind: 'tensor', index: 0 },
          { kind: 'list', items: [{ kind: 'number', index: 0 }] },
        ],
      },
    },
    { name: 'labels', tree: { kind: 'tensor', index: 1 } },
  ],
  result: {
    kind: 'list',
    items: [
      { kind: 'tensor', index: 0, dtype: 'f32', shape: [{ ...dim, times: 2, plus: 1 }] },
      { kind: 'static', value: 'fixed' },
    ],
  },
};

const use = `
import { classify, instantiate, load, nested, save, state } from './model.js';
const image = new Float32Array(16);
const { probabilities, best } = classify(image);
const first: number = probabilities[0]!;
const { best: later } = await classify.async({ data: image, shape: [1, 16] });
const known: Float32Array = later;
classify(new Float64Array(16)); // wrong
classify(); // wrong
classify(probabilities); // wrong
classify({ image }); // wrong
const [twice, fixed] = nested({ image, 'the rest': [0.1] }, new BigInt64Array(4));
const text: 'fixed' = fixed;
nested({ image }, new BigInt64Array(4)); // wrong
nested({ image, 'the rest': [0.1] }, new Int32Array(4)); // wrong
const model = await load({ target: 'wasm', threads: 2, onProgress: ({ loaded, total }) => loaded / total });
load({ target: 'cuda' }); // wrong
model.functions.classify(image).best;
model.functions.nothing; // wrong
const weights = (await state()).get('fc.weight')?.data;
const other = await instantiate({ weights: await save() });
export { first, known, best, twice, text, weights, other };
`;

test('right calls pass and wrong ones are errors', () => {
  const folder = newFolder();
  const { files } = writeArtifact(modelOf([entry, { ...nested, variants: entry.variants }], classifier().weights));
  writeFileSync(join(folder, 'model.d.ts'), files.get('model.d.ts')!);
  writeFileSync(join(folder, 'use.ts'), use);
  const options = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      paths: { 'fluxion/runtime': [join(root, 'runtime/index.ts')] },
      typeRoots: [join(root, 'node_modules/@types')],
      types: ['node', join(root, 'node_modules/@webgpu/types')],
    },
    include: [],
    files: ['use.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'], {
    encoding: 'utf8',
    cwd: folder,
  });
  const wrong = use.split('\n').flatMap((line, i) => (line.endsWith('// wrong') ? [i + 1] : []));
  const found = [...stdout.matchAll(/^(\S+)\((\d+),\d+\): error/gm)].map((m) => `${m[1]}:${m[2]}`);
  expect([...new Set(found)], stdout).toEqual(wrong.map((line) => `use.ts:${line}`));
});
