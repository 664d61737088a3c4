// Guards: whether a call is one that a specialisation was recorded for. The check allocates nothing.
import { sameShape } from '../../ir/dim.ts';
import { isGradEnabled, isInferenceModeEnabled } from '../autograd/mode.ts';
import { defaultTarget } from '../device.ts';
import { requiresGradOf } from '../handle.ts';
import { isTensor, type Rest } from '../pytree.ts';
import { isKept } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { argumentsAt } from './sizes.ts';
import type { ArgumentGuard, Guards, Owner, Specialisation } from './tree.ts';

export type Found = (Tensor | undefined)[];

export const guardOf = (t: Tensor, index: number, all: readonly Tensor[]): ArgumentGuard => ({
  dtype: t.element,
  shape: t.shape,
  requiresGrad: requiresGradOf(t),
  isView: t.via !== undefined,
  device: t.device,
  alias: all.findIndex((u, i) => i <= index && u.storage === t.storage),
  itself: isKept(t.storage) ? t : undefined,
});

/** Whether the arguments fit; then they lie in `found`, which `forget` empties again. */
export function admits(s: Specialisation, args: readonly unknown[]): boolean {
  check++;
  return (
    s.target === defaultTarget() &&
    s.gradMode === isGradEnabled() &&
    s.inference === isInferenceModeEnabled() &&
    fits(s.rest, args, s.found) &&
    argumentsHold(argumentsAt(s, s.found), s.found) &&
    holds(s.root.guards, s.found)
  );
}

export function forget({ found }: Specialisation): void {
  // An array that is shortened would have to be allocated anew.
  for (let i = 0; i < found.length; i++) found[i] = undefined;
}

let prototype: unknown;
/** As isTensor, which walks over all the classes of a tensor; here most tensors are of one. */
function isTensorAgain(value: unknown): value is Tensor {
  if (typeof value !== 'object' || value === null) return false;
  const own: unknown = Object.getPrototypeOf(value);
  if (own === prototype) return true;
  if (!isTensor(value)) return false;
  prototype = own;
  return true;
}

/** Same structure, and the same in all places but those of tensors, which go into `found`. */
export function fits(rest: Rest, value: unknown, found: Found): boolean {
  switch (rest.kind) {
    case 'tensor':
      if (!isTensorAgain(value)) return false;
      found[rest.index] = value;
      return true;
    case 'static':
      return Object.is(rest.value, value);
    case 'list': {
      if (!Array.isArray(value) || value.length !== rest.items.length) return false;
      for (let i = 0; i < rest.items.length; i++) if (!fits(rest.items[i]!, (value as unknown[])[i], found)) return false;
      return true;
    }
    case 'record': {
      if (!isPlain(value)) return false;
      let left = rest.keys.length;
      for (const key in value) if (Object.hasOwn(value, key)) left--;
      if (left !== 0) return false;
      for (let i = 0; i < rest.keys.length; i++) {
        const key = rest.keys[i]!;
        if (!Object.hasOwn(value, key) || !fits(rest.items[i]!, value[key], found)) return false;
      }
      return true;
    }
  }
}

export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function argumentsHold(guards: readonly ArgumentGuard[] | undefined, found: Found): boolean {
  if (guards === undefined) return false;
  for (let i = 0; i < guards.length; i++) {
    const t = found[i]!;
    const g = guards[i]!;
    if (
      t.element !== g.dtype ||
      !sameShape(t.layout.shape, g.shape) ||
      requiresGradOf(t) !== g.requiresGrad ||
      (t.via !== undefined) !== g.isView ||
      t.device !== g.device ||
      (isKept(t.storage) ? t : undefined) !== g.itself ||
      !isFirst(found, i, g.alias)
    )
      return false;
  }
  return true;
}

let check = 0;

/** Whether `alias` is the first found tensor that shares storage with the one at `index`; asked in order, so that storages remember. */
function isFirst(found: Found, index: number, alias: number): boolean {
  const { storage } = found[index]!;
  if (storage.check !== check) {
    storage.check = check;
    storage.met = index;
  }
  return storage.met === alias;
}

export const ownerIn = (of: Owner, found: Found): Tensor => ('found' in of ? found[of.found]! : of.tensor);

/** Whether a segment may be entered. Gradients that it found go into `found`. */
export function holds({ gradients, captured, state, apart, from, to }: Guards, found: Found): boolean {
  let at = from;
  for (let i = 0; i < gradients.length; i++) {
    const g = gradients[i]!;
    const { gradient } = ownerIn(g.of, found);
    if ((gradient !== null) !== g.present) return false;
    if (gradient === null) continue;
    found[at] = gradient;
    if (gradient.via !== undefined || requiresGradOf(gradient) !== g.requiresGrad || !isFirst(found, at, g.alias)) return false;
    at++;
  }
  for (let i = 0; i < captured.length; i++) {
    const { tensor, dtype, device, requiresGrad, alias } = captured[i]!;
    if (tensor.element !== dtype || tensor.device !== device || requiresGradOf(tensor) !== requiresGrad) return false;
    if (alias !== undefined && found[alias]!.storage !== tensor.storage) return false;
  }
  for (let i = 0; i < state.length; i++) if (!Object.is(state[i]!.read(), state[i]!.value)) return false;
  if (apart.size > 0) for (let i = 0; i < to; i++) if (apart.has(found[i]!.storage)) return false;
  return true;
}
