// Tensors by name in a safetensors file: written at once and in one piece, read as a whole or one by one as they are asked for.
import { ArgumentError, KeyError } from '../../../runtime/errors.ts';
import { headLength, type Place, readHeader, type StoredTensor, storedOf, writeSafetensors } from '../../../runtime/safetensors.ts';
import { newTensor } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { storageOfData } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { elementsFrom } from './elements.ts';
import { openSource, type Source, writeFile } from './files.ts';

/** Tensors by name: a state dict, a Map, or entries. */
export type Named = { readonly [name: string]: Tensor } | Iterable<readonly [string, Tensor]>;
/** Texts by name. */
export type Metadata = { readonly [name: string]: string };

export type SaveOptions = { readonly metadata?: Metadata };

/** The entries of `named`. Throws ArgumentError for what is no tensor. */
export function entriesOf(op: string, named: Named): readonly (readonly [string, Tensor])[] {
  if (typeof named !== 'object' || named === null || isTensor(named))
    throw new ArgumentError('expected tensors by name', { op, fix: 'pass model.stateDict(), a record or a Map' });
  const entries = Symbol.iterator in named ? [...(named as Iterable<readonly [string, Tensor]>)] : Object.entries(named);
  for (const entry of entries) {
    if (!Array.isArray(entry)) throw new ArgumentError('expected pairs of a name and a tensor', { op });
    if (!isTensor(entry[1])) throw new ArgumentError(`'${entry[0]}' is no tensor`, { op });
  }
  return entries;
}

/** The elements of tensors as they are at this moment, though they arrive later. */
export async function storedTensors(entries: readonly (readonly [string, Tensor])[]): Promise<(readonly [string, StoredTensor])[]> {
  const arriving = entries.map(async ([name, t]) => [name, storedOf(t.element, t.shape, await t.data())] as const);
  return Promise.all(arriving);
}

/** The bytes of a safetensors file of these tensors. */
export async function encodeSafetensors(named: Named, { metadata = {} }: SaveOptions = {}): Promise<Uint8Array> {
  const entries = entriesOf('encodeSafetensors', named);
  return writeSafetensors(await storedTensors(entries), Object.entries(metadata));
}

/** Writes tensors to a safetensors file, which appears whole or not at all: `await save('model.safetensors', model.stateDict())`. */
export async function save(path: string | URL, named: Named, options: SaveOptions = {}): Promise<void> {
  await writeFile('save', path, await encodeSafetensors(entriesOf('save', named), options));
}

/** Reads all tensors of a safetensors file: `model.loadStateDict(await load('model.safetensors'))`. */
export async function load(source: Source): Promise<{ [name: string]: Tensor }> {
  const file = await open(source, 'load');
  try {
    const dict: { [name: string]: Tensor } = Object.create(null);
    for (const name of file.keys) dict[name] = await file.get(name);
    return dict;
  } finally {
    await file.close();
  }
}

/** A safetensors file whose tensors are read when they are asked for. */
export type SafetensorsFile = {
  readonly keys: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  /** Without a look at the data. Throws KeyError. */
  readonly shape: (name: string) => readonly number[];
  /** Throws KeyError. */
  readonly get: (name: string) => Promise<Tensor>;
  readonly close: () => Promise<void>;
};

/** Opens a safetensors file: its header is read and checked, its tensors are not. */
export async function open(source: Source, op = 'open'): Promise<SafetensorsFile> {
  const parts = await openSource(op, source);
  try {
    const dataAt = headLength(await parts.read(0, Math.min(8, parts.bytes)), parts.bytes);
    const { places, metadata } = readHeader(await parts.read(0, dataAt), parts.bytes);
    const byKey = new Map<string, Place>(places.map((place) => [place.key, place]));
    const placeOf = (name: string): Place => {
      const place = byKey.get(name);
      if (place === undefined) throw new KeyError(`there is no tensor '${name}'`, { op });
      return place;
    };
    const get = async (name: string): Promise<Tensor> => {
      const { begin, end, dtype, shape } = placeOf(name);
      return tensorFrom(op, { dtype, shape, data: await parts.read(dataAt + begin, dataAt + end) });
    };
    return { keys: [...byKey.keys()], metadata, shape: (name) => placeOf(name).shape, get, close: parts.close };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

export function tensorFrom(op: string, stored: StoredTensor): Tensor {
  const { dtype, elements } = elementsFrom(op, stored);
  return newTensor(storageOfData(elements, dtype, stored.shape));
}
