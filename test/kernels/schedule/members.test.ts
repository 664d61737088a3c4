import { describe, expect, it } from 'vitest';
import { emit } from '../../../kernels/js/emit.ts';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { memberBody, mergeMembers } from '../../../kernels/schedule/members.ts';
import { verifyKernel } from '../../../kernels/verify.ts';

const apart = `kernel @adam(p: update f32[3], g: read f32[3], p_2: update f32[2], g_2: read f32[2], lr: read f32[1]) slots(f32) {
  par i: 3 {
    let step = g[i] * $0
    p[i] = p[i] - step * lr[0]
  }
  par j: 2 {
    let step_2 = g_2[j] * $0
    p_2[j] = p_2[j] - step_2 * lr[0]
  }
}
`;
const merged = `kernel @adam(p: update f32[3], g: read f32[3], p_2: update f32[2], g_2: read f32[2], lr: read f32[1]) slots(f32) {
  members (m_g: read f32, m_p: update f32, #n) of [
    (g, p, 3)
    (g_2, p_2, 2)
  ] {
    par i: #n {
      let step = m_g[i] * $0
      m_p[i] = m_p[i] - step * lr[0]
    }
  }
}
`;

function run(text: string): number[][] {
  const { source, params } = emit(mergeMembers(parseKernel(text)));
  const buffers = [[1, 2, 3], [10, 20, 30], [4, 5], [40, 50], [0.5]].map((a) => Float32Array.from(a));
  new Function(...params, source)(...buffers, Float64Array.of(0.1), () => {});
  return buffers.map((b) => [...b]);
}

describe('a member table', () => {
  it('is one body over nests that differ in buffers and extents', () => {
    const kernel = mergeMembers(parseKernel(apart));
    verifyKernel(kernel);
    expect(printKernel(kernel)).toBe(merged);
    expect(printKernel(parseKernel(merged))).toBe(merged);
  });

  it('does what the nests do', () => {
    expect(run(apart)).toEqual(run(merged));
    expect(run(apart)[0]).toEqual([Math.fround(0.5), 1, 1.5]);
  });

  it('gives each member back', () => {
    const [table] = mergeMembers(parseKernel(apart)).body;
    if (table?.kind !== 'members') throw new Error('no table');
    expect(table.rows.map((row) => printKernel({ ...parseKernel(apart), body: memberBody(table, row) }))).toMatchObject([
      expect.stringContaining('p[i] = p[i] - step * lr[0]'),
      expect.stringContaining('par i: 2'),
    ]);
  });

  it.each([
    ['another function', apart.replace('g_2[j] * $0', 'g_2[j] + $0')],
    ['another number', apart.replace('step_2 * lr[0]', 'step_2 * 2_f32')],
    ['other access', apart.replace('p_2: update', 'p_2: write').replace('p_2[j] = p_2[j] -', 'p_2[j] = g_2[j] -')],
    ['two of its names for one', apart.replace('p_2[j] = p_2[j]', 'p_2[j] = g_2[j]')],
  ])('is not made of nests with %s', (_, text) => {
    expect(mergeMembers(parseKernel(text)).body.map((s) => s.kind)).toEqual(['loop', 'loop']);
  });

  it.each([
    ['a row that is too short', merged.replace('(g_2, p_2, 2)', '(g_2, 2)'), /does not fit its head/],
    ['a buffer of another dtype', merged.replace('m_g: read f32', 'm_g: read f64'), /is f32, not f64/],
    ['a buffer that may not be written', merged.replace('(g, p, 3)', '(p, g, 3)'), /g/],
  ])('is refused with %s', (_, text, message) => {
    expect(() => verifyKernel(parseKernel(text))).toThrow(message);
  });
});
