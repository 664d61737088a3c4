// A built training step does what the same step does in Node: equal bits, step after step.
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { buildModel } from '../../compiler/build/build.ts';
import { getDefaultDevice, type Tensor, tensor } from '../../compiler/index.ts';
import { imported, removeFolders } from './artifact/models.ts';
import { step } from './models/training.ts';

afterAll(removeFolders);

test('a built step gives the bits of the step that was built, from the state that it had then', async () => {
  const { model } = await buildModel(fileURLToPath(new URL('models/training.ts', import.meta.url)));
  const { functions } = await (await imported({ ...model, name: 'model' })).instantiate({ target: getDefaultDevice() as 'wasm' });
  const x = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i));
  for (let round = 0; round < 3; round++) {
    const expected: Readonly<Record<string, Tensor>> = step(tensor(x).reshape([4, 3]));
    const built = functions.step!(x) as Readonly<Record<string, Float32Array>>;
    expect(Object.keys(built)).toEqual(Object.keys(expected));
    for (const [name, t] of Object.entries(expected)) expect(built[name], `${name} of round ${round}`).toEqual(t.dataSync());
  }
});
