// Every rule of differentiation against central differences, in both directions, and once more on its own result.
import { describe, expect, it } from 'vitest';
import { pushforward } from '../../compiler/autodiff/forward.ts';
import { isDifferentiable } from '../../compiler/autodiff/derivative.ts';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { b, build } from '../../compiler/ir/builder.ts';
import { avalOf, type Graph, type Value } from '../../compiler/ir/node.ts';
import { opNames } from '../../compiler/ir/opset.ts';
import { evaluate, referenceOf } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { differences, expectNear, floats, gradcheck, noise, pullbackGraph } from '../autodiff/gradcheck.ts';
import { randomFrom } from '../graph-data.ts';
import { type Case, casesOf, isSmooth } from './samples.ts';

const regional = ['cond', 'whileLoop', 'scan', 'composite', 'kernel'];
const smooth = (op: (typeof opNames)[number]): readonly Case[] =>
  casesOf(op).filter(
    (c) =>
      isSmooth(c) &&
      isDifferentiable(c.node) &&
      floats(c.graph.inputs).length > 0 &&
      floats(c.graph.outputs).length > 0 &&
      !c.trial.inputs.some((a) => a.dtype === 'f32'),
  );
const differentiable = opNames.filter((op) => !regional.includes(op) && smooth(op).length > 0);
/** The same op on other operands. */
const again = (c: Case) => (xs: readonly Value[]) => build(c.op, xs, c.trial.attrs).values;

describe('derivatives', () => {
  it('are there for more than half of all ops', () => {
    expect(differentiable.length).toBeGreaterThan(opNames.length / 2);
  });

  it.each(differentiable)('%s: reverse mode gives the slope', (op) => {
    const reached = smooth(op).map((c) => gradcheck(c.graph, c.data, again(c)));
    expect(reached.some((r) => r.length > 0)).toBe(true);
  });

  it.each(differentiable)('%s: forward mode is the transpose of reverse mode', (op) => {
    for (const c of smooth(op)) expectTransposed(c);
  });

  it.each(differentiable)('%s: the gradient can be differentiated again', (op) => {
    for (const c of smooth(op).slice(0, 3)) {
      const { graph, reached } = pullbackGraph(c.graph, floats(c.graph.inputs), again(c));
      if (reached.length === 0) continue;
      const random = randomFrom(11);
      const data = [...c.data, ...floats(c.graph.outputs).map((i) => noise(c.graph.outputs[i]!, random, 0.5, 1.5))];
      const seeds = graph.outputs.map((v) => b.input(avalOf(v)));
      const second = pullback(graph.outputs, seeds, graph.inputs);
      const cts = seeds.map((v) => noise(v, random));
      second.forEach((ct, i) => {
        if (ct === null) return;
        const [grad] = evaluate({ inputs: [...graph.inputs, ...seeds], outputs: [ct] }, [...data, ...cts]);
        expectNear(grad!.data, differences(graph, data, cts, i), 2e-4, `${c.title}: second gradient of input ${i}`);
      });
    }
  });
});

/** <ct, J t> = <J' ct, t> for random t and ct. */
function expectTransposed({ title, graph, data }: Case): void {
  const random = randomFrom(5);
  const ins = floats(graph.inputs);
  const tangents = graph.inputs.map((v, i) => (ins.includes(i) ? b.input(avalOf(v)) : null));
  const cts = graph.outputs.map((v, i) => (floats(graph.outputs).includes(i) ? b.input(avalOf(v)) : null));
  const forward = pushforward(graph.outputs, graph.inputs, tangents);
  const reverse = pullback(graph.outputs, cts, graph.inputs);
  const given = (vs: readonly (Value | null)[]): [Value[], Reference[]] => {
    const there = vs.filter((v) => v !== null);
    return [there, there.map((v) => noise(v, random))];
  };
  const [t, tData] = given(tangents);
  const [c, cData] = given(cts);
  const inner = (
    results: readonly (Value | null)[],
    against: readonly (Value | null)[],
    known: readonly Value[],
    values: readonly Reference[],
  ): number => {
    const g: Graph = { inputs: [...graph.inputs, ...t, ...c], outputs: results.filter((v) => v !== null) };
    const evaluated = evaluate(g, [...data, ...tData, ...cData]);
    const factors = results.flatMap((v, i) => (v === null ? [] : [values[known.indexOf(against[i]!)]!]));
    return evaluated.reduce((sum, r, i) => sum + r.data.reduce((s, v, j) => s + v * factors[i]!.data[j]!, 0), 0);
  };
  const left = inner(forward, cts, c, cData);
  const right = inner(reverse, tangents, t, tData);
  expect(Math.abs(left - right), title).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(left)));
}

describe('gradients at kinks, ties and poles are those of PyTorch', () => {
  const NaN = Number.NaN;
  const cases: readonly [string, (...x: Value[]) => Value, readonly (readonly number[])[], readonly (readonly number[])[]][] = [
    ['abs at 0', (x) => b.abs(x!), [[0]], [[0]]],
    ['floor', (x) => b.floor(x!), [[1.5]], [[0]]],
    ['round', (x) => b.round(x!), [[1.5]], [[0]]],
    ['sign at 0', (x) => b.sign(x!), [[0]], [[0]]],
    [
      'max at a tie',
      (x, y) => b.max(x!, y!),
      [
        [1, 2, 3],
        [1, 3, 2],
      ],
      [
        [0.5, 0, 1],
        [0.5, 1, 0],
      ],
    ],
    [
      'min at a tie',
      (x, y) => b.min(x!, y!),
      [
        [1, 2, 3],
        [1, 3, 2],
      ],
      [
        [0.5, 1, 0],
        [0.5, 0, 1],
      ],
    ],
    ['sqrt at 0 and below', (x) => b.sqrt(x!), [[0, -1]], [[Infinity, NaN]]],
    ['rsqrt at 0', (x) => b.rsqrt(x!), [[0]], [[-Infinity]]],
    ['log at 0 and below', (x) => b.log(x!), [[0, -1]], [[Infinity, -1]]],
    ['reciprocal at 0', (x) => b.recip(x!), [[0]], [[-Infinity]]],
    [
      'pow',
      (x, e) => b.pow(x!, e!),
      [
        [0, 0, 0, 0, -2],
        [0, 2, 0.5, 1, 2],
      ],
      [
        [0, 0, Infinity, 1, -4],
        [0, 0, 0, 0, NaN],
      ],
    ],
    ['atan2 at the origin', (y, x) => b.atan2(y!, x!), [[0], [0]], [[0], [0]]],
    ['prod with a zero', (x) => b.prod(x!, { axes: [0] }), [[0, 2, 3]], [[6, 0, 0]]],
    ['prod with two zeros', (x) => b.prod(x!, { axes: [0] }), [[0, 0, 3]], [[0, 0, 0]]],
    ['cumprod with a zero', (x) => b.cumprod(x!, { axis: 0, reverse: false }), [[2, 0, 3]], [[1, 8, 0]]],
    ['amax of equals', (x) => b.amax(x!, { axes: [0] }), [[2, 1, 2]], [[0.5, 0, 0.5]]],
    ['amin of equals', (x) => b.amin(x!, { axes: [0] }), [[2, 1, 1, 1]], [[0, 1 / 3, 1 / 3, 1 / 3]]],
    ['the largest of equals by sorting', (x) => b.topk(x!, { axis: 0, k: 1, largest: true })[0]!, [[2, 1, 2]], [[1, 0, 0]]],
    ['where(a < b, b, a) at a tie', (x, y) => b.select(b.lt(x!, y!), y!, x!), [[1], [1]], [[1], [0]]],
    [
      'where(0 < x, log x, 0) at 0, whose masked gradient is multiplied by infinity',
      (x) => b.select(b.lt(b.sub(x!, x!), x!), b.log(x!), b.sub(x!, x!)),
      [[0, 1]],
      [[NaN, 1]],
    ],
  ];
  it.each(cases)('%s', (_, f, inputs, expected) => {
    const xs = inputs.map((data) => b.input({ dtype: 'f64', shape: [data.length] }));
    const y = f(...xs);
    const seed = b.input(avalOf(y));
    const ones = {
      ...avalOf(y),
      shape: avalOf(y).shape as readonly number[],
      data: new Float64Array(avalOf(y).shape.reduce<number>((n, d) => n * (d as number), 1)).fill(1),
    };
    const grads = pullback([y], [seed], xs);
    const results = evaluate({ inputs: [...xs, seed], outputs: grads.map((g) => g!) }, [
      ...inputs.map((data) => referenceOf('f64', [data.length], data)),
      ones,
    ]);
    expect(results.map((r) => Array.from(r.data, (v) => v + 0))).toEqual(expected);
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
