import { expect, test } from 'vitest';
import { pushforward } from '../../compiler/autodiff/forward.ts';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { aval } from '../../compiler/ir/aval.ts';
import { b, build, full, region } from '../../compiler/ir/builder.ts';
import { avalOf, type Value } from '../../compiler/ir/node.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { chainLength } from '../effort.ts';

const input = (...shape: number[]): Value => b.input({ dtype: 'f64', shape });
const value = (outputs: readonly Value[], inputs: readonly Value[], ...data: number[][]): number[][] =>
  evaluate(
    { inputs, outputs },
    inputs.map((v, i) => ({ ...avalOf(v), shape: avalOf(v).shape as number[], data: Float64Array.from(data[i]!) })),
  ).map((r) => [...r.data]);

test('a product moves by each factor in turn', () => {
  const [x, w, tx, tw] = [input(1, 2), input(2, 1), input(1, 2), input(2, 1)];
  const y = b.dot(x, w, { batch: [], contract: [[1, 0]] });
  const [ty] = pushforward([y], [x, w], [tx, tw]);
  expect(value([ty!], [x, w, tx, tw], [1, 2], [3, 4], [10, 20], [100, 200])).toEqual([[10 * 3 + 20 * 4 + 100 + 400]]);
});

test('what is linear in all operands at once takes zeros for those that rest', () => {
  const [x, y, t] = [input(2), input(1), input(2)];
  const [moved] = pushforward([b.concat([x, y], { axis: 0 })], [x], [t]);
  expect(value([moved!], [t], [5, 6])).toEqual([[5, 6, 0]]);
});

test('what no moving input reaches has no tangent', () => {
  const [x, y] = [input(2), input(2)];
  expect(pushforward([b.exp(y), b.lt(x, y)], [x, y], [input(2), null])).toEqual([null, null]);
});

test('forward over reverse is the product with the Hessian', () => {
  const [x, t] = [input(2), input(2)];
  const y = b.sum(b.mul(b.mul(x, x), x), { axes: [0] });
  const [dx] = pullback([y], [full(1, avalOf(y))], [x]);
  const [hv] = pushforward([dx!], [x], [t]);
  expect(value([hv!], [x, t], [2, 3], [1, 10])).toEqual([[6 * 2, 6 * 3 * 10]]);
});

test('the pushforward of a cond is a cond of pushforwards', () => {
  const branch = (body: (x: Value) => Value) => region([aval('f64', [2])], ([x]) => [body(x!)]);
  const [p, x, t] = [b.input({ dtype: 'bool', shape: [] }), input(2), input(2)];
  const [y] = build('cond', [p, x], {}, [branch((v) => b.mul(v, v)), branch((v) => full(1, avalOf(v)))]).values;
  const [ty] = pushforward([y!], [p, x], [null, t]);
  expect(value([ty!], [p, x, t], [1], [3, 4], [1, 10])).toEqual([[6, 80]]);
  expect(value([ty!], [p, x, t], [0], [3, 4], [1, 10])).toEqual([[0, 0]]);
});

test('a long chain of nodes moves', () => {
  const [x, t] = [input(), input()];
  let y = x;
  for (let i = 0; i < chainLength; i++) y = i % 2 === 0 ? b.sin(y) : b.neg(y);
  expect(pushforward([y], [x], [t])[0]).not.toBeNull();
});
