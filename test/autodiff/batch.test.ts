import { expect, test } from 'vitest';
import { batched } from '../../compiler/autodiff/batch.ts';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { aval } from '../../compiler/ir/aval.ts';
import { b, build, full, region } from '../../compiler/ir/builder.ts';
import { avalOf, nodesOf, shapeOf, type Value } from '../../compiler/ir/node.ts';
import { composite } from '../../compiler/ops/composite/table.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';

const input = (...shape: number[]): Value => b.input({ dtype: 'f64', shape });
const value = (outputs: readonly Value[], inputs: readonly Value[], ...data: number[][]): number[][] =>
  evaluate(
    { inputs, outputs },
    inputs.map((v, i) => ({ ...avalOf(v), shape: avalOf(v).shape as number[], data: Float64Array.from(data[i]!) })),
  ).map((r) => [...r.data]);

test('what depends on no batched input is computed once', () => {
  const g = region([aval('f64', [2]), aval('f64', [2])], ([x, y]) => [b.exp(x!), b.add(b.exp(x!), y!)]);
  const [x, y] = [input(2), input(5, 2)];
  const { values, isBatched } = batched(g, [x, y], [false, true], 5);
  expect(isBatched).toEqual([false, true]);
  expect(values.map(shapeOf)).toEqual([[2], [5, 2]]);
});

test('a matrix product over a batch is one product', () => {
  const g = region([aval('f64', [2]), aval('f64', [2, 3])], ([x, w]) => [b.dot(x!, w!, { batch: [], contract: [[0, 0]] })]);
  const [x, w] = [input(4, 2), input(2, 3)];
  const { values } = batched(g, [x, w], [true, false], 4);
  expect(shapeOf(values[0]!)).toEqual([4, 3]);
  expect(nodesOf({ inputs: [x, w], outputs: values }).filter((n) => n.op === 'dot')).toHaveLength(1);
});

test('a composite over a batch keeps its own derivative', () => {
  const g = region([aval('f64', [2])], ([x]) => composite('norm', [x!], { axes: [0], p: 2 }));
  const x = input(2, 2);
  const { values } = batched(g, [x], [true], 2);
  expect(values[0]!.node.op).toBe('composite');
  const [dx] = pullback(values, [full(1, avalOf(values[0]!))], [x]);
  expect(value([dx!], [x], [0, 0, 0, 5])).toEqual([[0, 0, 0, 1]]);
});

test('a composite whose numbers differ by example is batched by its body', () => {
  const g = region([aval('f64', [2]), aval('f64', [])], ([x, low]) => composite('clampMin', [x!, low!], {}));
  const [x, low] = [input(2, 2), input(2)];
  const { values } = batched(g, [x, low], [true, true], 2);
  expect(value(values, [x, low], [1, 2, 3, 4], [1.5, 3.5])).toEqual([[1.5, 2, 3.5, 4]]);
});

const branches = (): ReturnType<typeof region>[] => [
  region([aval('f64', [2])], ([x]) => [b.mul(x!, x!)]),
  region([aval('f64', [2])], ([x]) => [full(7, avalOf(x!))]),
];
const conditional = region([aval('bool', []), aval('f64', [2])], ([p, x]) => build('cond', [p!, x!], {}, branches()).values);

test('a cond with one predicate stays a cond', () => {
  const [p, x] = [b.input({ dtype: 'bool', shape: [] }), input(2, 2)];
  const { values } = batched(conditional, [p, x], [false, true], 2);
  expect(values[0]!.node.op).toBe('cond');
  expect(value(values, [p, x], [1], [1, 2, 3, 4])).toEqual([[1, 4, 9, 16]]);
  expect(value(values, [p, x], [0], [1, 2, 3, 4])).toEqual([[7, 7, 7, 7]]);
});

test('a cond with a predicate for each example selects', () => {
  const [p, x] = [b.input({ dtype: 'bool', shape: [2] }), input(2, 2)];
  const { values } = batched(conditional, [p, x], [true, true], 2);
  expect(value(values, [p, x], [1, 0], [1, 2, 3, 4])).toEqual([[1, 4, 7, 7]]);
});
