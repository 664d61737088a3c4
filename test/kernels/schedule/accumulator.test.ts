import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../kernels/loop.ts';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { errorBound, splitByTree, splitIntoBlocks, splitIntoLanes } from '../../../kernels/schedule/accumulator.ts';
import { type Loop, namesIn } from '../../../kernels/schedule/rewrite.ts';
import { runs } from '../../effort.ts';
import { dedent, noise, run } from '../run.ts';

const total = (n: number, dtype: 'f32' | 'f64' = 'f64'): Kernel =>
  parseKernel(`
    kernel @total(x: read ${dtype}[${n}], y: write f64[1]) {
      var s = 0_f64
      serial i: ${n} {
        s += ${dtype === 'f32' ? 'f64(x[i])' : 'x[i]'}
      }
      y[0] = s
    }
  `);

/** The kernel with its serial loops rewritten. */
const scheduled = (kernel: Kernel, step: (loop: Loop, taken: Set<string>) => readonly unknown[]): Kernel => {
  const taken = namesIn(
    kernel.body,
    kernel.params.map((p) => p.name),
  );
  return { ...kernel, body: kernel.body.flatMap((s) => (s.kind === 'loop' ? (step(s, taken) as Kernel['body']) : [s])) };
};

describe('accumulators split into lanes', () => {
  it('add up pairwise, with the tail in the first', () => {
    expect(printKernel(scheduled(total(10), (loop, taken) => splitIntoLanes(loop, 4, taken)))).toBe(
      dedent(`
        kernel @total(x: read f64[10], y: write f64[1]) {
          var s = 0_f64
          var s1 = 0_f64
          var s2 = 0_f64
          var s3 = 0_f64
          serial i: 8 step 4 {
            s += x[i]
            s1 += x[i + 1]
            s2 += x[i + 2]
            s3 += x[i + 3]
          }
          serial i: 2 {
            s += x[i + 8]
          }
          s += s1
          s2 += s3
          s += s2
          y[0] = s
        }
      `),
    );
  });

  it('keep lets and stores of each iteration', () => {
    const kernel = parseKernel(`
      kernel @exps(x: read f32[11], e: write f32[11], y: write f64[2]) {
        var s = 0_f64
        var m = -inf_f32
        serial i: 11 {
          let t = exp(x[i])
          e[i] = t
          s += f64(t)
          m max= t
        }
        y[0] = s
        y[1] = f64(m)
      }
    `);
    const lanes = scheduled(kernel, (loop, taken) => splitIntoLanes(loop, 4, taken));
    const [a, b] = [run(kernel, { x: noise(11) }), run(lanes, { x: noise(11) })];
    expect(b.e).toEqual(a.e);
    expect(b.y![0]).toBeCloseTo(a.y![0] as number, 12);
    expect(b.y![1]).toBe(a.y![1]);
  });

  it('refuse what is carried from one iteration to the next', () => {
    const cumsum = parseKernel(`
      kernel @cumsum(x: read f64[20], y: write f64[20]) {
        var s = 0_f64
        serial i: 20 {
          s += x[i]
          y[i] = s
        }
      }
    `);
    expect(() => scheduled(cumsum, (loop, taken) => splitIntoLanes(loop, 4, taken))).toThrow(/s is carried/);
    const assigned = parseKernel(`
      kernel @last(x: read f64[20], y: write f64[1]) {
        var s = 0_f64
        serial i: 20 {
          s = s * x[i]
        }
        y[0] = s
      }
    `);
    expect(() => scheduled(assigned, (loop, taken) => splitIntoBlocks(loop, 4, taken))).toThrow(/carried|accumulates nothing/);
  });
});

describe('accumulators split into blocks', () => {
  it('add the part of each block', () => {
    expect(printKernel(scheduled(total(11), (loop, taken) => splitIntoBlocks(loop, 4, taken)))).toBe(
      dedent(`
        kernel @total(x: read f64[11], y: write f64[1]) {
          var s = 0_f64
          serial i_block: 2 {
            var s_part = 0_f64
            serial i: 4 {
              s_part += x[i_block*4 + i]
            }
            s += s_part
          }
          var s_part_2 = 0_f64
          serial i: 3 {
            s_part_2 += x[i + 8]
          }
          s += s_part_2
          y[0] = s
        }
      `),
    );
  });

  it('are right for every extent', () => {
    const options = { lanes: 2, leaf: 4, radix: 3 };
    for (let n = 1; n < 60; n++) {
      const x = Array.from({ length: n }, (_, i) => i + 1);
      const kernel = scheduled(total(n), (loop, taken) => splitByTree(loop, taken, options));
      expect(run(kernel, { x }).y![0]).toBe((n * (n + 1)) / 2);
    }
  });

  it('keep float64 sums within the bound of their tree', () => {
    const n = 300_000;
    const x = Float64Array.from({ length: n }, (_, i) => 0.1 + (i % 7) * 1e-3);
    const tree = run(
      scheduled(total(n), (loop, taken) => splitByTree(loop, taken)),
      { x },
    ).y![0] as number;
    // The exact sum, in two parts (Knuth's two-sum).
    let [high, low] = [0, 0];
    for (const v of x) {
      const s = high + v;
      const b = s - high;
      low += high - (s - b) + (v - b);
      high = s;
    }
    const exact = high + low;
    expect(Math.abs(tree - exact)).toBeLessThanOrEqual(errorBound(n) * 2 ** -53 * exact);
    expect(errorBound(n)).toBeLessThan(400);
  });

  it('sum millions of times 0.1 in float32 to the last bit', () => {
    const n = runs(1 << 24);
    const x = new Float32Array(n).fill(0.1);
    const tree = run(
      scheduled(total(n, 'f32'), (loop, taken) => splitByTree(loop, taken)),
      { x },
    ).y![0] as number;
    expect(Math.fround(tree)).toBe(Math.fround(Math.fround(0.1) * n));
  });
});
