// Tracing: a function run on placeholders becomes a closed graph, which transforms rewrite and record again as one op.
import { type DType, isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import type { Aval } from '../../ir/aval.ts';
import { avalOf, type Graph, nodesOf, type Value } from '../../ir/node.ts';
import { isGradEnabled, setGradEnabled } from '../autograd/mode.ts';
import { deferSteps } from '../boundary.ts';
import { dtypeName } from '../dtypes.ts';
import { applyMany, newTensor } from '../op.ts';
import { type Flattened, flatten, type Rest, unflatten } from '../pytree.ts';
import { type Outside, placeholder, recording, tracing } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';

/** A function as a graph, with what it needs besides its arguments. */
export type Traced = {
  /** Inputs: the arguments' tensors, then `captures`, then `slots`. Outputs: the results' tensors, then those of the auxiliary value. */
  readonly graph: Graph;
  readonly args: readonly Value[];
  /** Tensors of the outside, and constants made inside. */
  readonly captures: readonly Tensor[];
  /** Those of the captures that were made inside. */
  readonly made: ReadonlySet<Tensor>;
  /** Numbers, which are leaves wherever they stand. */
  readonly slots: readonly Value[];
  readonly result: Rest;
  /** How many of the outputs belong to the result. */
  readonly count: number;
  readonly aux: Rest | undefined;
};

export type TraceOptions = {
  /** Whether the transform differentiates: then what surrounds it has no say in whether gradients flow inside. */
  readonly differentiates: boolean;
  /** Which of the arguments' tensors have gradients that somebody wants, in reverse mode; default none. */
  readonly wanted?: readonly boolean[];
  /** Whether the function gives `[result, auxiliary]`. */
  readonly hasAux?: boolean | undefined;
};

/** Any function: transforms are about its tensors, wherever in its arguments and results they are. */
export type AnyFunction = (...args: never[]) => unknown;

/** Runs `f` on placeholders of the types `examples` in the places of the arguments' tensors. */
export function trace(op: string, f: AnyFunction, args: Rest, examples: readonly Aval[], options: TraceOptions): Traced {
  demandFunction(op, f);
  const grad = options.differentiates || isGradEnabled();
  return close(
    tracing(op, grad, ({ captures }) => {
      const inputs = examples.map((aval, i) => placeholder(aval, undefined, options.wanted?.[i]));
      const call = (): unknown =>
        f(
          ...(unflatten(
            args,
            inputs.map((v) => newTensor(storageOf(v))),
          ) as never[]),
        );
      const returned = setGradEnabled(grad, () => deferSteps(call) as object);
      const { result, aux } = parts(op, returned, options.hasAux ?? false);
      const outputs = recording(() => [...result.tensors, ...(aux?.tensors ?? [])].map((t) => t.value()));
      return { inputs, captures, outputs, result, aux };
    }),
  );
}

export function demandFunction(op: string, f: unknown): asserts f is AnyFunction {
  if (typeof f !== 'function') throw new ArgumentError(`expected a function, got ${typeof f}`, { op });
}

function parts(op: string, returned: unknown, hasAux: boolean): { result: Flattened; aux: Flattened | undefined } {
  if (hasAux && !(Array.isArray(returned) && returned.length === 2))
    throw new ArgumentError('with hasAux the function must return [result, auxiliary]', { op });
  const [result, aux] = hasAux ? (returned as unknown[]).map(flatten) : [flatten(returned)];
  demandTensors(op, result!.rest, `expected the function to return only tensors`);
  return { result: result!, aux };
}

/** Throws ArgumentError where a tree has leaves that are no tensors. */
export function demandTensors(op: string, rest: Rest, what: string): void {
  switch (rest.kind) {
    case 'tensor':
      return;
    case 'static': {
      const type = rest.value === null ? 'null' : typeof rest.value;
      throw new ArgumentError(`${what}, got ${type}`, { op });
    }
    default:
      for (const item of rest.items) demandTensors(op, item, what);
  }
}

type Run = {
  readonly inputs: readonly Value[];
  readonly captures: ReadonlyMap<Outside, Value>;
  readonly outputs: readonly Value[];
  readonly result: Flattened;
  readonly aux: Flattened | undefined;
};

/** Finds the leaves that the outputs reach, so that the graph has all of them as inputs. */
function close({ inputs, captures, outputs, result, aux }: Run): Traced {
  const known = new Set(inputs);
  const outside = new Map([...captures].map(([t, v]) => [v, t as Tensor]));
  const taken: { tensor: Tensor; value: Value }[] = [];
  const slots: Value[] = [];
  for (const n of nodesOf({ inputs, outputs })) {
    const v = n.values[0]!;
    if (known.has(v)) continue;
    if (n.op === 'slot') slots.push(v);
    else if (n.op === 'input') taken.push({ tensor: outside.get(v) ?? newTensor(storageOf(v)), value: v });
  }
  return {
    graph: { inputs: [...inputs, ...taken.map((c) => c.value), ...slots], outputs },
    args: inputs,
    captures: taken.map((c) => c.tensor),
    made: new Set(taken.filter((c) => !outside.has(c.value)).map((c) => c.tensor)),
    slots,
    result: result.rest,
    count: result.tensors.length,
    aux: aux?.rest,
  };
}

/**
 * Records what `build` makes of the graph's inputs and of `extra` tensors (tangents, cotangents) as one op, so that autograd,
 * further transforms and `compile` go on from there.
 */
export function applyTraced(
  op: string,
  traced: Traced,
  args: readonly Tensor[],
  extra: readonly Tensor[],
  build: (inputs: readonly Value[], extra: readonly Value[]) => readonly Value[],
): Tensor[] {
  const given = [...args, ...traced.captures];
  return applyMany(op, [...given, ...extra], (...values) =>
    build([...values.slice(0, given.length), ...traced.slots], values.slice(given.length)),
  );
}

/** The result, and the auxiliary value if there is one, with tensors in their places. */
export function returned(traced: Traced, tensors: readonly Tensor[]): { result: unknown; aux: unknown } {
  const aux = traced.aux === undefined ? undefined : unflatten(traced.aux, tensors.slice(traced.count));
  return { result: unflatten(traced.result, tensors), aux };
}

/** Arguments taken apart. Throws ArgumentError where there is no list of them. */
export function flattenArgs(op: string, args: unknown): Flattened {
  if (!Array.isArray(args))
    throw new ArgumentError(`the function's arguments come as an array, got ${args === null ? 'null' : typeof args}`, {
      op,
      fix: `write ${op}(f, [x, y])`,
    });
  return flatten(args);
}

/** Throws AutogradError where a tensor to differentiate by has no derivative. */
export function demandFloats(op: string, tensors: readonly { readonly element: DType }[]): void {
  for (const t of tensors)
    if (!isFloat(t.element))
      throw new AutogradError(`only tensors of floating point dtype can require gradients, not ${dtypeName(t.element)}`, {
        op,
        fix: "convert with .to('float32') first",
      });
}

/** Throws ArgumentError where a tree that belongs to another, such as tangents to primals, has another structure, shapes or dtypes. */
export function demandAlike(
  op: string,
  what: string,
  given: Flattened,
  like: { readonly rest: Rest; readonly avals: readonly Aval[] },
  of: string,
): void {
  if (!sameStructure(given.rest, like.rest)) throw new ArgumentError(`expected the structure of ${what} to be that of ${of}`, { op });
  for (const [i, t] of given.tensors.entries()) {
    const { dtype, shape } = like.avals[i]!;
    if (t.shape.join() !== (shape as readonly number[]).join() || t.element !== dtype)
      throw new ArgumentError(`expected ${what} ${i} to be ${dtype}[${shape}] as in ${of}, got ${t.element}[${t.shape}]`, { op });
  }
}

/** Structure alone: what is no tensor plays no part. */
export function sameStructure(a: Rest, b: Rest): boolean {
  switch (a.kind) {
    case 'tensor':
    case 'static':
      return a.kind === b.kind;
    case 'list':
      return b.kind === 'list' && a.items.length === b.items.length && a.items.every((r, i) => sameStructure(r, b.items[i]!));
    case 'record':
      return b.kind === 'record' && a.keys.join() === b.keys.join() && a.items.every((r, i) => sameStructure(r, b.items[i]!));
  }
}

export const avalsOf = (tensors: readonly Tensor[]): Aval[] => tensors.map((t) => ({ dtype: t.element, shape: t.shape }));
export const resultAvals = (traced: Traced): Aval[] => traced.graph.outputs.slice(0, traced.count).map(avalOf);
