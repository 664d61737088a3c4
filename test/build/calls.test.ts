// Built functions do what the same functions do in Node, bit for bit: steps that go on from one another, and open sizes.
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { buildModel } from '../../compiler/build/build.ts';
import { getDefaultDevice, type Tensor, tensor } from '../../compiler/index.ts';
import { type Called, imported, removeFolders } from './artifact/models.ts';
import { weighted } from './models/networks.ts';
import { step } from './models/training.ts';

afterAll(removeFolders);

/** The functions of a model file, built. */
async function builtFrom(file: string): Promise<Readonly<Record<string, Called>>> {
  const { model } = await buildModel(fileURLToPath(new URL(`models/${file}`, import.meta.url)));
  return (await (await imported({ ...model, name: 'model' })).instantiate({ target: getDefaultDevice() })).functions;
}
const networks = builtFrom('networks.ts');
const sines = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i));

test('a built step gives the bits of the step that was built, from the state that it had then', async () => {
  const functions = await builtFrom('training.ts');
  const x = sines(12);
  for (let round = 0; round < 3; round++) {
    const expected: Readonly<Record<string, Tensor>> = step(tensor(x).reshape([4, 3]));
    const built = functions.step!(x) as Readonly<Record<string, Float32Array>>;
    expect(Object.keys(built)).toEqual(Object.keys(expected));
    for (const [name, t] of Object.entries(expected)) expect(built[name], `${name} of round ${round}`).toEqual(t.dataSync());
  }
});

test.each([1, 2, 5, 9])('a built function takes %i rows where their number is open', async (rows) => {
  const functions = await networks;
  const [a, b] = [sines(2 * rows), sines(2 * rows + 3).subarray(3)];
  const shaped = (x: Float32Array): Tensor => tensor(x).reshape([rows, 2]);
  const expected = weighted({ a: shaped(a), rest: [shaped(b)] }, 0.3);
  expect(functions.weighted!({ a, rest: [b] }, 0.3)).toEqual(expected.map((t) => t.dataSync()));
});

test('a size out of its range is refused', async () => {
  const functions = await networks;
  expect(() => functions.weighted!({ a: sines(20), rest: [sines(20)] }, 1)).toThrow('of.a is [n: 1 to 9, 2], got [10,2]');
  expect(() => functions.weighted!({ a: sines(4), rest: [sines(6)] }, 1)).toThrow(/of\.rest\.0/);
});
