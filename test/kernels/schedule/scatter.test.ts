// Scattered rows get owners; everything that is no such scattering stays as it was.
import { expect, it, test } from 'vitest';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { shareScatters } from '../../../kernels/schedule/scatter.ts';
import { vectorise } from '../../../kernels/schedule/vectorise.ts';
import { dedent, noise, Refused, run } from '../run.ts';
import { runWasm } from '../wasm/run.ts';

const [n, rows, width] = [300, 37, 260];
const kernelOf = (row: string, before = 'check w below 37 for "scatterAdd"', index = 'i64'): ReturnType<typeof parseKernel> =>
  parseKernel(`
    kernel @k(index: read ${index}[${n}], x: read f32[${n * width}], y: update f32[${rows * width}]) {
      serial i: ${n} {
        let w = index[i]
        ${before}
        ${row}
      }
    }
  `);
const scatter = `par j: ${width} { y[value(w)*${width} + j] += x[i*${width} + j] }`;

test('each owner goes through all indices', () => {
  expect(printKernel(shareScatters(kernelOf(scatter)))).toBe(
    dedent(`
      kernel @k(index: read i64[300], x: read f32[78000], y: update f32[9620]) {
        par owner: 4 {
          serial i: 300 {
            let w = index[i]
            check w below 37 for "scatterAdd"
            if and(position.i64(owner*10) <= w, w < position.i64(owner*10 + 10)) {
              par j: 260 {
                y[value(w)*260 + j] += x[i*260 + j]
              }
            }
          }
        }
      }
    `),
  );
});

it.each(['i64', 'i32'])('sums are those of one writer, for indices of %s', (dtype) => {
  const kernel = kernelOf(scatter, undefined, dtype);
  const shared = shareScatters(vectorise(kernel));
  expect(printKernel(shared)).toContain('owner');
  const given = { index: Array.from({ length: n }, (_, i) => (i * i) % rows), x: noise(n * width), y: noise(rows * width, 2) };
  const expected = run(kernel, given).y;
  expect(run(shared, given).y).toEqual(expected);
  expect(runWasm(shared, given).y).toEqual(expected);
});

it('an index out of range is refused by whoever meets it', () => {
  const shared = shareScatters(vectorise(kernelOf(scatter)));
  for (const bad of [-1, rows]) expect(() => runWasm(shared, { index: [3, bad] })).toThrow(Refused);
});

test.each([
  ['rows that reach into one another', `par j: ${width} { y[value(w)*${width} + j + 1] += x[i*${width} + j] }`],
  ['narrow rows', `par j: 3 { y[value(w)*3 + j] += x[i*3 + j] }`],
  ['what reads where it writes', `par j: ${width} { y[value(w)*${width} + j] = y[j] }`],
  ['rows in order', `par j: ${width} { y[j] += x[i*${width} + j] }`],
])('%s have no owners', (_, row) => {
  const kernel = kernelOf(row);
  expect(shareScatters(kernel)).toEqual(kernel);
});
