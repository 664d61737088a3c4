// State dicts: the tensors of a module by dotted name, and how they are taken over.
import type { Buffer } from '../../../runtime/buffer.ts';
import { readSync } from '../../../runtime/buffer.ts';
import { ArgumentError, KeyError, ShapeError } from '../../../runtime/errors.ts';
import { noGrad } from '../autograd/mode.ts';
import { fromTypedArray } from '../creation.ts';
import { at } from '../device.ts';
import { newTensor } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { leafOfBuffer } from '../record.ts';
import { replace } from '../state.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { bufferIn, placeOfTensor } from '../transfer.ts';
import { Counter } from './parameter.ts';

/** Tensors by name; they share storage with the module, as in PyTorch: clone them to keep them. */
export type StateDict = { readonly [name: string]: Tensor };
/** What can be loaded: a record, a Map, or entries. */
export type StateDictLike = StateDict | Iterable<readonly [string, Tensor]>;

export type LoadResult = {
  readonly missingKeys: readonly string[];
  readonly unexpectedKeys: readonly string[];
};

/** A place in a module that a state dict names. */
export type Slot = readonly [name: string, target: Tensor | Counter];

/** A record without prototype, so that every name is only a name. */
export function stateDictOf(slots: readonly Slot[]): { [name: string]: Tensor } {
  const dict: { [name: string]: Tensor } = Object.create(null);
  for (const [name, target] of slots)
    dict[name] = target instanceof Counter ? at('cpu', () => fromTypedArray(BigInt64Array.of(BigInt(target.value)), [])) : target.detach();
  return dict;
}

/** The entries of a state dict as a record of our own. Throws ArgumentError for what is none. */
export function entriesOf(owner: string, dict: StateDictLike): { [name: string]: Tensor } {
  if (typeof dict !== 'object' || dict === null)
    throw new ArgumentError(`expected a state dict, got ${dict === null ? 'null' : typeof dict}`, { op: `${owner}.loadStateDict` });
  const copy: { [name: string]: Tensor } = Object.create(null);
  const entries = Symbol.iterator in dict ? (dict as Iterable<readonly [string, Tensor]>) : Object.entries(dict);
  for (const [name, value] of entries) copy[name] = value;
  return copy;
}

/** Names of a module and of a state dict that have no counterpart. */
export type Names = { missingKeys: string[]; unexpectedKeys: string[] };

/**
 * Takes over the tensors of `dict`, converted to the dtypes that are there. `after` is called then, and may change the lists of names that
 * did not fit before they are refused. Nothing has changed if something does not fit.
 */
export function load(
  owner: string,
  slots: readonly Slot[],
  dict: { readonly [name: string]: Tensor },
  strict: boolean,
  after?: (names: Names) => void,
): LoadResult {
  const op = `${owner}.loadStateDict`;
  const known = new Set(slots.map(([name]) => name));
  const given = new Map(Object.entries(dict).map(([name, value]) => [ourName(name, known, dict), value]));
  for (const [name, value] of given) {
    if (!isTensor(value)) throw new ArgumentError(`'${name}' is no tensor but ${value === null ? 'null' : typeof value}`, { op });
  }
  const names: Names = {
    missingKeys: slots.map(([name]) => name).filter((name) => !given.has(name)),
    unexpectedKeys: [...given.keys()].filter((name) => !known.has(name)),
  };
  const demandNames = (): void => {
    if (strict && names.missingKeys.length + names.unexpectedKeys.length > 0)
      throw new KeyError(mismatch(names.missingKeys, names.unexpectedKeys), { op, fix: 'pass { strict: false } to load what fits' });
  };
  if (after === undefined) demandNames();
  const present = slots.filter(([name]) => given.has(name));
  const sizes = present.map(([name, target]) => sizeMismatch(name, target, given.get(name)!)).filter((text) => text !== undefined);
  if (sizes.length > 0) throw new ShapeError(sizes.join('; '), { op });
  // Read before anything is written: the dict may hold this module's own tensors.
  const data = present.map(([name, target]) => elementsFor(target, given.get(name)!));
  const take = (elements: readonly (Buffer | number)[]): void => present.forEach(([, target], i) => void assign(target, elements[i]!));
  if (after === undefined) {
    take(data);
    return names;
  }
  const before = present.map(([, target]) => elementsOf(target));
  take(data);
  try {
    after(names);
    demandNames();
  } catch (error) {
    take(before);
    throw error;
  }
  return names;
}

/** PyTorch's files say `running_mean` for `runningMean`: such a name means ours, unless ours is given too. */
function ourName(name: string, known: ReadonlySet<string>, dict: { readonly [name: string]: Tensor }): string {
  if (known.has(name)) return name;
  const ours = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return known.has(ours) && !Object.hasOwn(dict, ours) ? ours : name;
}

const elementsOf = (target: Tensor | Counter): Buffer | number =>
  target instanceof Counter ? target.value : bufferIn(target, placeOfTensor(target));

function mismatch(missing: readonly string[], unexpected: readonly string[]): string {
  const list = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');
  const parts = [];
  if (unexpected.length > 0) parts.push(`unexpected key(s) in state dict: ${list(unexpected)}`);
  if (missing.length > 0) parts.push(`missing key(s) in state dict: ${list(missing)}`);
  return parts.join('; ');
}

function sizeMismatch(name: string, target: Tensor | Counter, value: Tensor): string | undefined {
  const shape = target instanceof Counter ? [] : target.shape;
  if (shape.join() === value.shape.join()) return undefined;
  return `size mismatch for ${name}: copying a tensor of shape [${value.shape}] where the module has [${shape}]`;
}

/** Buffers do not change, so they need no copy. */
function elementsFor(target: Tensor | Counter, value: Tensor): Buffer | number {
  if (target instanceof Counter) return Number(readSync(bufferIn(value, 'cpu'))[0]);
  const fitting = target.element === value.element ? value : value.detach().to(target.dtype);
  return bufferIn(fitting, placeOfTensor(target));
}

function assign(target: Tensor | Counter, elements: Buffer | number): void {
  if (target instanceof Counter) target.value = Number(elements);
  else if (target.via === undefined) replace(target, elements as Buffer);
  else {
    const value = newTensor(storageOf(leafOfBuffer(elements as Buffer, { dtype: target.element, shape: target.shape })));
    noGrad(() => void target.copy_(value));
  }
}
