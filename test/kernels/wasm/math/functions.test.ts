// The vector functions against float64: bounds over a dense sample of all float32, and results that bounds do not say.
import { expect, test } from 'vitest';
import { type Float32Function, float32 } from '../../../../kernels/wasm/math/table.ts';
import { runs } from '../../../effort.ts';
import { capacity, evaluator, reference, ulps } from '../evaluate.ts';

const names = Object.keys(float32) as Float32Function[];

/** Numbers at which functions change their ways, and their neighbours on both sides. */
const edges: readonly number[] = [
  0,
  1,
  2,
  3,
  4,
  0.5,
  0.55,
  0.25,
  10,
  88.7,
  89,
  89.4,
  103.9,
  104.5,
  127,
  128,
  126,
  149,
  150,
  151,
  17.3,
  20,
  9.01,
  2 ** -126,
  2 ** -149,
  2 ** -12,
  2 ** 15,
  1e5,
  2 ** 23,
  2 ** 24,
  2 ** 100,
  2 ** 127,
  3.4028234663852886e38,
  1e-30,
  Math.PI,
  Math.PI / 2,
  Math.PI / 4,
  Math.SQRT2,
  Math.SQRT1_2,
  Math.LN2,
  Number.POSITIVE_INFINITY,
  Number.NaN,
];

/** Every `step`-th bit pattern, then the edges with 32 neighbours each way, of both signs. */
function* samples(step: number): Generator<number> {
  for (let pattern = 0; pattern < 2 ** 32; pattern += step) yield pattern;
  for (const edge of edges) {
    const [middle] = new Uint32Array(new Float32Array([edge]).buffer);
    for (let k = -32; k <= 32; k++) {
      yield (middle! + k) >>> 0;
      yield (middle! + k + 2 ** 31) >>> 0;
    }
  }
}

type Worst = { ulps: number; x: number; y: number; result: number; exact: number };
function worstOf(name: Float32Function, fused: boolean, fill: (x: Float32Array, y: Float32Array) => number): Worst {
  const e = evaluator(name, fused);
  const worst: Worst = { ulps: 0, x: 0, y: 0, result: 0, exact: 0 };
  for (let count = fill(e.x, e.y); count > 0; count = fill(e.x, e.y)) {
    e.run((count + 3) & ~3);
    for (let k = 0; k < count; k++) {
      const [x, y, result] = [e.x[k]!, e.y[k]!, e.result[k]!];
      const exact = reference(name, x, y);
      const error = ulps(result, exact);
      if (error > worst.ulps) Object.assign(worst, { ulps: error, x, y, result, exact });
    }
  }
  return worst;
}

for (const name of names.filter((n) => float32[n].arity === 1)) {
  for (const [k, fused] of [true, false].entries()) {
    test(`${name} is within ${float32[name].ulp[k]} ulp, ${fused ? 'fused' : 'mul+add'}`, () => {
      const patterns = samples(Math.floor(2 ** 32 / runs(2 ** 19)));
      const worst = worstOf(name, fused, (x) => {
        const words = new Uint32Array(x.buffer, x.byteOffset, x.length);
        let count = 0;
        for (; count < capacity; count++) {
          const { value, done } = patterns.next();
          if (done === true) break;
          words[count] = value;
        }
        return count;
      });
      expect(worst.ulps, JSON.stringify(worst)).toBeLessThanOrEqual(float32[name].ulp[k]!);
    });
  }
}

/** A fixed sequence of numbers from 0 to 1. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

for (const name of ['pow', 'atan2'] as const) {
  for (const [k, fused] of [true, false].entries()) {
    test(`${name} of any two numbers is within ${float32[name].ulp[k]} ulp, ${fused ? 'fused' : 'mul+add'}`, () => {
      const special = edges.flatMap((x) => [x, -x]).concat(1.5, -1.5, 16777215, -16777215, 1e10, 1e-10);
      const next = sequence(7);
      let round = 0;
      const worst = worstOf(name, fused, (x, y) => {
        const words = [x, y].map((v) => new Uint32Array(v.buffer, v.byteOffset, v.length));
        switch (round++) {
          case 0:
            special.forEach((a, i) => {
              special.forEach((b, j) => {
                x[i * special.length + j] = a;
                y[i * special.length + j] = b;
              });
            });
            return special.length ** 2;
          case 1:
            for (let i = 0; i < capacity; i++) for (const w of words) w[i] = next() * 2 ** 32;
            return capacity;
          case 2:
          case 3:
            // Results over the whole range of float32, from bases near 1 and far from it.
            for (let i = 0; i < capacity; i++) {
              x[i] = Math.exp((next() - 0.5) * (round === 3 ? 1 : 40));
              y[i] = ((next() - 0.5) * 300) / Math.log2(x[i]!);
            }
            return capacity;
          default:
            return 0;
        }
      });
      expect(worst.ulps, JSON.stringify(worst)).toBeLessThanOrEqual(float32[name].ulp[k]!);
    });
  }
}

test('a lane gives the same bits whatever stands in the others', () => {
  for (const name of names) {
    const e = evaluator(name, true);
    const values = [0.3, 1e30, Number.NaN, -2.5, 3, -1e-40, Number.POSITIVE_INFINITY, 7e5];
    const alone = values.map((v) => {
      e.x.fill(v, 0, 4);
      e.y.fill(1.25, 0, 4);
      e.run(4);
      return new Int32Array(e.result.buffer, e.result.byteOffset, 1)[0]!;
    });
    e.x.set(values);
    e.y.fill(1.25, 0, 8);
    e.run(8);
    const together = [...new Int32Array(e.result.buffer, e.result.byteOffset, 8)];
    const isNumber = (k: number): boolean => !Number.isNaN(e.result[k]!);
    expect(
      together.filter((_, k) => isNumber(k)),
      name,
    ).toEqual(alone.filter((_, k) => isNumber(k)));
  }
});

test('a call gives the bits that the code written out gives', () => {
  for (const name of names) {
    for (const fused of [true, false]) {
      const results = [true, false].map((inline) => {
        const e = evaluator(name, fused, inline);
        for (let k = 0; k < 4096; k++) {
          e.x[k] = (k - 2048) / 64;
          e.y[k] = (k % 37) / 4;
        }
        e.run(4096);
        return e.result.slice(0, 4096);
      });
      expect(results[1], name).toEqual(results[0]);
    }
  }
});
