// Seeded data: the same bits for every contender in every process.
import { elements, type Input } from './row.ts';

export type HostArray = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** Numbers in [0, 1) by mulberry32. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The data of one input. */
export function dataOf({ shape, fill }: Input, seed: number): HostArray {
  const count = elements(shape);
  if ('value' in fill) return new Float32Array(count).fill(fill.value);
  const random = generator(seed + 1);
  if ('below' in fill) {
    const out = new Int32Array(count);
    for (let i = 0; i < count; i++) out[i] = Math.floor(random() * fill.below);
    return out;
  }
  const out = new Float32Array(count);
  const width = fill.scale * Math.sqrt(12);
  for (let i = 0; i < count; i++) out[i] = (fill.around ?? 0) + (random() - 0.5) * width;
  return out;
}

export const dataOfAll = (inputs: readonly Input[]): HostArray[] => inputs.map(dataOf);
