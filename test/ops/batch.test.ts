// A batched op is the op on each member of the batch.
import { describe, expect, it } from 'vitest';
import { batched } from '../../compiler/autodiff/batch.ts';
import { b } from '../../compiler/ir/builder.ts';
import { avalOf, shapeOf, type Value } from '../../compiler/ir/node.ts';
import { opNames } from '../../compiler/ir/opset.ts';
import { evaluate, referenceOf } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { rules } from '../../compiler/ops/table.ts';
import { type Case, casesOf, dataOf } from './samples.ts';

const size = 3;
const primitives = opNames.filter((op) => rules[op].lower.kind !== 'region' && rules[op].samples.some((s) => s.inputs.length > 0));

describe('batching', () => {
  it.each(primitives)('%s: each member of the batch is the op alone', (op) => {
    for (const c of casesOf(op)) for (const isBatched of choices(c.data.length)) expectLoop(c, isBatched);
  });
});

/** Every non-empty choice of operands to batch; of many operands only a few. */
function choices(n: number): readonly (readonly boolean[])[] {
  const count = 2 ** Math.min(n, 3) - 1;
  return Array.from({ length: count }, (_, k) => Array.from({ length: n }, (_, i) => ((k + 1) & (1 << i)) !== 0));
}

function expectLoop(c: Case, isBatched: readonly boolean[]): void {
  const members = Array.from({ length: size }, (_, k) => dataOf(c.trial, 100 + k));
  const operand = (k: number, i: number): Reference => members[isBatched[i] ? k : 0]![i]!;
  const loop = members.map((_, k) =>
    evaluate(
      c.graph,
      c.data.map((_, i) => operand(k, i)),
    ),
  );
  const inputs: readonly Value[] = c.data.map((x, i) => b.input({ dtype: x.dtype, shape: isBatched[i] ? [size, ...x.shape] : x.shape }));
  const { values, isBatched: out } = batched(c.graph, inputs, isBatched, size);
  const data = c.data.map((x, i) =>
    isBatched[i]
      ? referenceOf(
          x.dtype,
          [size, ...x.shape],
          members.flatMap((m) => [...m[i]!.data]),
        )
      : members[0]![i]!,
  );
  const results = evaluate({ inputs, outputs: values }, data);
  results.forEach((r, o) => {
    expect(out[o], c.title).toBe(true);
    expect(shapeOf(values[o]!), c.title).toEqual([size, ...shapeOf(c.graph.outputs[o]!)]);
    expect(avalOf(values[o]!).dtype).toBe(avalOf(c.graph.outputs[o]!).dtype);
    expectSame(
      [...r.data],
      loop.flatMap((l) => [...l[o]!.data]),
      `${c.title}, batched ${isBatched}`,
    );
  });
}

/** Equal but for the order in which sums were taken. */
function expectSame(actual: readonly number[], expected: readonly number[], title: string): void {
  expect(actual.length, title).toBe(expected.length);
  for (const [i, e] of expected.entries()) {
    const a = actual[i]!;
    if (!(Object.is(a, e) || a === e || Math.abs(a - e) <= 1e-12 * Math.abs(e))) expect.fail(`${title}: element ${i} is ${a}, not ${e}`);
  }
}
