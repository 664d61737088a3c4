// The generator against values that PyTorch 2.13 gave (CPU).
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  defaultGenerator,
  fillBernoulli,
  fillBernoulliFrom,
  fillExponential,
  fillNormal,
  fillRandint,
  fillRandom,
  fillRandperm,
  fillUniform,
  Generator,
  manualSeed,
  multinomial,
} from '../../compiler/frontend/random.ts';
import { ArgumentError, DTypeError } from '../../runtime/errors.ts';

const f32 = (n: number, fill: (a: Float32Array) => void): number[] => filled(new Float32Array(n), fill);
const f64 = (n: number, fill: (a: Float64Array) => void): number[] => filled(new Float64Array(n), fill);
const i64 = (n: number, fill: (a: BigInt64Array) => void): bigint[] => {
  const a = new BigInt64Array(n);
  fill(a);
  return [...a];
};
function filled<A extends Float32Array | Float64Array>(a: A, fill: (a: A) => void): number[] {
  fill(a);
  return [...a];
}

beforeEach(() => void manualSeed(0));

describe('values for seed 0', () => {
  test('uniform numbers of both widths', () => {
    expect(f32(3, fillUniform)).toEqual([0.49625658988952637, 0.7682217955589294, 0.08847743272781372]);
    manualSeed(0);
    expect(f64(3, fillUniform)).toEqual([0.9700530018065531, 0.707819864399788, 0.45938294312745087]);
    manualSeed(0);
    expect(f32(4, (a) => fillUniform(a, -0.1, 0.3))).toEqual([
      0.09850263595581055, 0.2072887271642685, -0.06460902839899063, -0.04718780517578125,
    ]);
  });

  test('few normal numbers come in pairs, and the odd one is kept for the next call', () => {
    expect(f32(3, fillNormal)).toEqual([1.5409960746765137, -0.293428897857666, -2.1787893772125244]);
    expect(f32(3, fillNormal)).toEqual([0.5684312582015991, -1.0845223665237427, -1.3985954523086548]);
    manualSeed(0);
    expect(f32(4, (a) => fillNormal(a, 2, 3))).toEqual([6.622988224029541, 1.119713306427002, -4.536368370056152, 3.705293893814087]);
  });

  test('sixteen normal numbers and more come in blocks, the last of which overlaps', () => {
    const expected = [
      -1.1258398294448853, -1.152360200881958, -0.2505785822868347, -0.4338788092136383, 0.5988394618034363, -1.5550950765609741,
      -0.3413603901863098, 1.85300612449646, 0.46809640526771545, -0.1577124446630478, 1.4436601400375366, 0.26604941487312317,
      1.3893661499023438, 1.586334228515625, 0.946298360824585, -0.843676745891571, 0.9318265914916992, 1.2590092420578003,
      2.0049805641174316, 0.05373690277338028,
    ];
    f32(20, fillNormal).forEach((x, i) => void expect(x).toBeCloseTo(expected[i]!, 6));
    manualSeed(0);
    const wide = f64(20, fillNormal);
    expect(wide[0]).toBeCloseTo(-2.310411800234176, 13);
    expect(wide[15]).toBeCloseTo(-0.8910030351707375, 13);
    expect(wide[19]).toBeCloseTo(-0.7498915228391941, 13);
  });

  test('integers take 32 bits below a range of 2^28 and 64 from there', () => {
    expect(i64(4, (a) => fillRandint(a, 0, 2 ** 20))).toEqual([985772n, 305711n, 435829n, 117952n]);
    manualSeed(0);
    expect(i64(4, (a) => fillRandint(a, 0, 2 ** 27))).toEqual([75434668n, 130329135n, 118924917n, 2215104n]);
    manualSeed(0);
    expect(i64(4, (a) => fillRandint(a, 0, 2 ** 29))).toEqual([398764591n, 404868288n, 463622907n, 417693031n]);
    manualSeed(0);
    expect(i64(4, (a) => fillRandint(a, 0, 2 ** 40))).toEqual([741280623151n, 506137267392n, 291447657211n, 841157541223n]);
    manualSeed(0);
    const small = new Int32Array(6);
    fillRandint(small, -5, 5);
    expect([...small]).toEqual([-1, 4, -2, -5, -2, 4]);
  });

  test('random_ fills the range of each dtype', () => {
    const kinds = [
      ['i64', new BigInt64Array(3), [900450186894289455n, 3969543146641149120n, 1895649597198586619n]],
      ['i32', new Int32Array(3), [209652396, 398764591, 924231285]],
      ['u8', new Uint8Array(3), [172, 47, 117]],
      ['bool', new Uint8Array(3), [0, 1, 1]],
      ['f32', new Float32Array(3), [8325664, 12888472, 1484222]],
      ['f64', new Float64Array(3), [8737460674930124, 6375474555111176, 4137753702977065]],
    ] as const;
    for (const [dtype, out, expected] of kinds) {
      manualSeed(0);
      fillRandom(out, dtype);
      expect([...out]).toEqual(expected);
    }
  });

  test('permutations, also of many', () => {
    expect(i64(10, fillRandperm).map(Number)).toEqual([4, 1, 7, 5, 3, 9, 0, 8, 6, 2]);
    manualSeed(0);
    const p = new Int32Array(70_000);
    fillRandperm(p);
    expect([...p.subarray(0, 5)]).toEqual([26044, 34615, 62699, 39172, 46907]);
    expect(p.reduce((sum, x, i) => sum + x * i, 0)).toBe(85800088488604);
  });

  test('bernoulli draws 24 bits for float32 probabilities and 53 for one number', () => {
    expect(f32(8, (a) => fillBernoulliFrom(a, new Float32Array(8).fill(0.5)))).toEqual([1, 0, 1, 1, 1, 0, 1, 0]);
    manualSeed(0);
    expect(f32(8, (a) => fillBernoulliFrom(a, new Float64Array(8).fill(0.5)))).toEqual([0, 0, 1, 0, 0, 0, 1, 1]);
    manualSeed(0);
    expect(f32(8, (a) => fillBernoulli(a, 0.5))).toEqual([0, 0, 1, 0, 0, 0, 1, 1]);
  });

  test('exponential numbers and weighted positions', () => {
    expect(f64(3, fillExponential)).toEqual([3.508326186707642, 1.2303847641796768, 0.6150440938940115]);
    manualSeed(0);
    expect(multinomial([0.1, 0.2, 0.3, 0.4], 8, true)).toEqual([3, 3, 2, 3, 3, 3, 1, 2]);
    manualSeed(0);
    expect(multinomial([0.1, 0.2, 0.3, 0.4], 4, false)).toEqual([2, 1, 3, 0]);
  });
});

describe('a generator', () => {
  const digest = (g: Generator): string => createHash('sha256').update(g.getState()).digest('hex');

  test('writes its state as PyTorch does, byte for byte: fresh, with a spare normal number, and with all words used', () => {
    const g = new Generator().manualSeed(5);
    expect(digest(g)).toBe('f4ef6f460154679cfe881f5d260e16f8ed904898fabc025c755a71e2692eb75c');
    fillNormal(new Float32Array(3), 0, 1, g);
    expect(digest(g)).toBe('b4d410285f91ff274a51ee6e3aa48d4890aeb2cf2bd7da29b71a4cbbd79f53f3');
    fillUniform(new Float32Array(616), 0, 1, g);
    expect(digest(g)).toBe('9669cf446c21b8aa332e5dd13290e696ed04ff0cc61c1ead525bac00f696180f');
  });

  test('goes on from a state wherever it was taken', () => {
    for (const drawn of [0, 1, 623, 624, 625]) {
      const g = new Generator().manualSeed(7);
      for (let i = 0; i < drawn; i++) g.random32();
      g.normal();
      const copy = new Generator().setState(g.getState());
      expect([copy.normal(), copy.normal(), copy.random64(), copy.initialSeed()]).toEqual([g.normal(), g.normal(), g.random64(), 7n]);
    }
  });

  test('takes the low 32 bits of a seed, negative ones too, and remembers all of it', () => {
    const draw = (seed: number | bigint): number => new Generator().manualSeed(seed).random32();
    expect(draw(2 ** 40 + 5)).toBe(draw(5));
    expect(draw(-1)).toBe(draw(2n ** 64n - 1n));
    expect(new Generator().manualSeed(-3).initialSeed()).toBe(0xfffffffffffffffdn);
    expect(new Generator().initialSeed()).toBe(67280421310721n);
  });

  test('is apart from the default one', () => {
    const before = defaultGenerator.getState();
    fillUniform(new Float32Array(8), 0, 1, new Generator());
    expect(defaultGenerator.getState()).toEqual(before);
  });
});

test.each([
  ['a fractional seed', () => manualSeed(0.5), ArgumentError],
  ['a seed of 65 bits', () => manualSeed(2n ** 64n), ArgumentError],
  ['a state of wrong length', () => new Generator().setState(new Uint8Array(10)), ArgumentError],
  ['a state of zeros', () => new Generator().setState(new Uint8Array(5056)), ArgumentError],
  ['bounds in the wrong order', () => fillUniform(new Float32Array(2), 1, 0), ArgumentError],
  ['NaN as a bound', () => fillUniform(new Float32Array(2), Number.NaN, 0), ArgumentError],
  ['uniform integers', () => fillUniform(new Int32Array(2)), DTypeError],
  ['a negative deviation', () => fillNormal(new Float32Array(2), 0, -1), ArgumentError],
  ['an empty range', () => fillRandint(new Int32Array(2), 3, 3), ArgumentError],
  ['a probability above one', () => fillBernoulli(new Float32Array(2), 1.5), ArgumentError],
  ['a negative weight', () => multinomial([1, -1], 1, true), ArgumentError],
  ['weights that sum to zero', () => multinomial([0, 0], 1, true), ArgumentError],
  ['more draws than positions', () => multinomial([1, 0, 2], 3, false), ArgumentError],
])('%s is refused', (_name, act, kind) => {
  expect(act).toThrow(kind);
});
