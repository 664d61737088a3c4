// Rows of rules for elementwise ops: given the derivative, the rest follows from the scalar function.
import { type ScalarFn, type ScalarName, scalar } from '../../kernels/scalar.ts';
import { type Aval, aval } from '../ir/aval.ts';
import { b, full } from '../ir/builder.ts';
import { avalOf, type Value } from '../ir/node.ts';
import type { AttrsOf } from '../ir/opset.ts';
import { scalarMeaning, tabulate } from './reference.ts';
import type { Derivative, In, Reference, Refusal, Rules, Sample } from './rules.ts';
import { takenBy } from './samples.ts';

/** What operand i contributes to the result's tangent, and by the same formula gets of its cotangent. Linear in `t`. */
type Share<K extends ScalarName> = (t: Value, x: In<K, Value>, y: Value) => Value;

/**
 * How a result follows its operands. `none`: a truth or an integer has no slope. `flat`: steps, whose gradient is 0 everywhere, as in PyTorch.
 * partials: dy/dx_i, which multiply the cotangent, so that 0 * inf is NaN as in PyTorch. shares: where the cotangent
 * is divided (once rounded, as PyTorch does it, not multiplied by a reciprocal), or masked, so that a masked place gives 0 whatever it was. linear: in all operands at once but those `fixed`.
 */
export type Slope<K extends ScalarName> =
  | 'none'
  | 'flat'
  | { readonly partials: (x: In<K, Value>, y: Value) => In<K, Value | null> }
  | { readonly shares: In<K, Share<K>> }
  | { readonly linear: (ct: Value, x: In<K, Value>) => In<K, Value | null>; readonly fixed?: readonly number[] };

/** Which data the op is tried with, and how close backends come to it. */
type Trial = { readonly range?: readonly [number, number]; readonly ulp?: number };

export const zeros = (like: Value): Value => full(0, avalOf(like));
export const constantLike = (value: number, like: Value): Value => full(value, avalOf(like));

/** The row of an elementwise op. Operations of the float unit round once; anything longer is given a few units. */
export function pointwise<K extends ScalarName>(name: K, doc: string, slope: Slope<K>, { range, ulp }: Trial = {}): Rules<K> {
  const fn: ScalarFn = scalar[name];
  return {
    doc,
    derivative: derivativeOf(slope),
    batch: { kind: 'pointwise' },
    lower: { kind: 'pointwise', fn: name },
    reference: (inputs, n) => [apply(name, inputs, n.outputs[0]!)],
    samples: samplesOf(fn, range) as readonly Sample<K>[],
    refuses: refusalsOf(fn) as readonly Refusal<K>[],
    ulp: ulp ?? (fn.dtype === 'float' ? 4 : 1),
  };
}

function derivativeOf<K extends ScalarName>(slope: Slope<K>): Derivative<K> {
  if (slope === 'none') return { kind: 'none' };
  if (slope === 'flat') return sharing([flatShare, flatShare, flatShare]);
  if ('partials' in slope) return { kind: 'pointwise', partials: slope.partials };
  if ('shares' in slope) return sharing(slope.shares as unknown as readonly AnyShare[]);
  const { linear, fixed } = slope;
  return { kind: 'linear', in: 'jointly', ...(fixed && { fixed }), transpose: (ct, n) => linear(ct, n.inputs) };
}

type AnyShare = (t: Value, x: readonly Value[], y: Value) => Value;
const flatShare: AnyShare = (t) => zeros(t);

/** Both directions from the shares: reverse gives each operand its own, forward adds them up. */
function sharing<K extends ScalarName>(shares: readonly AnyShare[]): Derivative<K> {
  const custom: Derivative<'add'> = {
    kind: 'custom',
    vjp: ([ct], n, wanted) =>
      n.inputs.map((_, i) => (ct && wanted[i] ? shares[i]!(ct, n.inputs, n.values[0]!) : null)) as unknown as In<'add', Value | null>,
    jvp: (tangents, n) => {
      const parts = tangents.map((t, i) => t && shares[i]!(t, n.inputs, n.values[0]!)).filter((part) => part !== null);
      return [parts.length === 0 ? null : parts.reduce((sum, part) => b.add(sum, part))];
    },
  };
  return custom as unknown as Derivative<K>;
}

/** The scalar function at each place, in the arithmetic of the operands' dtype (of the last one: select's first is its condition). */
function apply(name: ScalarName, inputs: readonly Reference[], result: Aval): Reference {
  const meaning = scalarMeaning(name, inputs.at(-1)!.dtype);
  return tabulate(result, (_, flat) => meaning(...inputs.map((x) => x.data[flat]!)));
}

type AnySample = Sample<'add'>;
const noAttrs = {} as AttrsOf<'add'>;
const shapes = [[2, 3], [], [0, 2], [1, 3]] as const;
const corners = [0, -0, 1, -1, 0.5, -2.5, 3, Infinity, -Infinity, Number.NaN];

/** Operands of `arity`, of which a select's first is its condition. */
const operands = (fn: ScalarFn, value: Aval): readonly Aval[] =>
  Array.from({ length: fn.arity }, (_, i) => (fn.dtype === 'select' && i === 0 ? aval('bool', value.shape) : value));

function samplesOf(fn: ScalarFn, range: readonly [number, number] | undefined): readonly AnySample[] {
  const drawn = takenBy[fn.dtype].flatMap((dtype) =>
    shapes.map((shape): AnySample => ({ inputs: operands(fn, aval(dtype, shape)), attrs: noAttrs, ...(range && { range }) })),
  );
  return takenBy[fn.dtype].includes('f64') ? [...drawn, ...per(['f32', 'f64'] as const, (dtype) => cornerSample(fn, dtype))] : drawn;
}

const per = <T, D>(list: readonly D[], of: (d: D) => T): T[] => list.map(of);

/** Each corner of float arithmetic, with each other one where there are two operands. */
function cornerSample(fn: ScalarFn, dtype: 'f32' | 'f64'): AnySample {
  const pairs = corners.flatMap((x) => corners.map((y) => [x, y] as const));
  const xs = pairs.map(([x]) => x);
  const ys = pairs.map(([, y]) => y);
  const data = fn.dtype === 'select' ? [xs.map((x) => (x === 0 ? 0 : 1)), xs, ys] : fn.arity === 1 ? [corners] : [xs, ys];
  return { inputs: operands(fn, aval(dtype, [data[0]!.length])), attrs: noAttrs, data };
}

/** Too few operands, a dtype that the rule excludes, and operands that differ. */
function refusalsOf(fn: ScalarFn): readonly Refusal<'add'>[] {
  const taken = takenBy[fn.dtype];
  const excluded = (['bool', 'f32'] as const).find((dtype) => !taken.includes(dtype));
  const value = aval(taken[0]!, [2]);
  const refusals: Refusal<'add'>[] = [{ inputs: [], attrs: noAttrs, message: new RegExp(`takes ${fn.arity} operands, got 0`) }];
  if (excluded !== undefined) refusals.push({ inputs: operands(fn, aval(excluded, [2])), attrs: noAttrs, message: /does not take/ });
  if (fn.arity > 1)
    refusals.push({
      inputs: [...operands(fn, value).slice(0, -1), aval(value.dtype, [3])],
      attrs: noAttrs,
      message: /one dtype and shape/,
    });
  if (fn.dtype === 'compare')
    refusals.push({ inputs: [aval('f32', [2]), aval('i32', [2])], attrs: noAttrs, message: /one dtype and shape/ });
  if (fn.dtype === 'select') refusals.push({ inputs: [value, value, value], attrs: noAttrs, message: /does not take/ });
  return refusals;
}
