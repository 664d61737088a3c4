// What a composite is: one notion written as a graph of primitives, with a derivative of its own where that is better than its body's.
import type { Aval } from '../../ir/aval.ts';
import type { Params } from '../../ir/codec.ts';
import type { Value } from '../../ir/node.ts';

export type Maybe = Value | null;

/** A composite node as its own derivative sees it. */
export type Applied<I extends readonly Value[], P extends Params> = {
  readonly inputs: I;
  readonly results: readonly Value[];
  readonly params: P;
  /** Records a composite by name: for a derivative that is one itself, and so keeps its own when it is differentiated again. */
  readonly composite: (name: string, inputs: readonly Value[], params: Params) => readonly Value[];
};

/** An example that tests run: operands, options, and data where random numbers of `range` (-2 to 2) would be meaningless. */
export type CompositeSample<P extends Params> = {
  readonly inputs: readonly Aval[];
  readonly params: P;
  readonly range?: readonly [number, number];
  readonly data?: readonly (readonly number[] | undefined)[];
};

/**
 * `I` lists the operands, `P` the static options. Numbers that users may vary are 0-d operands, so that they never recompile.
 * Operands have equal dtypes, and shapes as `doc` says: broadcasting and promotion lie behind us here.
 */
export type CompositeRule<I extends readonly Value[], P extends Params> = {
  readonly doc: string;
  readonly body: (inputs: I, params: P) => readonly Value[];
  /** Cotangents of the operands (null: zero, or not `wanted`) from those of the results, at least one of which is there. */
  readonly vjp?: (cts: readonly Maybe[], at: Applied<I, P>, wanted: readonly boolean[]) => readonly Maybe[];
  /** Tangents of the results. */
  readonly jvp?: (tangents: readonly Maybe[], at: Applied<I, P>) => readonly Maybe[];
  /** How it does a whole batch at once, keeping its own derivative; undefined: by its body. */
  readonly batch?: BatchRule<P>;
  readonly samples: readonly CompositeSample<P>[];
};

/** Options for operands with a leading batch axis, and which operands must carry it; undefined where these operands do not fit. */
export type BatchRule<P> = (
  isBatched: readonly boolean[],
  params: P,
) => { readonly params: P; readonly carry: readonly boolean[] } | undefined;

/** The first `count` operands carry the batch axis, the others must not; `shift` moves axes in the options behind it. */
export const leading =
  <P>(count: number, shift: (params: P) => P = (params) => params): BatchRule<P> =>
  (isBatched, params) =>
    isBatched.some((batched, i) => batched && i >= count)
      ? undefined
      : { params: shift(params), carry: isBatched.map((_, i) => i < count) };

/** Any composite, where its operands and options are not known by type. */
export type AnyComposite = CompositeRule<readonly Value[], Params>;

export const composite = <I extends readonly Value[], P extends Params = Record<never, never>>(
  rule: CompositeRule<I, P>,
): CompositeRule<I, P> => rule;

/**
 * A function of `x` element by element. Its derivative is a diagonal matrix, which is its own transpose: `slope` multiplies a
 * tangent or a cotangent `t` by it, and so serves both directions. Other operands get no gradient.
 */
export function elementwise<I extends readonly [Value, ...Value[]], P extends Params = Record<never, never>>(rule: {
  readonly doc: string;
  readonly body: (inputs: I, params: P) => Value;
  readonly slope: (t: Value, y: Value, inputs: I, params: P) => Value;
  readonly batch?: BatchRule<P>;
  readonly samples: readonly CompositeSample<P>[];
}): CompositeRule<I, P> {
  const along = (t: Maybe, { inputs, results, params }: Applied<I, P>): Maybe =>
    t === null ? null : rule.slope(t, results[0]!, inputs, params);
  return {
    doc: rule.doc,
    body: (inputs, params) => [rule.body(inputs, params)],
    vjp: ([ct], at) => at.inputs.map((_, i) => (i === 0 ? along(ct!, at) : null)),
    jvp: ([t], at) => [along(t!, at)],
    batch: rule.batch ?? leading(1),
    samples: rule.samples,
  };
}
