// Random numbers on the host, draw for draw as PyTorch makes them for a seed: fills of typed arrays, and the default generator.
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import { ArgumentError, DTypeError } from '../../runtime/errors.ts';
import { Generator } from './random/generator.ts';

export { Generator } from './random/generator.ts';

type FloatArray = Float32Array | Float64Array;

/** The generator of all that is not given one. */
export const defaultGenerator = new Generator();

/** Seeds the default generator: creation functions, initialisation and shuffling then give PyTorch's numbers for that seed. */
export function manualSeed(seed: number | bigint): Generator {
  stream = 0;
  return defaultGenerator.manualSeed(seed);
}

let stream = 0;
/** The number of the next counter-based draw, as dropout makes them: `manualSeed` starts to count anew. */
export function nextStream(): number {
  stream = (stream + 1) | 0;
  return stream;
}

/** The number of the last such draw. */
export const streamNow = (): number => stream;

/** Makes the next such draw the one after number `at`. */
export function setStream(at: number): void {
  stream = at | 0;
}

/** Gives what takes the counter of those draws back to where it is now. */
export function markStream(): () => void {
  const at = stream;
  return () => {
    stream = at;
  };
}

/** The seed that the default generator began with. */
export const initialSeed = (): bigint => defaultGenerator.initialSeed();

function demandFloats(out: TypedArray, op: string): asserts out is FloatArray {
  if (!(out instanceof Float32Array || out instanceof Float64Array))
    throw new DTypeError('takes float32 or float64 only', { op, fix: "create it with dtype 'float32' and cast" });
}

/** Uniform in [low, high). */
export function fillUniform(out: TypedArray, low = 0, high = 1, g: Generator = defaultGenerator): void {
  demandFloats(out, 'uniform');
  if (!(low <= high)) throw new ArgumentError(`expects from <= to, got from=${low} and to=${high}`, { op: 'uniform' });
  if (out instanceof Float64Array) {
    for (let i = 0; i < out.length; i++) out[i] = g.uniform53() * (high - low) + low;
    return;
  }
  const from = Math.fround(low);
  const width = Math.fround(Math.fround(high) - from);
  for (let i = 0; i < out.length; i++) out[i] = g.uniform24() * width + from;
}

/** Normal numbers. From 16 elements on PyTorch draws uniforms first and transforms them in blocks; below, pair by pair in float64. */
export function fillNormal(out: TypedArray, mean = 0, std = 1, g: Generator = defaultGenerator): void {
  demandFloats(out, 'normal');
  if (!(std >= 0)) throw new ArgumentError(`expects std >= 0, got std ${std}`, { op: 'normal' });
  if (out.length < block) {
    for (let i = 0; i < out.length; i++) out[i] = g.normal() * std + mean;
    return;
  }
  fillUniform(out, 0, 1, g);
  for (let i = 0; i + block <= out.length; i += block) boxMuller(out, i, mean, std);
  if (out.length % block === 0) return;
  // The last block overlaps the one before and is drawn anew.
  const tail = out.length - block;
  fillUniform(out.subarray(tail), 0, 1, g);
  boxMuller(out, tail, mean, std);
}

const block = 16;

/** Turns 16 uniforms into normals, the first half as radii and the second as angles (aten/src/ATen/native/cpu/DistributionTemplates.h). */
function boxMuller(out: FloatArray, start: number, mean: number, std: number): void {
  const round = out instanceof Float32Array ? Math.fround : (x: number) => x;
  for (let i = start; i < start + block / 2; i++) {
    const radius = round(Math.sqrt(round(-2 * round(Math.log(1 - out[i]!)))));
    const angle = round(2 * Math.PI * out[i + block / 2]!);
    out[i] = round(radius * round(Math.cos(angle))) * std + mean;
    out[i + block / 2] = round(radius * round(Math.sin(angle))) * std + mean;
  }
}

/** Below this range PyTorch takes 32 bits a draw, from it on 64: the skew of the remainder stays under 5 %. */
const wideRange = 2n ** 28n;

/** Integers in [low, high). */
export function fillRandint(out: TypedArray, low: number | bigint, high: number | bigint, g: Generator = defaultGenerator): void {
  if (out instanceof Uint16Array) throw new DTypeError('float16 has no integers to draw', { op: 'randint' });
  const from = BigInt(low);
  const range = BigInt(high) - from;
  if (range <= 0n) throw new ArgumentError(`random_ expects 'from' to be less than 'to', got from=${low} >= to=${high}`, { op: 'randint' });
  if (range >= 2n ** 64n) throw new ArgumentError(`the range [${low}, ${high}) exceeds 64 bits`, { op: 'randint' });
  const wide = range >= wideRange;
  const narrow = Number(range);
  if (out instanceof BigInt64Array) {
    for (let i = 0; i < out.length; i++) out[i] = from + (wide ? g.random64() % range : BigInt(g.random32() % narrow));
    return;
  }
  const base = Number(from);
  for (let i = 0; i < out.length; i++) out[i] = wide ? Number(from + (g.random64() % range)) : base + (g.random32() % narrow);
}

/** Integers over the whole non-negative range of the dtype, or as far as a float has all integers: PyTorch's `random_()`. */
export function fillRandom(out: TypedArray, dtype: DType, g: Generator = defaultGenerator): void {
  switch (dtype) {
    case 'f32':
      for (let i = 0; i < out.length; i++) out[i] = g.random32() % (2 ** 24 + 1);
      return;
    case 'f64':
      for (let i = 0; i < out.length; i++) out[i] = Number(g.random64() % (2n ** 53n + 1n));
      return;
    case 'i32':
      for (let i = 0; i < out.length; i++) out[i] = g.random32() & 0x7fffffff;
      return;
    case 'i64':
      for (let i = 0; i < out.length; i++) (out as BigInt64Array)[i] = randomInt64(g);
      return;
    case 'u8':
      for (let i = 0; i < out.length; i++) out[i] = g.random32() & 0xff;
      return;
    case 'bool':
      for (let i = 0; i < out.length; i++) out[i] = g.random32() & 1;
      return;
    case 'f16':
      throw new DTypeError('float16 has no random_ on CPU devices', { op: 'random_' });
    default:
      throw dtype satisfies never;
  }
}

/** One draw of `random_()` in int64: what PyTorch seeds samplers and workers with. */
export const randomInt64 = (g: Generator = defaultGenerator): bigint => g.random64() & (2n ** 63n - 1n);

/** From this length on `randperm` takes 64 bits a draw. */
const widePermutation = Math.floor((2 ** 32 - 1) / 20);

/** A random permutation of 0 .. length-1. */
export function fillRandperm(out: TypedArray, g: Generator = defaultGenerator): void {
  if (out instanceof BigInt64Array) {
    for (let i = 0; i < out.length; i++) out[i] = BigInt(i);
  } else {
    for (let i = 0; i < out.length; i++) out[i] = i;
  }
  const wide = out.length >= widePermutation;
  for (let i = 0; i < out.length - 1; i++) {
    const rest = out.length - i;
    const j = i + (wide ? Number(g.random64() % BigInt(rest)) : g.random32() % rest);
    const held = out[i]!;
    out[i] = out[j]!;
    out[j] = held;
  }
}

/** Ones with probability `p`: PyTorch's `bernoulli_(p)`, which draws 53 bits whatever the dtype. */
export function fillBernoulli(out: TypedArray, p: number, g: Generator = defaultGenerator): void {
  demandProbability(p);
  if (out instanceof BigInt64Array) for (let i = 0; i < out.length; i++) out[i] = g.uniform53() < p ? 1n : 0n;
  else for (let i = 0; i < out.length; i++) out[i] = g.uniform53() < p ? 1 : 0;
}

/** Ones with a probability of their own each: PyTorch's `bernoulli(p)`, which draws as many bits as the probabilities have. */
export function fillBernoulliFrom(out: TypedArray, probabilities: TypedArray, g: Generator = defaultGenerator): void {
  demandFloats(probabilities, 'bernoulli');
  for (const p of probabilities) demandProbability(p);
  const narrow = probabilities instanceof Float32Array;
  for (let i = 0; i < out.length; i++) {
    const hit = (narrow ? g.uniform24() : g.uniform53()) < probabilities[i]!;
    if (out instanceof BigInt64Array) out[i] = hit ? 1n : 0n;
    else out[i] = hit ? 1 : 0;
  }
}

function demandProbability(p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`a probability lies in [0, 1], got ${p}`, { op: 'bernoulli' });
}

/** Exponential numbers of rate `lambda`. */
export function fillExponential(out: TypedArray, lambda = 1, g: Generator = defaultGenerator): void {
  demandFloats(out, 'exponential');
  if (!(lambda > 0)) throw new ArgumentError(`expects lambda > 0, got ${lambda}`, { op: 'exponential' });
  const narrow = out instanceof Float32Array;
  for (let i = 0; i < out.length; i++) out[i] = (-1 / lambda) * Math.log1p(-(narrow ? g.uniform24() : g.uniform53()));
}

/** Positions drawn by weight, in PyTorch's order for float64 weights: by the cumulated weights, or without replacement by racing exponentials. */
export function multinomial(weights: ArrayLike<number>, count: number, replacement: boolean, g: Generator = defaultGenerator): number[] {
  let total = 0;
  let positive = 0;
  for (let i = 0; i < weights.length; i++) {
    const w = weights[i]!;
    if (!(w >= 0 && w < Infinity)) throw new ArgumentError(`weight ${w} at ${i} is negative, infinite or NaN`, { op: 'multinomial' });
    total += w;
    if (w > 0) positive++;
  }
  if (total <= 0) throw new ArgumentError('the weights sum to zero', { op: 'multinomial' });
  if (!replacement && count > positive)
    throw new ArgumentError(`cannot draw ${count} of ${positive} positions of positive weight without replacement`, { op: 'multinomial' });
  return replacement && count !== 1 ? byCumulatedWeight(weights, total, count, g) : byRace(weights, count, g);
}

function byCumulatedWeight(weights: ArrayLike<number>, total: number, count: number, g: Generator): number[] {
  const upTo = new Float64Array(weights.length);
  let sum = 0;
  for (let i = 0; i < upTo.length; i++) upTo[i] = sum += weights[i]!;
  for (let i = 0; i < upTo.length; i++) upTo[i] = upTo[i]! / total;
  upTo[upTo.length - 1] = 1;
  return Array.from({ length: count }, () => {
    const u = g.uniform53();
    let low = 0;
    let high = upTo.length;
    while (high > low) {
      const middle = (low + high) >> 1;
      if (upTo[middle]! < u) low = middle + 1;
      else high = middle;
    }
    return low;
  });
}

function byRace(weights: ArrayLike<number>, count: number, g: Generator): number[] {
  const score = new Float64Array(weights.length);
  fillExponential(score, 1, g);
  for (let i = 0; i < score.length; i++) score[i] = weights[i]! / score[i]!;
  return Array.from(score.keys())
    .sort((a, b) => score[b]! - score[a]! || a - b)
    .slice(0, count);
}
