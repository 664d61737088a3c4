// What an op means: the type of a row of rules, per op. The tables that hold the rows are exhaustive by type.
import type { Position } from '../../kernels/loop.ts';
import type { ScalarName } from '../../kernels/scalar.ts';
import type { DType } from '../../runtime/dtype.ts';
import type { Aval } from '../ir/aval.ts';
import type { Graph, NodeOf, Value } from '../ir/node.ts';
import type { AttrsOf, OpName, OpSet, Tuple } from '../ir/opset.ts';

export type In<K extends OpName, T> = Tuple<OpSet[K]['operands'], T>;

/**
 * One formula from which forward and reverse both come.
 * none: the result is not floating, or no function of the operands (the gradient of a step function is 0, not absent).
 * pointwise: `partials[i]` is dy/dx_i at each element, null where zero.
 * linear: `transpose` maps the result's cotangent to each operand's (null: not linear in it, or no gradient); forward is the op itself,
 * applied to the tangents (of each operand in turn where it is multilinear). custom: both directions by hand.
 * Where `wanted[i]` is false the cotangent of operand i goes unused: a rule for which it is dear (dot, conv) gives null instead.
 */
export type Derivative<K extends OpName> =
  | { readonly kind: 'none' }
  | { readonly kind: 'pointwise'; readonly partials: (x: In<K, Value>, y: Value) => In<K, Value | null> }
  | {
      readonly kind: 'linear';
      /** jointly: linear in all operands at once (add, concat). each: linear in each alone (dot, conv). Operands listed in `fixed` carry no tangent (indices). */
      readonly in: 'jointly' | 'each';
      readonly fixed?: readonly number[];
      readonly transpose: (ct: Value, n: NodeOf<K>, wanted: readonly boolean[]) => In<K, Value | null>;
    }
  | {
      readonly kind: 'custom';
      readonly vjp: (cts: readonly (Value | null)[], n: NodeOf<K>, wanted: readonly boolean[]) => In<K, Value | null>;
      readonly jvp: (tangents: In<K, Value | null>, n: NodeOf<K>) => readonly (Value | null)[];
    };

/** How an op acquires a leading batch axis: one rule a kind, `custom` for the few that need their own. Operand b is null where not batched. */
export type Batching<K extends OpName> =
  | { readonly kind: 'pointwise' }
  /** Batched operands carry the new axis in front; the rule gives the results with it in front. */
  | {
      readonly kind: 'custom';
      readonly rule: (batched: readonly Value[], isBatched: readonly boolean[], size: number, n: NodeOf<K>) => readonly Value[];
    };

/** How lowering sees an op. */
export type Lowering<K extends OpName> =
  | { readonly kind: 'pointwise'; readonly fn: ScalarName }
  /** Each result element is one operand element: `at` maps the result's position to the operand's. */
  | { readonly kind: 'view'; readonly at: (position: readonly Position[], x: Aval, attrs: AttrsOf<K>) => readonly Position[] }
  /** Computed from the position and a few loads; lower/expression.ts has a case for each. */
  | { readonly kind: 'indexed' }
  | { readonly kind: 'reduction'; readonly fn: ScalarName }
  | { readonly kind: 'argReduction'; readonly fn: 'max' | 'min' }
  | { readonly kind: 'contraction' }
  /** A nest or routine of its own. */
  | { readonly kind: 'library' }
  /** Stays outside kernels: an alias of its first operand, before which the second is computed. */
  | { readonly kind: 'barrier' }
  | { readonly kind: 'region' };

/** An array of the float64 reference: i64 values too are numbers here. */
export type Reference = { readonly dtype: DType; readonly shape: readonly number[]; readonly data: Float64Array };

/** Runs a region. Handed to the rules, because the evaluator stands above them. */
export type Evaluate = (region: Graph, inputs: readonly Reference[]) => readonly Reference[];

/** An example to run on every backend: avals of the operands, attributes, and the interval that data are drawn from (whole numbers for integers). */
export type Sample<K extends OpName> = {
  readonly inputs: readonly Aval[];
  readonly attrs: AttrsOf<K>;
  readonly range?: readonly [number, number];
  /** Data by operand where random data would be meaningless (indices). */
  readonly data?: readonly (readonly number[] | undefined)[];
  /** Built on demand: loading rules must cost nothing. */
  readonly regions?: () => readonly Graph[];
};

/** Operands that must be refused, and a piece of the message that says why. */
export type Refusal<K extends OpName> = {
  readonly inputs: readonly Aval[];
  readonly attrs: AttrsOf<K>;
  readonly regions?: () => readonly Graph[];
  readonly message: RegExp;
};

export type Rules<K extends OpName> = {
  readonly doc: string;
  readonly derivative: Derivative<K>;
  readonly batch: Batching<K>;
  readonly lower: Lowering<K>;
  /** Meaning in float64, by the definition and nothing clever. */
  readonly reference: (inputs: readonly Reference[], n: NodeOf<K>, evaluate: Evaluate) => readonly Reference[];
  readonly samples: readonly Sample<K>[];
  readonly refuses: readonly Refusal<K>[];
  /** Units in the last place of the result's dtype within which every backend must stay. */
  readonly ulp: number;
};
export type RulesFor<N extends OpName> = { readonly [K in N]: Rules<K> };
