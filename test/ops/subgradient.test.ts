// Gradients where the slope jumps, is shared or does not exist: PyTorch's choices, as executed.
import { describe, expect, it } from 'vitest';
import { pushforward } from '../../compiler/autodiff/forward.ts';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { b } from '../../compiler/ir/builder.ts';
import { avalOf, type Value } from '../../compiler/ir/node.ts';
import { evaluate, referenceOf } from '../../compiler/ops/evaluate.ts';

type Rows = readonly (readonly number[])[];
const at = (...rows: number[][]): Rows => rows;
const gives = at;
const nan = Number.NaN;

const cases: readonly [string, (...x: Value[]) => Value, inputs: Rows, gradients: Rows][] = [
  ['abs at 0', (x) => b.abs(x!), at([0]), gives([0])],
  ['floor', (x) => b.floor(x!), at([1.5]), gives([0])],
  ['round', (x) => b.round(x!), at([1.5]), gives([0])],
  ['sign at 0', (x) => b.sign(x!), at([0]), gives([0])],
  ['max at a tie', (x, y) => b.max(x!, y!), at([1, 2, 3], [1, 3, 2]), gives([0.5, 0, 1], [0.5, 1, 0])],
  ['min at a tie', (x, y) => b.min(x!, y!), at([1, 2, 3], [1, 3, 2]), gives([0.5, 1, 0], [0.5, 0, 1])],
  ['max of NaN', (x, y) => b.max(x!, y!), at([nan], [1]), gives([1], [1])],
  ['sqrt at 0 and below', (x) => b.sqrt(x!), at([0, -1]), gives([Infinity, nan])],
  ['rsqrt at 0', (x) => b.rsqrt(x!), at([0]), gives([-Infinity])],
  ['log at 0 and below', (x) => b.log(x!), at([0, -1]), gives([Infinity, -1])],
  ['reciprocal at 0', (x) => b.recip(x!), at([0]), gives([-Infinity])],
  ['pow', (x, e) => b.pow(x!, e!), at([0, 0, 0, 0, -2], [0, 2, 0.5, 1, 2]), gives([0, 0, Infinity, 1, -4], [0, 0, 0, 0, nan])],
  ['rem of unlike signs', (x, y) => b.rem(x!, y!), at([-7, 7], [2, -2]), gives([1, 1], [4, 4])],
  ['fmod of unlike signs', (x, y) => b.fmod(x!, y!), at([-7, 7], [2, -2]), gives([1, 1], [3, 3])],
  ['floorDiv', (x, y) => b.floorDiv(x!, y!), at([7], [2]), gives([0], [0])],
  ['atan2 at the origin', (y, x) => b.atan2(y!, x!), at([0], [0]), gives([0], [0])],
  ['prod with a zero', (x) => b.prod(x!, { axes: [0] }), at([0, 2, 3]), gives([6, 0, 0])],
  ['prod with two zeros', (x) => b.prod(x!, { axes: [0] }), at([0, 0, 3]), gives([0, 0, 0])],
  ['cumprod with a zero', (x) => b.cumprod(x!, { axis: 0, reverse: false }), at([2, 0, 3]), gives([1, 8, 0])],
  ['amax of equals', (x) => b.amax(x!, { axes: [0] }), at([2, 1, 2]), gives([0.5, 0, 0.5])],
  ['amin of equals', (x) => b.amin(x!, { axes: [0] }), at([2, 1, 1]), gives([0, 0.5, 0.5])],
  ['the largest of equals by sorting', (x) => b.topk(x!, { axis: 0, k: 1, largest: true })[0]!, at([2, 1, 2]), gives([1, 0, 0])],
  ['where(a < b, b, a) at a tie', (x, y) => b.select(b.lt(x!, y!), y!, x!), at([1], [1]), gives([1], [0])],
  [
    'where(0 < x, log x, 0) at 0, whose gradient 0 is multiplied by infinity',
    (x) => b.select(b.lt(b.sub(x!, x!), x!), b.log(x!), b.sub(x!, x!)),
    at([0, 1]),
    gives([nan, 1]),
  ],
];

const vector = (length: number): Value => b.input({ dtype: 'f64', shape: [length] });
const filled = (v: Value, value: number) => {
  const shape = avalOf(v).shape as readonly number[];
  return referenceOf('f64', shape, new Array(shape.reduce((n, d) => n * d, 1)).fill(value));
};
const total = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, v) => sum + v, 0);

describe('gradients at kinks, ties and poles are those of PyTorch', () => {
  it.each(cases)('%s', (_, f, inputs, expected) => {
    const xs = inputs.map((row) => vector(row.length));
    const y = f(...xs);
    const seed = b.input(avalOf(y));
    const grads = pullback([y], [seed], xs);
    const given = [...inputs.map((row) => referenceOf('f64', [row.length], row)), filled(seed, 1)];
    const results = evaluate({ inputs: [...xs, seed], outputs: grads.map((g) => g!) }, given);
    expect(results.map((r) => Array.from(r.data, (v) => v + 0))).toEqual(expected);
  });

  it.each(cases.filter(([, , , gradients]) => gradients.flat().every(Number.isFinite)))('forward mode: %s', (_, f, inputs, expected) => {
    const xs = inputs.map((row) => vector(row.length));
    const tangents = xs.map((x) => b.input(avalOf(x)));
    const [dy] = pushforward([f(...xs)], xs, tangents);
    const given = [...inputs.map((row) => referenceOf('f64', [row.length], row)), ...tangents.map((t) => filled(t, 1))];
    const [result] = evaluate({ inputs: [...xs, ...tangents], outputs: [dy!] }, given);
    expect(total(result!.data)).toBeCloseTo(total(expected.flat()), 12);
  });

  it('an infinite cotangent does not get past a mask', () => {
    const [x, y, ct] = [vector(1), vector(1), vector(1)];
    const grads = pullback([b.max(x, y)], [ct], [x, y]);
    const results = evaluate({ inputs: [x, y, ct], outputs: grads.map((g) => g!) }, [filled(x, 1), filled(y, 2), filled(ct, Infinity)]);
    expect(results.map((r) => r.data[0])).toEqual([0, Infinity]);
  });

  it('prod has mixed second derivatives where elements are zero', () => {
    const x = b.input({ dtype: 'f64', shape: [3] });
    const one = b.input({ dtype: 'f64', shape: [] });
    const [grad] = pullback([b.prod(x, { axes: [0] })], [one], [x]);
    const pick = b.input({ dtype: 'f64', shape: [3] });
    const [second] = pullback([grad!], [pick], [x]);
    const [row] = evaluate({ inputs: [x, one, pick], outputs: [second!] }, [
      referenceOf('f64', [3], [0, 0, 5]),
      referenceOf('f64', [], [1]),
      referenceOf('f64', [3], [1, 0, 0]),
    ]);
    expect([...row!.data]).toEqual([0, 5, 0]);
  });

  it('an update that a later one overwrote gets no gradient', () => {
    const [x, u, ct] = [
      b.input({ dtype: 'f64', shape: [3] }),
      b.input({ dtype: 'f64', shape: [2] }),
      b.input({ dtype: 'f64', shape: [3] }),
    ];
    const i = b.input({ dtype: 'i64', shape: [2] });
    const grads = pullback([b.scatterSet(x, i, u, { axis: 0, mode: 'checked' })], [ct], [x, u]);
    const results = evaluate({ inputs: [x, i, u, ct], outputs: grads.map((g) => g!) }, [
      referenceOf('f64', [3], [1, 2, 3]),
      referenceOf('i64', [2], [1, 1]),
      referenceOf('f64', [2], [8, 9]),
      referenceOf('f64', [3], [10, 20, 30]),
    ]);
    expect(results.map((r) => [...r.data])).toEqual([
      [10, 0, 30],
      [0, 20],
    ]);
  });
});
