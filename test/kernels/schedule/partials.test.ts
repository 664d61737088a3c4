import { describe, expect, it, test } from 'vitest';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { splitReductions } from '../../../kernels/schedule/partials.ts';
import { dedent, noise, run } from '../run.ts';

const n = 100_003;

test('a long scalar reduction goes in chunks, combined in order, and the rest stays where it was', () => {
  const kernel = parseKernel(`
    kernel @least(x: read f32[${n}], y: write f32[1]) {
      var m = inf_f32
      serial i: ${n} {
        m min= x[i]
      }
      y[0] = m
    }
  `);
  expect(printKernel(splitReductions(kernel))).toBe(
    dedent(`
      kernel @least(x: read f32[100003], y: write f32[1]) {
        var m = inf_f32
        scratch m_parts: f32[9]
        par i_chunk: 9 {
          var m_chunk = inf_f32
          serial i_of_chunk: 10001 {
            m_chunk min= x[i_chunk*10001 + i_of_chunk]
          }
          m_parts[i_chunk] = m_chunk
        }
        serial i_chunk: 9 {
          m min= m_parts[i_chunk]
        }
        serial i: 9994 {
          m min= x[i + 90009]
        }
        y[0] = m
      }
    `),
  );
});

describe('results are those of the loop as it was', () => {
  const integers = Int32Array.from({ length: n }, (_, i) => ((i * 2654435761) >>> 8) % 1000);
  it.each([
    ['a sum and a maximum', 'var s = 0_i32\n var m = 0_i32', 's += x[i]\n m max= x[i]', 'y[0] = s\n y[1] = m'],
    ['sums in scratch', 'scratch s: i32[2] = 0_i32', 'par j: 2 { s[j] += x[i] }', 'par j: 2 { y[j] = s[j] }'],
    ['a sum beside stores', 'var s = 0_i32', 's += x[i]\n z[i] = x[i]', 'y[0] = s'],
  ])('%s', (_, before, body, after) => {
    const kernel = parseKernel(`
      kernel @k(x: read i32[${n}], y: write i32[2], z: write i32[${n}]) {
        ${before}
        serial i: ${n} { ${body} }
        ${after}
      }
    `);
    const split = splitReductions(kernel);
    expect(printKernel(split)).toContain('par i_chunk');
    expect(run(split, { x: integers })).toEqual(run(kernel, { x: integers }));
  });
});

it.each([
  ['a running sum', 'var s = 0_f32', 's += x[i]\n y[i] = s'],
  ['a value carried on', 'var s = 0_f32', 's = x[i] - s'],
  ['what it writes and reads', '', 'y[i] = y[0] + x[i]'],
  ['a store to one place', 'var s = 0_f32', 's += x[i]\n y[0] = x[i]'],
])('%s keeps its loop whole', (_, before, body) => {
  const kernel = parseKernel(`
    kernel @k(x: read f32[${n}], y: update f32[${n}]) {
      ${before}
      serial i: ${n} { ${body} }
    }
  `);
  expect(splitReductions(kernel)).toEqual(kernel);
});

test('short reductions stay as they are', () => {
  const kernel = parseKernel(`
    kernel @k(x: read f32[100], y: write f32[1]) {
      var s = 0_f32
      serial i: 100 { s += x[i] }
      y[0] = s
    }
  `);
  expect(splitReductions(kernel)).toEqual(kernel);
  expect(run(kernel, { x: noise(100) }).y).toHaveLength(1);
});
