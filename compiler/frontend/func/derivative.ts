// Derivatives of a traced function as values and as closed graphs: what the transforms are made of.
import { pushforward } from '../../autodiff/forward.ts';
import { inline } from '../../autodiff/inline.ts';
import { residualsOf } from '../../autodiff/residuals.ts';
import { pullback } from '../../autodiff/reverse.ts';
import type { Aval } from '../../ir/aval.ts';
import { full, region } from '../../ir/builder.ts';
import { avalOf, type Graph, type Value } from '../../ir/node.ts';
import { applyMany } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { applyTraced, resultAvals, type Traced } from './trace.ts';

/** One direction of differentiation, by the arguments whose positions are `by`. */
export type Direction = {
  /** The types of what is fed in: a cotangent for each result, or a tangent for each of the arguments. */
  readonly seeds: (traced: Traced, by: readonly number[]) => readonly Aval[];
  /** The function's outputs, and what comes out: a cotangent for each of the arguments, or a tangent for each result. */
  readonly apply: (
    traced: Traced,
    by: readonly number[],
    inputs: readonly Value[],
    seeds: readonly Value[],
  ) => { readonly outputs: readonly Value[]; readonly derived: readonly Value[] };
};

export const reverse: Direction = {
  seeds: resultAvals,
  apply: (traced, by, inputs, cts) => {
    const outputs = inline(traced.graph, inputs);
    const wanted = by.map((i) => inputs[i]!);
    // An argument may have been computed from another: each is a variable of its own here.
    const fixed = inputs.filter((_, i) => !by.includes(i));
    const found = pullback(outputs.slice(0, traced.count), cts, wanted, fixed);
    return { outputs, derived: found.map((ct, i) => ct ?? full(0, avalOf(wanted[i]!))) };
  },
};

export const forward: Direction = {
  seeds: (traced, by) => by.map((i) => avalOf(traced.args[i]!)),
  apply: (traced, by, inputs, tangents) => {
    const outputs = inline(traced.graph, inputs);
    const results = outputs.slice(0, traced.count);
    const moving = inputs.map((_, i) => tangents[by.indexOf(i)] ?? null);
    const found = pushforward(results, inputs, moving);
    return { outputs, derived: found.map((t, i) => t ?? full(0, avalOf(results[i]!))) };
  },
};

/** Both in one graph, whose inputs are the function's and, after them, the seeds; the first `count` outputs are the function's. */
export function derivativeGraph(
  direction: Direction,
  traced: Traced,
  by: readonly number[],
): { readonly graph: Graph; readonly count: number } {
  const { inputs, outputs } = traced.graph;
  const graph = region([...inputs.map(avalOf), ...direction.seeds(traced, by)], (values) => {
    const { outputs, derived } = direction.apply(traced, by, values.slice(0, inputs.length), values.slice(inputs.length));
    return [...outputs, ...derived];
  });
  return { graph, count: outputs.length };
}

/**
 * Computes the function's outputs now, and whatever of the derivative needs no seeds; what is left is a linear function of the seeds,
 * to be called any number of times.
 */
export function linearized(
  op: string,
  direction: Direction,
  traced: Traced,
  args: readonly Tensor[],
  by: readonly number[],
): { readonly outputs: readonly Tensor[]; readonly linear: (seeds: readonly Tensor[]) => readonly Tensor[] } {
  const { graph, count } = derivativeGraph(direction, traced, by);
  const early = graph.inputs.slice(0, traced.graph.inputs.length);
  const late = graph.inputs.slice(early.length);
  const numbers = early.slice(early.length - traced.slots.length);
  const outputs = graph.outputs.slice(0, count);
  const derived = graph.outputs.slice(count);
  const kept = residualsOf(derived, late, early).filter((v) => !numbers.includes(v));
  const now = applyTraced(op, traced, args, [], (values) => inline({ inputs: early, outputs: [...outputs, ...kept] }, values));
  const rest: Graph = { inputs: [...kept, ...late, ...numbers], outputs: derived };
  return {
    outputs: now.slice(0, count),
    linear: (seeds) => applyMany(op, [...now.slice(count), ...seeds], (...values) => inline(rest, [...values, ...traced.slots])),
  };
}
