// Contractions in blocks of products: the text of a few, and that all mean what the plain nest means, on integers to the last bit.
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../kernels/loop.ts';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { type Limits, type ProductOptions, scheduleProducts } from '../../../kernels/schedule/product.ts';
import { verifyKernel } from '../../../kernels/verify.ts';
import { dedent, run } from '../run.ts';

const tiles = {
  shuffled: { rows: 5, columns: 8, spread: 'shuffle' },
  loaded: { rows: 4, columns: 8, spread: 'load' },
  wide: { rows: 2, columns: 16, spread: 'load' },
} as const;
const options = (threads = 1, tile: ProductOptions['tile'] = tiles.shuffled): ProductOptions => ({ tile, threads });

type Shape = {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposed?: 'a' | 'b' | 'both';
  readonly prologue?: string;
  readonly epilogue?: string;
  readonly batch?: number;
  readonly dtype?: string;
};

const strides = ({ m, k, n, transposed }: Shape): { readonly a: string; readonly b: string } => ({
  a: transposed === 'a' || transposed === 'both' ? `k*${m} + i` : `i*${k} + k`,
  b: transposed === 'b' || transposed === 'both' ? `j*${k} + k` : `k*${n} + j`,
});

/** The nest that lowering writes for y = epilogue(prologue(a) b). */
function matmul(shape: Shape): Kernel {
  const { m, k, n, prologue = '%', epilogue = '%', batch = 1, dtype = 'f32' } = shape;
  const { a, b } = strides(shape);
  const of = (size: number, at: string): string => (batch === 1 ? at : `g*${size} + ${at}`);
  return parseKernel(`
    kernel @matmul(a: read ${dtype}[${batch * m * k}], b: read ${dtype}[${batch * k * n}], bias: read ${dtype}[${n}], y: write ${dtype}[${batch * m * n}]) {
      ${batch === 1 ? '' : `par g: ${batch} {`}
      par i: ${m} {
        par j: ${n} {
          var acc = 0_${dtype}
          serial k: ${k} {
            let x = ${prologue.replaceAll('%', `a[${of(m * k, a)}]`)}
            acc += x * b[${of(k * n, b)}]
          }
          y[${of(m * n, `i*${n} + j`)}] = ${epilogue.replaceAll('%', 'acc')}
        }
      }
      ${batch === 1 ? '' : '}'}
    }
  `);
}

/** Small integers: sums of their products have no rounding in any order. */
const integers = (length: number, seed: number): number[] => Array.from({ length }, (_, i) => ((i * 7919 + seed * 104729) % 17) - 8);

const epilogue = 'max(% + bias[j], 0_f32)';
const prologue = 'select(% < 0_f32, 0_f32, % * 2_f32)';

function expectSame(plain: Kernel, how: ProductOptions): Kernel {
  const scheduled = scheduleProducts(plain, how);
  verifyKernel(scheduled);
  const buffers = Object.fromEntries(plain.params.map((p, seed) => [p.name, integers(p.length as number, seed)]));
  expect(run(scheduled, buffers).y).toEqual(run(plain, buffers).y);
  return scheduled;
}

/** Limits that small kernels meet: everything is packed, in several blocks and stretches. */
const tight: Limits = { steps: 5, packedBytes: 400, smallBytes: 0, fewRows: 0, rows: 5, columns: 16 };

describe('products', () => {
  it('read both factors where they lie if the second is small', () => {
    expect(printKernel(scheduleProducts(matmul({ m: 10, k: 16, n: 24 }), options()))).toBe(
      dedent(`
        kernel @matmul(a: read f32[160], b: read f32[384], bias: read f32[24], y: write f32[240]) {
          product y[0] row 24 = a[0] k 1 row 16 load * b[0] k 24 over (4, 8, 16)
          par i_panel: 2 {
            product y[i_panel*72 + 96] row 24 = a[i_panel*48 + 64] k 1 row 16 load * b[0] k 24 over (3, 8, 16)
          }
          product y[8] row 24 = a[0] k 1 row 16 load * b[8] k 24 over (4, 8, 16)
          par i_panel_2: 2 {
            product y[i_panel_2*72 + 104] row 24 = a[i_panel_2*48 + 64] k 1 row 16 load * b[8] k 24 over (3, 8, 16)
          }
          product y[16] row 24 = a[0] k 1 row 16 load * b[16] k 24 over (4, 8, 16)
          par i_panel_3: 2 {
            product y[i_panel_3*72 + 112] row 24 = a[i_panel_3*48 + 64] k 1 row 16 load * b[16] k 24 over (3, 8, 16)
          }
        }
      `),
    );
  });

  it('pack panels, prologues included, and let sums wait for their epilogue', () => {
    const plain = matmul({ m: 10, k: 16, n: 8, epilogue, prologue, transposed: 'b' });
    expect(printKernel(scheduleProducts(plain, { ...options(), limits: { ...tight, steps: 100, packedBytes: 1000, rows: 100 } }))).toBe(
      dedent(`
        kernel @matmul(a: read f32[160], b: read f32[128], bias: read f32[8], y: write f32[80]) {
          scratch rows: f32[160]
          par i_panel: 2 {
            par k: 16 {
              vector lane: 5 {
                let x_2 = select(a[i_panel*80 + lane*16 + k] < 0_f32, 0_f32, a[i_panel*80 + lane*16 + k] * 2_f32)
                rows[i_panel*80 + k*5 + lane] = x_2
              }
            }
          }
          scratch columns: f32[128]
          par k: 16 {
            vector lane_2: 8 {
              columns[k*8 + lane_2] = b[lane_2*16 + k]
            }
          }
          scratch sums: f32[80]
          par i_panel_2: 2 {
            product sums[i_panel_2*40] row 8 = rows[i_panel_2*80] k 5 row 1 shuffle * columns[0] k 8 over (5, 8, 16)
          }
          par r: 10 {
            vector lane_3: 8 {
              let acc = sums[r*8 + lane_3]
              y[r*8 + lane_3] = max(acc + bias[lane_3], 0_f32)
            }
          }
        }
      `),
    );
  });

  it('are made for each thread by itself, with a packing of the rows of its own', () => {
    const plain = matmul({ m: 5, k: 9, n: 37 });
    expect(printKernel(scheduleProducts(plain, { ...options(2), limits: { ...tight, steps: 100, packedBytes: 1000 } }))).toBe(
      dedent(`
        kernel @matmul(a: read f32[45], b: read f32[333], bias: read f32[37], y: write f32[185]) {
          par part: 2 {
            scratch rows: f32[45]
            par k: 9 {
              vector lane: 5 {
                let x_2 = a[lane*9 + k]
                rows[k*5 + lane] = x_2
              }
            }
            par j_group: 1 {
              if position.i32(part + j_group) < 1_i32 {
                scratch columns: f32[144]
                par k: 9 {
                  vector lane_2: 8 {
                    columns[k*8 + lane_2] = b[k*37 + part*16 + j_group*16 + lane_2]
                  }
                  vector lane_3: 8 {
                    columns[k*8 + lane_3 + 72] = b[k*37 + part*16 + j_group*16 + lane_3 + 8]
                  }
                }
                product y[part*16 + j_group*16] row 37 = rows[0] k 5 row 1 shuffle * columns[0] k 8 over (5, 8, 9)
                product y[part*16 + j_group*16 + 8] row 37 = rows[0] k 5 row 1 shuffle * columns[72] k 8 over (5, 8, 9)
              }
            }
            if position.i32(part) == 1_i32 {
              scratch columns_2: f32[189]
              par k: 9 {
                vector lane_4: 8 {
                  columns_2[k*8 + lane_4] = b[k*37 + lane_4 + 16]
                }
                vector lane_5: 8 {
                  columns_2[k*8 + lane_5 + 72] = b[k*37 + lane_5 + 24]
                }
              }
              par k: 9 {
                vector lane_6: 5 {
                  columns_2[k*5 + lane_6 + 144] = b[k*37 + lane_6 + 32]
                }
              }
              product y[16] row 37 = rows[0] k 5 row 1 shuffle * columns_2[0] k 8 over (5, 8, 9)
              product y[24] row 37 = rows[0] k 5 row 1 shuffle * columns_2[72] k 8 over (5, 8, 9)
              product y[32] row 37 = rows[0] k 5 row 1 shuffle * columns_2[144] k 5 over (5, 5, 9)
            }
          }
        }
      `),
    );
  });

  it('add to what earlier stretches of k left', () => {
    const plain = matmul({ m: 5, k: 9, n: 8 });
    expect(printKernel(scheduleProducts(plain, { ...options(), limits: { ...tight, packedBytes: 1000 } }))).toBe(
      dedent(`
        kernel @matmul(a: read f32[45], b: read f32[72], bias: read f32[8], y: write f32[40]) {
          scratch rows: f32[45]
          par k: 9 {
            vector lane: 5 {
              let x_2 = a[lane*9 + k]
              rows[k*5 + lane] = x_2
            }
          }
          par r: 5 {
            vector lane_2: 8 {
              y[r*8 + lane_2] = 0_f32
            }
          }
          scratch columns: f32[40]
          par k: 5 {
            vector lane_3: 8 {
              columns[k*8 + lane_3] = b[k*8 + lane_3]
            }
          }
          product y[0] row 8 += rows[0] k 5 row 1 shuffle * columns[0] k 8 over (5, 8, 5)
          scratch columns_2: f32[32]
          par k: 4 {
            vector lane_4: 8 {
              columns_2[k*8 + lane_4] = b[k*8 + lane_4 + 40]
            }
          }
          product y[0] row 8 += rows[25] k 5 row 1 shuffle * columns_2[0] k 8 over (5, 8, 4)
        }
      `),
    );
  });

  it('walk along the columns where a sum has few terms', () => {
    expect(printKernel(scheduleProducts(matmul({ m: 6, k: 2, n: 300 }), options()))).toBe(
      dedent(`
        kernel @matmul(a: read f32[12], b: read f32[600], bias: read f32[300], y: write f32[1800]) {
          par i_panel: 2 {
            product y[i_panel*900] row 300 = a[i_panel*6] k 1 row 2 load * b[0] k 300 over (3, 256, 2)
          }
          par i_panel_2: 2 {
            product y[i_panel_2*900 + 256] row 300 = a[i_panel_2*6] k 1 row 2 load * b[256] k 300 over (3, 44, 2)
          }
        }
      `),
    );
  });

  it('are sums of scaled rows where there is one row', () => {
    const plain = parseKernel(`
      kernel @row(a: read f32[27], b: read f32[216], y: write f32[8]) {
        par j: 8 {
          var acc = 0_f32
          serial k: 27 {
            acc += a[k] * b[k*8 + j]
          }
          y[j] = acc
        }
      }
    `);
    expect(printKernel(scheduleProducts(plain, options()))).toBe(
      dedent(`
        kernel @row(a: read f32[27], b: read f32[216], y: write f32[8]) {
          scratch sums: f32[8]
          vector lane: 8 {
            sums[lane] = 0_f32
          }
          serial k_2: 3 {
            let x = a[k_2*8]
            let x_2 = a[k_2*8 + 1]
            let x_3 = a[k_2*8 + 2]
            let x_4 = a[k_2*8 + 3]
            let x_5 = a[k_2*8 + 4]
            let x_6 = a[k_2*8 + 5]
            let x_7 = a[k_2*8 + 6]
            let x_8 = a[k_2*8 + 7]
            vector lane: 8 {
              var acc = sums[lane]
              let y_2 = b[k_2*64 + lane]
              acc += x * y_2
              let y_3 = b[k_2*64 + lane + 8]
              acc += x_2 * y_3
              let y_4 = b[k_2*64 + lane + 16]
              acc += x_3 * y_4
              let y_5 = b[k_2*64 + lane + 24]
              acc += x_4 * y_5
              let y_6 = b[k_2*64 + lane + 32]
              acc += x_5 * y_6
              let y_7 = b[k_2*64 + lane + 40]
              acc += x_6 * y_7
              let y_8 = b[k_2*64 + lane + 48]
              acc += x_7 * y_8
              let y_9 = b[k_2*64 + lane + 56]
              acc += x_8 * y_9
              sums[lane] = acc
            }
          }
          let x_9 = a[24]
          let x_10 = a[25]
          let x_11 = a[26]
          vector lane: 8 {
            var acc = sums[lane]
            let y_10 = b[lane + 192]
            acc += x_9 * y_10
            let y_11 = b[lane + 200]
            acc += x_10 * y_11
            let y_12 = b[lane + 208]
            acc += x_11 * y_12
            sums[lane] = acc
          }
          vector lane: 8 {
            let acc = sums[lane]
            y[lane] = acc
          }
        }
      `),
    );
  });
});

describe('products mean what the plain nest means', () => {
  it.each([
    [5, 9, 8],
    [11, 12, 13],
    [1, 20, 30],
    [30, 20, 1],
    [2, 3, 17],
    [7, 1, 9],
    [27, 13, 35],
  ] as const)('%i x %i x %i', (m, k, n) => {
    for (const transposed of ['a', 'b', 'both', undefined] as const) {
      const shape = { m, k, n, ...(transposed === undefined ? {} : { transposed }) };
      expectSame(matmul(shape), options());
      expectSame(matmul({ ...shape, epilogue }), { ...options(1, tiles.wide), limits: tight });
      expectSame(matmul({ ...shape, epilogue, prologue, batch: 3 }), { ...options(2, tiles.loaded), limits: tight });
      expectSame(matmul(shape), { ...options(2), limits: { ...tight, packedBytes: 10_000 } });
    }
  });

  it.each(['f64', 'i32'])('of %s', (dtype) => {
    for (const n of [3, 4, 9]) expectSame(matmul({ m: 7, k: 9, n, dtype }), { ...options(), limits: tight });
  });

  it('over several summed axes', () => {
    const plain = (factor: string): Kernel =>
      parseKernel(`
        kernel @image(x: read f32[108], w: read f32[90], y: write f32[40]) {
          par o: 5 {
            par p: 2 {
              par q: 4 {
                var acc = 0_f32
                serial c: 2 {
                  serial r: 3 {
                    serial s: 3 {
                      acc += w[o*18 + c*9 + r*3 + s] * ${factor}
                    }
                  }
                }
                y[o*8 + p*4 + q] = acc
              }
            }
          }
        }
      `);
    const padded = 'choose(0 <= p + r - 1 < 3 & 0 <= q + s - 1 < 5, x[c*18 + p*6 + r*6 + q + s + 3], 0_f32)';
    for (const factor of ['x[c*18 + p*6 + r*6 + q + s]', padded]) {
      for (const steps of [2, 4, 12, 100]) {
        const scheduled = expectSame(plain(factor), { ...options(), limits: { ...tight, packedBytes: 10_000, steps } });
        expect(printKernel(scheduled)).toContain('product');
      }
    }
  });

  it('with lets between the loops, which go where they are needed', () => {
    const plain = parseKernel(`
      kernel @lets(a: read f32[40], b: read f32[48], s: read f32[5], y: write f32[30]) {
        par i: 5 {
          let scale = s[i]
          par j: 6 {
            let twice = 2_f32 * b[j]
            var acc = 0_f32
            serial k: 8 {
              let x = a[i*8 + k] * scale
              acc += x * (b[k*6 + j] + twice)
            }
            let z = acc + twice
            y[i*6 + j] = z * scale
          }
        }
      }
    `);
    expectSame(plain, { ...options(), limits: tight });
  });

  it('and leave alone what reads its own results, or is no sum of products', () => {
    for (const [access, value] of [
      ['update', 'y[k*4 + j]'],
      ['write', 'b[k*4 + j] + a[i*9 + k]'],
    ] as const) {
      const plain = parseKernel(`
        kernel @other(a: read f32[36], b: read f32[36], y: ${access} f32[36]) {
          par i: 4 {
            par j: 4 {
              var acc = 0_f32
              serial k: 9 {
                acc += a[i*9 + k] * (${value})
              }
              y[i*4 + j] = acc
            }
          }
        }
      `);
      expect(printKernel(scheduleProducts(plain, options()))).not.toContain('product');
    }
  });
});
