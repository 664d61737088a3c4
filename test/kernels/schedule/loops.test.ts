import { describe, expect, it } from 'vitest';
import type { Kernel, Stmt } from '../../../kernels/loop.ts';
import { parseKernel } from '../../../kernels/parse.ts';
import { printStatements } from '../../../kernels/print.ts';
import { unrollAndJam } from '../../../kernels/schedule/jam.ts';
import { interchange, merge, peel, reorder, split } from '../../../kernels/schedule/loops.ts';
import { type Loop, namesIn } from '../../../kernels/schedule/rewrite.ts';
import { stage } from '../../../kernels/schedule/stage.ts';
import { dedent, noise, run } from '../run.ts';

/** A kernel around statements over x, y and z of 24 elements. */
const around = (body: string): Kernel => parseKernel(`kernel @k(x: read f32[24], y: update f32[24], z: update f32[24]) {\n${body}\n}`);
const loopOf = (kernel: Kernel, at = 0): Loop => kernel.body[at] as Loop;

/** The step's text, and the same results as before. */
function expectStep(kernel: Kernel, body: readonly Stmt[], text: string): void {
  expect(printStatements(body)).toBe(dedent(text));
  const x = noise(24);
  const [before, after] = [run(kernel, { x }), run({ ...kernel, body }, { x })];
  expect(after.y).toEqual(before.y);
  expect(after.z).toEqual(before.z);
}

const pointwise = around('par i: 24 { y[i] = exp(x[i]) }');
const table = around('par i: 4 { par j: 6 { y[i*6 + j] = x[i*6 + j] + 1_f32 } }');

describe('split and peel', () => {
  it('split makes a loop of blocks', () => {
    expectStep(
      pointwise,
      [split(loopOf(pointwise), 6, 'a', 'b')],
      `
      par a: 4 {
        par b: 6 {
          y[a*6 + b] = exp(x[a*6 + b])
        }
      }
      `,
    );
  });

  it('split refuses a size that leaves a tail, which peel takes off', () => {
    expect(() => split(loopOf(pointwise), 5, 'a', 'b')).toThrow(/5 does not divide the extent 24 of i/);
    const [main, tail] = peel(loopOf(pointwise), 20);
    expectStep(
      pointwise,
      [split(main, 5, 'a', 'b'), tail],
      `
      par a: 4 {
        par b: 5 {
          y[a*5 + b] = exp(x[a*5 + b])
        }
      }
      par i: 4 {
        y[i + 20] = exp(x[i + 20])
      }
      `,
    );
  });
});

describe('reorder', () => {
  const swapped = `
      par j: 6 {
        par i: 4 {
          y[i*6 + j] = x[i*6 + j] + 1_f32
        }
      }
      `;

  it('puts parallel loops in another order', () => {
    expectStep(table, [interchange(loopOf(table))], swapped);
    expectStep(table, [reorder(loopOf(table), ['j', 'i'])], swapped);
  });

  it('refuses serial loops', () => {
    const serial = around('par i: 4 { serial j: 6 { y[i] += x[i*6 + j] } }');
    expect(() => interchange(loopOf(serial))).toThrow(/not both par/);
    expect(() => reorder(loopOf(serial), ['j', 'i'])).toThrow(/only par loops/);
  });
});

describe('merge', () => {
  it('joins loops that meet at the same element only', () => {
    const two = around('par i: 24 { let t = x[i] * 2_f32 y[i] = t } par j: 24 { z[j] = y[j] + 1_f32 }');
    expectStep(
      two,
      [merge(loopOf(two), loopOf(two, 1))],
      `
      par i: 24 {
        let t = x[i] * 2_f32
        y[i] = t
        z[i] = y[i] + 1_f32
      }
      `,
    );
  });

  it('refuses a loop that needs the other one finished', () => {
    const shifted = around('par i: 23 { y[i] = x[i] } par j: 23 { z[j] = y[j + 1] }');
    expect(() => merge(loopOf(shifted), loopOf(shifted, 1))).toThrow(/y is written in one of the loops/);
    const same = around('par i: 24 { y[i div 2] = x[i] } par j: 24 { z[j] = y[j div 2] }');
    expect(() => merge(loopOf(same), loopOf(same, 1))).toThrow(/y is written in one of the loops/);
  });

  it('refuses loops over a scalar that one of them accumulates', () => {
    const scalar = around('var s = 0_f32 serial i: 24 { s += x[i] } serial j: 24 { y[j] = x[j] / s } z[0] = s');
    expect(() => merge(loopOf(scalar, 1), loopOf(scalar, 2))).toThrow(/s is written in one of the loops/);
  });

  it('sees a buffer that decides a position', () => {
    const kernel = parseKernel(`
      kernel @k(x: read i32[8], p: update i32[8], y: write f32[8], t: read f32[8]) {
        par i: 8 { p[i] = x[i] }
        par j: 7 { y[j] = t[value(p[j + 1])] }
      }
    `);
    expect(() => merge({ ...loopOf(kernel), extent: 7 }, loopOf(kernel, 1))).toThrow(/p is written in one of the loops/);
  });

  it('refuses other extents', () => {
    const uneven = around('par i: 24 { y[i] = x[i] } par j: 23 { z[j] = x[j] }');
    expect(() => merge(loopOf(uneven), loopOf(uneven, 1))).toThrow(/different extents/);
  });
});

describe('unroll and jam', () => {
  it('keeps one copy of what does not depend on the iteration', () => {
    const rows = around('par i: 4 { var s = 0_f32 serial j: 6 { let w = exp(x[j]) s += w * x[i*6 + j] } y[i] = s }');
    expectStep(
      rows,
      unrollAndJam(loopOf(rows), 3, namesIn(rows.body, ['x', 'y', 'z'])),
      `
      par i: 3 step 3 {
        var s0 = 0_f32
        var s1 = 0_f32
        var s2 = 0_f32
        serial j: 6 {
          let w = exp(x[j])
          s0 += w * x[i*6 + j]
          s1 += w * x[i*6 + j + 6]
          s2 += w * x[i*6 + j + 12]
        }
        y[i] = s0
        y[i + 1] = s1
        y[i + 2] = s2
      }
      par i: 1 {
        var s = 0_f32
        serial j: 6 {
          let w = exp(x[j])
          s += w * x[i*6 + j + 18]
        }
        y[i + 3] = s
      }
      `,
    );
  });

  it('copies branches that differ between iterations', () => {
    const branches = around('par i: 24 { if x[i] < 0_f32 { let t = neg(x[i]) y[i] = t } else { y[i] = sqrt(x[i]) } }');
    const jammed = unrollAndJam(loopOf(branches), 4, namesIn(branches.body, ['x', 'y', 'z']));
    const x = noise(24);
    expect(run({ ...branches, body: jammed }, { x }).y).toEqual(run(branches, { x }).y);
    expect(printStatements(jammed).match(/if /g)).toHaveLength(4);
  });

  it('refuses a serial loop', () => {
    const serial = around('var s = 0_f32 serial i: 24 { s += x[i] } y[0] = s');
    expect(() => unrollAndJam(loopOf(serial, 1), 4, new Set())).toThrow(/i is not par/);
  });
});

describe('stage', () => {
  it('computes an expression once into scratch', () => {
    const outer = around('par i: 4 { par j: 6 { y[i*6 + j] = exp(x[j]) * x[i] } }');
    const store = (loopOf(outer).body[0] as Loop).body[0] as Extract<Stmt, { kind: 'store' }>;
    const dear = store.value.kind === 'call' ? store.value.args[0]! : store.value;
    expectStep(
      outer,
      stage(outer.body, dear, [{ name: 'j', extent: 6 }], 'e', namesIn(outer.body, ['x', 'y', 'z'])),
      `
      scratch e: f32[6]
      par j: 6 {
        e[j] = exp(x[j])
      }
      par i: 4 {
        par j: 6 {
          y[i*6 + j] = e[j] * x[i]
        }
      }
      `,
    );
  });

  it('refuses an expression that is not there', () => {
    expect(() => stage(pointwise.body, { kind: 'slot', dtype: 'f32', index: 0 }, [], 'e', new Set())).toThrow(/does not use e/);
  });
});
