// Searches in lanes: the value first, then its place; the first of equals, and the first NaN, as one element after the other finds them.
import { describe, expect, it, test } from 'vitest';
import { literal, literalText } from '../../../kernels/literal.ts';
import { parseKernel } from '../../../kernels/parse.ts';
import { printKernel } from '../../../kernels/print.ts';
import { searchInLanes } from '../../../kernels/schedule/argreduce.ts';
import { vectorise } from '../../../kernels/schedule/vectorise.ts';
import { type DType, greatest, isFloat, least } from '../../../runtime/dtype.ts';
import { dedent, run } from '../run.ts';
import { runWasm } from '../wasm/run.ts';

/** What a search does with one element. */
function step(fn: 'max' | 'min', dtype: DType, value: string, best: string, where: string, place: string): string {
  const beats = `not(${fn === 'max' ? `${value} <= ${best}` : `${best} <= ${value}`})`;
  const test = isFloat(dtype) ? `and(${best} == ${best}, ${beats})` : beats;
  return `if ${test} { ${best} = ${value}  ${where} = position.i32(${place}) }`;
}
const worst = (fn: 'max' | 'min', dtype: DType): string => literalText(literal(fn === 'max' ? least[dtype] : greatest[dtype], dtype));

const rowsKernel = (fn: 'max' | 'min', dtype: DType, rows: number, n: number, value: string, more = ''): string => `
  kernel @k(x: read ${dtype}[${rows * n}], y: write i32[${rows}], z: write ${dtype}[${rows}]) {
    par i: ${rows} {
      var best = ${worst(fn, dtype)}
      var where = 0_i32
      var least = ${literalText(literal(greatest[dtype], dtype))}
      serial j: ${n} { let e = ${value}  ${step(fn, dtype, 'e', 'best', 'where', 'j')} ${more} }
      y[i] = where
      z[i] = least
    }
  }
`;

test('along a row the value is found by blocks, then its place', () => {
  const kernel = parseKernel(`
    kernel @k(x: read f32[1030], y: write i32[1]) {
      var best = -inf_f32
      var where = 0_i32
      serial j: 1030 { ${step('max', 'f32', 'x[j]', 'best', 'where', 'j')} }
      y[0] = where
    }
  `);
  expect(printKernel(searchInLanes(kernel))).toBe(
    dedent(`
      kernel @k(x: read f32[1030], y: write i32[1]) {
        var best = -inf_f32
        var where = 0_i32
        var where_start = 0_i32
        serial j_block: 2 {
          var best_part = -inf_f32
          serial j: 512 {
            best_part max= x[j_block*512 + j]
          }
          if and(best == best, not(best_part <= best)) {
            best = best_part
            where_start = position.i32(j_block*512)
          }
        }
        var best_part = -inf_f32
        serial j: 6 {
          best_part max= x[j + 1024]
        }
        if and(best == best, not(best_part <= best)) {
          best = best_part
          where_start = position.i32(518)
        }
        var where_first = 1030_i32
        serial j: 512 {
          let element = x[value(where_start) + j]
          where_first min= select(or(element == best, and(element != element, best != best)), position.i32(value(where_start) + j), 1030_i32)
        }
        where = where_first
        y[0] = where
      }
    `),
  );
});

/** Whatever is hard: equal ones, NaN, infinities, both zeros, the answer at the ends. */
function rowsOf(dtype: DType, n: number): number[][] {
  const ramp = (at: number, v: number): number[] => Array.from({ length: n }, (_, i) => (i === at || i === n - 1 ? v : i % 3));
  const rows = [ramp(0, 9), ramp(n - 1, 9), ramp(n >> 1, 9), ramp(n - 2, 9), ramp(n >> 1, 0), new Array<number>(n).fill(1)];
  if (!isFloat(dtype)) return rows;
  const nan = ramp(n >> 1, Number.NaN);
  const only = new Array<number>(n).fill(Number.NaN);
  return [
    ...rows,
    nan,
    only,
    [Number.POSITIVE_INFINITY, ...nan.slice(1)],
    ...[Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY].map((v) => new Array<number>(n).fill(v)),
    Array.from({ length: n }, (_, i) => (i % 2 === 0 ? -0 : 0)),
  ];
}

describe('what is found is what one element after the other finds', () => {
  const check = (text: string, x: readonly number[]): void => {
    const kernel = parseKernel(text);
    const searched = searchInLanes(kernel);
    expect(printKernel(searched)).not.toBe(printKernel(kernel));
    const expected = run(kernel, { x });
    const given = run(searched, { x });
    const lanes = runWasm(vectorise(searched), { x });
    for (const name of ['y', 'z']) {
      expect(given[name]).toEqual(expected[name]);
      expect(lanes[name]).toEqual(expected[name]);
    }
  };

  describe.each(['f32', 'f64', 'i32', 'i64', 'u8'] as const)('of %s', (dtype) => {
    it.each([
      ['max', 8],
      ['min', 37],
      ['max', 600],
      ['min', 1300],
    ] as const)('the %s along rows of %i', (fn, n) => {
      const rows = rowsOf(dtype, n);
      check(rowsKernel(fn, dtype, rows.length, n, `x[i*${n} + j]`), rows.flat());
      check(rowsKernel(fn, dtype, rows.length, n, `x[i*${n} + j]`, 'least min= e'), rows.flat());
    });

    it.each([
      ['max', 7],
      ['min', 16],
      ['min', 3],
    ] as const)('the %s of columns of %i', (fn, n) => {
      const columns = rowsOf(dtype, n);
      const width = columns.length;
      check(
        `kernel @k(x: read ${dtype}[${n * width}], y: write i32[${width}], z: write ${dtype}[${width}]) {
          scratch best: ${dtype}[${width}] = ${worst(fn, dtype)}
          scratch where: i32[${width}] = 0_i32
          serial i: ${n} { par j: ${width} { ${step(fn, dtype, `x[i*${width} + j]`, 'best[j]', 'where[j]', 'i')} } }
          par j: ${width} { y[j] = where[j]  z[j] = best[j] }
        }`,
        columns[0]!.flatMap((_, i) => columns.map((c) => c[i]!)),
      );
    });
  });

  it('a row that threads share', () => {
    const n = 70_001;
    for (const best of [0, 4095, 4096, n - 1]) {
      const x = Array.from({ length: n }, (_, i) => (i >= best && i % 7 === best % 7 ? 5 : i % 5));
      check(
        `kernel @k(x: read f32[${n}], y: write i32[1], z: write f32[1]) {
          var best = -inf_f32
          var where = 0_i32
          serial j: ${n} { ${step('max', 'f32', 'x[j]', 'best', 'where', 'j')} }
          y[0] = where
          z[0] = best
        }`,
        x,
      );
    }
  });
});

test.each([
  ['what starts elsewhere', 'var best = 0_f32', step('max', 'f32', 'x[j]', 'best', 'where', 'j')],
  ['what is read on the way', 'var best = -inf_f32', `${step('max', 'f32', 'x[j]', 'best', 'where', 'j')} s += best`],
  ['another place', 'var best = -inf_f32', step('max', 'f32', 'x[j]', 'best', 'where', 'j*2')],
  ['another test', 'var best = -inf_f32', 'if x[j] <= best { best = x[j] where = position.i32(j) }'],
])('%s keeps its branch', (_, start, body) => {
  const kernel = parseKernel(`
    kernel @k(x: read f32[64], y: write i32[1]) {
      ${start}
      var where = 0_i32
      var s = 0_f32
      serial j: 64 { ${body} }
      y[0] = where
    }
  `);
  expect(searchInLanes(kernel)).toEqual(kernel);
});
