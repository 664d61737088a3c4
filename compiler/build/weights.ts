// Names for the tensors that entries capture, as in a state dict, and their elements at build time.
import { readSync } from '../../runtime/buffer.ts';
import { realise } from '../frontend/boundary.ts';
import type { AheadCall } from '../frontend/compile/ahead.ts';
import { Module } from '../frontend/nn/module.ts';
import { Optimizer } from '../frontend/optim/optimizer.ts';
import { isTensor } from '../frontend/pytree.ts';
import type { Storage } from '../frontend/storage.ts';
import { avalOf } from '../ir/node.ts';
import type { BuiltWeight } from './model.ts';

/** Keys by storage, unique. Tensors of modules are called as in their state dict, below the module's name where there are several. */
export type Keys = {
  readonly of: (storage: Storage) => string;
  readonly counter: (owner: object, name: string) => string;
  /** A key of its own for what belongs to nobody. */
  readonly fresh: (key: string) => string;
};

/** `exported`: what the model file exports, by name; it names modules and tensors that have none. */
export function keysOf(calls: readonly AheadCall[], exported: Readonly<Record<string, unknown>>): Keys {
  const taken = new Map<string, number>();
  const keys = new Map<Storage, string>();
  const counters = new Map<object, string>();
  const name = (storage: Storage, key: string): void => {
    if (!keys.has(storage)) keys.set(storage, unique(taken, key));
  };
  const called = new Set(calls.flatMap((call) => call.modules));
  // A function may call parts of a module that as a whole is exported.
  const whole = Object.values(exported).filter((m) => m instanceof Module && m.modules().some((part) => called.has(part)));
  const roots = rootsAmong(new Set([...(whole as Module[]), ...called]));
  const names = uniqueNames(roots.map((root) => exportedName(root, exported) ?? lowered(root.constructor.name)));
  roots.forEach((root, i) => {
    const prefix = roots.length === 1 ? '' : `${names[i]}.`;
    for (const [key, t] of [...root.namedParameters(), ...root.namedBuffers()]) name(t.storage, prefix + key);
  });
  for (const [key, value] of Object.entries(exported)) if (isTensor(value)) name(value.storage, key);
  const optimizers = [...new Set(calls.flatMap((call) => call.deciders))].filter((o) => o instanceof Optimizer);
  const titles = uniqueNames(optimizers.map((o) => exportedName(o, exported) ?? 'optimizer'));
  optimizers.forEach((optimizer, i) => {
    const parameters = optimizer.paramGroups.flatMap((group: { params: readonly { storage: Storage }[] }) => group.params);
    for (const [index, parameter] of parameters.entries()) {
      const owner = `${titles[i]}.${keys.get(parameter.storage) ?? index}`;
      const state = optimizer.state.get(parameter as never) as Readonly<Record<string, unknown>> | undefined;
      for (const [field, value] of Object.entries(state ?? {})) if (isTensor(value)) name(value.storage, `${owner}.${field}`);
      if (state !== undefined) counters.set(state, unique(taken, `${owner}.step`));
    }
  });
  return {
    of: (storage) => {
      name(storage, 'captured');
      return keys.get(storage)!;
    },
    fresh: (key) => unique(taken, key),
    counter: (owner, field) => {
      const key = counters.get(owner) ?? unique(taken, field);
      counters.set(owner, key);
      return key;
    },
  };
}

/** Modules that are part of no other. */
function rootsAmong(modules: ReadonlySet<object>): Module[] {
  const all = [...modules].filter((m) => m instanceof Module);
  const inner = new Set(all.flatMap((m) => m.modules().filter((child) => child !== m)));
  return all.filter((m) => !inner.has(m));
}

const exportedName = (value: unknown, exported: Readonly<Record<string, unknown>>): string | undefined =>
  Object.keys(exported).find((key) => exported[key] === value);
const lowered = (name: string): string => (name === '' ? 'module' : name[0]!.toLowerCase() + name.slice(1));

/** The key, with a number behind it where it is taken. */
function unique(taken: Map<string, number>, key: string): string {
  let n = taken.get(key) ?? 0;
  let candidate: string;
  do candidate = ++n === 1 ? key : `${key}_${n}`;
  while (n > 1 && taken.has(candidate));
  taken.set(key, n);
  if (n > 1) taken.set(candidate, 1);
  return candidate;
}
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Map<string, number>();
  return names.map((name) => unique(taken, name));
}

/** The elements that a captured tensor has now. */
export function weightOf(storage: Storage, key: string, written: boolean): BuiltWeight {
  const { dtype, shape } = avalOf(storage.value);
  return { key, dtype, shape: shape as readonly number[], data: readSync(realise(storage.value)), written };
}
