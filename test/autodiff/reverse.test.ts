import { describe, expect, test } from 'vitest';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { draws } from '../../compiler/inspect/data.ts';
import { aval } from '../../compiler/ir/aval.ts';
import { b, build, full, recordWith, region } from '../../compiler/ir/builder.ts';
import { avalOf, nodesOf, postorder, type Value } from '../../compiler/ir/node.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import { InternalError } from '../../runtime/errors.ts';
import { chainLength } from '../effort.ts';
import { gradcheck, noise } from './gradcheck.ts';

const input = (...shape: number[]): Value => b.input({ dtype: 'f64', shape });
const ones = (v: Value): Value => full(1, avalOf(v));
const numbers = (outputs: readonly Value[], inputs: readonly Value[], ...data: number[][]): number[][] =>
  evaluate(
    { inputs, outputs },
    inputs.map((v, i) => ({ ...avalOf(v), shape: avalOf(v).shape as number[], data: Float64Array.from(data[i]!) })),
  ).map((r) => [...r.data]);

describe('pullback', () => {
  test('adds up what reaches a value on several ways', () => {
    const x = input(2);
    const y = b.add(b.mul(x, x), b.sin(x));
    const [dx] = pullback([y], [ones(y)], [x]);
    const expected = [0.3, -2].map((v) => 2 * v + Math.cos(v));
    for (const [i, v] of numbers([dx!], [x], [0.3, -2])[0]!.entries()) expect(v).toBeCloseTo(expected[i]!, 12);
  });

  test('an output that is an input passes its cotangent on', () => {
    const [x, ct] = [input(2), input(2)];
    expect(pullback([x], [ct], [x])).toEqual([ct]);
    const [dx] = pullback([x, x], [ct, ct], [x]);
    expect(numbers([dx!], [ct], [1, 2])).toEqual([[2, 4]]);
  });

  test('inputs are independent variables: nothing flows through one to another', () => {
    const x = input(2);
    const y = b.exp(x);
    const z = b.mul(y, y);
    const [dx, dy] = pullback([z], [ones(z)], [x, y]);
    expect(dx).toBeNull();
    expect(dy).not.toBeNull();
  });

  test('enters a node beside an input that is another of its results', () => {
    const x = input(4);
    const [values] = b.sort(x, { axis: 0, descending: false });
    const [top, places] = b.topk(values, { axis: 0, k: 2, largest: true });
    const y = b.add(top, b.gather(b.exp(x), places, { axis: 0, mode: 'trusted' }));
    const [dx, dTop, dPlaces] = pullback([y], [ones(y)], [x, top, places]);
    expect(dx).not.toBeNull();
    expect(dTop).not.toBeNull();
    expect(dPlaces).toBeNull();
  });

  test('gives null where nothing depends, and where the dtype is an integer', () => {
    const [x, z] = [input(2), input(2)];
    const i = b.input({ dtype: 'i64', shape: [2] });
    const y = b.mul(x, b.cast(i, { to: 'f64' }));
    const [dx, dz, di] = pullback([y], [ones(y)], [x, z, i]);
    expect(dx).not.toBeNull();
    expect([dz, di]).toEqual([null, null]);
  });

  test('no cotangent, no gradient', () => {
    const x = input(2);
    expect(pullback([b.exp(x)], [null], [x])).toEqual([null]);
  });

  test('makes no node for an operand that needs none', () => {
    const [x, w] = [input(8, 4), input(4, 3)];
    const y = b.dot(x, w, { batch: [], contract: [[1, 0]] });
    const ct = input(8, 3);
    const count = (inputs: readonly Value[]): number => {
      const made: unknown[] = [];
      const before = recordWith({ resolve: (v) => v, made: (n) => made.push(n) });
      pullback([y], [ct], inputs);
      recordWith(before);
      return made.filter((n) => (n as { op: string }).op === 'dot').length;
    };
    expect(count([w])).toBe(1);
    expect(count([x, w])).toBe(2);
  });

  test('visits nothing behind the inputs', () => {
    let x = input(2);
    for (let i = 0; i < 10; i++) x = b.exp(x);
    const y = b.mul(x, x);
    const [dx] = pullback([y], [ones(y)], [x]);
    expect(postorder([dx!], [x]).length).toBeLessThan(8);
  });

  test('differentiates a long chain of nodes, and the gradient is as long a chain', () => {
    const x = input();
    let y = x;
    for (let i = 0; i < chainLength; i++) y = i % 2 === 0 ? b.sin(y) : b.neg(y);
    const [dx] = pullback([y], [ones(y)], [x]);
    expect(nodesOf({ inputs: [x], outputs: [dx!] }).length).toBeGreaterThan(2 * chainLength);
  });

  test('a diamond of depth 200 is walked once, not 2^200 times', () => {
    const x = input();
    let y = x;
    for (let i = 0; i < 200; i++) y = b.mul(y, y);
    const [dx] = pullback([y], [ones(y)], [x]);
    expect(nodesOf({ inputs: [x], outputs: [dx!] }).length).toBeLessThan(2000);
  });

  test('refuses a cotangent of another shape, naming both', () => {
    const x = input(2);
    expect(() => pullback([b.exp(x)], [input(3)], [x])).toThrow(/f64\[2\].*f64\[3\]/);
  });
});

describe('regions', () => {
  const branch = (body: (x: Value) => Value) => region([aval('f64', [3])], ([x]) => [body(x!)]);
  const choose = (p: Value, x: Value): readonly Value[] =>
    build('cond', [p, x], {}, [branch((v) => b.mul(v, v)), branch((v) => b.sin(v))]).values;

  test('the pullback of a cond is a cond of pullbacks', () => {
    const g = region([aval('bool', []), aval('f64', [3])], ([p, x]) => choose(p!, x!));
    for (const truth of [0, 1]) {
      const data = [{ dtype: 'bool' as const, shape: [], data: Float64Array.of(truth) }, noise(g.inputs[1]!, draws(3))];
      expect(gradcheck(g, data, ([p, x]) => choose(p!, x!))).toEqual([1]);
    }
  });

  test('a branch that ignores an operand gives it zero', () => {
    const [p, x] = [b.input({ dtype: 'bool', shape: [] }), input(3)];
    const [y] = build('cond', [p, x], {}, [branch((v) => b.exp(v)), branch((v) => full(2, avalOf(v)))]).values;
    const [dx] = pullback([y!], [ones(y!)], [x]);
    expect(numbers([dx!], [p, x], [0], [1, 2, 3])).toEqual([[0, 0, 0]]);
  });

  test('a fused graph is not differentiated', () => {
    const x = input(3);
    const body = region([aval('f64', [3])], ([v]) => [b.exp(v!)]);
    const [y] = build('kernel', [x], { name: 'exp', form: 'pointwise', space: [3], reduce: [] }, [body]).values;
    expect(() => pullback([y!], [ones(y!)], [x])).toThrow(InternalError);
  });
});
