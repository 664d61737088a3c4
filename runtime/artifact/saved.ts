// States in files: what a model is by now as a safetensors file, and such files, of whatever origin, as a model's state.

import { hostBuffer } from '../buffer.ts';
import type { TypedArray } from '../dtype.ts';
import { DTypeError, FormatError, KeyError, ShapeError } from '../errors.ts';
import { fromHalf } from '../half.ts';
import { elementsOf, readSafetensors, type StoredTensor, storedOf, writeSafetensors } from '../safetensors.ts';
import type { Description, Weight } from './description.ts';
import { hashBytes } from './hash.ts';
import { fetched, type Progress, readState, type State, scaled, type WeightSource } from './weights.ts';

/** Metadata of a saved state: the hash of its data, and counters by key. Files of others have neither. */
const hashKey = 'fluxion.hash';
const counterPrefix = 'fluxion.counter.';
/** Beside a tensor of int8 the float32 numbers by which its rows are multiplied. */
export const scaleKey = (key: string): string => `${key} scale`;

/** The state that a file holds. Its tensors are those of the model, in float32 or as the model may store them. */
export async function givenState(d: Description, source: WeightSource, onProgress?: Progress): Promise<State> {
  const { tensors, metadata } = readSafetensors(await fetched(source, d.name, d.file.bytes, onProgress));
  const claimed = metadata.get(hashKey);
  if (claimed !== undefined && claimed !== hashOf(tensors))
    throw new FormatError('the data do not have the hash that stands beside them', { op: 'load' });
  const buffers = d.weights.map((weight) => hostBuffer(weight.dtype, elements(weight, tensors)));
  const known = new Set(d.weights.flatMap(({ key }) => [key, scaleKey(key)]));
  for (const key of tensors.keys())
    if (!known.has(key)) throw new KeyError(`${d.name} has no weight ${JSON.stringify(key)}`, { op: 'load' });
  const counters = d.counters.map(({ key, value }) => {
    const text = metadata.get(counterPrefix + key);
    if (text === undefined) return value;
    if (text.trim() === '' || Number.isNaN(Number(text)))
      throw new FormatError(`the counter ${JSON.stringify(key)} is no number`, { op: 'load' });
    return Number(text);
  });
  return { buffers, counters };
}

function elements({ key, dtype, shape }: Weight, tensors: ReadonlyMap<string, StoredTensor>): TypedArray {
  const found = tensors.get(key);
  if (found === undefined) throw new KeyError(`the file has no weight ${JSON.stringify(key)}`, { op: 'load' });
  if (found.shape.length !== shape.length || found.shape.some((size, i) => size !== shape[i]))
    throw new ShapeError(`weight ${JSON.stringify(key)} is [${shape}], the file has [${found.shape}]`, { op: 'load' });
  const plain = elementsOf(found);
  if (plain?.dtype === dtype) return plain.elements.slice();
  if (dtype === 'f32' && plain?.dtype === 'f16') return Float32Array.from(plain.elements as Uint16Array, fromHalf);
  if (dtype === 'f32' && found.dtype === 'I8') {
    const scale = tensors.get(scaleKey(key));
    const scales = scale && elementsOf(scale);
    if (scales?.dtype === 'f32' && scales.elements.length === shape[0]) {
      const { buffer, byteOffset, length } = found.data;
      return scaled(new Int8Array(buffer, byteOffset, length), scales.elements as Float32Array);
    }
  }
  throw new DTypeError(`weight ${JSON.stringify(key)} is ${dtype}, the file has ${found.dtype}`, { op: 'load' });
}

/** A safetensors file from which the same module goes on. */
export async function saveState(d: Description, state: State): Promise<Uint8Array<ArrayBuffer>> {
  const counters = d.counters.map(({ key }, i) => [counterPrefix + key, String(state.counters[i])] as const);
  const tensors = [...(await readState(d, state))].map(([key, { dtype, shape, data }]) => [key, storedOf(dtype, shape, data)] as const);
  return writeSafetensors(tensors, [[hashKey, hashOf(tensors)], ...counters]);
}

/** Of the data of all tensors, in whatever order they stand. */
function hashOf(tensors: Iterable<readonly [string, StoredTensor]>): string {
  const hashes = [...tensors].map(([key, { data }]) => JSON.stringify([key, hashBytes(data)]));
  return hashBytes(new TextEncoder().encode(hashes.sort().join()));
}
