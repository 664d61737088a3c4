// Checkpoints: everything that training goes on from, in one safetensors file, so that a resumed run computes the bits of one that never stopped.

import { FormatError, KeyError } from '../../../runtime/errors.ts';
import { storedOf, writeSafetensors } from '../../../runtime/safetensors.ts';
import { demandOptions } from '../arguments.ts';
import type { Module } from '../nn/module.ts';
import type { StateDict } from '../nn/stateDict.ts';
import type { OptimizerStateDict } from '../optim/optimizer.ts';
import type { SchedulerStateDict } from '../optim/scheduler.ts';
import { isTensor } from '../pytree.ts';
import { defaultGenerator, setStream, streamNow } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { type Source, writeFile } from './files.ts';
import { open, type SafetensorsFile, storedTensors } from './safetensors.ts';

/** What JSON can say; NaN and infinities are kept too. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Whatever has a state dict of its own kind. */
type Stateful<S> = { stateDict(): S; loadStateDict(state: S): unknown };

/** The parts of a training run, each optional. */
export type Training = {
  readonly model?: Module;
  readonly optimizer?: Stateful<OptimizerStateDict>;
  readonly scheduler?: Stateful<SchedulerStateDict>;
};
export type Progress = {
  /** How many steps were made. */
  readonly step?: number;
  /** Anything else to be remembered: epoch, best loss, options. */
  readonly extra?: Json;
};

const format = 'fluxion checkpoint 1';
/** Keys of tensors and of metadata in the file. */
const key = {
  model: (name: string) => `model.${name}`,
  moment: (index: number | string, name: string) => `optimizer.${index}.${name}`,
  random: 'random',
} as const;

/** The bytes of a checkpoint of the state at this moment. */
export async function encodeCheckpoint(training: Training & Progress): Promise<Uint8Array> {
  demandOptions('saveCheckpoint', training, ['model', 'optimizer', 'scheduler', 'step', 'extra']);
  const { model, optimizer, scheduler, step, extra } = training;
  const tensors: [string, Tensor][] = [];
  const texts: [string, string][] = [['format', format]];
  const tell = (name: string, value: unknown): void => {
    if (value !== undefined) texts.push([name, toJson(value)]);
  };
  if (model !== undefined) for (const [name, t] of Object.entries(model.stateDict())) tensors.push([key.model(name), t]);
  if (optimizer !== undefined) {
    const { state, paramGroups } = optimizer.stateDict();
    const numbers = Object.entries(state).map(([index, entry]) => {
      const all = Object.entries(entry).filter(([, value]) => value !== undefined);
      for (const [name, value] of all) if (isTensor(value)) tensors.push([key.moment(index, name), value]);
      return [index, Object.fromEntries(all.filter(([, value]) => !isTensor(value)))] as const;
    });
    tell('optimizer', { paramGroups, numbers: Object.fromEntries(numbers) });
  }
  tell('scheduler', scheduler?.stateDict());
  tell('step', step);
  tell('extra', extra);
  tell('stream', streamNow());
  const random = defaultGenerator.getState();
  const stored = await storedTensors(tensors);
  return writeSafetensors([...stored, [key.random, storedOf('u8', [random.length], random)]], texts);
}

/**
 * Writes a checkpoint of model, optimiser, scheduler, random generator and step. The file appears whole or not at all: killed while it writes,
 * a run leaves the checkpoint before.
 */
export async function saveCheckpoint(path: string | URL, training: Training & Progress): Promise<void> {
  await writeFile('saveCheckpoint', path, await encodeCheckpoint(training));
}

/**
 * Goes on from a checkpoint: puts its state into the parts that are given and into the random generator. Throws FormatError, KeyError or ShapeError
 * for what does not fit, and has changed nothing then.
 */
export async function loadCheckpoint(source: Source, { model, optimizer, scheduler }: Training = {}): Promise<Progress> {
  const op = 'loadCheckpoint';
  const file = await open(source, op);
  try {
    if (file.metadata.get('format') !== format)
      throw new FormatError('the file is no checkpoint', { op, fix: 'use load() for other files' });
    const told = (name: string): unknown => {
      const text = file.metadata.get(name);
      return text === undefined ? undefined : fromJson(op, name, text);
    };
    const demanded = (name: string): unknown => {
      const value = told(name);
      if (value === undefined) throw new KeyError(`the checkpoint has no ${name}`, { op });
      return value;
    };
    const weights = model && (await weightsIn(file));
    const moments = optimizer && (await optimizerIn(file, op, demanded('optimizer')));
    const schedule = scheduler && (demanded('scheduler') as SchedulerStateDict);
    const random = (await (await file.get(key.random)).data()) as Uint8Array;
    const [step, extra, stream] = [told('step') as number | undefined, told('extra') as Json | undefined, demanded('stream') as number];
    // From here on parts change: what refuses takes those before it back.
    const undo: (() => void)[] = [];
    try {
      if (model !== undefined) undo.push(replaced(model, copies(model.stateDict()), weights!));
      if (optimizer !== undefined) undo.push(replaced(optimizer, copiesOfMoments(optimizer.stateDict()), moments!));
      if (scheduler !== undefined) undo.push(replaced(scheduler, scheduler.stateDict(), schedule!));
      defaultGenerator.setState(random);
    } catch (error) {
      for (const back of undo.reverse()) back();
      throw error;
    }
    setStream(stream);
    return { ...(step !== undefined && { step }), ...(extra !== undefined && { extra }) };
  } finally {
    await file.close();
  }
}

/** Loads `after` and gives what loads `before` again. */
function replaced<S>(part: { loadStateDict(state: S): unknown }, before: S, after: S): () => void {
  part.loadStateDict(after);
  return () => void part.loadStateDict(before);
}

/** State dicts share storage with what they are of. */
const copies = (dict: StateDict): StateDict => Object.fromEntries(Object.entries(dict).map(([name, t]) => [name, t.clone()]));
const copiesOfMoments = ({ state, paramGroups }: OptimizerStateDict): OptimizerStateDict => ({
  paramGroups,
  state: Object.fromEntries(
    Object.entries(state).map(([index, entry]) => [
      index,
      Object.fromEntries(Object.entries(entry).map(([name, v]) => [name, isTensor(v) ? v.clone() : v])),
    ]),
  ),
});

async function weightsIn(file: SafetensorsFile): Promise<StateDict> {
  const dict: { [name: string]: Tensor } = Object.create(null);
  for (const name of file.keys) if (name.startsWith(key.model(''))) dict[name.slice(key.model('').length)] = await file.get(name);
  return dict;
}

async function optimizerIn(file: SafetensorsFile, op: string, told: unknown): Promise<OptimizerStateDict> {
  const { paramGroups, numbers } = told as Partial<{
    paramGroups: OptimizerStateDict['paramGroups'];
    numbers: { [index: string]: object };
  }>;
  if (!Array.isArray(paramGroups) || typeof numbers !== 'object' || numbers === null)
    throw new FormatError('the state of the optimizer is damaged', { op });
  const state: { [index: string]: { [name: string]: Tensor | number } } = Object.create(null);
  for (const [index, entry] of Object.entries(numbers)) state[index] = Object.assign(Object.create(null), entry);
  for (const name of file.keys) {
    const [, index, moment] = /^optimizer\.(\d+)\.(.+)$/.exec(name) ?? [];
    if (index === undefined || moment === undefined) continue;
    state[index] ??= Object.create(null) as { [name: string]: Tensor };
    state[index][moment] = await file.get(name);
  }
  return { paramGroups: paramGroups as OptimizerStateDict['paramGroups'], state };
}

const special = ['NaN', 'Infinity', '-Infinity'];
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === 'number' && !Number.isFinite(v) ? { $number: String(v) } : v));

function fromJson(op: string, name: string, text: string): unknown {
  try {
    return JSON.parse(text, (_, v: unknown) => {
      const number = typeof v === 'object' && v !== null && Object.hasOwn(v, '$number') ? (v as { $number: unknown }).$number : undefined;
      return special.includes(number as string) ? Number(number) : v;
    });
  } catch (cause) {
    throw new FormatError(`'${name}' of the checkpoint is no JSON`, { op, cause });
  }
}
