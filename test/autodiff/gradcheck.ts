// Derivatives against central differences, in float64: what gradcheck is to PyTorch, for graphs.
import { expect } from 'vitest';
import { pullback } from '../../compiler/autodiff/reverse.ts';
import { draws } from '../../compiler/inspect/data.ts';
import { region } from '../../compiler/ir/builder.ts';
import { avalOf, type Graph, type Value } from '../../compiler/ir/node.ts';
import { evaluate } from '../../compiler/ops/evaluate.ts';
import type { Reference } from '../../compiler/ops/rules.ts';
import { isFloat } from '../../runtime/dtype.ts';

/** Seeded numbers in the shape of a value. */
export function noise(v: Value, random: () => number, low = -1, high = 1): Reference {
  const { dtype, shape } = avalOf(v);
  const length = shape.reduce<number>((n, d) => n * (d as number), 1);
  return { dtype, shape: shape as readonly number[], data: Float64Array.from({ length }, () => low + (high - low) * random()) };
}

export const floats = (vs: readonly Value[]): number[] => vs.flatMap((v, i) => (isFloat(avalOf(v).dtype) ? [i] : []));

/** The graph of the pullback of `g`: its inputs and one cotangent per float output, to the cotangents of `of` (those that are not zero). */
export function pullbackGraph(
  g: Graph,
  of: readonly number[],
  apply: (xs: readonly Value[]) => readonly Value[],
): { graph: Graph; reached: number[] } {
  const seeds = floats(g.outputs);
  let reached: number[] = [];
  const graph = region([...g.inputs.map(avalOf), ...seeds.map((i) => avalOf(g.outputs[i]!))], (args) => {
    const xs = args.slice(0, g.inputs.length);
    const ys = apply(xs);
    const cts = ys.map((_, i) => (seeds.includes(i) ? args[xs.length + seeds.indexOf(i)]! : null));
    const back = pullback(
      ys,
      cts,
      of.map((i) => xs[i]!),
    );
    reached = of.filter((_, i) => back[i] !== null);
    return back.filter((ct) => ct !== null);
  });
  return { graph, reached };
}

const dot = (x: Reference, y: Reference): number => x.data.reduce((s, v, i) => s + v * y.data[i]!, 0);

/** The gradient of the outputs' product with `cts` by element of input `at`, by central differences. */
export function differences(g: Graph, data: readonly Reference[], cts: readonly Reference[], at: number, step = 1e-6): Float64Array {
  const seeds = floats(g.outputs);
  const value = (i: number, delta: number): number => {
    const moved = data.map((r, k) => (k === at ? { ...r, data: r.data.map((v, j) => (j === i ? v + delta : v)) } : r));
    const ys = evaluate(g, moved);
    return seeds.reduce((s, k, c) => s + dot(ys[k]!, cts[c]!), 0);
  };
  return data[at]!.data.map((_, i) => (value(i, step) - value(i, -step)) / (2 * step));
}

export function expectNear(actual: Float64Array, expected: Float64Array, tolerance: number, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    const near = Object.is(a, e) || Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e));
    if (!near) expect.fail(`${what}: element ${i} is ${a}, not ${e}`);
  }
}

/** Holds the pullback of `g` to central differences for each input that it reaches; says which those are. */
export function gradcheck(
  g: Graph,
  data: readonly Reference[],
  apply: (xs: readonly Value[]) => readonly Value[],
  tolerance = 1e-5,
): readonly number[] {
  const random = draws(7);
  const cts = floats(g.outputs).map((i) => noise(g.outputs[i]!, random));
  const { graph, reached } = pullbackGraph(g, floats(g.inputs), apply);
  const grads = evaluate(graph, [...data, ...cts]);
  for (const [i, at] of reached.entries()) expectNear(grads[i]!.data, differences(g, data, cts, at), tolerance, `gradient of input ${at}`);
  return reached;
}
