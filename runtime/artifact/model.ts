// A built model at work: loads its best target and its weights, runs calls, and keeps what training steps write.
import { type Buffer, copy, copySync, hostBuffer, release } from '../buffer.ts';
import type { TypedArray } from '../dtype.ts';
import { ArgumentError, DeviceError, ProgramError, ShapeError } from '../errors.ts';
import { evaluateHost } from '../host.ts';
import { type Arguments, bindArguments } from './arguments.ts';
import { artifactVersion, type Description, type Entry, type ResultTree } from './description.ts';
import { hashData } from './hash.ts';
import { type Bound, type Opened, openTarget, type Target, type TargetName, type TargetOptions } from './targets.ts';
import { type OwnWeights, ownState, type Progress, readState, type State, type StateEntry, type WeightSource } from './weights.ts';

export type LoadOptions = TargetOptions & {
  /** Where to run: else the best that the host has. */
  readonly target?: TargetName | undefined;
  /** Other weights than those that the model was built with: a safetensors file of the same keys, such as `save` gives. */
  readonly weights?: WeightSource | undefined;
  readonly onProgress?: Progress | undefined;
};

/** A model with a state of its own. Calls on webgpu have to be awaited; elsewhere both ways work. */
export type Model = {
  readonly target: TargetName;
  readonly call: (entry: number, args: readonly unknown[]) => unknown;
  readonly callAsync: (entry: number, args: readonly unknown[]) => Promise<unknown>;
  readonly state: () => Promise<Map<string, StateEntry>>;
  readonly save: () => Promise<Uint8Array<ArrayBuffer>>;
};

type Loaded = {
  readonly description: Description;
  readonly opened: Opened;
  readonly state: State;
  /** Of each weight the buffer before the last write, which the next one may overwrite. */
  readonly spare: (Buffer | undefined)[];
};

export async function loadModel(
  description: Description,
  targets: readonly Target[],
  own: OwnWeights,
  options: LoadOptions,
): Promise<Model> {
  checkDescription(description);
  const [opened, state] = await Promise.all([
    openTarget(description.name, targets, options.target, options),
    stateFor(description, own, options),
  ]);
  const m: Loaded = { description, opened, state, spare: [] };
  checkBindings(m);
  /** Calls that have to be awaited run one after the other, since each may need what the one before it wrote. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work);
    last = next.catch(() => {});
    return next;
  };
  return {
    target: opened.target,
    call: (entry, args) => callSync(m, entry, args),
    callAsync: (entry, args) => inTurn(async () => (opened.isSync ? callSync(m, entry, args) : callAwaited(m, entry, args))),
    state: () => inTurn(() => readState(description, state)),
    save: () => inTurn(async () => (await import('./saved.ts')).saveState(description, state)),
  };
}

const stateFor = async (d: Description, own: OwnWeights, { weights, onProgress }: LoadOptions): Promise<State> =>
  weights === undefined ? ownState(d, own, onProgress) : (await import('./saved.ts')).givenState(d, weights, onProgress);

function checkDescription(d: Description): void {
  const fix = 'build the model again with this version';
  if (d.version !== artifactVersion)
    throw new ProgramError(`the module is of version ${String(d.version)}, this runtime reads version ${artifactVersion}`, {
      op: 'load',
      fix,
    });
  if (d.hash !== hashData(d))
    throw new ProgramError(`the description of ${d.name} does not have the hash that stands beside it`, { op: 'load', fix });
}

/** Ports are tied to what is there, and to the same sizes. */
function checkBindings({ description: { entries, weights, name }, opened }: Loaded): void {
  const refuse = (): never => {
    throw new ProgramError(`the programs of ${name} are tied to what is not there`, { op: 'load', fix: 'build the model again' });
  };
  if (opened.entries.length !== entries.length) refuse();
  opened.entries.forEach((variants, e) => {
    for (const { executable, inputs, slots, outputs } of variants) {
      const { program } = executable;
      const isTied =
        program.inputs.length === inputs.length && program.slots.length === slots.length && program.outputs.length === outputs.length;
      if (!isTied) refuse();
      inputs.forEach((i, k) => {
        const port = i < 0 ? weights[~i] : entries[e]!.inputs[i];
        if (port?.dtype !== program.inputs[k]!.dtype) refuse();
      });
      outputs.forEach((i, k) => {
        if (i < 0 && weights[~i]?.dtype !== program.outputs[k]!.dtype) refuse();
      });
    }
  });
}

/** A call that has begun: what ran, and what its state will be if it succeeds. */
type Begun = {
  readonly entry: Entry;
  readonly bound: Bound;
  readonly inputs: readonly Buffer[];
  readonly outputs: readonly Buffer[];
  readonly counters: readonly number[];
};

function begin({ description, opened, state, spare }: Loaded, index: number, args: readonly unknown[]): Begun {
  const entry = description.entries[index]!;
  const given = bindArguments(entry, args);
  const bound = variantFor(entry, opened.entries[index]!, given);
  const read = (counter: number): number => state.counters[counter]!;
  const counters = [...state.counters];
  for (const { counter, to } of entry.advances) counters[counter] = evaluateHost(to, read);
  const slots = Float64Array.from(bound.slots, (slot) => ('number' in slot ? given.numbers[slot.number]! : evaluateHost(slot.host, read)));
  const inputs = bound.inputs.map((i, k) => {
    if (i < 0) return state.buffers[~i]!;
    const array = given.arrays[i]!;
    return hostBuffer(entry.inputs[i]!.dtype, bound.sharing.becomesState[k] ? array.slice() : array);
  });
  const { program, execute } = bound.executable;
  const into = bound.outputs.map((i, k) => (i < 0 && program.outputs[k]!.alias === undefined ? takeSpare(spare, ~i) : undefined));
  return { entry, bound, inputs, outputs: execute(inputs, slots, into), counters };
}

function takeSpare(spare: (Buffer | undefined)[], weight: number): Buffer | undefined {
  const buffer = spare[weight];
  spare[weight] = undefined;
  return buffer;
}

/** The first variant that is for the sizes of the call. */
function variantFor({ name }: Entry, variants: readonly Bound[], { sizes }: Arguments): Bound {
  const found = variants.find((variant) => variant.sizes.every(([dim, min, max]) => sizes.get(dim)! >= min && sizes.get(dim)! <= max));
  if (found !== undefined) return found;
  const got = [...sizes].map(([dim, size]) => `${dim} ${size}`).join(', ');
  const known = variants
    .map((variant) => variant.sizes.map(([dim, min, max]) => `${dim} ${min === max ? min : `${min} to ${max}`}`).join(', '))
    .join('; ');
  throw new ShapeError(`it was built for ${known}, got ${got}`, { op: name });
}

/** What the call wrote is the state from now on. */
function commit({ state, spare }: Loaded, { bound, outputs, counters }: Begun): void {
  counters.forEach((value, i) => {
    state.counters[i] = value;
  });
  if (!bound.outputs.some((i) => i < 0)) return;
  const before = bound.outputs.map((i) => (i < 0 ? state.buffers[~i]! : undefined));
  bound.outputs.forEach((i, k) => {
    if (i < 0) state.buffers[~i] = outputs[k]!;
  });
  const kept = new Set(state.buffers);
  before.forEach((buffer, k) => {
    if (buffer !== undefined && !kept.has(buffer)) spare[~bound.outputs[k]!] = buffer;
  });
}

function callSync(m: Loaded, index: number, args: readonly unknown[]): unknown {
  const { name } = m.description.entries[index]!;
  if (!m.opened.isSync)
    throw new DeviceError(`${m.opened.target} cannot be waited for at once`, {
      op: name,
      fix: `await ${name}.async(...), or load({ target: 'wasm' })`,
    });
  const begun = begin(m, index, args);
  commit(m, begun);
  const results: TypedArray[] = [];
  const { bound, outputs } = begun;
  bound.outputs.forEach((i, k) => {
    const buffer = outputs[k]!;
    if (i >= 0) results[i] = bound.sharing.isOwn[k] && buffer.host !== undefined ? buffer.host : copySync(buffer);
  });
  giveBack(begun);
  return assemble(begun.entry.result, results);
}

async function callAwaited(m: Loaded, index: number, args: readonly unknown[]): Promise<unknown> {
  const begun = begin(m, index, args);
  const { bound, outputs } = begun;
  const results: TypedArray[] = [];
  await Promise.all(
    bound.outputs.map(async (i, k) => {
      if (i >= 0) results[i] = await copy(outputs[k]!);
    }),
  );
  // Whether all went well is told when something is read, however small.
  if (results.length === 0 && outputs.length > 0) await copy(outputs.reduce((a, b) => (b.length < a.length ? b : a)));
  commit(m, begun);
  giveBack(begun);
  return assemble(begun.entry.result, results);
}

/** Device memory of what nobody has any more: arguments and results. */
function giveBack({ bound: { sharing, ...bound }, inputs, outputs }: Begun): void {
  for (let k = 0; k < inputs.length; k++) if (bound.inputs[k]! >= 0 && !sharing.becomesState[k]) release(inputs[k]!);
  for (let k = 0; k < outputs.length; k++) if (bound.outputs[k]! >= 0 && sharing.isOwn[k]) release(outputs[k]!);
}

function assemble(tree: ResultTree, results: readonly TypedArray[]): unknown {
  switch (tree.kind) {
    case 'tensor':
      return results[tree.index];
    case 'list':
      return tree.items.map((item) => assemble(item, results));
    case 'record':
      // Own properties, whatever the keys are.
      return Object.fromEntries(tree.keys.map((key, i) => [key, assemble(tree.items[i]!, results)]));
    case 'static':
      return tree.value;
    default:
      return tree satisfies never;
  }
}

/** An entry as a function: at once where the target allows, and awaited everywhere. */
export type EntryFunction = ((...args: unknown[]) => unknown) & { readonly async: (...args: unknown[]) => Promise<unknown> };

/** A loaded model as callers see it, with its functions by name. */
export type Instance<Functions = { readonly [name: string]: EntryFunction }> = Omit<Model, 'call' | 'callAsync'> & {
  readonly functions: Functions;
  /** What there is to call, and with what. */
  readonly description: Description;
};

/** What a built module is made of. Nothing is loaded, and nothing runs, before somebody asks for it. */
export type Artifact = {
  /** Loads the model that the module's functions run; again to change its target or to begin with other weights. */
  readonly load: (options?: LoadOptions) => Promise<Instance>;
  /** A model beside that one. */
  readonly instantiate: (options?: LoadOptions) => Promise<Instance>;
  readonly state: Model['state'];
  readonly save: Model['save'];
  readonly entry: (index: number) => EntryFunction;
  readonly description: Description;
};

export function artifact(description: Description, targets: readonly Target[], own: OwnWeights): Artifact {
  let model: Model | undefined;
  let loading: Promise<Model> | undefined;
  const open = async (options: LoadOptions = {}): Promise<Model> => loadModel(description, targets, own, options);
  const start = async (options?: LoadOptions): Promise<Model> => {
    const mine = open(options);
    loading = mine;
    try {
      const loaded = await mine;
      // Of several loads the one that was asked for last counts.
      if (loading === mine) model = loaded;
      return loaded;
    } catch (error) {
      if (loading === mine) loading = undefined;
      throw error;
    }
  };
  const current = async (): Promise<Model> => loading ?? start();
  const entry = (index: number): EntryFunction => {
    const call = (...args: unknown[]): unknown => {
      if (model === undefined)
        throw new ArgumentError('the model is not loaded', { op: description.entries[index]!.name, fix: 'await load() first' });
      return model.call(index, args);
    };
    return Object.assign(call, { async: async (...args: unknown[]) => (await current()).callAsync(index, args) });
  };
  const instance = ({ call, callAsync, ...rest }: Model): Instance => {
    const functionOf = (index: number): EntryFunction =>
      Object.assign((...args: unknown[]) => call(index, args), { async: (...args: unknown[]) => callAsync(index, args) });
    return { ...rest, description, functions: Object.fromEntries(description.entries.map(({ name }, i) => [name, functionOf(i)])) };
  };
  return {
    load: async (options) => instance(await start(options)),
    instantiate: async (options) => instance(await open(options)),
    state: async () => (await current()).state(),
    save: async () => (await current()).save(),
    entry,
    description,
  };
}
