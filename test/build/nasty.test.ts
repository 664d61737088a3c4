// Names of users stay names, from the declaration to the call of the built function.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildModel } from '../../compiler/build/build.ts';
import { getDefaultDevice, setDefaultDevice, tensor } from '../../compiler/index.ts';
import { imported, removeFolders } from './artifact/models.ts';
import { payload, run } from './models/nasty.ts';

// The reference has one class of numerics; whether wasm fuses multiplications with additions is up to the engine.
const device = getDefaultDevice();
beforeAll(() => setDefaultDevice('js'));
afterAll(() => setDefaultDevice(device));
afterAll(removeFolders);

test('no name in a model becomes code or a prototype', async () => {
  const { model } = await buildModel(fileURLToPath(new URL('models/nasty.ts', import.meta.url)));
  expect(model.entries[0]!.inputs.map((i) => i.name)).toEqual([`${payload}.__proto__`, `${payload}.${payload}`]);
  expect(model.weights.map((w) => w.key).sort()).toEqual(['constructor.bias', 'constructor.weight', 'toString.bias', 'toString.weight']);
  const { functions } = await (await imported({ ...model, name: 'model' })).instantiate({ target: 'js' });
  const rows = Float32Array.of(1, 2);
  const given = (make: (x: Float32Array) => unknown): object =>
    Object.fromEntries([
      ['__proto__', make(rows)],
      [payload, make(Float32Array.of(3, 4))],
    ]);
  const built = functions.run!(
    given((x) => x),
    2,
  ) as Readonly<Record<string, unknown>>;
  const expected = run(given((x) => (x[0] === 1 ? tensor(x).reshape([1, 2]) : tensor(x))) as never, 2) as Readonly<
    Record<string, { dataSync(): Float32Array }>
  >;
  expect(Object.keys(built)).toEqual(Object.keys(expected));
  expect([built[payload], built.text]).toEqual([expected[payload]!.dataSync(), payload]);
  expect([(globalThis as { pwned?: unknown }).pwned, Object.keys(Object.prototype), ({} as { x?: unknown }).x]).toEqual([
    undefined,
    [],
    undefined,
  ]);
});
