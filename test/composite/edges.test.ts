// Values and gradients at kinks, ties, infinities and NaN, as PyTorch 2.14 gives them.
import { describe, expect, test } from 'vitest';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { b, full } from '../../compiler/ir/builder.ts';
import type { Params } from '../../compiler/ir/codec.ts';
import { avalOf, type Value } from '../../compiler/ir/node.ts';
import { type CompositeName, recordComposite } from '../../compiler/ops/composite/table.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { IndexError } from '../../runtime/errors.ts';

type Operand = { readonly dtype?: 'f64' | 'i64' | 'i32' | 'bool'; readonly shape: readonly number[]; readonly data: readonly number[] };
const vector = (...data: number[]): Operand => ({ shape: [data.length], data });
const number = (x: number): Operand => ({ shape: [], data: [x] });

/** Result, and the gradients of its sum by each operand (undefined: none). */
function run(name: CompositeName, operands: readonly Operand[], params: Params = {}): { y: number[]; grads: (number[] | undefined)[] } {
  const inputs = operands.map(({ dtype = 'f64', shape }) => b.input({ dtype, shape }));
  const [y] = recordComposite(name, inputs, params);
  const back = pullback([y!], [full(1, avalOf(y!))], inputs);
  const present = back.filter((v): v is Value => v !== null);
  const data = operands.map(({ dtype = 'f64', shape, data: d }) => ({ dtype, shape, data: Float64Array.from(d) }));
  const [result, ...grads] = evaluate({ inputs, outputs: [y!, ...present] }, data).map((r) => [...r.data]);
  let at = 0;
  return { y: result!, grads: back.map((v) => (v === null ? undefined : grads[at++])) };
}
const gradient = (name: CompositeName, x: readonly number[], ...numbers: number[]): number[] =>
  run(name, [vector(...x), ...numbers.map(number)]).grads[0]!;

describe('activations at their kinks', () => {
  test.each<[CompositeName, number[], number[], number[]]>([
    ['relu', [0, Number.NaN, -1, 2], [], [0, 1, 0, 1]],
    ['relu6', [0, 6, 3], [], [0, 0, 1]],
    ['hardtanh', [-1, 1, 0], [-1, 1], [0, 0, 1]],
    ['clamp', [-1, 1, 0, 2], [-1, 1], [0, 0, 1, 0]],
    ['clamp', [0, 2, -2], [1, -1], [0, 0, 0]],
    ['hardsigmoid', [-3, 3], [], [0, 0]],
    ['hardswish', [-3, 3], [], [0, 1]],
    ['hardshrink', [0.5, -0.5, 1], [0.5], [0, 0, 1]],
    ['softshrink', [0.5, -0.5, 1], [0.5], [0, 0, 1]],
    ['threshold', [0], [0, 5], [0]],
    ['leakyRelu', [0, -1], [0.01], [0.01, 0.01]],
    ['elu', [0], [1], [1]],
  ])('the gradient of %s at %j with %j is %j', (name, x, numbers, expected) => {
    expect(gradient(name, x, ...numbers)).toEqual(expected);
  });

  test('selu at 0 takes the slope of the exponential side', () => {
    expect(gradient('selu', [0])[0]).toBeCloseTo(1.7580993408473766, 14);
  });

  test('where one branch overflows the other has its gradient', () => {
    expect(gradient('elu', [1000], 1)).toEqual([1]);
    expect(gradient('celu', [1000], 1)).toEqual([1]);
    expect(gradient('selu', [1000])[0]).toBeCloseTo(1.0507009873554805, 14);
    expect(gradient('thresholdedSoftplus', [1000], 1, 20)).toEqual([1]);
    expect(run('logSigmoid', [vector(-1000, 1000)])).toEqual({ y: [-1000, -0], grads: [[1, 0]] });
  });

  test('learnt slopes get a gradient where x is not positive', () => {
    expect(run('prelu', [vector(0, -2, 3), vector(0.5, 0.25, 9)])).toEqual({
      y: [0, -0.5, 3],
      grads: [
        [0.5, 0.25, 1],
        [0, -2, 0],
      ],
    });
  });
});

describe('softmax and its kin', () => {
  const inf = Number.POSITIVE_INFINITY;
  test('log-sum-exp of infinities', () => {
    expect(run('logsumexp', [vector(inf, 1)], { axes: [0] })).toEqual({ y: [inf], grads: [[Number.NaN, 0]] });
    expect(run('logsumexp', [vector(-inf, -inf)], { axes: [0] })).toEqual({ y: [-inf], grads: [[Number.NaN, Number.NaN]] });
    expect(run('logsumexp', [vector(1000, 1000)], { axes: [0] }).y[0]).toBeCloseTo(1000 + Math.LN2, 12);
  });

  test('softmax of nothing but -inf is NaN', () => {
    expect(run('softmax', [vector(-inf, -inf)], { axis: 0 }).y).toEqual([Number.NaN, Number.NaN]);
  });

  test('a query that may see nothing attends to nothing', () => {
    const q: Operand = { shape: [1, 1, 2], data: [1, 2] };
    const kv: Operand = { shape: [1, 2, 2], data: [1, 2, 3, 4] };
    const mask: Operand = { dtype: 'bool', shape: [1, 1, 2], data: [0, 0] };
    const { y, grads } = run('scaledDotProductAttention', [q, kv, kv, number(1), mask], { causal: false, mask: true, dropout: false });
    expect(y).toEqual([0, 0]);
    expect(grads[0]).toEqual([0, 0]);
  });
});

describe('statistics at their edges', () => {
  test.each([2, 3, 1.5, 1])('the %d-norm of zeros has gradient 0', (p) => {
    expect(run('norm', [vector(0, 0)], { axes: [0], p }).grads[0]).toEqual([0, 0]);
  });
  test('ties of an infinite norm share', () => {
    expect(run('norm', [vector(2, -2, 1)], { axes: [0], p: 'inf' }).grads[0]).toEqual([0.5, -0.5, 0]);
  });
  test('the deviation of equal elements has gradient 0, of one element it is NaN', () => {
    expect(run('std', [vector(3, 3)], { axes: [0], correction: 1 })).toEqual({ y: [0], grads: [[0, 0]] });
    expect(run('std', [vector(3)], { axes: [0], correction: 1 }).y).toEqual([Number.NaN]);
    expect(run('variance', [vector(3)], { axes: [0], correction: 1 })).toEqual({ y: [Number.NaN], grads: [[Number.NaN]] });
  });
  test('x log y at (0, 0)', () => {
    expect(run('xlogy', [vector(0), vector(0)])).toEqual({ y: [0], grads: [[0], [Number.NaN]] });
  });
  test('the mean of nothing is NaN', () => {
    expect(run('mean', [{ shape: [0], data: [] }], { axes: [0] }).y).toEqual([Number.NaN]);
  });
});

describe('pooling', () => {
  const row = (...data: number[]): Operand => ({ shape: [1, data.length], data });
  const halves = { kernel: [2], stride: [2], padding: [0], dilation: [1], ceil: false };
  test('of equal maxima the first gets the gradient', () => {
    expect(run('maxPool', [row(1, 1, 2, 3)], halves)).toEqual({ y: [1, 3], grads: [[1, 0, 0, 1]] });
    expect(run('maxPoolIndices', [row(1, 1, 2, 3)], halves).y).toEqual([0, 3]);
  });
  test('overlapping windows add up', () => {
    expect(run('maxPool', [row(1, 5, 2)], { ...halves, stride: [1] })).toEqual({ y: [5, 5], grads: [[0, 2, 0]] });
  });
  test('NaN is the maximum', () => {
    expect(run('maxPool', [row(1, Number.NaN, 2, 3)], halves).y).toEqual([Number.NaN, 3]);
  });
  test('a last window over the edge averages what it covers', () => {
    const params = { kernel: [2], stride: [2], padding: [0], ceil: true, countPadding: true, divisor: 0 };
    expect(run('avgPool', [row(1, 3, 5)], params)).toEqual({ y: [2, 5], grads: [[0.5, 0.5, 1]] });
  });
});

describe('cross-entropy', () => {
  const logits: Operand = { shape: [2, 3], data: [1, 2, 3, 1, 1, 1] };
  const labels = (...data: number[]): Operand => ({ dtype: 'i64', shape: [2], data });
  const params = { axis: 1, reduction: 'mean', weight: false, smoothing: false, ignoreIndex: -100 };

  test('rows of the ignored index neither cost nor count nor get a gradient', () => {
    const { y, grads } = run('crossEntropy', [logits, labels(-100, 0)], params);
    expect(y[0]).toBeCloseTo(Math.log(3), 14);
    expect(grads[0]!.slice(0, 3)).toEqual([0, 0, 0]);
    expect(grads[0]![3]).toBeCloseTo(1 / 3 - 1, 14);
  });
  test('with all rows ignored the mean is NaN', () => {
    expect(run('crossEntropy', [logits, labels(-100, -100)], params).y).toEqual([Number.NaN]);
  });
  test.each([3, -1])('the label %d is out of range', (label) => {
    expect(() => run('crossEntropy', [logits, labels(label, 0)], params)).toThrow(IndexError);
    expect(() => run('nllLoss', [logits, labels(label, 0)], { axis: 1, reduction: 'mean', weight: false, ignoreIndex: -100 })).toThrow(
      IndexError,
    );
  });
  test('confident logits neither overflow nor lose the loss', () => {
    const { y, grads } = run('crossEntropy', [{ shape: [2, 3], data: [1e4, 0, 0, 0, 1e4, 0] }, labels(0, 0)], {
      ...params,
      reduction: 'none',
    });
    expect(y).toEqual([0, 1e4]);
    expect(grads[0]).toEqual([0, 0, 0, -1, 1, 0]);
  });
});

describe('binary losses', () => {
  test('a certain miss costs 100', () => {
    const { y } = run('binaryCrossEntropy', [vector(0, 1), vector(1, 0)], { reduction: 'none', weight: false });
    expect(y).toEqual([100, 100]);
  });
  test('logits of any size keep the loss', () => {
    const { y, grads } = run('binaryCrossEntropyWithLogits', [vector(1e4, -1e4, 1e4), vector(1, 1, 0)], {
      reduction: 'none',
      weight: false,
      posWeight: false,
    });
    expect(y).toEqual([0, 1e4, 1e4]);
    expect(grads[0]).toEqual([0, -1, 1]);
  });
  test('a target probability of 0 costs nothing in a divergence', () => {
    expect(run('klDivLoss', [vector(-1, -2), vector(0, 1)], { reduction: 'none', logTarget: false }).y).toEqual([0, 2]);
  });
});

describe('dropout', () => {
  const bits = (n: number): Operand => ({ dtype: 'i32', shape: [], data: [n] });
  const x: Operand = { shape: [1000], data: Array.from({ length: 1000 }, () => 1) };
  test('keeps about 1 - p, scaled, and its gradient has the same mask', () => {
    const { y, grads } = run('dropout', [x, bits(1), bits(2), number(0.25)], { shared: [] });
    const kept = y.filter((v) => v !== 0);
    expect(kept.every((v) => Math.abs(v - 4 / 3) < 1e-12)).toBe(true);
    expect(Math.abs(kept.length - 750)).toBeLessThan(60);
    expect(grads[0]).toEqual(y);
  });
  test('with p = 1 all is 0, gradient too; with p = 0 nothing changes', () => {
    const none = run('dropout', [x, bits(1), bits(2), number(1)], { shared: [] });
    expect([...none.y, ...none.grads[0]!].every((v) => v === 0)).toBe(true);
    expect(run('dropout', [x, bits(1), bits(2), number(0)], { shared: [] }).y).toEqual(x.data);
  });
  test('another key drops others', () => {
    const [first, second] = [1, 2].map((k) => run('dropout', [x, bits(k), bits(2), number(0.5)], { shared: [] }).y);
    expect(first).not.toEqual(second);
  });
});
