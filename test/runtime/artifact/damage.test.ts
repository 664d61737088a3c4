// What a module loads may be damaged on the way or belong to another build: a typed error, and never a wrong answer.
import { expect, test } from 'vitest';
import { describe as describeModel, programsFor, targetData } from '../../../compiler/build/artifact/describe.ts';
import { encodeWeights } from '../../../compiler/build/artifact/weights.ts';
import type { BuiltModel } from '../../../compiler/build/model.ts';
import { functionsOf } from '../../../compiler/jit/executable.ts';
import type { Description, TargetData } from '../../../runtime/artifact/description.ts';
import { hashData } from '../../../runtime/artifact/hash.ts';
import { artifact, type EntryFunction } from '../../../runtime/artifact/model.ts';
import { js, type Target, wasm } from '../../../runtime/artifact/targets.ts';
import { FluxionError, FormatError, ProgramError } from '../../../runtime/errors.ts';
import { classifier, noise, trainer } from '../../build/artifact/models.ts';

/** A module's parts, as its files give them. */
type Parts = {
  readonly description: Description;
  readonly data: { readonly js: TargetData; readonly wasm: TargetData };
  readonly weights: Uint8Array;
};

function partsOf(model: BuiltModel): Parts {
  const file = encodeWeights(model.weights, 'float32');
  return {
    description: describeModel(model, file),
    data: { js: targetData(model, programsFor(model, 'js')!), wasm: targetData(model, programsFor(model, 'wasm')!) },
    weights: file.bytes,
  };
}

const model = classifier();
const parts = partsOf(model);
const programs = (target: 'js' | 'wasm') =>
  programsFor(model, target)!
    .flat()
    .map(({ program }) => program);
const kernels = programs('js').map(functionsOf);
const modules = programs('wasm').map(({ module }) => module!.base64);
const image = noise(16);

const loaded = async ({ description, data, weights }: Parts, target: 'js' | 'wasm', code = modules): Promise<EntryFunction> => {
  const targets: readonly Target[] = [js(async () => ({ data: data.js, kernels })), wasm(async () => ({ data: data.wasm, modules: code }))];
  const base64 = Buffer.from(weights).toString('base64');
  const { functions } = await artifact(description, targets, { base64 }).instantiate({ target, threads: 1 });
  return functions.classify!;
};
const answer = async (...args: Parameters<typeof loaded>): Promise<unknown> => (await loaded(...args))(image);

/** Pseudo-random, the same in every run. */
let state = 12345;
const below = (n: number): number => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return state % n;
};

/** A copy of data with one of its leaves changed. */
function mutated<T>(data: T): T {
  const copy = structuredClone(data);
  const leaves: [Record<string, unknown>, string][] = [];
  const open: unknown[] = [copy];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    for (const [key, value] of Object.entries(node)) {
      if (typeof value === 'object' && value !== null) open.push(value);
      leaves.push([node as Record<string, unknown>, key]);
    }
  }
  const [node, key] = leaves[below(leaves.length)]!;
  const value = node[key];
  const changes: unknown[] = [typeof value === 'number' ? value + 64 : `${String(value)}x`, -1, null, [], 2 ** 40, '../x', {}];
  node[key] = changes[below(changes.length)];
  return copy;
}

test('100 mutations of what describes a module and its programs are refused', async () => {
  const expected = { js: await answer(parts, 'js'), wasm: await answer(parts, 'wasm') };
  for (let i = 0; i < 100; i++) {
    const target = i % 2 === 0 ? 'js' : 'wasm';
    const { description, data, weights } = parts;
    const changed =
      i % 3 === 0
        ? { description: mutated(description), data, weights }
        : { description, data: { ...data, [target]: mutated(data[target]) }, weights };
    const outcome = await answer(changed, target).catch((error: unknown) => error);
    if (!(outcome instanceof FluxionError)) expect(outcome, `mutation ${i}`).toEqual(expected[target]);
  }
});

test('programs that were changed together with their hash are checked by what they refer to', async () => {
  let refused = 0;
  for (let i = 0; i < 100; i++) {
    const changed = mutated(parts.data.js);
    const data = { ...parts.data, js: { ...changed, hash: hashData(changed) } };
    // A Program is code: one that fits its own rules may compute anything, but nothing else than a typed error may come of one that does not.
    const outcome = await loaded({ ...parts, data }, 'js').catch((error: unknown) => error);
    if (typeof outcome === 'function') continue;
    expect(outcome, `mutation ${i}: ${JSON.stringify(changed).slice(0, 2000)}`).toBeInstanceOf(FluxionError);
    refused++;
  }
  expect(refused).toBeGreaterThan(50);
});

test('an arena offset that lies outside is found before anything runs', async () => {
  const text = JSON.stringify(parts.data.js).replace(/"offset":0/, '"offset":1048576');
  const changed = JSON.parse(text) as TargetData;
  const data = { ...parts.data, js: { ...changed, hash: hashData(changed) } };
  await expect(answer({ ...parts, data }, 'js')).rejects.toThrow(/reaches byte \d+ of an arena/);
});

test('modules of another version, or of another build, are refused', async () => {
  const older = { ...parts.description, version: 0 };
  await expect(answer({ ...parts, description: { ...older, hash: hashData(older) } }, 'js')).rejects.toThrow(
    /of version 0, this runtime reads version 1/,
  );
  const other = partsOf(trainer(8));
  await expect(answer({ ...parts, data: other.data }, 'js')).rejects.toBeInstanceOf(ProgramError);
  await expect(answer({ ...parts, weights: other.weights }, 'js')).rejects.toBeInstanceOf(FormatError);
});

test('weights with any byte changed, or cut off anywhere, are refused', async () => {
  for (let at = 0; at < parts.weights.length; at += 7) {
    const weights = parts.weights.slice();
    weights[at]! ^= 1 << below(8);
    await expect(answer({ ...parts, weights }, 'js'), `byte ${at}`).rejects.toThrow(/hash/);
    await expect(answer({ ...parts, weights: parts.weights.slice(0, at) }, 'js')).rejects.toBeInstanceOf(FormatError);
  }
});

test('a saved state with any byte changed is refused, or is the state that it was', async () => {
  const { data, description, weights } = partsOf(trainer(8));
  const built = artifact(
    description,
    [
      js(async () => ({
        data: data.js,
        kernels: programsFor(trainer(8), 'js')!
          .flat()
          .map(({ program }) => functionsOf(program)),
      })),
    ],
    {
      base64: Buffer.from(weights).toString('base64'),
    },
  );
  const first = await built.instantiate();
  first.functions.train!(noise(8, 5));
  const saved = await first.save();
  const expected = await first.state();
  for (let at = 0; at < saved.length; at++) {
    const changed = saved.slice();
    changed[at]! ^= 1 << below(8);
    const outcome = await built.instantiate({ weights: changed }).catch((error: unknown) => error);
    if (outcome instanceof FluxionError) continue;
    expect(await (outcome as Awaited<ReturnType<typeof built.instantiate>>).state(), `byte ${at}`).toEqual(expected);
  }
});

test('damaged WebAssembly is refused', async () => {
  for (let i = 0; i < 40; i++) {
    const bytes = Buffer.from(modules[0]!, 'base64');
    bytes[below(bytes.length)]! ^= 1 << below(8);
    await expect(answer(parts, 'wasm', [bytes.toString('base64')]), `mutation ${i}`).rejects.toBeInstanceOf(ProgramError);
  }
  await expect(answer(parts, 'wasm', [])).rejects.toBeInstanceOf(ProgramError);
  await expect(answer(parts, 'wasm', ['*'])).rejects.toBeInstanceOf(FluxionError);
});
