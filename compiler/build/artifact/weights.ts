// The weights of a model as one safetensors file, in full or in fewer bits, and what the fewer bits lose.

import type { Weight } from '../../../runtime/artifact/description.ts';
import { scaleKey } from '../../../runtime/artifact/saved.ts';
import { scaled } from '../../../runtime/artifact/weights.ts';
import { bytesPerElement } from '../../../runtime/dtype.ts';
import { ArgumentError } from '../../../runtime/errors.ts';
import { fromHalf } from '../../../runtime/half.ts';
import { headLength, readHeader, type StoredTensor, storedOf, writeSafetensors } from '../../../runtime/safetensors.ts';
import type { BuiltWeight } from '../model.ts';

export const weightStorages = ['float32', 'float16', 'int8'] as const;
export type WeightStorage = (typeof weightStorages)[number];

/** What storing a weight in fewer bits changed: the root mean square of the error over that of the weight, and the largest error. */
export type WeightLoss = { readonly key: string; readonly as: 'float16' | 'int8'; readonly relative: number; readonly largest: number };

export type WeightFile = { readonly bytes: Uint8Array; readonly weights: readonly Weight[]; readonly losses: readonly WeightLoss[] };

export function encodeWeights(weights: readonly BuiltWeight[], storage: WeightStorage): WeightFile {
  const tensors: [string, StoredTensor][] = [];
  const losses: WeightLoss[] = [];
  for (const weight of weights) {
    const { key, data, dtype, shape } = weight;
    const as = storageOf(weight, storage);
    if (as === 'float32') {
      tensors.push([key, storedOf(dtype, shape, data)]);
      continue;
    }
    const floats = data as Float32Array;
    if (as === 'float16') {
      const half = Uint16Array.from(floats, toHalf);
      tensors.push([key, storedOf('f16', shape, half)]);
      losses.push({ key, as, ...lossOf(floats, Float32Array.from(half, fromHalf)) });
    } else {
      const { bytes, scales } = quantised(floats, shape[0]!);
      tensors.push([key, { dtype: 'I8', shape, data: new Uint8Array(bytes.buffer) }]);
      tensors.push([scaleKey(key), storedOf('f32', [shape[0]!], scales)]);
      losses.push({ key, as, ...lossOf(floats, scaled(bytes, scales)) });
    }
  }
  const bytes = writeSafetensors(tensors);
  const { dataAt, places } = readHeader(bytes.subarray(0, headLength(bytes, bytes.length)), bytes.length);
  const at = new Map(places.map((place) => [place.key, dataAt + place.begin]));
  const stored = new Map(losses.map(({ key, as }) => [key, as]));
  return {
    bytes,
    losses,
    weights: weights.map(({ key, dtype, shape }): Weight => {
      const facts = { key, dtype, shape, at: at.get(key)! };
      const as = stored.get(key);
      if (as === undefined) return facts;
      return { ...facts, stored: as === 'float16' ? 'f16' : { scaleAt: at.get(scaleKey(key))! } };
    }),
  };
}

/**
 * How a weight is stored: as asked for, where that makes sense. What training goes on with stays as it is, and so do integers, numbers out of
 * the range of half precision, and, for int8, what has no rows to be scaled.
 */
function storageOf({ key, dtype, shape, data, written }: BuiltWeight, wanted: WeightStorage): WeightStorage {
  if (data.length !== shape.reduce((n, d) => n * d, 1) || data.BYTES_PER_ELEMENT !== bytesPerElement[dtype])
    throw new ArgumentError(`weight ${JSON.stringify(key)} has ${data.length} elements for ${dtype} [${shape}]`, { op: 'build' });
  if (wanted === 'float32' || written || dtype !== 'f32' || data.length === 0) return 'float32';
  const largest = largestOf(data as Float32Array);
  if (!Number.isFinite(largest)) return 'float32';
  if (wanted === 'int8' && shape.length >= 2) return 'int8';
  return largest <= 65504 ? 'float16' : 'float32';
}

function largestOf(values: Float32Array): number {
  let largest = 0;
  for (const x of values) {
    if (Number.isNaN(x)) return Number.NaN;
    largest = Math.max(largest, Math.abs(x));
  }
  return largest;
}

/** Each row in 255 steps from its largest negative to its largest value, 0 among them. */
function quantised(values: Float32Array, rows: number): { readonly bytes: Int8Array<ArrayBuffer>; readonly scales: Float32Array } {
  const bytes = new Int8Array(values.length);
  const scales = new Float32Array(rows);
  const length = values.length / rows;
  for (let r = 0; r < rows; r++) {
    const row = values.subarray(r * length, (r + 1) * length);
    const scale = Math.fround(largestOf(row) / 127);
    scales[r] = scale;
    if (scale > 0) for (let i = 0; i < length; i++) bytes[r * length + i] = Math.max(-127, Math.min(127, Math.round(row[i]! / scale)));
  }
  return { bytes, scales };
}

function lossOf(values: Float32Array, stored: Float32Array): Pick<WeightLoss, 'relative' | 'largest'> {
  let [error, size, largest] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const e = Math.abs(values[i]! - stored[i]!);
    error += e * e;
    size += values[i]! ** 2;
    largest = Math.max(largest, e);
  }
  return { relative: error === 0 ? 0 : Math.sqrt(error / size), largest };
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** The bits of the nearest number in half precision, the even one of two. */
export function toHalf(value: number): number {
  float[0] = value;
  const bits = floatBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x47800000) return sign | 0x7c00;
  // Below the normal numbers steps are all 2^-24 wide.
  if (size < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24);
  // A carry out of the fraction makes the next exponent, which is the right one.
  return sign | (((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13) & 0x7fff);
}

function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** The losses in words: one line, and the worst weight. */
export function lossText(losses: readonly WeightLoss[]): string {
  if (losses.length === 0) return '';
  const worst = losses.reduce((a, b) => (b.relative > a.relative ? b : a));
  const percent = (x: number): string => `${(100 * x).toPrecision(2)} %`;
  const kinds = [...new Set(losses.map((l) => l.as))].join(' and ');
  const mean = Math.sqrt(losses.reduce((n, l) => n + l.relative ** 2, 0) / losses.length);
  return `weights as ${kinds}: relative error ${percent(mean)}, at most ${percent(worst.relative)} (${JSON.stringify(worst.key)}, off by ${worst.largest.toPrecision(2)} at most)`;
}
