// Modules as functions of their parameters, for transforms that differentiate by them or map over them.
import { ArgumentError, KeyError } from '../../../runtime/errors.ts';
import { noGrad } from '../autograd/mode.ts';
import { stack } from '../functional/shape.ts';
import { Module } from '../nn/module.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';

/** Tensors by the dotted names that `namedParameters()` and `namedBuffers()` give. */
export type NamedTensors = { readonly [name: string]: Tensor };

export type FunctionalCallOptions = {
  /** Whether every parameter and buffer must be given; default: what is not given is the module's own. */
  readonly strict?: boolean;
};

/**
 * `module(...args)` with the tensors given in the places of its parameters and buffers, for this call. As `torch.func.functional_call`.
 * A tensor that the module holds under several names is replaced under all of them. Throws KeyError for names that it has not.
 */
export function functionalCall<M extends Module>(
  module: M,
  tensors: NamedTensors | readonly NamedTensors[],
  args: Parameters<M['forward']>,
  { strict = false }: FunctionalCallOptions = {},
): ReturnType<M['forward']> {
  const op = 'functionalCall';
  if (!(module instanceof Module)) throw new ArgumentError('expected a module', { op });
  if (!Array.isArray(args))
    throw new ArgumentError("the module's arguments come as an array", { op, fix: 'write functionalCall(module, tensors, [x])' });
  const given: NamedTensors = Array.isArray(tensors) ? Object.assign({}, ...(tensors as NamedTensors[])) : (tensors as NamedTensors);
  const own = new Map<string, Tensor>([...module.namedParameters(), ...module.namedBuffers()]);
  const replaced = new Map<Tensor, Tensor>();
  for (const [name, t] of Object.entries(given)) {
    const old = own.get(name);
    if (old === undefined)
      throw new KeyError(`the module has no parameter or buffer '${name}'`, { op, fix: `it has ${[...own.keys()].join(', ')}` });
    if (!isTensor(t)) throw new ArgumentError(`'${name}' is no tensor but ${typeof t}`, { op });
    replaced.set(old, t);
  }
  const missing = [...own.keys()].filter((name) => !Object.hasOwn(given, name));
  if (strict && missing.length > 0) throw new KeyError(`missing ${missing.join(', ')}`, { op });
  const restore = swap(module, replaced);
  try {
    return module(...args) as ReturnType<M['forward']>;
  } finally {
    restore();
  }
}

/** Puts tensors in the places of others, in all modules below; gives the way back. */
function swap(module: Module, replaced: ReadonlyMap<Tensor, Tensor>): () => void {
  const undo: (() => void)[] = [];
  for (const owner of module.modules() as unknown as Record<string, unknown>[])
    for (const [name, value] of Object.entries(owner)) {
      const t = isTensor(value) ? replaced.get(value) : undefined;
      if (t === undefined) continue;
      owner[name] = t;
      undo.push(() => {
        owner[name] = value;
      });
    }
  return () => {
    for (const f of undo) f();
  };
}

/**
 * Parameters and buffers of several modules of one kind, each stacked along a new first dimension: with `vmap` over `functionalCall`
 * they run as an ensemble. As `torch.func.stack_module_state`. Throws ArgumentError where the modules differ.
 */
export function stackModuleState(
  modules: readonly Module[],
): [parameters: { [name: string]: Tensor }, buffers: { [name: string]: Tensor }] {
  const op = 'stackModuleState';
  const [first] = modules;
  if (first === undefined) throw new ArgumentError('expected at least one module', { op });
  const kind = Object.getPrototypeOf(first) as object;
  if (modules.some((m) => Object.getPrototypeOf(m) !== kind))
    throw new ArgumentError('expected all modules to be of the same class', { op });
  if (modules.some((m) => m.training !== first.training))
    throw new ArgumentError('expected all modules to have the same training or eval mode', { op });
  return [
    stacked(
      op,
      modules.map((m) => m.namedParameters()),
    ),
    stacked(
      op,
      modules.map((m) => m.namedBuffers()),
    ),
  ];
}

function stacked(op: string, all: readonly (readonly (readonly [string, Tensor])[])[]): { [name: string]: Tensor } {
  const maps = all.map((named) => new Map(named));
  const result: { [name: string]: Tensor } = {};
  for (const [name, t] of all[0]!) {
    const same = maps.map((m) => m.get(name));
    if (same.some((u) => u === undefined)) throw new ArgumentError(`not every module has '${name}'`, { op });
    const whole = noGrad(() => stack(same as Tensor[]));
    result[name] = t.requiresGrad ? whole.requiresGrad_() : whole;
  }
  return result;
}
