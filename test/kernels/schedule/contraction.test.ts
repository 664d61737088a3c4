import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../kernels/loop.ts';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { tileContractions } from '../../../kernels/schedule/contraction.ts';
import { dedent, noise, run } from '../run.ts';

const tile = (kernel: Kernel): Kernel => ({
  ...kernel,
  body: tileContractions(
    kernel.body,
    kernel.params.map((p) => p.name),
  ),
});

/** y = relu(a w + bias), with an operand order and strides of one's choice. */
const matmul = (m: number, k: number, n: number, a = `a[i*${k} + k]`, w = `w[k*${n} + j]`): Kernel =>
  parseKernel(`
    kernel @matmul(a: read f32[${m * k}], w: read f32[${k * n}], bias: read f32[${n}], y: write f32[${m * n}]) {
      par i: ${m} {
        par j: ${n} {
          var acc = 0_f64
          serial k: ${k} {
            acc += f64(${a}) * f64(${w})
          }
          let z = f32(acc) + bias[j]
          y[i*${n} + j] = max(z, 0_f32)
        }
      }
    }
  `);

const buffers = (kernel: Kernel): Record<string, number[]> =>
  Object.fromEntries(kernel.params.map((p, seed) => [p.name, noise(p.length as number, seed)]));

/** Both kernels over the same values, bit for bit. */
function expectSame(plain: Kernel, scheduled: Kernel): void {
  const [before, after] = [run(plain, buffers(plain)), run(scheduled, buffers(plain))];
  for (const p of plain.params) expect(after[p.name]).toEqual(before[p.name]);
}

describe('tiles of contractions', () => {
  it('share loads and keep the epilogue', () => {
    expect(printKernel(tile(matmul(2, 3, 4)))).toBe(
      dedent(`
        kernel @matmul(a: read f32[6], w: read f32[12], bias: read f32[4], y: write f32[8]) {
          par j: 4 step 4 {
            par i: 2 step 2 {
              var acc00 = 0_f64
              var acc01 = 0_f64
              var acc02 = 0_f64
              var acc03 = 0_f64
              var acc10 = 0_f64
              var acc11 = 0_f64
              var acc12 = 0_f64
              var acc13 = 0_f64
              serial k: 3 {
                let a_0 = f64(a[i*3 + k])
                let a_1 = f64(a[i*3 + k + 3])
                let w_0 = f64(w[k*4 + j])
                let w_1 = f64(w[k*4 + j + 1])
                let w_2 = f64(w[k*4 + j + 2])
                let w_3 = f64(w[k*4 + j + 3])
                acc00 += a_0 * w_0
                acc01 += a_0 * w_1
                acc02 += a_0 * w_2
                acc03 += a_0 * w_3
                acc10 += a_1 * w_0
                acc11 += a_1 * w_1
                acc12 += a_1 * w_2
                acc13 += a_1 * w_3
              }
              let z00 = f32(acc00) + bias[j]
              let z01 = f32(acc01) + bias[j + 1]
              let z02 = f32(acc02) + bias[j + 2]
              let z03 = f32(acc03) + bias[j + 3]
              let z10 = f32(acc10) + bias[j]
              let z11 = f32(acc11) + bias[j + 1]
              let z12 = f32(acc12) + bias[j + 2]
              let z13 = f32(acc13) + bias[j + 3]
              y[i*4 + j] = max(z00, 0_f32)
              y[i*4 + j + 1] = max(z01, 0_f32)
              y[i*4 + j + 2] = max(z02, 0_f32)
              y[i*4 + j + 3] = max(z03, 0_f32)
              y[i*4 + j + 4] = max(z10, 0_f32)
              y[i*4 + j + 5] = max(z11, 0_f32)
              y[i*4 + j + 6] = max(z12, 0_f32)
              y[i*4 + j + 7] = max(z13, 0_f32)
            }
          }
        }
      `),
    );
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('are right for every tail (%i)', (n) => {
    for (const m of [1, 2, 3, 4, 5, 9]) for (const k of [1, 7]) expectSame(matmul(m, k, n), tile(matmul(m, k, n)));
  });

  it('hold for transposed operands', () => {
    for (const [m, k, n] of [
      [5, 3, 7],
      [8, 4, 2],
    ] as const) {
      const transposed = matmul(m, k, n, `a[k*${m} + i]`, `w[j*${k} + k]`);
      expectSame(transposed, tile(transposed));
    }
  });

  it('stage a prologue once per panel', () => {
    const plain = matmul(5, 6, 9, 'select(a[i*6 + k] < 0_f32, 0_f32, exp(a[i*6 + k]))', 'max(w[k*9 + j], 0_f32)');
    const tiled = tile(plain);
    expectSame(plain, tiled);
    const text = printKernel(tiled);
    expect(text.match(/exp\(/g)).toHaveLength(1);
    expect(text).toContain('scratch staged_2: f64[30]');
    expect(text).toContain('scratch staged0: f64[6]');
  });

  it('stage what depends on lets', () => {
    const plain = parseKernel(`
      kernel @f(a: read f32[12], w: read f32[20], y: write f32[15]) {
        par i: 3 {
          par j: 5 {
            var acc = 0_f64
            serial k: 4 {
              let e = exp(a[i*4 + k])
              let p = e * e
              acc += f64(p) * f64(w[k*5 + j])
            }
            y[i*5 + j] = f32(acc)
          }
        }
      }
    `);
    const tiled = tile(plain);
    expectSame(plain, tiled);
    expect(printKernel(tiled)).not.toContain('let e');
  });

  it('hold for batches, matrix-vector products and several summed axes', () => {
    const batched = parseKernel(`
      kernel @bmm(a: read f32[30], w: read f32[42], y: write f32[70]) {
        par b: 2 {
          par i: 5 {
            par j: 7 {
              var acc = 0_f64
              serial k: 3 {
                acc += f64(a[b*15 + i*3 + k]) * f64(w[b*21 + k*7 + j])
              }
              y[b*35 + i*7 + j] = f32(acc)
            }
          }
        }
      }
    `);
    expectSame(batched, tile(batched));
    const vector = parseKernel(`
      kernel @mv(a: read f32[30], w: read f32[6], y: write f32[5]) {
        par i: 5 {
          var acc = 0_f64
          serial k: 2 {
            serial l: 3 {
              acc += f64(a[i*6 + k*3 + l]) * f64(w[k*3 + l])
            }
          }
          y[i] = f32(acc)
        }
      }
    `);
    expectSame(vector, tile(vector));
    expect(printKernel(tile(vector))).toContain('par i: 4 step 4');
  });

  it('leave what is no contraction', () => {
    const softmax = parseKernel(`
      kernel @sums(x: read f32[12], y: write f32[3]) {
        par i: 3 {
          var s = 0_f64
          serial j: 4 {
            s += f64(x[i*4 + j])
          }
          y[i] = f32(s)
        }
      }
    `);
    expect(tile(softmax)).toEqual(softmax);
  });
});
