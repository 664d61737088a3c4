// The suite tells what is wrong: a value one ulp too far, a NaN, another shape.
import { expect, test } from 'vitest';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { casesOf } from '../ops/samples.ts';
import { wrongWith } from './suite.ts';

const { op, title, graph, data } = casesOf('add').find((c) => c.data.every((d) => d.dtype === 'f32' && d.data.length > 1))!;
const [right] = evaluate(graph, data) as [Reference];
const changed = (change: Partial<Reference>): string[] => wrongWith(op, title, graph, data, [{ ...right, ...change }]);
const withValue = (value: number): Reference['data'] => right.data.map((x, i) => (i === 1 ? value : x));

test('says nothing of right results', () => {
  expect(changed({})).toEqual([]);
});

test('tells the first element that is too far off, and by how much', () => {
  expect(changed({ data: withValue(right.data[1]! * (1 + 2 ** -20)) })).toEqual([expect.stringMatching(/result 0 at 1 is .* ulp from/)]);
  expect(changed({ data: withValue(Number.NaN) })).toEqual([expect.stringContaining('at 1 is NaN, Infinity ulp from')]);
});

test('tells another dtype or shape', () => {
  expect(changed({ dtype: 'f64' })).toEqual([expect.stringContaining('result 0 is f64')]);
  expect(changed({ shape: [1, ...right.shape] })).toEqual([expect.stringContaining('not f32')]);
});
