// The plain nests of the forms of kernels: region text in, loop text out.
import { expect, test } from 'vitest';
import { jsTarget } from '../../runtime/target.ts';
import { nestOf } from './region-of.ts';

const unindented = (text: string): string => {
  const lines = text.split('\n').filter((l) => l.trim() !== '');
  const margin = Math.min(...lines.map((l) => l.length - l.trimStart().length));
  return lines.map((l) => l.slice(margin)).join('\n');
};
const expectNest = (actual: string, expected: string): void => expect(actual.trim()).toBe(unindented(expected));

const softmax = (axis: 0 | 1): string => {
  const row = axis === 1 ? 4 : 10;
  return `graph @softmax(%x: f32[4,10]) -> (%y: f32[4,10]) {
    %m: f32[${row}] = amax(%x) {axes: [${axis}]}
    %0: f32[4,10] = expand(%m) {shape: [4,10], at: [${axis}]}
    %1: f32[4,10] = sub(%x, %0)
    %e: f32[4,10] = exp(%1)
    %s: f32[${row}] = sum(%e) {axes: [${axis}]}
    %2: f32[4,10] = expand(%s) {shape: [4,10], at: [${axis}]}
    %y: f32[4,10] = div(%e, %2)
  }`;
};

test('softmax over the last axis walks a row at a time and keeps the exponentials where the result will stand', () => {
  expectNest(
    nestOf('rows', softmax(1), { space: [4, 10], reduce: [1] }),
    `
    par i: 4 {
      var m = -inf_f32
      serial j: 10 {
        m max= x[i*10 + j]
      }
      var s = 0_f64
      serial j: 10 {
        let e = exp(x[i*10 + j] - m)
        s += f64(e)
        y[i*10 + j] = e
      }
      let s_2 = f32(s)
      par j: 10 {
        y[i*10 + j] = y[i*10 + j] / s_2
      }
    }`,
  );
});

test('softmax over the first axis walks the columns side by side, memory in order', () => {
  expectNest(
    nestOf('rows', softmax(0), { space: [4, 10], reduce: [0] }),
    `
    scratch m: f32[10] = -inf_f32
    serial i: 4 {
      par j: 10 {
        m[j] max= x[i*10 + j]
      }
    }
    scratch s: f64[10] = 0_f64
    serial i: 4 {
      par j: 10 {
        let e = exp(x[i*10 + j] - m[j])
        s[j] += f64(e)
        y[i*10 + j] = e
      }
    }
    par i: 4 {
      par j: 10 {
        y[i*10 + j] = y[i*10 + j] / f32(s[j])
      }
    }`,
  );
});

test('without room for a row the exponentials are computed again', () => {
  // A result of another dtype cannot hold them meanwhile.
  const text = softmax(1).replace('-> (%y: f32[4,10])', '-> (%z: f64[4,10])').replace(/\}$/, '  %z: f64[4,10] = cast(%y) {to: f64}\n  }');
  const nest = (bytes: number): string =>
    nestOf('rows', text, { space: [4, 10], reduce: [1], target: { ...jsTarget, maxScratchBytes: bytes } });
  expect(nest(40)).toContain('scratch e: f32[10]');
  expect(nest(40).match(/exp\(/g)).toHaveLength(1);
  expect(nest(39)).not.toContain('scratch');
  expect(nest(39).match(/exp\(/g)).toHaveLength(2);
});

test('columns go in blocks where scratch has no room for all, and the rest is a nest of its own', () => {
  const text = 'graph @sum(%x: f32[3,40]) -> (%y: f32[40]) { %y: f32[40] = sum(%x) {axes: [0]} }';
  expectNest(
    nestOf('rows', text, { space: [3, 40], reduce: [0], target: { ...jsTarget, maxScratchBytes: 16 * 17 } }),
    `
    par j_block: 2 {
      scratch y_2: f64[16] = 0_f64
      serial i: 3 {
        par j_in: 16 {
          y_2[j_in] += f64(x[i*40 + j_block*16 + j_in])
        }
      }
      par j_in: 16 {
        y[j_block*16 + j_in] = f32(y_2[j_in])
      }
    }
    scratch y_3: f64[8] = 0_f64
    serial i: 3 {
      par j_rest: 8 {
        y_3[j_rest] += f64(x[i*40 + j_rest + 32])
      }
    }
    par j_rest: 8 {
      y[j_rest + 32] = f32(y_3[j_rest])
    }`,
  );
});

test('a long sum in its own precision is summed in blocks', () => {
  const text = 'graph @sum(%x: f64[1000]) -> (%y: f64[]) { %y: f64[] = sum(%x) {axes: [0]} }';
  expectNest(
    nestOf('rows', text, { space: [1000], reduce: [0] }),
    `
    var y_2 = 0_f64
    serial i_block: 31 {
      var y_2_part = 0_f64
      serial i_in: 32 {
        y_2_part += x[i_block*32 + i_in]
      }
      y_2 += y_2_part
    }
    var y_2_part_2 = 0_f64
    serial i_rest: 8 {
      y_2_part_2 += x[i_rest + 992]
    }
    y_2 += y_2_part_2
    y[0] = y_2`,
  );
});

const backward = `graph @layer_norm_backward(%x: f32[64,48], %dy: f32[64,48], %gamma: f32[48], %mean: f32[64], %rstd: f32[64]) -> (`;
const normalised = `
  %m: f32[64,48] = expand(%mean) {shape: [64,48], at: [1]}
  %r: f32[64,48] = expand(%rstd) {shape: [64,48], at: [1]}
  %c: f32[64,48] = sub(%x, %m)
  %h: f32[64,48] = mul(%c, %r)`;

test('layer norm backward, first kernel: both sums of a row in one loop, the gradient in a second', () => {
  const text = `${backward}%dx: f32[64,48]) {${normalised}
    %g: f32[64,48] = expand(%gamma) {shape: [64,48], at: [0]}
    %q: f32[64,48] = mul(%dy, %g)
    %qh: f32[64,48] = mul(%q, %h)
    %s1: f32[64] = sum(%q) {axes: [1]}
    %s2: f32[64] = sum(%qh) {axes: [1]}
    %e1: f32[64,48] = expand(%s1) {shape: [64,48], at: [1]}
    %e2: f32[64,48] = expand(%s2) {shape: [64,48], at: [1]}
    %he2: f32[64,48] = mul(%h, %e2)
    %d1: f32[64,48] = sub(%q, %e1)
    %d2: f32[64,48] = sub(%d1, %he2)
    %dx: f32[64,48] = mul(%r, %d2)
  }`;
  expectNest(
    nestOf('rows', text, { space: [64, 48], reduce: [1] }),
    `
    par i: 64 {
      var s1 = 0_f64
      var s2 = 0_f64
      let mean_2 = mean[i]
      let rstd_2 = rstd[i]
      serial j: 48 {
        let q = dy[i*48 + j] * gamma[j]
        s1 += f64(q)
        s2 += f64(q * ((x[i*48 + j] - mean_2) * rstd_2))
      }
      let s1_2 = f32(s1)
      let s2_2 = f32(s2)
      par j: 48 {
        dx[i*48 + j] = rstd_2 * (dy[i*48 + j] * gamma[j] - s1_2 - (x[i*48 + j] - mean_2) * rstd_2 * s2_2)
      }
    }`,
  );
});

test('layer norm backward, second kernel: both sums over the columns in one pass', () => {
  const text = `${backward}%dgamma: f32[48], %dbeta: f32[48]) {${normalised}
    %dyh: f32[64,48] = mul(%dy, %h)
    %dgamma: f32[48] = sum(%dyh) {axes: [0]}
    %dbeta: f32[48] = sum(%dy) {axes: [0]}
  }`;
  expectNest(
    nestOf('rows', text, { space: [64, 48], reduce: [0] }),
    `
    scratch dgamma_2: f64[48] = 0_f64
    scratch dbeta_2: f64[48] = 0_f64
    serial i: 64 {
      let mean_2 = mean[i]
      let rstd_2 = rstd[i]
      par j: 48 {
        let dy_2 = dy[i*48 + j]
        dgamma_2[j] += f64(dy_2 * ((x[i*48 + j] - mean_2) * rstd_2))
        dbeta_2[j] += f64(dy_2)
      }
    }
    par j: 48 {
      let dgamma_3 = f32(dgamma_2[j])
      let dbeta_3 = f32(dbeta_2[j])
      dgamma[j] = dgamma_3
      dbeta[j] = dbeta_3
    }`,
  );
});

test('the epilogue of a product stands at its store', () => {
  const text = `graph @linear_relu(%x: f32[4,5], %w: f32[6,5], %bias: f32[6]) -> (%y: f32[4,6]) {
    %0: f32[4,6] = dot(%x, %w) {batch: []x[], contract: [1]x[1]}
    %1: f32[4,6] = expand(%bias) {shape: [4,6], at: [0]}
    %2: f32[4,6] = add(%0, %1)
    %zero: f32[] = literal() {value: f32 0}
    %3: f32[4,6] = expand(%zero) {shape: [4,6], at: [0,1]}
    %y: f32[4,6] = max(%2, %3)
  }`;
  expectNest(
    nestOf('contraction', text, { space: [4, 6] }),
    `
    par i: 4 {
      par j: 6 {
        var acc = 0_f64
        serial k: 5 {
          acc += f64(x[i*5 + k]) * f64(w[j*5 + k])
        }
        y[i*6 + j] = max(f32(acc) + bias[j], 0_f32)
      }
    }`,
  );
});

test('members of one update have a flat nest each, whatever their rank', () => {
  const member = (p: string, shape: string, all: string): string => `
    %a${p}: f32${shape} = expand(%beta) {shape: ${shape}, at: ${all}}
    %b${p}: f32${shape} = mul(%m${p}, %a${p})
    %n${p}: f32${shape} = add(%b${p}, %g${p})
    %l${p}: f32${shape} = expand(%lr) {shape: ${shape}, at: ${all}}
    %s${p}: f32${shape} = mul(%l${p}, %n${p})
    %q${p}: f32${shape} = sub(%p${p}, %s${p})`;
  const text = `graph @momentum(%lr: slot f32, %beta: slot f32, %p1: f32[3,4], %g1: f32[3,4], %m1: f32[3,4], %p2: f32[5], %g2: f32[5], %m2: f32[5])
    -> (%n1: f32[3,4], %q1: f32[3,4], %n2: f32[5], %q2: f32[5]) {${member('1', '[3,4]', '[0,1]')}${member('2', '[5]', '[0]')}
  }`;
  expectNest(
    nestOf('members', text, { space: [] }),
    `
    par ij: 12 {
      let n1_2 = m1[ij] * $1 + g1[ij]
      let q1_2 = p1[ij] - $0 * n1_2
      n1[ij] = n1_2
      q1[ij] = q1_2
    }
    par i: 5 {
      let n2_2 = m2[i] * $1 + g2[i]
      let q2_2 = p2[i] - $0 * n2_2
      n2[i] = n2_2
      q2[i] = q2_2
    }`,
  );
});

test('a value used twice is computed once, and what does not change in a loop before it', () => {
  const text = `graph @g(%x: f32[3,4], %w: f32[3]) -> (%y: f32[3,4]) {
    %0: f32[3] = exp(%w)
    %1: f32[3,4] = expand(%0) {shape: [3,4], at: [1]}
    %2: f32[3,4] = sin(%x)
    %3: f32[3,4] = mul(%2, %2)
    %y: f32[3,4] = mul(%3, %1)
  }`;
  expectNest(
    nestOf('pointwise', text, { space: [3, 4] }),
    `
    par i: 3 {
      let exp = exp(w[i])
      par j: 4 {
        let sin = sin(x[i*4 + j])
        y[i*4 + j] = sin * sin * exp
      }
    }`,
  );
});

test('thirty doublings are thirty additions', () => {
  const steps = Array.from({ length: 30 }, (_, i) => `%v${i + 1}: f32[4] = add(%v${i}, %v${i})`).join('\n');
  const nest = nestOf('pointwise', `graph @g(%v0: f32[4]) -> (%v30: f32[4]) {\n${steps}\n}`, { space: [4] });
  expect(nest.match(/ \+ /g)).toHaveLength(30);
});

test('a concatenation is stored part by part, without a question at each element', () => {
  const text = `graph @g(%x: f32[2,3], %z: f32[2,5]) -> (%y: f32[2,8]) { %y: f32[2,8] = concat(%x, %z) {axis: 1} }`;
  expectNest(
    nestOf('pointwise', text, { space: [2, 8] }),
    `
    par i: 2 {
      par j: 3 {
        y[i*8 + j] = x[i*3 + j]
      }
    }
    par i: 2 {
      par j: 5 {
        y[i*8 + j + 3] = z[i*5 + j]
      }
    }`,
  );
});
