// Forward mode as functions of functions: jvp and linearize.
import { wantsGradient } from '../autograd/wanted.ts';
import { flatten, unflatten } from '../pytree.ts';
import { forward, linearized } from './derivative.ts';
import type { AuxOptions, ResultOf, WithAux } from './reverse.ts';
import { applyTraced, avalsOf, demandAlike, demandFloats, demandTensors, flattenArgs, returned, trace } from './trace.ts';

/**
 * The result of `f` at `primals`, and its directional derivative along `tangents`, which are shaped like the primals.
 * As `torch.func.jvp`. Throws ArgumentError where tangents do not fit.
 */
export function jvp<A extends readonly unknown[], R, Aux extends boolean = false>(
  f: (...args: A) => R,
  primals: readonly [...A],
  tangents: readonly [...A],
  options: AuxOptions<Aux> = {},
): WithAux<[result: ResultOf<R, Aux>, tangent: ResultOf<R, Aux>], R, Aux> {
  const op = 'jvp';
  const { tensors, rest } = flattenArgs(op, primals);
  demandTensors(op, rest, 'primals are tensors');
  demandFloats(op, tensors);
  const along = flattenArgs(op, tangents);
  demandAlike(op, 'tangents', along, { rest, avals: avalsOf(tensors) }, 'the primals');
  const traced = trace(op, f, rest, avalsOf(tensors), { differentiates: true, wanted: tensors.map(wantsGradient), hasAux: options.hasAux });
  const by = tensors.map((_, i) => i);
  const found = applyTraced(op, traced, tensors, along.tensors, (inputs, ts) => {
    const { outputs, derived } = forward.apply(traced, by, inputs, ts);
    return [...outputs, ...derived];
  });
  const { result, aux } = returned(traced, found);
  const tangent = unflatten(traced.result, found.slice(traced.graph.outputs.length));
  return (options.hasAux ? [result, tangent, aux] : [result, tangent]) as never;
}

/**
 * The result of `f` at `primals`, and the linear function that takes tangents (one for each primal) to that of the result.
 * As `torch.func.linearize`: what does not depend on the tangents is computed once.
 */
export function linearize<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...A],
): [result: R, jvpFn: (...tangents: A) => R] {
  const op = 'linearize';
  const { tensors, rest } = flattenArgs(op, primals);
  demandTensors(op, rest, 'primals are tensors');
  demandFloats(op, tensors);
  const traced = trace(op, f, rest, avalsOf(tensors), { differentiates: true, wanted: tensors.map(wantsGradient) });
  const { outputs, linear } = linearized(
    op,
    forward,
    traced,
    tensors,
    tensors.map((_, i) => i),
  );
  const jvpFn = (...tangents: A): R => {
    const along = flatten(tangents);
    demandAlike(op, 'tangents', along, { rest, avals: avalsOf(tensors) }, 'the primals');
    return unflatten(traced.result, linear(along.tensors)) as R;
  };
  return [returned(traced, outputs).result as R, jvpFn];
}
