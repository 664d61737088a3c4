// Every rule of differentiation against central differences, in both directions, and once more on its own result.
import { describe, expect, it } from 'vitest';
import { isDifferentiable } from '../../compiler/autodiff/derivative.ts';
import { pushforward } from '../../compiler/autodiff/forward.ts';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { draws } from '../../compiler/inspect/data.ts';
import { b, build } from '../../compiler/ir/builder.ts';
import { avalOf, type Graph, type Value } from '../../compiler/ir/node.ts';
import { opNames } from '../../compiler/ir/opset.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { differences, expectNear, floats, gradcheck, noise, pullbackGraph } from '../autodiff/gradcheck.ts';
import { runs } from '../effort.ts';
import { type Case, casesOf, isSmooth } from './samples.ts';

const regional = ['cond', 'whileLoop', 'scan', 'composite', 'kernel'];
const smooth = (op: (typeof opNames)[number]): readonly Case[] =>
  casesOf(op).filter(
    (c) =>
      isSmooth(c) &&
      isDifferentiable(c.node, 'reverse') &&
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
    for (const c of smooth(op).slice(0, runs(3))) {
      const { graph, reached } = pullbackGraph(c.graph, floats(c.graph.inputs), again(c));
      if (reached.length === 0) continue;
      const random = draws(11);
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
  const random = draws(5);
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
