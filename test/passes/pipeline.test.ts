// The pipeline: its order is checked, passes may be skipped by name, and what it did can be listened to.
import { describe, expect, test } from 'vitest';
import { b, recordWith } from '../../compiler/ir/builder.ts';
import { type Graph, nodesOf, type Value } from '../../compiler/ir/node.ts';
import { checkOrder, pipeline, runPipeline } from '../../compiler/passes/pipeline.ts';
import { ArgumentError, InternalError } from '../../runtime/errors.ts';
import { jsTarget } from '../../runtime/target.ts';

const x = b.input({ dtype: 'f32', shape: [4] });
const graphOf = (...outputs: Value[]): Graph => ({ inputs: [x], outputs });

describe('order', () => {
  test('the pipeline keeps the constraints of its passes', () => {
    expect(() => checkOrder(pipeline)).not.toThrow();
  });

  test('a pass before one that it must follow is refused, with the reason', () => {
    expect(() => checkOrder([...pipeline].reverse())).toThrow(InternalError);
    expect(() => checkOrder([...pipeline].reverse())).toThrow("'fuse' must run after 'decompose': a composite");
  });

  test('two passes of one name are refused', () => {
    expect(() => checkOrder([pipeline[0]!, pipeline[0]!])).toThrow("two passes are called 'simplify'");
  });
});

describe('running', () => {
  test('names, results and times of passes are told in order', () => {
    const seen: string[] = [];
    runPipeline(graphOf(b.neg(b.neg(x))), jsTarget, {
      onPass: (name, graph, ms) => {
        seen.push(name);
        expect(nodesOf(graph).length).toBe(0);
        expect(ms).toBeGreaterThanOrEqual(0);
      },
    });
    expect(seen).toEqual(pipeline.map((p) => p.name));
  });

  test('rules that fired are told', () => {
    const fired: string[] = [];
    runPipeline(graphOf(b.exp(b.neg(b.neg(x)))), jsTarget, { fired: (rule) => fired.push(rule) });
    expect(fired).toEqual(['-(-x) = x']);
  });

  test('an optional pass is skipped by its name', () => {
    const fired: string[] = [];
    runPipeline(graphOf(b.exp(b.neg(b.neg(x)))), jsTarget, { disable: ['simplify', 'simplifyBodies'], fired: (rule) => fired.push(rule) });
    expect(fired).toEqual([]);
  });

  test('a name that is no pass, or none that may be skipped, is refused with those that may', () => {
    expect(() => runPipeline(graphOf(x), jsTarget, { disable: ['fusion'] })).toThrow(ArgumentError);
    expect(() => runPipeline(graphOf(x), jsTarget, { disable: ['fusion'] })).toThrow("there is no pass 'fusion'; one may skip simplify,");
    expect(() => runPipeline(graphOf(x), jsTarget, { disable: ['fuse'] })).toThrow("nothing compiles without the pass 'fuse'");
  });

  test('nothing that passes build is recorded, and the recorder is there again afterwards', () => {
    let made = 0;
    const recorder = { resolve: (v: Value) => v, made: () => void made++ };
    recordWith(recorder);
    try {
      runPipeline(graphOf(b.exp(b.neg(b.neg(x)))), jsTarget);
      expect(made).toBe(3);
    } finally {
      expect(recordWith(undefined)).toBe(recorder);
    }
  });
});
