import { describe, expect, it } from 'vitest';
import { emit } from '../../kernels/js/emit.ts';
import { dedent, kernelOf, noise, Refused, run } from './run.ts';

const close = (actual: ArrayLike<number | bigint>, expected: readonly number[], tolerance: number): void => {
  expect(actual.length).toBe(expected.length);
  expected.forEach((v, i) => {
    expect(Math.abs(Number(actual[i]) - v)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(v)));
  });
};

describe('row softmax', () => {
  const reference = (x: readonly number[], rows: number, columns: number, dim: 0 | 1): number[] => {
    const y = x.slice();
    const [outer, inner, step, stride] = dim === 1 ? [rows, columns, columns, 1] : [columns, rows, 1, columns];
    for (let o = 0; o < outer; o++) {
      const at = (i: number): number => o * step + i * stride;
      const row = Array.from({ length: inner }, (_, i) => x[at(i)]!);
      const m = Math.max(...row);
      const s = row.reduce((a, v) => a + Math.exp(v - m), 0);
      row.forEach((v, i) => {
        y[at(i)] = Math.exp(v - m) / s;
      });
    }
    return y;
  };

  it('keeps the row in scratch', () => {
    const kernel = kernelOf(`
      kernel @softmax(x: read f32[60], y: write f32[60]) {
        comment "softmax model.ts:3"
        par i: 6 {
          scratch e: f32[10]
          var m = -inf_f32
          serial j: 10 {
            m max= x[i*10 + j]
          }
          var s = 0_f64
          serial j: 10 {
            let t = exp(x[i*10 + j] - m)
            e[j] = t
            s += f64(t)
          }
          serial j: 10 {
            y[i*10 + j] = e[j] / f32(s)
          }
        }
      }
    `);
    const x = noise(60);
    close(run(kernel, { x }).y as Float32Array, reference(x, 6, 10, 1), 2e-7);
    expect(emit(kernel).source).toBe(
      dedent(`
        // softmax model.ts:3
        const e = new Float32Array(10);
        for (let i = 0; i < 6; i++) {
          let m = -Infinity;
          for (let j = 0; j < 10; j++) {
            m = Math.max(m, x[i * 10 + j]);
          }
          let s = 0;
          for (let j = 0; j < 10; j++) {
            const t = Math.fround(Math.exp(Math.fround(x[i * 10 + j] - m)));
            e[j] = t;
            s += t;
          }
          for (let j = 0; j < 10; j++) {
            y[i * 10 + j] = e[j] / Math.fround(s);
          }
        }
      `),
    );
  });

  it('runs over the other dimension with whole rows of accumulators', () => {
    const kernel = kernelOf(`
      kernel @softmax_columns(x: read f32[60], y: write f32[60]) {
        scratch m: f32[10] = -inf_f32
        scratch s: f64[10] = 0_f64
        serial i: 6 {
          par j: 10 {
            m[j] max= x[i*10 + j]
          }
        }
        serial i: 6 {
          par j: 10 {
            let t = exp(x[i*10 + j] - m[j])
            y[i*10 + j] = t
            s[j] += f64(t)
          }
        }
        par i: 6 {
          par j: 10 {
            y[i*10 + j] /= f32(s[j])
          }
        }
      }
    `);
    const x = noise(60, 2);
    close(run(kernel, { x }).y as Float32Array, reference(x, 6, 10, 0), 2e-7);
  });
});

describe('layer norm backward', () => {
  const [rows, width, chunks] = [12, 5, 3];
  const first = kernelOf(`
    kernel @layer_norm_backward(x: read f64[60], dy: read f64[60], gamma: read f64[5], mean: read f64[12], rstd: read f64[12], dx: write f64[60], pg: write f64[15], pb: write f64[15]) {
      par c: 3 {
        scratch ag: f64[5] = 0_f64
        scratch ab: f64[5] = 0_f64
        serial r: 4 {
          var s1 = 0_f64
          var s2 = 0_f64
          serial d: 5 {
            let h = (x[c*20 + r*5 + d] - mean[c*4 + r]) * rstd[c*4 + r]
            let q = dy[c*20 + r*5 + d] * gamma[d]
            s1 += q
            s2 += q * h
            ag[d] += dy[c*20 + r*5 + d] * h
            ab[d] += dy[c*20 + r*5 + d]
          }
          serial d: 5 {
            let h = (x[c*20 + r*5 + d] - mean[c*4 + r]) * rstd[c*4 + r]
            dx[c*20 + r*5 + d] = rstd[c*4 + r] * (dy[c*20 + r*5 + d] * gamma[d] - s1 / 5_f64 - h * (s2 / 5_f64))
          }
        }
        par d: 5 {
          pg[c*5 + d] = ag[d]
          pb[c*5 + d] = ab[d]
        }
      }
    }
  `);
  const second = kernelOf(`
    kernel @sum_partials(pg: read f64[15], pb: read f64[15], dg: write f64[5], db: write f64[5]) {
      par d: 5 {
        var a = 0_f64
        var b = 0_f64
        serial c: 3 {
          a += pg[c*5 + d]
          b += pb[c*5 + d]
        }
        dg[d] = a
        db[d] = b
      }
    }
  `);

  it('takes two kernels and agrees with differences', () => {
    const x = noise(rows * width);
    const dy = noise(rows * width, 2);
    const gamma = noise(width, 3);
    const norm = (x: readonly number[], gamma: readonly number[]): { loss: number; mean: number[]; rstd: number[] } => {
      const mean: number[] = [];
      const rstd: number[] = [];
      let loss = 0;
      for (let r = 0; r < rows; r++) {
        const row = x.slice(r * width, (r + 1) * width);
        mean[r] = row.reduce((a, v) => a + v, 0) / width;
        rstd[r] = 1 / Math.sqrt(row.reduce((a, v) => a + (v - mean[r]!) ** 2, 0) / width + 1e-5);
        row.forEach((v, d) => {
          loss += (v - mean[r]!) * rstd[r]! * gamma[d]! * dy[r * width + d]!;
        });
      }
      return { loss, mean, rstd };
    };
    const { mean, rstd } = norm(x, gamma);
    const partial = run(first, { x, dy, gamma, mean, rstd });
    const total = run(second, { pg: partial.pg!, pb: partial.pb! });
    expect(chunks * 5).toBe(partial.pg!.length);
    const difference = (values: number[], i: number): number => {
      const moved = (by: number): number => {
        const copy = values.slice();
        copy[i]! += by;
        return values === x ? norm(copy, gamma).loss : norm(x, copy).loss;
      };
      return (moved(1e-5) - moved(-1e-5)) / 2e-5;
    };
    for (const i of [0, 7, 33, 59]) expect(partial.dx![i]).toBeCloseTo(difference(x, i), 5);
    for (const d of [0, 4]) expect(total.dg![d]).toBeCloseTo(difference(gamma, d), 5);
    close(
      total.db as Float64Array,
      [0, 1, 2, 3, 4].map((d) => dy.filter((_, i) => i % width === d).reduce((a, v) => a + v, 0)),
      1e-12,
    );
  });
});

describe('matmul + bias + relu', () => {
  it('applies the epilogue to the accumulator', () => {
    const kernel = kernelOf(`
      kernel @matmul_bias_relu(a: read f32[15], w: read f32[20], b: read f32[4], y: write f32[12]) {
        par i: 3 {
          par j: 4 {
            var s = 0_f64
            serial k: 5 {
              s += f64(a[i*5 + k]) * f64(w[k*4 + j])
            }
            let z = f32(s) + b[j]
            y[i*4 + j] = max(z, 0_f32)
          }
        }
      }
    `);
    const [a, w, b] = [noise(15), noise(20, 2), noise(4, 3)];
    const expected = Array.from({ length: 12 }, (_, at) => {
      const [i, j] = [Math.floor(at / 4), at % 4];
      let s = 0;
      for (let k = 0; k < 5; k++) s += a[i * 5 + k]! * w[k * 4 + j]!;
      return Math.max(0, Math.fround(Math.fround(s) + b[j]!));
    });
    expect([...(run(kernel, { a, w, b }).y as Float32Array)]).toEqual(expected);
  });
});

describe('Adam over several members', () => {
  it('updates each tensor in a nest of its own', () => {
    const member = (n: number, t: number): string => `
        par i${t}: ${n} {
          let m_${t}n = $1 * m${t}[i${t}] + (1_f32 - $1) * g${t}[i${t}]
          let v_${t}n = $2 * v${t}[i${t}] + (1_f32 - $2) * (g${t}[i${t}] * g${t}[i${t}])
          m${t}[i${t}] = m_${t}n
          v${t}[i${t}] = v_${t}n
          p${t}[i${t}] -= $0 * m_${t}n / (sqrt(v_${t}n) + $3)
        }`;
    const params = [4, 7].map((n, t) => `p${t}: update f32[${n}], g${t}: read f32[${n}], m${t}: update f32[${n}], v${t}: update f32[${n}]`);
    const kernel = kernelOf(`
      kernel @adam(${params.join(', ')}) slots(f32, f32, f32, f32) {${member(4, 0)}${member(7, 1)}
      }
    `);
    const slots = [0.01, 0.9, 0.999, 1e-8];
    const [p0, g0, p1, g1] = [noise(4), noise(4, 2), noise(7, 3), noise(7, 4)];
    const after = run(kernel, { p0, g0, p1, g1 }, slots);
    for (const [p, g, q] of [
      [p0, g0, after.p0!],
      [p1, g1, after.p1!],
    ] as const) {
      close(
        q as Float32Array,
        p.map((v, i) => v - (0.01 * (0.1 * g[i]!)) / (Math.sqrt(0.001 * g[i]! ** 2) + 1e-8)),
        1e-5,
      );
    }
    expect(emit(kernel).source).toContain('const slot1 = Math.fround(slots[1]);');
  });
});

describe('argmax', () => {
  const kernel = kernelOf(`
    kernel @argmax(x: read f32[10], y: write i64[2]) {
      par i: 2 {
        var best = x[i*5]
        var at = 0_i32
        serial j: 5 {
          let v = x[i*5 + j]
          if best < v {
            best = v
            at = position.i32(j)
          } else {
            if and(v != v, best == best) {
              best = v
              at = position.i32(j)
            }
          }
        }
        y[i] = i64(at)
      }
    }
  `);

  it('takes the first of equals, and NaN before all', () => {
    expect([...run(kernel, { x: [1, 3, 3, 2, 0, 5, 1, NaN, 9, NaN] }).y!]).toEqual([1n, 2n]);
    expect([...run(kernel, { x: [NaN, 3, 3, 2, 0, -Infinity, -Infinity, -1, -1, -1] }).y!]).toEqual([0n, 2n]);
  });
});

describe('cumsum', () => {
  it('carries a scalar along the row', () => {
    const kernel = kernelOf(`
      kernel @cumsum(x: read f32[8], y: write f32[8]) {
        par i: 2 {
          var s = 0_f64
          serial j: 4 {
            s += f64(x[i*4 + j])
            y[i*4 + j] = f32(s)
          }
        }
      }
    `);
    expect([...run(kernel, { x: [1, 2, 3, 4, -1, 1, -1, 1] }).y!]).toEqual([1, 3, 6, 10, -1, 0, -1, 0]);
  });
});

describe('gather', () => {
  const kernel = kernelOf(`
    kernel @embedding(table: read f32[12], index: read i64[3], y: write f32[9]) {
      par i: 3 {
        check index[i] below 4 for "embedding"
        par d: 3 {
          y[i*3 + d] = table[value(index[i])*3 + d]
        }
      }
    }
  `);
  const table = Array.from({ length: 12 }, (_, i) => i);

  it('reads rows by index', () => {
    expect([...run(kernel, { table, index: [3, 0, 3] }).y!]).toEqual([9, 10, 11, 0, 1, 2, 9, 10, 11]);
  });

  it('refuses an index out of range, naming op and value', () => {
    expect(() => run(kernel, { table, index: [3, 4, 0] })).toThrow(new Refused('embedding: 4 is not below 4'));
    expect(() => run(kernel, { table, index: [-1, 0, 0] })).toThrow(Refused);
  });
});

describe('padding', () => {
  const kernel = kernelOf(`
    kernel @pad(x: read f32[6], y: write f32[20]) {
      par i: 4 {
        par j: 5 {
          y[i*5 + j] = choose(0 <= i - 1 < 2 & 0 <= j - 1 < 3, x[i*3 + j - 4], 0_f32)
        }
      }
    }
  `);

  it('chooses between the source and the filling', () => {
    expect([...run(kernel, { x: [1, 2, 3, 4, 5, 6] }).y!]).toEqual([0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0, 0, 0, 0, 0, 0]);
  });

  it('tests only what the axes leave open', () => {
    const source = emit(
      kernelOf(`
        kernel @shift(x: read f32[6], y: write f32[6]) {
          par i: 6 {
            y[i] = choose(0 <= i - 1 < 6, x[i - 1], 0_f32)
          }
        }
      `),
    ).source;
    expect(source).toContain('y[i] = i - 1 >= 0 ? x[i - 1] : 0;');
  });
});

describe('sort', () => {
  const kernel = (descending: 0 | 1, k: number, kept: number): ReturnType<typeof kernelOf> =>
    kernelOf(`
      kernel @sort(x: read f32[12], values: write f32[${2 * kept}], order: write i64[${2 * kept}]) {
        library sort(x, values, order) extents(2, 6, 1) flags(${descending}, ${k})
      }
    `);

  it('is stable and puts NaN last, or first when descending', () => {
    const x = [3, NaN, 1, 3, -Infinity, 2, 0, -0, 5, 5, 4, 4];
    const up = run(kernel(0, -1, 6), { x });
    expect([...up.values!]).toEqual([-Infinity, 1, 2, 3, 3, NaN, 0, -0, 4, 4, 5, 5]);
    expect([...up.order!]).toEqual([4n, 2n, 5n, 0n, 3n, 1n, 0n, 1n, 4n, 5n, 2n, 3n]);
    const down = run(kernel(1, -1, 6), { x });
    expect([...down.order!]).toEqual([1n, 0n, 3n, 5n, 2n, 4n, 2n, 3n, 4n, 5n, 0n, 1n]);
  });

  it('keeps the first k', () => {
    const top = run(kernel(1, 2, 2), { x: [1, 5, 2, 4, 3, 0, 9, 9, 9, 1, 1, 1] });
    expect([...top.values!]).toEqual([5, 4, 9, 9]);
    expect([...top.order!]).toEqual([1n, 3n, 0n, 1n]);
  });

  it('sorts along an inner axis', () => {
    const inner = kernelOf(`
      kernel @sort(x: read f32[6], values: write f32[6], order: write i32[6]) {
        library sort(x, values, order) extents(1, 3, 2) flags(0, -1)
      }
    `);
    expect([...run(inner, { x: [3, 1, 1, 2, 2, 0] }).values!]).toEqual([1, 0, 2, 1, 3, 2]);
  });
});
