// Names of state: parameters and buffers as in state dicts, and what optimisers remember of a parameter under that parameter's name.
import { ArgumentError } from '../../runtime/errors.ts';
import { Module } from '../frontend/nn/module.ts';
import { Optimizer, type ParamState } from '../frontend/optim/optimizer.ts';
import { isTensor } from '../frontend/pytree.ts';
import type { Storage } from '../frontend/storage.ts';
import type { Tensor } from '../frontend/tensor.ts';

/** Roles of state by where it is stored. */
export type Roles = ReadonlyMap<Storage, string>;
type AnyOptimizer = Optimizer<{ lr: number }, ParamState, string>;

export const optimizersAmong = (objects: readonly object[]): readonly AnyOptimizer[] =>
  objects.filter((o): o is AnyOptimizer => o instanceof Optimizer);

/** Modules that stand in no other of the list. */
function rootsAmong(objects: readonly object[]): readonly Module[] {
  const modules = objects.filter((o) => o instanceof Module);
  const below = new Set(modules.flatMap((m) => m.modules().slice(1)));
  return modules.filter((m) => !below.has(m));
}

/**
 * `param:fc.weight`, `buffer:norm.runningMean`, `expAvg:fc.weight`. Where a step calls several models, their names begin with the number of
 * the model. Throws ArgumentError where two optimisers remember the same of one parameter.
 */
export function rolesOf(modules: readonly object[], optimizers: readonly AnyOptimizer[]): Roles {
  const roles = new Map<Storage, string>();
  const names = new Map<Tensor, string>();
  const roots = rootsAmong(modules);
  const add = (role: string, t: Tensor): void => {
    if (!roles.has(t.storage)) roles.set(t.storage, role);
  };
  roots.forEach((root, i) => {
    const prefix = roots.length === 1 ? '' : `${i}.`;
    for (const [name, p] of root.namedParameters()) {
      names.set(p, prefix + name);
      add(`param:${prefix}${name}`, p);
    }
    for (const [name, t] of root.namedBuffers()) add(`buffer:${prefix}${name}`, t);
  });
  const taken = new Set(roles.values());
  for (const optimizer of optimizers)
    for (const p of optimizer.paramGroups.flatMap((g) => g.params)) {
      const name = names.get(p) ?? `tensor.${names.size}`;
      if (!names.has(p)) {
        names.set(p, name);
        add(`param:${name}`, p);
      }
      for (const [slot, t] of Object.entries(optimizer.state.get(p) ?? {})) {
        if (!isTensor(t)) continue;
        const role = `${slot}:${name}`;
        if (taken.has(role))
          throw new ArgumentError(`two optimisers update ${name}`, { op: 'exportStep', fix: 'give each its own parameters' });
        taken.add(role);
        add(role, t);
      }
    }
  return roles;
}
