// Whole Jacobians and Hessians: the derivative run over all unit seeds at once, as one batched graph.
import { batched } from '../../autodiff/batch.ts';
import type { Aval } from '../../ir/aval.ts';
import { b, full } from '../../ir/builder.ts';
import { fixedShape } from '../../ir/dim.ts';
import { avalOf, shapeOf, type Value } from '../../ir/node.ts';
import { inFront, moveAxis } from '../../ops/batching.ts';
import { wantsGradient } from '../autograd/wanted.ts';
import { castTo } from '../operands.ts';
import { flatten, unflatten } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { type Argnums, type Chosen, choose } from './argnums.ts';
import { inChunks } from './chunks.ts';
import { type Direction, derivativeGraph, forward, reverse } from './derivative.ts';
import { jvp } from './forward.ts';
import { type AuxOf, type AuxOptions, grad, type ResultOf } from './reverse.ts';
import { type AnyFunction, applyTraced, avalsOf, demandFloats, flattenArgs, resultAvals, returned, trace } from './trace.ts';

/** In the place of each tensor of a result, its derivatives by the arguments. */
export type Jacobian<R, In> = R extends Tensor ? In : { readonly [K in keyof R]: Jacobian<R[K], In> };

export type JacobianOptions<N extends Argnums, Aux extends boolean> = AuxOptions<Aux> & {
  /** Positions of the arguments to differentiate by; default 0. A list gives a list. */
  readonly argnums?: N;
  /** Rows (or columns) computed at a time; default all. Fewer take less memory. */
  readonly chunkSize?: number;
};

type JacobianOf<A extends readonly unknown[], R, N extends Argnums, Aux extends boolean> = Aux extends true
  ? [jacobian: Jacobian<ResultOf<R, true>, Chosen<A, N>>, aux: AuxOf<R>]
  : Jacobian<R, Chosen<A, N>>;

/**
 * The function that gives the Jacobian of `f`, each block shaped as the result and then the argument, row by row in reverse mode:
 * best where results are few. As `torch.func.jacrev`.
 */
export const jacrev =
  <A extends readonly unknown[], R, const N extends Argnums = 0, Aux extends boolean = false>(
    f: (...args: A) => R,
    options: JacobianOptions<N, Aux> = {},
  ): ((...args: A) => JacobianOf<A, R, N, Aux>) =>
  (...args) =>
    jacobian('jacrev', reverse, f, args, options) as never;

/** The same column by column in forward mode: best where arguments are few. As `torch.func.jacfwd`. */
export const jacfwd =
  <A extends readonly unknown[], R, const N extends Argnums = 0, Aux extends boolean = false>(
    f: (...args: A) => R,
    options: JacobianOptions<N, Aux> = {},
  ): ((...args: A) => JacobianOf<A, R, N, Aux>) =>
  (...args) =>
    jacobian('jacfwd', forward, f, args, options) as never;

/** The function that gives the matrix of second derivatives of `f`, forward over reverse. As `torch.func.hessian`. */
export const hessian = <A extends readonly unknown[], R, const N extends Argnums = 0>(
  f: (...args: A) => R,
  { argnums }: { readonly argnums?: N } = {},
): ((...args: A) => Jacobian<R, Jacobian<Chosen<A, N>, Chosen<A, N>>>) =>
  jacfwd(jacrev(f, argnums === undefined ? {} : { argnums }), argnums === undefined ? {} : { argnums }) as never;

/** The product of the Hessian of a scalar function with `tangents`, for each primal, at the cost of a few evaluations: forward over reverse. */
export function hvp<A extends readonly unknown[]>(f: (...args: A) => unknown, primals: readonly [...A], tangents: readonly [...A]): A {
  flattenArgs('hvp', primals);
  const by = primals.map((_, i) => i);
  return jvp(grad(f, { argnums: by }) as unknown as (...args: A) => A, primals, tangents)[1];
}

function jacobian(
  op: string,
  direction: Direction,
  f: AnyFunction,
  args: readonly unknown[],
  { argnums = 0, hasAux, chunkSize }: JacobianOptions<Argnums, boolean>,
): unknown {
  const { tensors, rest } = flatten(args);
  const { positions, place } = choose(op, rest, tensors, argnums);
  const wanted = tensors.map((t, i) => (direction === reverse && positions.includes(i)) || wantsGradient(t));
  const traced = trace(op, f, rest, avalsOf(tensors), { differentiates: true, wanted, hasAux });
  const results = resultAvals(traced);
  if (direction === reverse)
    demandFloats(
      op,
      results.map((aval) => ({ element: aval.dtype })),
    );
  const seeds = direction.seeds(traced, positions);
  const { graph, count } = derivativeGraph(direction, traced, positions);
  const variables = positions.map((i) => avalOf(traced.args[i]!));
  const found = applyTraced(op, traced, tensors, [], (inputs) => {
    const isBatched = graph.inputs.map((_, i) => i >= inputs.length);
    const all = inChunks(
      op,
      elements(seeds),
      chunkSize,
      (start, size) => {
        const { values, isBatched: many } = batched(graph, [...inputs, ...units(seeds, start, size)], isBatched, size);
        return values.map((v, i) => (i < count ? v : inFront(v, many[i]!, size)));
      },
      (i) => i >= count,
    );
    const derived = all.slice(count);
    const blocks = results.flatMap((result, i) =>
      variables.map((variable, j) =>
        direction === reverse ? rows(derived[j]!, seeds, i, result, variable) : columns(derived[i]!, seeds, j, result, variable),
      ),
    );
    return [...all.slice(0, count), ...blocks];
  });
  const { aux } = returned(traced, found);
  const blocks = found.slice(count);
  const n = positions.length;
  const tree = unflatten(
    traced.result,
    results.map((_, i) => place(blocks.slice(i * n, (i + 1) * n))),
  );
  return hasAux ? [tree, aux] : tree;
}

const sizeOf = ({ shape }: Aval): number => fixedShape(shape).reduce((n, d) => n * d, 1);
const elements = (avals: readonly Aval[]): number => avals.reduce((n, aval) => n + sizeOf(aval), 0);
const offsetOf = (avals: readonly Aval[], at: number): number => elements(avals.slice(0, at));

/** `size` unit vectors of the space of all seeds, from the `start`-th on, as a batch for each seed. */
function units(seeds: readonly Aval[], start: number, size: number): Value[] {
  return seeds.map((seed, i) => {
    const shape = [size, sizeOf(seed)];
    const row = b.iota({ dtype: 'i32', shape, axis: 0 });
    const column = b.iota({ dtype: 'i32', shape, axis: 1 });
    const first = full(start - offsetOf(seeds, i), { dtype: 'i32', shape });
    return b.reshape(castTo(b.eq(b.add(row, first), column), seed.dtype), { shape: [size, ...seed.shape] });
  });
}

/** Of a batch over all seeds, the members that belong to the `at`-th. */
function part(v: Value, seeds: readonly Aval[], at: number): Value {
  const shape = fixedShape(shapeOf(v));
  const start = offsetOf(seeds, at);
  const stop = start + sizeOf(seeds[at]!);
  if (start === 0 && stop === shape[0]) return v;
  return b.slice(v, { start: shape.map((_, i) => (i === 0 ? start : 0)), stop: [stop, ...shape.slice(1)], step: shape.map(() => 1) });
}

const block = (v: Value, result: Aval, variable: Aval): Value => b.reshape(v, { shape: [...result.shape, ...variable.shape] });
const rows = (v: Value, seeds: readonly Aval[], at: number, result: Aval, variable: Aval): Value =>
  block(part(v, seeds, at), result, variable);
const columns = (v: Value, seeds: readonly Aval[], at: number, result: Aval, variable: Aval): Value =>
  block(moveAxis(part(v, seeds, at), 0, result.shape.length), result, variable);
