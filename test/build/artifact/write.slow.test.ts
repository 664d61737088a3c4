// What a build writes: the same bytes for the same model, with everything that users named in strings and nowhere else.
import { transformSync } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { sizeText } from '../../../compiler/build/artifact/sizes.ts';
import { docComment, literal } from '../../../compiler/build/artifact/text.ts';
import { encodeWeights, lossText, toHalf } from '../../../compiler/build/artifact/weights.ts';
import { type WrittenArtifact, writeArtifact } from '../../../compiler/build/artifact/write.ts';
import type { BuiltEntry, BuiltModel } from '../../../compiler/build/model.ts';
import { fromHalf } from '../../../runtime/half.ts';
import { classifier, imported, modelOf, noise, programs, removeFolders, trainer, weight } from './models.ts';

afterAll(removeFolders);

const textOf = ({ files }: WrittenArtifact, name: string): string => new TextDecoder().decode(files.get(name));

test('files are the same bytes each time, and know nothing of the machine', () => {
  for (const model of [classifier, trainer]) {
    const [one, two] = [writeArtifact(model()), writeArtifact(model())];
    expect([...two.files]).toEqual([...one.files]);
    for (const [name, content] of one.files)
      expect(new TextDecoder('latin1').decode(content), name).not.toMatch(/\/work|\/tmp|\/home|file:|202\d-/);
  }
});

test('a module imports the runtime alone, and each target’s code when it is asked for', () => {
  const written = writeArtifact(classifier({ names: ['js', 'wasm', 'relaxed', 'webgpu'] }), { inlineBytes: 0 });
  expect([...written.files.keys()].map((name) => name.replace(/\.[0-9a-f]{16}\./, '.HASH.'))).toEqual([
    'model.wgsl.js',
    'model.wasm.js',
    'model.relaxed.js',
    'model.kernels.js',
    'model.js',
    'model.js.map',
    'model.d.ts',
    'model.HASH.safetensors',
    'model.workerd.js',
    'model.workerd.d.ts',
    'model.0.wasm',
    'model.inspect.json',
  ]);
  const module = textOf(written, 'model.js');
  expect([...module.matchAll(/from ["']([^"']+)["']/g)].map((m) => m[1])).toEqual(['fluxion/runtime']);
  expect([...module.matchAll(/import\("([^"]+)"\)/g)].map((m) => m[1])).toEqual([
    './model.wgsl.js',
    './model.wasm.js',
    './model.relaxed.js',
    './model.kernels.js',
  ]);
  expect(module).toMatch(/new URL\(["']\.\/model\.[0-9a-f]{16}\.safetensors["'], import\.meta\.url\)/);
  for (const name of ['model.js', 'model.wasm.js', 'model.kernels.js', 'model.wgsl.js'])
    expect(textOf(written, name), name).not.toMatch(/\beval\b|new Function/);
});

test('the declaration has the names, shapes and comments of the model', () => {
  expect(textOf(writeArtifact(classifier()), 'model.d.ts')).toContain(`/**
 * Tells the digit.
 * @param image float32 [1, 16]: Grey values.
 */
declare const e0: EntryOf<(image: Given<Float32Array, [1, 16]>) => { readonly probabilities: Elements<Float32Array, [1, 10]>; readonly best: Elements<Float32Array, [1]> }>;
export { e0 as classify };
`);
});

test('the source map leads from the function to its declaration', () => {
  const written = writeArtifact(classifier());
  const map = JSON.parse(textOf(written, 'model.js.map')) as { mappings: string; sources: string[]; sourcesContent: string[] };
  expect(map.sources).toEqual(['src/model.ts']);
  expect(map.sourcesContent).toEqual([classifier().source.text]);
  const line = textOf(written, 'model.js')
    .split('\n')
    .findIndex((l) => l.includes('const e0'));
  // Column 0 of that line is line 3, column 14 of the source: 0, 0, 2, 13.
  expect(map.mappings.split(';')[line]).toBe('AAEa');
  expect(map.mappings.split(';').slice(0, line).join('')).toBe('');
});

describe('what users named', () => {
  const payloads = [
    '*/ globalThis.pwned = 1; /*',
    '\n globalThis.pwned = 1 //',
    '\r globalThis.pwned = 1 //',
    '\u2028 globalThis.pwned = 1 //',
    '\u2029 globalThis.pwned = 1 //',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as an attacker writes it
    '`; globalThis.pwned = 1; `${globalThis.pwned = 1}',
    "'; globalThis.pwned = 1; '",
    '"; globalThis.pwned = 1; "',
    '\\"; globalThis.pwned = 1; //',
    '</script><script>globalThis.pwned = 1</script>',
    '<!-- x',
    '\n//# sourceMappingURL=evil.map',
    '//# sourceMappingURL=data:application/json,{}',
    '\u202e evil \u2066 \u200f',
    '\ud800 lone \udfff',
    '__proto__',
    'constructor',
    '\0',
    'a@type {evil}',
  ];

  const compiled = programs(
    'graph @g(%x: f32[2], %w: f32[2], %s: slot f32) -> (%y: f32[2]) { %z: f32[2] = mul(%x, %w) %e: f32[2] = expand(%s) {shape: [2], at: [0]} %y: f32[2] = add(%z, %e) }',
    { inputs: [], slots: [{ from: 'number', index: 0 }], outputs: [{ to: 'result', index: 0 }] },
  );
  const [sample] = classifier().entries as [BuiltEntry];

  const hostile = (payload: string): BuiltModel => {
    const key = payload.replace(/\p{Surrogate}/gu, '?');
    return modelOf(
      [
        {
          ...sample,
          doc: payload,
          inputs: [{ name: payload, dtype: 'f32', shape: [{ dim: payload, min: 1, max: 2, times: 1, plus: 0 }], doc: payload }],
          numbers: [{ name: payload, doc: payload }],
          parameters: [
            { name: payload, tree: { kind: 'record', keys: [payload], items: [{ kind: 'tensor', index: 0 }] } },
            { name: payload, tree: { kind: 'number', index: 0 } },
          ],
          result: {
            kind: 'record',
            keys: [payload, 'static'],
            items: [
              { kind: 'tensor', index: 0, dtype: 'f32', shape: [{ dim: payload, min: 1, max: 2, times: 2, plus: 1 }] },
              { kind: 'static', value: payload },
            ],
          },
          variants: [
            {
              sizes: {},
              programs: Object.fromEntries(
                Object.entries(compiled).map(([target, bound]) => [
                  target,
                  {
                    ...bound,
                    inputs: [
                      { from: 'input', index: 0 },
                      { from: 'weight', key },
                    ],
                  },
                ]),
              ),
            },
          ],
          advances: [{ key: payload, to: { counter: payload } }],
        },
      ],
      [weight(key, [2], Float32Array.of(1, 2))],
      { counters: [{ key: payload, value: 0 }], source: { path: payload, text: payload } },
    );
  };

  /** The code with every string emptied. */
  const skeleton = (code: string): string => code.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');

  const plain = writeArtifact(hostile('plain name'));

  test.each(payloads)('cannot become code: %j', async (payload) => {
    const written = writeArtifact(hostile(payload));
    for (const name of ['model.js', 'model.wasm.js', 'model.relaxed.js', 'model.kernels.js', 'model.workerd.js']) {
      const code = textOf(written, name);
      expect(skeleton(code).replace(/\d+/g, '0'), name).toBe(skeleton(textOf(plain, name)).replace(/\d+/g, '0'));
      expect(code, name).not.toMatch(/[^\n -~]|<\/|<!|#\s*sourceMappingURL=(?!model\.js\.map\n$)/);
      transformSync(code, { loader: 'js' });
    }
    const types = textOf(written, 'model.d.ts');
    transformSync(types, { loader: 'ts' });
    expect(types).not.toMatch(/<\/script|<!--|\/\/[#@]|[\u2028\u2029\u202e\u2066\u200f\0]/);
    // What stands between comments is declarations and nothing else.
    const declared = types.replace(/\/\*\*.*?\*\//gs, '');
    expect(skeleton(declared).replace(/constructor|plain/g, '""')).not.toMatch(/pwned|script|sourceMapping/);
    const module = await imported(hostile(payload));
    const { functions } = await module.instantiate();
    const result = functions.classify!(Object.fromEntries([[payload, Float32Array.of(1, 2)]]), 1) as unknown as object;
    expect(Object.getOwnPropertyDescriptor(result, payload)?.value).toEqual(Float32Array.of(2, 5));
    expect(Object.getOwnPropertyDescriptor(result, 'static')?.value).toBe(payload);
    expect((globalThis as { pwned?: unknown }).pwned).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test('is data to the last unit', () => {
    for (const payload of payloads) {
      expect(literal(payload)).toMatch(/^"[ -~]*"$/);
      // biome-ignore lint/security/noGlobalEval: that it means itself is the point
      expect(globalThis.eval(literal(payload))).toBe(payload);
    }
  });

  test('ends no comment', () => {
    for (const payload of payloads) expect(docComment([payload, payload]).replace(/\n$/, '').slice(0, -2)).not.toContain('*/');
    expect(docComment([undefined, ' '])).toBe('');
  });
});

describe('a model that cannot be written', () => {
  const refused = (model: BuiltModel, message: RegExp): void => {
    expect(() => writeArtifact(model)).toThrow(message);
    expect(() => writeArtifact(model)).toThrow(expect.objectContaining({ code: 'ARGUMENT' }));
  };
  const [entry] = classifier().entries as [BuiltEntry];

  test.each(['../../x', '/etc/x', 'CON', 'nul.txt', 'a\0b', 'a/b', 'a\\b', '', '.', '..', '.hidden', 'a b', 'x.', 'ä'])(
    'is not called %j',
    (name) => {
      refused({ ...classifier(), name }, /cannot be called/);
    },
  );

  test('has no functions that are called alike, or like the module’s own', () => {
    refused({ ...classifier(), entries: [entry, entry] }, /two functions are called 'classify'.*src\/model.ts:3/);
    refused({ ...classifier(), entries: [{ ...entry, name: 'load' }] }, /'load' is a function of every built module/);
    refused({ ...classifier(), entries: [{ ...entry, name: 'a b' }] }, /no name for an export/);
  });

  test('has the same targets throughout', () => {
    const [other] = classifier({ names: ['js'] }).entries as [BuiltEntry];
    refused({ ...classifier(), entries: [entry, { ...other, name: 'other' }] }, /other has no program for wasm/);
    refused({ ...classifier(), entries: classifier({ names: [] }).entries }, /built for no target/);
  });

  test('has no number among its results that data cannot hold', () => {
    refused({ ...classifier(), entries: [{ ...entry, result: { kind: 'static', value: Number.NaN } }] }, /always NaN/);
  });
});

describe('weights in fewer bits', () => {
  test('all halves are what they were, there and back', () => {
    for (let bits = 0; bits < 65536; bits++) if (!Number.isNaN(fromHalf(bits))) expect(toHalf(fromHalf(bits))).toBe(bits);
    expect(fromHalf(toHalf(Number.NaN))).toBeNaN();
  });

  test('a number becomes the nearest half, the even one of two', () => {
    const halves = Array.from({ length: 0x7c00 }, (_, bits) => fromHalf(bits));
    for (const x of noise(2000)) {
      const size = Math.abs(x) * 2 ** (Math.round(x * 1e6) % 16);
      const at = halves.findIndex((h) => h > size);
      const [low, high] = [halves[at - 1]!, halves[at]!];
      const middle = (low + high) / 2;
      expect(toHalf(size)).toBe(size < middle ? at - 1 : size > middle ? at : (at - 1) % 2 === 0 ? at - 1 : at);
    }
    expect([65519.99, 65520, 1e6, -1e-9].map(toHalf)).toEqual([0x7bff, 0x7c00, 0x7c00, 0x8000]);
  });

  test('lose what is told, and what must not lose stays', () => {
    const weights = [
      weight('matrix', [4, 64], noise(256)),
      weight('bias', [4], noise(4)),
      weight('state', [4, 64], noise(256), true),
      weight('wild', [1, 2], Float32Array.of(1, Infinity)),
      weight('steps', [1], BigInt64Array.of(3n)),
      weight('zero', [2, 2], new Float32Array(4)),
    ];
    const int8 = encodeWeights(weights, 'int8');
    expect(int8.losses.map(({ key, as }) => [key, as])).toEqual([
      ['matrix', 'int8'],
      ['bias', 'float16'],
      ['zero', 'int8'],
    ]);
    expect(int8.losses[0]!.relative).toBeLessThan(0.01);
    expect(int8.losses[0]!.largest).toBeLessThanOrEqual(1 / 127 / 2 + 1e-6);
    expect(int8.losses[2]).toMatchObject({ relative: 0, largest: 0 });
    expect(lossText(int8.losses)).toMatch(
      /^weights as int8 and float16: relative error 0\.\d+ %, at most 0\.\d+ % \("matrix", off by 0\.00\d+ at most\)$/,
    );
    expect(encodeWeights(weights, 'float32').losses).toEqual([]);
    expect(lossText([])).toBe('');
    expect(int8.bytes.length).toBeLessThan(encodeWeights(weights, 'float32').bytes.length);
  });
});

test('sizes are told raw and compressed', () => {
  const { sizes } = writeArtifact(classifier());
  expect(sizes.weights.bytes).toBe(824);
  expect(sizeText(sizes)).toMatch(
    /^runtime, not minified +\d+\.\d kB +\d+\.\d kB gzipped\nmodule .*\nkernels for wasm .*\nkernels for wasm, relaxed .*\nkernels for js .*\nweights +0\.8 kB/,
  );
});
