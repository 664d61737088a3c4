import { describe, expect, it } from 'vitest';
import { b, build } from '../../compiler/ir/builder.ts';
import { type OpName, opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Refusal } from '../../compiler/ops/rules.ts';
import { rules } from '../../compiler/ops/table.ts';
import { isFloat } from '../../runtime/dtype.ts';
import { IRError } from '../../runtime/errors.ts';
import { casesOf } from './samples.ts';

/** What a graph is given has no samples: nothing is computed. */
const given: readonly OpName[] = ['input', 'slot'];

describe('every op', () => {
  it('has a row of its own', () => {
    expect(Object.keys(rules).sort()).toEqual([...opNames].sort());
  });

  it.each(opNames)('%s says what it is, in a sentence', (op) => {
    expect(rules[op].doc).toMatch(/^[A-Za-z].*\.$/);
  });

  it.each(opNames.filter((op) => !given.includes(op)))('%s has the meaning that its signature announces', (op) => {
    const cases = casesOf(op);
    expect(cases.length).toBeGreaterThan(0);
    for (const { title, node, graph, data } of cases) {
      const results = evaluate(graph, data);
      expect(
        results.map(({ dtype, shape, data: { length } }) => ({ dtype, shape, length })),
        title,
      ).toEqual(node.outputs.map(({ dtype, shape }) => ({ dtype, shape, length: shape.reduce<number>((n, d) => n * (d as number), 1) })));
      for (const { dtype, data: values } of results)
        if (!isFloat(dtype))
          expect(
            values.every((v) => holds(dtype, v)),
            title,
          ).toBe(true);
    }
  });

  // randomBits has 0-d operands only, and a region's sizes are fixed by its body.
  const sized = opNames.filter(
    (op) => op !== 'randomBits' && rules[op].lower.kind !== 'region' && rules[op].samples.some((s) => s.inputs.length > 0),
  );
  it.each(sized)('%s is tried with empty operands as well as with full ones', (op) => {
    const lengths = casesOf(op).map((c) => c.data[0]!.data.length);
    expect(Math.min(...lengths)).toBe(0);
    expect(Math.max(...lengths)).toBeGreaterThan(1);
  });

  it.each(opNames)('%s refuses what does not fit, and says why', (op) => {
    const refusals = rules[op].refuses as readonly Refusal<OpName>[];
    expect(refusals.length).toBeGreaterThanOrEqual(2);
    for (const { inputs, attrs, regions, message } of refusals) {
      const attempt = () =>
        build(
          op,
          inputs.map((a) => b.input(a)),
          attrs,
          regions?.() ?? [],
        );
      expect(attempt).toThrow(message);
      expect(attempt).toThrow(IRError);
    }
  });
});

function holds(dtype: string, v: number): boolean {
  if (!Number.isInteger(v)) return false;
  const [low, high] =
    dtype === 'bool' ? [0, 1] : dtype === 'u8' ? [0, 255] : dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [-(2 ** 63), 2 ** 63];
  return v >= low && v <= high;
}
