// Reverse mode as functions of functions: vjp, grad, gradAndValue.
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import { full } from '../../ir/builder.ts';
import { avalOf } from '../../ir/node.ts';
import { wantsGradient } from '../autograd/wanted.ts';
import { flatten, type Rest, unflatten } from '../pytree.ts';
import { type Argnums, type Chosen, choose } from './argnums.ts';
import { linearized, reverse } from './derivative.ts';
import {
  type AnyFunction,
  applyTraced,
  avalsOf,
  demandAlike,
  demandFloats,
  demandTensors,
  flattenArgs,
  resultAvals,
  returned,
  trace,
} from './trace.ts';

/** Of `[result, auxiliary]` the first, else the whole. */
export type ResultOf<R, Aux extends boolean> = Aux extends true ? (R extends readonly [infer Y, unknown] ? Y : never) : R;
export type AuxOf<R> = R extends readonly [unknown, infer X] ? X : never;
export type WithAux<T extends readonly unknown[], R, Aux extends boolean> = Aux extends true ? [...T, AuxOf<R>] : T;

export type AuxOptions<Aux extends boolean> = {
  /** The function gives `[result, auxiliary]`; the second is passed through. */
  readonly hasAux?: Aux;
};

/**
 * The result of `f` at `primals`, and the function that takes a cotangent of the result to those of the primals (one for each).
 * As `torch.func.vjp`, with the primals as an array. The forward part is computed once, however often the function is called.
 */
export function vjp<A extends readonly unknown[], R, Aux extends boolean = false>(
  f: (...args: A) => R,
  primals: readonly [...A],
  options: AuxOptions<Aux> = {},
): WithAux<[result: ResultOf<R, Aux>, vjpFn: (cotangents: ResultOf<R, Aux>) => A], R, Aux> {
  const op = 'vjp';
  const { tensors, rest } = flattenArgs(op, primals);
  demandTensors(op, rest, 'primals are tensors');
  demandFloats(op, tensors);
  const wanted = tensors.map(() => true);
  const traced = trace(op, f, rest, avalsOf(tensors), { differentiates: true, wanted, hasAux: options.hasAux });
  const { outputs, linear } = linearized(
    op,
    reverse,
    traced,
    tensors,
    tensors.map((_, i) => i),
  );
  const { result, aux } = returned(traced, outputs);
  const vjpFn = (cotangents: unknown): unknown => {
    const cts = flatten(cotangents);
    demandAlike(op, 'cotangents', cts, { rest: traced.result, avals: resultAvals(traced) }, 'the results');
    return unflatten(rest, linear(cts.tensors));
  };
  return (options.hasAux ? [result, vjpFn, aux] : [result, vjpFn]) as never;
}

export type GradOptions<N extends Argnums, Aux extends boolean> = AuxOptions<Aux> & {
  /** Positions of the arguments to differentiate by; default 0. A list gives a list. */
  readonly argnums?: N;
};

/**
 * The function that gives the gradient of `f`, whose result is a scalar, by the arguments `argnums`; with `hasAux`, `[gradient, auxiliary]`.
 * As `torch.func.grad`. Throws AutogradError if the result is no scalar.
 */
export function grad<A extends readonly unknown[], R, const N extends Argnums = 0, Aux extends boolean = false>(
  f: (...args: A) => R,
  options: GradOptions<N, Aux> = {},
): (...args: A) => Aux extends true ? [gradient: Chosen<A, N>, aux: AuxOf<R>] : Chosen<A, N> {
  return (...args) => {
    const { gradient, aux } = differentiate('grad', f, args, options);
    return (options.hasAux ? [gradient, aux] : gradient) as never;
  };
}

/** As `grad`, giving `[gradient, value]`; with `hasAux`, `[gradient, [value, auxiliary]]`. As `torch.func.grad_and_value`. */
export function gradAndValue<A extends readonly unknown[], R, const N extends Argnums = 0, Aux extends boolean = false>(
  f: (...args: A) => R,
  options: GradOptions<N, Aux> = {},
): (...args: A) => [gradient: Chosen<A, N>, value: R] {
  return (...args) => {
    const { gradient, value, aux } = differentiate('gradAndValue', f, args, options);
    return [gradient, options.hasAux ? [value, aux] : value] as never;
  };
}

function differentiate(
  op: string,
  f: AnyFunction,
  args: readonly unknown[],
  options: GradOptions<Argnums, boolean>,
): { gradient: unknown; value: unknown; aux: unknown } {
  const { tensors, rest } = flatten(args);
  const chosen = choose(op, rest, tensors, options.argnums ?? 0);
  const wanted = tensors.map((t, i) => chosen.positions.includes(i) || wantsGradient(t));
  const traced = trace(op, f, rest, avalsOf(tensors), { differentiates: true, wanted, hasAux: options.hasAux });
  demandScalar(op, traced.result, resultAvals(traced));
  const { positions } = chosen;
  const found = applyTraced(op, traced, tensors, [], (inputs) => {
    const { outputs, derived } = reverse.apply(traced, positions, inputs, [full(1, avalOf(traced.graph.outputs[0]!))]);
    return [...derived, ...outputs];
  });
  const { result, aux } = returned(traced, found.slice(positions.length));
  return { gradient: chosen.place(found), value: result, aux };
}

function demandScalar(op: string, result: Rest, avals: readonly { readonly shape: readonly unknown[]; readonly dtype: string }[]): void {
  if (result.kind !== 'tensor')
    throw new ArgumentError(`${op}(f)(...args): expected f(...args) to return a tensor, got a ${result.kind}`, { op });
  const { shape, dtype } = avals[0]!;
  if (shape.length > 0)
    throw new AutogradError(`${op}(f)(...args): expected f(...args) to return a scalar tensor, got tensor with ${shape.length} dims`, {
      op,
      fix: 'maybe you wanted to use the vjp or jacrev APIs instead',
    });
  if (!dtype.startsWith('f'))
    throw new AutogradError(`${op}(f)(...args): expected f(...args) to return a floating point tensor, got ${dtype}`, { op });
}
