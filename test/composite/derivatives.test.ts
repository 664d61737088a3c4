// Every composite's derivative: against differences, against its body's, forward against reverse, once more, and over a batch.
import { describe, expect, test } from 'vitest';
import { batched } from '../../compiler/autodiff/batch.ts';
import { pushforward } from '../../compiler/autodiff/forward.ts';
import { inline } from '../../compiler/autodiff/inline.ts';
import { draws } from '../../compiler/inspect/data.ts';
import { b, full, region } from '../../compiler/ir/builder.ts';
import { avalOf, type Graph, shapeOf, type Value } from '../../compiler/ir/node.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { isFloat } from '../../runtime/dtype.ts';
import { expectNear, floats, gradcheck, noise, pullbackGraph } from '../autodiff/gradcheck.ts';
import { expectClose } from '../meaning.ts';
import { type Case, cases } from './samples.ts';

/** Composites without any gradient: a count and positions. */
const flat = (c: Case): boolean => c.name === 'maxPoolIndices' || (c.name === 'norm' && c.params.p === 0);

/** Composites whose derivative is not that of what they compute, which is what they are for. */
const surrogate = (c: Case): boolean => c.name === 'stopGradient' || c.name === 'withHistory';

describe.each(cases)('$title', (c) => {
  test('its gradient is that of central differences', () => {
    if (surrogate(c)) return;
    const reached = gradcheck(c.graph, c.data, c.whole);
    expect(reached.includes(0)).toBe(!flat(c));
  });

  test('its own gradient is the one through its body', () => {
    if (c.rule.vjp === undefined || surrogate(c)) return;
    const random = draws(11);
    const cts = floats(c.graph.outputs).map((i) => noise(c.graph.outputs[i]!, random));
    const own = pullbackGraph(c.graph, floats(c.graph.inputs), c.whole);
    const through = pullbackGraph(c.graph, own.reached, c.opened);
    expect(through.reached).toEqual(own.reached);
    const expected = evaluate(through.graph, [...c.data, ...cts]);
    const actual = evaluate(own.graph, [...c.data, ...cts]);
    for (const [i, ct] of actual.entries()) expectNear(ct.data, expected[i]!.data, 1e-9, `input ${own.reached[i]}`);
  });

  test('its gradient is differentiable', () => {
    const { graph, reached } = pullbackGraph(c.graph, floats(c.graph.inputs).slice(0, 1), c.whole);
    if (reached.length === 0) return;
    const random = draws(13);
    const cts = floats(c.graph.outputs).map((i) => noise(c.graph.outputs[i]!, random));
    gradcheck(graph, [...c.data, ...cts], (args) => inline(graph, args), 1e-4);
  });

  test('forward and reverse agree', () => {
    const { reached } = pullbackGraph(c.graph, floats(c.graph.inputs), c.whole);
    for (const apply of surrogate(c) ? [c.whole] : [c.whole, c.opened]) expectTransposed(c, reached, apply);
  });

  test('over a batch it is a loop over the examples', () => {
    const inputs = c.graph.inputs.map((v) => isFloat(avalOf(v).dtype) && shapeOf(v).length > 0);
    const size = 3;
    const avals = c.graph.inputs.map((v, i) => ({ ...avalOf(v), shape: inputs[i] ? [size, ...shapeOf(v)] : shapeOf(v) }));
    const many = region(avals, (args) => {
      const { values, isBatched } = batched(c.graph, args, inputs, size);
      return values.map((v, i) => (isBatched[i] ? v : b.expand(v, { shape: [size, ...shapeOf(v)], at: [0] })));
    });
    const random = draws(17);
    const examples = Array.from({ length: size }, (_, k) =>
      c.data.map((r, i) => (k > 0 && inputs[i] ? { ...r, data: r.data.map((v) => v * (0.5 + 0.5 * random())) } : r)),
    );
    const stacked = c.data.map((r, i): Reference => (inputs[i] ? stack(examples.map((e) => e[i]!)) : r));
    const singles = examples.map((e) => evaluate(c.graph, e));
    expectClose(
      evaluate(many, stacked),
      singles[0]!.map((_, i) => stack(singles.map((s) => s[i]!))),
      1e-9,
    );
  });
});

const dot = (x: Reference, y: Reference): number => x.data.reduce((s, v, i) => s + v * y.data[i]!, 0);

function stack(parts: readonly Reference[]): Reference {
  const { dtype, shape } = parts[0]!;
  const length = parts[0]!.data.length;
  const data = new Float64Array(parts.length * length);
  for (const [i, p] of parts.entries()) data.set(p.data, i * length);
  return { dtype, shape: [parts.length, ...shape], data };
}

/** u (J t) = (J^T u) t for random t and u, over the inputs `of`. */
function expectTransposed(c: Case, of: readonly number[], apply: (xs: readonly Value[]) => readonly Value[]): void {
  const seeds = floats(c.graph.outputs);
  const random = draws(19);
  const us = seeds.map((i) => noise(c.graph.outputs[i]!, random));
  const ts = of.map((i) => noise(c.graph.inputs[i]!, random));
  const forward: Graph = region([...c.graph.inputs.map(avalOf), ...of.map((i) => avalOf(c.graph.inputs[i]!))], (args) => {
    const xs = args.slice(0, c.graph.inputs.length);
    const ys = apply(xs);
    const moved = pushforward(
      ys,
      xs,
      xs.map((_, i) => (of.includes(i) ? args[xs.length + of.indexOf(i)]! : null)),
    );
    return seeds.map((i) => moved[i] ?? full(0, avalOf(ys[i]!)));
  });
  const { graph: reverse, reached } = pullbackGraph(c.graph, of, apply);
  const moved = evaluate(forward, [...c.data, ...ts]);
  const back = evaluate(reverse, [...c.data, ...us]);
  const left = moved.reduce((s, m, i) => s + dot(m, us[i]!), 0);
  const right = reached.reduce((s, at, i) => s + dot(back[i]!, ts[of.indexOf(at)]!), 0);
  expect(Math.abs(left - right)).toBeLessThan(1e-9 * Math.max(1, Math.abs(left)));
}
