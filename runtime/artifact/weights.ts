// The weights of a built module: fetched or decoded, and held to the hash that the module was built with.

import { type Buffer, copy, hostBuffer } from '../buffer.ts';
import { bytesPerElement, type DType, type TypedArray, viewOf } from '../dtype.ts';
import { DeviceError, FormatError } from '../errors.ts';
import { bytesOfBase64, numel } from '../executable.ts';
import { fromHalf } from '../half.ts';
import type { Description, Weight } from './description.ts';
import { hashBytes } from './hash.ts';

/** Where weights come from: an address, bytes of a safetensors file, or an answer that has them. */
export type WeightSource = string | URL | Uint8Array | ArrayBuffer | Response;
export type Progress = (progress: { readonly loaded: number; readonly total: number }) => void;

/** The module's own weights, in base64 or beside it. */
export type OwnWeights = { readonly base64: string } | { readonly url: () => URL };

/** The values that calls work with, in the order of the description. */
export type State = { readonly buffers: Buffer[]; readonly counters: number[] };

/** The state that the module was built with. Its file is known to the byte, so nothing in it has to be found. */
export async function ownState(d: Description, own: OwnWeights, onProgress?: Progress): Promise<State> {
  const { file, name } = d;
  const bytes = 'base64' in own ? bytesOfBase64(own.base64) : await fetched(addressOf(own.url, name), name, file.bytes, onProgress);
  const hash = hashBytes(bytes);
  if (hash !== file.hash)
    throw new FormatError(`the weights of ${name} have hash ${hash}, the module was built with ${file.hash}`, {
      op: 'load',
      fix: 'publish the module and its weights together',
    });
  return {
    buffers: d.weights.map((weight) => hostBuffer(weight.dtype, elements(weight, bytes))),
    counters: d.counters.map(({ value }) => value),
  };
}

function addressOf(url: () => URL, name: string): URL {
  try {
    return url();
  } catch (cause) {
    throw new DeviceError(`the weights of ${name} lie in a file beside it, which this host cannot find`, {
      op: 'load',
      fix: 'give them: load({ weights })',
      cause,
    });
  }
}

/** The elements of a weight, in an array of ours: runs may write into it. */
function elements({ dtype, shape, at, stored }: Weight, file: Uint8Array): TypedArray {
  const length = numel(shape);
  const part = (as: DType, from: number, count: number): TypedArray =>
    viewOf(as, file.slice(from, from + count * bytesPerElement[as]).buffer, 0, count);
  if (stored === undefined) return part(dtype, at, length);
  if (stored === 'f16') return Float32Array.from(part('f16', at, length) as Uint16Array, fromHalf);
  const rows = shape[0]!;
  return scaled(new Int8Array(part('u8', at, length).buffer), part('f32', stored.scaleAt, rows) as Float32Array);
}

/** Rows of bytes, each times its scale. */
export function scaled(bytes: Int8Array, scales: Float32Array): Float32Array {
  const row = bytes.length / scales.length;
  return Float32Array.from(bytes, (q, i) => q * scales[Math.floor(i / row)]!);
}

/** The bytes that a source has; `name` is the model's, `expected` how many there should be. */
export async function fetched(source: WeightSource, name: string, expected: number, onProgress?: Progress): Promise<Uint8Array> {
  // A Buffer of Node is a Uint8Array whose slices share its memory.
  if (source instanceof Uint8Array) return new Uint8Array(source.buffer, source.byteOffset, source.length);
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  let from = String(source);
  try {
    if (source instanceof Response) return await streamed(source, expected, onProgress);
    const url = new URL(source, globalThis.location?.href ?? import.meta.url);
    from = url.href;
    if (url.protocol !== 'file:' || globalThis.process?.getBuiltinModule === undefined)
      return await streamed(await fetch(url), expected, onProgress);
    const bytes = new Uint8Array(await process.getBuiltinModule('node:fs/promises').readFile(url));
    onProgress?.({ loaded: bytes.length, total: bytes.length });
    return bytes;
  } catch (cause) {
    throw new DeviceError(`the weights of ${name} cannot be had from ${from}: ${String(cause)}`, { op: 'load', cause });
  }
}

async function streamed(response: Response, expected: number, onProgress?: Progress): Promise<Uint8Array> {
  if (!response.ok) throw new Error(`the answer is ${response.status}`);
  if (onProgress === undefined || response.body === null) return new Uint8Array(await response.arrayBuffer());
  // A compressed answer tells the length of what is sent, not of what comes out.
  const told = response.headers.has('content-encoding') ? 0 : Number(response.headers.get('content-length'));
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onProgress({ loaded, total: Math.max(told || expected, loaded) });
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** A weight as it is by now. */
export type StateEntry = { readonly dtype: DType; readonly shape: readonly number[]; readonly data: TypedArray };

/** By key: a Map, since keys are whatever the model says. */
export async function readState({ weights }: Description, { buffers }: State): Promise<Map<string, StateEntry>> {
  const arrays = await Promise.all(buffers.map(copy));
  return new Map(weights.map(({ key, dtype, shape }, i) => [key, { dtype, shape, data: arrays[i]! }]));
}
