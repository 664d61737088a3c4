// Built models made by hand from graphs, and built modules as a process or a page has them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { type WriteOptions, type WrittenArtifact, writeArtifact } from '../../../compiler/build/artifact/write.ts';
import type { BoundProgram, BuildTarget, BuiltEntry, BuiltModel, BuiltVariant, BuiltWeight } from '../../../compiler/build/model.ts';
import { parse } from '../../../compiler/ir/parse.ts';
import { compileGraph } from '../../../compiler/lower/compile.ts';
import type { TypedArray } from '../../../runtime/dtype.ts';
import { jsTarget, wasmTarget, webgpuTarget } from '../../../runtime/target.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const targets = {
  js: jsTarget,
  wasm: wasmTarget('mul+add'),
  relaxed: wasmTarget('madd'),
  webgpu: webgpuTarget,
} as const;
export const cpuTargets = ['js', 'wasm', 'relaxed'] as const;

/** A graph for each of the targets, with what its ports are tied to. */
export const programs = (
  text: string,
  ties: Omit<BoundProgram, 'program'>,
  names: readonly BuildTarget[] = cpuTargets,
): BuiltVariant['programs'] => {
  const graph = parse(text);
  return Object.fromEntries(names.map((name) => [name, { program: compileGraph(graph, targets[name]), ...ties }]));
};

export const weight = (key: string, shape: readonly number[], data: TypedArray, written = false): BuiltWeight => ({
  key,
  dtype: data instanceof Float32Array ? 'f32' : data instanceof BigInt64Array ? 'i64' : 'f64',
  shape,
  data,
  written,
});

export const modelOf = (
  entries: readonly BuiltEntry[],
  weights: readonly BuiltWeight[] = [],
  more: Partial<BuiltModel> = {},
): BuiltModel => ({
  name: 'model',
  source: { path: 'src/model.ts', text: 'export const classify = aot(...);\n' },
  notes: [],
  entries,
  weights,
  counters: [],
  ...more,
});

const noise = (length: number, seed = 1): Float32Array => {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

export { noise };

/** A layer with softmax over `classes` classes: `classify(image)` gives `{ probabilities, best }`. */
export function classifier({ features = 16, classes = 10, names = cpuTargets as readonly BuildTarget[] } = {}): BuiltModel {
  const text = `graph @classify(%x: f32[1,${features}], %w: f32[${classes},${features}], %b: f32[${classes}]) -> (%p: f32[1,${classes}], %m: f32[1]) {
    %y: f32[1,${classes}] = dot(%x, %w) {batch: []x[], contract: [1]x[1]}
    %c: f32[1,${classes}] = expand(%b) {shape: [1,${classes}], at: [0]}
    %z: f32[1,${classes}] = add(%y, %c)
    %e: f32[1,${classes}] = exp(%z)
    %s: f32[1] = sum(%e) {axes: [1]}
    %t: f32[1,${classes}] = expand(%s) {shape: [1,${classes}], at: [1]}
    %p: f32[1,${classes}] = div(%e, %t)
    %m: f32[1] = amax(%p) {axes: [1]}
  }`;
  return modelOf(
    [
      {
        name: 'classify',
        doc: 'Tells the digit.',
        line: 3,
        column: 14,
        inputs: [{ name: 'image', dtype: 'f32', shape: [1, features], doc: 'Grey values.' }],
        numbers: [],
        parameters: [{ name: 'image', tree: { kind: 'tensor', index: 0 } }],
        result: {
          kind: 'record',
          keys: ['probabilities', 'best'],
          items: [
            { kind: 'tensor', index: 0, dtype: 'f32', shape: [1, classes] },
            { kind: 'tensor', index: 1, dtype: 'f32', shape: [1] },
          ],
        },
        advances: [],
        variants: [
          {
            sizes: {},
            programs: programs(
              text,
              {
                inputs: [
                  { from: 'input', index: 0 },
                  { from: 'weight', key: 'fc.weight' },
                  { from: 'weight', key: 'fc.bias' },
                ],
                slots: [],
                outputs: [
                  { to: 'result', index: 0 },
                  { to: 'result', index: 1 },
                ],
              },
              names,
            ),
          },
        ],
      },
    ],
    [weight('fc.weight', [classes, features], noise(classes * features)), weight('fc.bias', [classes], noise(classes, 7))],
  );
}

/** `train(x, rate)` moves the weight towards x by rate / (steps so far + 1), and gives what it was; `read()` gives what it is. */
export function trainer(length = 3000): BuiltModel {
  const step = `graph @train(%x: f32[${length}], %w: f32[${length}], %rate: slot f32) -> (%w, %v: f32[${length}]) {
    %d: f32[${length}] = sub(%x, %w)
    %r: f32[${length}] = expand(%rate) {shape: [${length}], at: [0]}
    %m: f32[${length}] = mul(%d, %r)
    %v: f32[${length}] = add(%w, %m)
  }`;
  const share = { from: 'host', expr: { fn: 'div', args: [0.5, { fn: 'add', args: [{ counter: 'steps' }, 1] }] } } as const;
  const entry = { line: 1, column: 1, numbers: [], advances: [] };
  const tensor = { kind: 'tensor', index: 0, dtype: 'f32', shape: [length] } as const;
  return modelOf(
    [
      {
        ...entry,
        name: 'train',
        inputs: [{ name: 'x', dtype: 'f32', shape: [length] }],
        parameters: [{ name: 'x', tree: { kind: 'tensor', index: 0 } }],
        result: tensor,
        advances: [{ key: 'steps', to: { fn: 'add', args: [{ counter: 'steps' }, 1] } }],
        variants: [
          {
            sizes: {},
            programs: programs(step, {
              inputs: [
                { from: 'input', index: 0 },
                { from: 'weight', key: 'w' },
              ],
              slots: [share],
              outputs: [
                { to: 'result', index: 0 },
                { to: 'weight', key: 'w' },
              ],
            }),
          },
        ],
      },
      {
        ...entry,
        name: 'read',
        inputs: [],
        parameters: [],
        result: tensor,
        variants: [
          {
            sizes: {},
            programs: programs(`graph @read(%w: f32[${length}]) -> (%w) { }`, {
              inputs: [{ from: 'weight', key: 'w' }],
              slots: [],
              outputs: [{ to: 'result', index: 0 }],
            }),
          },
        ],
      },
    ],
    [weight('w', [length], noise(length), true)],
    { counters: [{ key: 'steps', value: 0 }] },
  );
}

/** What is exported by built modules of these tests. */
export type Called = ((...args: unknown[]) => never) & { readonly async: (...args: unknown[]) => Promise<never> };
export type Instance = {
  readonly target: string;
  readonly functions: Readonly<Record<string, Called>>;
  readonly state: () => Promise<Map<string, { readonly data: TypedArray }>>;
  readonly save: () => Promise<Uint8Array>;
};
export type Module = {
  readonly load: (options?: object) => Promise<Instance>;
  readonly instantiate: (options?: object) => Promise<Instance>;
} & Pick<Instance, 'state' | 'save'>;

const folders: string[] = [];
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fluxion-artifact-'));
  folders.push(folder);
  return folder;
}
/** For `afterAll`. */
export const removeFolders = (): void => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
};

/** The written files and their bundle for `platform`, in a new folder: `<folder>/<entry>` is the bundled module. */
export async function bundled(
  written: WrittenArtifact,
  { entry = 'model.js', minify = false, external = [] as string[] } = {},
): Promise<string> {
  const folder = newFolder();
  const source = join(folder, 'written');
  mkdirSync(source);
  for (const [path, content] of written.files) {
    writeFileSync(join(source, path), content);
    if (/\.(safetensors|wasm)$/.test(path)) writeFileSync(join(folder, path), content);
  }
  await build({
    entryPoints: [join(source, entry)],
    outdir: folder,
    bundle: true,
    splitting: true,
    minify,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outExtension: { '.js': '.mjs' },
    alias: { 'fluxion/runtime': join(root, 'runtime/index.ts'), 'fluxion/worker': join(root, 'compiler/worker/index.ts') },
    external,
    logLevel: 'error',
  });
  return folder;
}

/** A built module, imported by Node. */
export async function imported(model: BuiltModel, options: WriteOptions = {}): Promise<Module & Readonly<Record<string, Called>>> {
  const folder = await bundled(writeArtifact(model, options));
  return import(/* @vite-ignore */ pathToFileURL(join(folder, 'model.mjs')).href);
}
