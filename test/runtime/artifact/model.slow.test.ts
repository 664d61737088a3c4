// Built modules in Node: the bits of the JIT, state that goes on from call to call, and typed errors for whatever does not fit.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeArtifact } from '../../../compiler/build/artifact/write.ts';
import type { BuiltEntry, BuiltModel } from '../../../compiler/build/model.ts';
import { parse } from '../../../compiler/ir/parse.ts';
import { load as loadProgram } from '../../../compiler/jit/executable.ts';
import { compileGraph } from '../../../compiler/lower/compile.ts';
import { readSafetensors, storedOf, writeSafetensors } from '../../../runtime/safetensors.ts';
import { jsTarget, wasmTarget } from '../../../runtime/target.ts';
import { wasmNumerics } from '../../../runtime/wasm/features.ts';
import {
  type Called,
  classifier,
  imported,
  type Module,
  modelOf,
  noise,
  programs,
  removeFolders,
  trainer,
  weight,
} from '../../build/artifact/models.ts';

afterAll(removeFolders);

type Built = Awaited<ReturnType<typeof imported>>;
let digits: Built;
beforeAll(async () => {
  digits = await imported(classifier());
});

/** The functions of an instance of its own. */
const functionsOf = async (module: Module, options: object = {}): Promise<Readonly<Record<string, Called>>> =>
  (await module.instantiate(options)).functions;

describe('a call', () => {
  test('before the model is loaded says so, and an awaited one loads it', async () => {
    expect(() => digits.classify!(noise(16))).toThrow(/classify: the model is not loaded; await load\(\) first/);
    const first = (await digits.classify!.async(noise(16))) as { best: Float32Array };
    expect(first.best).toHaveLength(1);
    expect(digits.classify!(noise(16))).toEqual(first);
  });

  test.each(['js', 'wasm'] as const)('on %s gives the bits of the JIT', async (target) => {
    const model = classifier();
    const { program } = model.entries[0]!.variants[0]!.programs[target === 'js' ? 'js' : wasmNumerics() === 'madd' ? 'relaxed' : 'wasm']!;
    const [p, m] = loadProgram(program).run([noise(16), ...model.weights.map((w) => w.data)], new Float64Array());
    const { classify } = await functionsOf(digits, { target });
    expect(classify!(noise(16))).toEqual({ probabilities: p, best: m });
    expect(await classify!.async(noise(16))).toEqual({ probabilities: p, best: m });
  });

  test('gives arrays that are the caller’s own', async () => {
    const { train, read } = await functionsOf(await imported(trainer(8)), { target: 'js' });
    const before = read!() as Float32Array;
    const copy = before.slice();
    before.fill(7);
    expect(read!()).toEqual(copy);
    const was = train!(noise(8, 5)) as Float32Array;
    expect(was).toEqual(copy);
    was.fill(7);
    train!(noise(8, 5));
    expect(was).toEqual(new Float32Array(8).fill(7));
  });

  test('sorts by the routines that the module brings', async () => {
    const text = 'graph @order(%x: f32[5]) -> (%v: f32[5], %i: i64[5]) { %v, %i: f32[5], i64[5] = sort(%x) {axis: 0, descending: false} }';
    const entry: BuiltEntry = {
      ...(classifier().entries[0] as BuiltEntry),
      name: 'order',
      inputs: [{ name: 'x', dtype: 'f32', shape: [5] }],
      parameters: [{ name: 'x', tree: { kind: 'tensor', index: 0 } }],
      result: {
        kind: 'list',
        items: [
          { kind: 'tensor', index: 0, dtype: 'f32', shape: [5] },
          { kind: 'tensor', index: 1, dtype: 'i64', shape: [5] },
          { kind: 'static', value: 'done' },
        ],
      },
      variants: [
        {
          sizes: {},
          programs: programs(text, {
            inputs: [{ from: 'input', index: 0 }],
            slots: [],
            outputs: [
              { to: 'result', index: 0 },
              { to: 'result', index: 1 },
            ],
          }),
        },
      ],
    };
    const module = await imported(modelOf([entry]));
    for (const target of ['js', 'wasm']) {
      const { order } = await functionsOf(module, { target });
      expect(order!(Float32Array.of(3, 1, 2, 5, 4))).toEqual([
        Float32Array.of(1, 2, 3, 4, 5),
        BigInt64Array.of(1n, 2n, 0n, 4n, 3n),
        'done',
      ]);
    }
  });
});

describe('arguments that do not fit', () => {
  const cases: readonly (readonly [string, readonly unknown[], string, RegExp])[] = [
    ['too few', [], 'ARGUMENT', /classify: expected 1 arguments \(image\), got 0/],
    ['too many', [noise(16), 1], 'ARGUMENT', /got 2/],
    ['no array', [[1, 2]], 'ARGUMENT', /image is a typed array, .* got a list of 2/],
    ['nothing', [undefined], 'ARGUMENT', /got nothing/],
    ['of another dtype', [new Float64Array(16)], 'DTYPE', /image: f32 lies in a Float32Array, got a Float64Array/],
    ['of another length', [noise(15)], 'SHAPE', /image is \[1, 16\], got 15 elements/],
    ['of another shape', [{ data: noise(16), shape: [16, 1] }], 'SHAPE', /image is \[1, 16\], got \[16,1\]/],
    ['of another rank', [{ data: noise(16), shape: [16] }], 'SHAPE', /image is \[1, 16\]/],
    ['with fewer elements than its shape says', [{ data: noise(15), shape: [1, 16] }], 'SHAPE', /16 elements, got 15/],
  ];
  test.each(cases)('%s', async (_, args, code, message) => {
    const { classify } = await functionsOf(digits, { target: 'js' });
    expect(() => classify!(...args)).toThrow(message);
    expect(() => classify!(...args)).toThrow(expect.objectContaining({ code, op: 'classify' }));
  });

  test('in records and lists are named by their path, whatever their keys are', async () => {
    const entry: BuiltEntry = {
      ...(classifier().entries[0] as BuiltEntry),
      name: 'add',
      inputs: [
        { name: 'batch.__proto__', dtype: 'f32', shape: [2] },
        { name: 'batch.rest[0]', dtype: 'f32', shape: [2] },
      ],
      numbers: [{ name: 'batch.rest[1]' }],
      parameters: [
        {
          name: 'batch',
          tree: {
            kind: 'record',
            keys: ['__proto__', 'rest'],
            items: [
              { kind: 'tensor', index: 0 },
              {
                kind: 'list',
                items: [
                  { kind: 'tensor', index: 1 },
                  { kind: 'number', index: 0 },
                ],
              },
            ],
          },
        },
      ],
      result: {
        kind: 'record',
        keys: ['__proto__', 'constructor'],
        items: [
          { kind: 'tensor', index: 0, dtype: 'f32', shape: [2] },
          { kind: 'static', value: null },
        ],
      },
      variants: [
        {
          sizes: {},
          programs: programs(
            'graph @add(%x: f32[2], %y: f32[2], %s: slot f32) -> (%v: f32[2]) { %z: f32[2] = add(%x, %y) %e: f32[2] = expand(%s) {shape: [2], at: [0]} %v: f32[2] = mul(%z, %e) }',
            {
              inputs: [
                { from: 'input', index: 0 },
                { from: 'input', index: 1 },
              ],
              slots: [{ from: 'number', index: 0 }],
              outputs: [{ to: 'result', index: 0 }],
            },
          ),
        },
      ],
    };
    const { add } = await functionsOf(await imported(modelOf([entry])));
    const x = Float32Array.of(1, 2);
    const batch = (proto: unknown, rest: unknown, more: object = {}): object =>
      Object.fromEntries([...Object.entries(more), ['__proto__', proto], ['rest', rest]]);
    const result = add!(batch(x, [x, 3])) as object;
    expect(Object.getOwnPropertyDescriptor(result, '__proto__')?.value).toEqual(Float32Array.of(6, 12));
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(() => add!({ rest: [x, 3] })).toThrow(/batch.__proto__ is missing/);
    expect(() => add!(batch(x, [x]))).toThrow(/batch.rest is a list of 2, got a list of 1/);
    expect(() => add!(batch(x, [x, '3']))).toThrow(/batch.rest\[1\] is a number, got the string 3/);
    expect(() => add!(batch(x, [x, 3], { toString: 1 }))).toThrow(/batch has no 'toString'; it has __proto__, rest/);
    expect(() => add!(x)).toThrow(/batch is a record of __proto__, rest/);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

test('sizes that are open choose a variant, and are held to their bounds', async () => {
  const dim = { dim: 'n', min: 1, max: 3, times: 1, plus: 0 };
  const text = (n: number): string =>
    `graph @g(%x: f32[${n},2], %y: f32[${n}]) -> (%s: f32[${n}]) { %t: f32[${n}] = sum(%x) {axes: [1]} %s: f32[${n}] = add(%t, %y) }`;
  const ties = {
    inputs: [
      { from: 'input', index: 0 },
      { from: 'input', index: 1 },
    ],
    slots: [],
    outputs: [{ to: 'result', index: 0 }],
  } as const;
  const module = await imported(
    modelOf([
      {
        ...(classifier().entries[0] as BuiltEntry),
        name: 'sums',
        inputs: [
          { name: 'x', dtype: 'f32', shape: [dim, 2] },
          { name: 'y', dtype: 'f32', shape: [dim] },
        ],
        parameters: [
          { name: 'x', tree: { kind: 'tensor', index: 0 } },
          { name: 'y', tree: { kind: 'tensor', index: 1 } },
        ],
        result: { kind: 'tensor', index: 0, dtype: 'f32', shape: [dim] },
        variants: [1, 3].map((n) => ({ sizes: { n }, programs: programs(text(n), ties) })),
      },
    ]),
  );
  const { sums } = await functionsOf(module);
  expect(sums!(Float32Array.of(1, 2), Float32Array.of(5))).toEqual(Float32Array.of(8));
  expect(sums!(Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 1, 1))).toEqual(Float32Array.of(4, 8, 12));
  expect(() => sums!(noise(4), noise(2))).toThrow(/sums: it was built for n 1; n 3, got n 2/);
  expect(() => sums!(noise(8), noise(4))).toThrow(/x is \[n: 1 to 3, 2\], got \[4,2\]/);
  expect(() => sums!(noise(3), noise(1))).toThrow(/x is \[n: 1 to 3, 2\], got 3 elements/);
  expect(() => sums!(noise(6), noise(2))).toThrow(/y is \[n: 1 to 3\], got 2 elements/);
  expect(() => sums!({ data: noise(6), shape: [3, 2] }, { data: noise(1), shape: [1] })).toThrow(/y has n 1, another argument 3/);
});

describe('state', () => {
  /** What a model of the test would hold after training on `x` so many times from the weight `w`. */
  function trained(w: Float32Array, x: Float32Array, times: number, from = 0): Float32Array {
    const text = `graph @g(%x: f32[${w.length}], %w: f32[${w.length}], %r: slot f32) -> (%v: f32[${w.length}]) { %d: f32[${w.length}] = sub(%x, %w) %e: f32[${w.length}] = expand(%r) {shape: [${w.length}], at: [0]} %m: f32[${w.length}] = mul(%d, %e) %v: f32[${w.length}] = add(%w, %m) }`;
    const step = loadProgram(compileGraph(parse(text), jsTarget));
    let value = w;
    for (let i = 0; i < times; i++) value = step.run([x, value], Float64Array.of(0.5 / (from + i + 1)))[0] as Float32Array;
    return value;
  }

  test.each(['js', 'wasm'])('goes on from call to call on %s, is saved, and is taken up again', async (target) => {
    const length = 3000;
    const module = await imported(trainer(length));
    const model = await module.instantiate({ target });
    const x = noise(length, 5);
    for (let i = 0; i < 5; i++) model.functions.train!(x);
    const five = trained(noise(length), x, 5);
    expect(model.functions.read!()).toEqual(five);
    expect((await model.state()).get('w')!.data).toEqual(five);
    const saved = await model.save();
    expect([...readSafetensors(saved).tensors.keys()]).toEqual(['w']);
    const again = await module.instantiate({ target, weights: saved });
    again.functions.train!(x);
    expect(again.functions.read!()).toEqual(trained(five, x, 1, 5));
    // The one that was saved has not moved.
    expect(model.functions.read!()).toEqual(five);
  });

  test('that was an argument, or another weight, is its own from then on', async () => {
    const entry = trainer(4).entries[0] as BuiltEntry;
    const swap: BuiltEntry = {
      ...entry,
      name: 'swap',
      advances: [],
      result: { kind: 'list', items: [0, 1].map((index) => ({ kind: 'tensor', index, dtype: 'f32', shape: [4] }) as const) },
      variants: [
        {
          sizes: {},
          programs: programs(
            'graph @swap(%x: f32[4], %a: f32[4], %b: f32[4]) -> (%x, %a, %b, %b, %s: f32[4]) { %s: f32[4] = add(%a, %b) }',
            {
              inputs: [
                { from: 'input', index: 0 },
                { from: 'weight', key: 'a' },
                { from: 'weight', key: 'b' },
              ],
              slots: [],
              outputs: [
                { to: 'weight', key: 'a' },
                { to: 'weight', key: 'b' },
                { to: 'weight', key: 'c' },
                { to: 'result', index: 0 },
                { to: 'result', index: 1 },
              ],
            },
          ),
        },
      ],
    };
    const ones = (x: number): Float32Array => new Float32Array(4).fill(x);
    const module = await imported(
      modelOf(
        [swap],
        ['a', 'b', 'c'].map((key, i) => weight(key, [4], ones(i + 1), true)),
      ),
    );
    for (const target of ['js', 'wasm']) {
      const { functions, state } = await module.instantiate({ target });
      for (let i = 0; i < 5; i++) {
        const [a, b] = i === 0 ? [1, 2] : i === 1 ? [10, 1] : [10 * i, 10 * (i - 1)];
        const x = ones(10 * (i + 1));
        const results = functions.swap!(x) as Float32Array[];
        expect(results).toEqual([ones(b!), ones(a! + b!)]);
        for (const array of [x, ...results]) array.fill(99);
        expect([...(await state())].map(([, { data }]) => data[0])).toEqual([10 * (i + 1), a, b]);
      }
    }
  });

  test('stays as it was where a call fails', async () => {
    const text =
      'graph @g(%x: i64[2], %w: f32[4]) -> (%v: f32[4], %g: f32[2]) { %v: f32[4] = add(%w, %w) %g: f32[2] = gather(%v, %x) {axis: 0, mode: checked} }';
    const pick: BuiltEntry = {
      ...(trainer(4).entries[0] as BuiltEntry),
      name: 'pick',
      inputs: [{ name: 'x', dtype: 'i64', shape: [2] }],
      result: { kind: 'tensor', index: 0, dtype: 'f32', shape: [2] },
      variants: [
        {
          sizes: {},
          programs: programs(text, {
            inputs: [
              { from: 'input', index: 0 },
              { from: 'weight', key: 'w' },
            ],
            slots: [],
            outputs: [
              { to: 'weight', key: 'w' },
              { to: 'result', index: 0 },
            ],
          }),
        },
      ],
    };
    const module = await imported(
      modelOf([pick], [weight('w', [4], Float32Array.of(1, 2, 3, 4), true)], { counters: [{ key: 'steps', value: 0 }] }),
    );
    for (const target of ['js', 'wasm']) {
      const { functions, state } = await module.instantiate({ target });
      expect(functions.pick!(BigInt64Array.of(0n, 3n))).toEqual(Float32Array.of(2, 8));
      expect(functions.pick!(BigInt64Array.of(0n, 3n))).toEqual(Float32Array.of(4, 16));
      expect(() => functions.pick!(BigInt64Array.of(0n, 4n))).toThrow(expect.objectContaining({ code: 'INDEX' }));
      expect((await state()).get('w')!.data).toEqual(Float32Array.of(4, 8, 12, 16));
      expect(functions.pick!(BigInt64Array.of(0n, 1n))).toEqual(Float32Array.of(8, 16));
    }
  });
});

describe('weights', () => {
  const w = (data: Float32Array, shape = [10, 16]) => storedOf('f32', shape, data);
  const file = (...tensors: Parameters<typeof writeSafetensors>[0] extends Iterable<infer T> ? T[] : never) => writeSafetensors(tensors);
  const bias = ['fc.bias', storedOf('f32', [10], noise(10))] as const;

  test('of another training take the place of the module’s own', async () => {
    const given = file(['fc.weight', w(new Float32Array(160))], ['fc.bias', storedOf('f32', [10], new Float32Array(10))]);
    for (const weights of [given, given.buffer, new Response(given)]) {
      const { classify } = await functionsOf(digits, { weights, target: 'js' });
      expect((classify!(noise(16)) as { best: Float32Array }).best[0]).toBeCloseTo(0.1, 6);
    }
  });

  test.each([
    ['that miss a key', file(['fc.weight', w(noise(160))]), 'KEY', /no weight "fc.bias"/],
    [
      'with a key too many',
      file(['fc.weight', w(noise(160))], bias, ['x', storedOf('f32', [], Float32Array.of(1))]),
      'KEY',
      /model has no weight "x"/,
    ],
    ['of another shape', file(['fc.weight', w(noise(160), [16, 10])], bias), 'SHAPE', /"fc.weight" is \[10,16\], the file has \[16,10\]/],
    [
      'of another dtype',
      file(['fc.weight', storedOf('f64', [10, 16], new Float64Array(160))], bias),
      'DTYPE',
      /"fc.weight" is f32, the file has F64/,
    ],
    ['that are no file', new Uint8Array(100), 'FORMAT', /begin with/],
  ] as const)('%s are refused', async (_, weights, code, message) => {
    const refused = digits.instantiate({ weights });
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toMatchObject({ code });
  });

  test('over the threshold lie in a file beside the module, whose loading is told', async () => {
    const module = await imported(classifier(), { inlineBytes: 10 });
    const told: { loaded: number; total: number }[] = [];
    const { classify } = await functionsOf(module, { onProgress: (p: { loaded: number; total: number }) => told.push(p) });
    expect(classify!(noise(16))).toEqual((await functionsOf(digits)).classify!(noise(16)));
    expect(told.at(-1)!.loaded).toBe(told.at(-1)!.total);
    await expect(module.instantiate({ weights: new URL('file:///nowhere/w.safetensors') })).rejects.toMatchObject({ code: 'DEVICE' });
  });

  test.each(['float16', 'int8'] as const)('in %s are near those in float32', async (weights) => {
    const full = (await functionsOf(digits, { target: 'js' })).classify!(noise(16)) as { probabilities: Float32Array };
    const module = await imported(classifier(), { weights });
    const fewer = (await functionsOf(module, { target: 'js' })).classify!(noise(16)) as { probabilities: Float32Array };
    const bound = weights === 'float16' ? 2e-3 : 4e-2;
    full.probabilities.forEach((p, i) => {
      expect(Math.abs(p - fewer.probabilities[i]!)).toBeLessThan(bound * Math.max(p, 0.01));
    });
    const state = await (await module.instantiate()).state();
    expect(state.get('fc.weight')!.data).toHaveLength(160);
    expect(state.get('fc.weight')!.data).not.toEqual(noise(160));
  });
});

describe('targets', () => {
  test('are chosen by the caller, or are the best that the host has', async () => {
    expect((await digits.instantiate()).target).toBe('wasm');
    expect((await digits.instantiate({ target: 'js' })).target).toBe('js');
    await expect(digits.instantiate({ target: 'webgpu' })).rejects.toThrow(/model was not built for webgpu; it has wasm, js/);
  });

  test('that the host does not have are told', async () => {
    const module = await imported(classifier({ names: ['webgpu'] }));
    await expect(module.load()).rejects.toThrow(/this host has none of webgpu/);
    await expect(module.load()).rejects.toMatchObject({ code: 'DEVICE' });
  });

  test('give the same bits for any number of threads', async () => {
    const length = 300_000;
    const module = await imported(trainer(length));
    const results: unknown[] = [];
    for (const threads of [1, 2]) {
      const { train, read } = await functionsOf(module, { target: 'wasm', threads });
      for (let i = 0; i < 20; i++) train!(noise(length, 5));
      results.push(read!());
    }
    expect(results[1]).toEqual(results[0]);
  });
});

test('programs of the module and of the JIT are the same data', () => {
  const model: BuiltModel = classifier();
  const compiled = compileGraph(parse('graph @g(%x: f32[4]) -> (%y: f32[4]) { %y: f32[4] = exp(%x) }'), wasmTarget('mul+add'));
  expect(compiled.version).toBe(model.entries[0]!.variants[0]!.programs.wasm!.program.version);
  expect(writeArtifact(model).files.has('model.wasm.js')).toBe(true);
});
