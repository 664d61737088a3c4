// Where pad and concat take an element from: conditions on coordinates, without the bounds that the extents of the loops already decide.
import type { Condition, Expr, Position } from '../../kernels/loop.ts';
import { add, boundsOf, constant, div, isWithin, mod, sub, zero } from '../../kernels/position.ts';
import { mostOf, plus, times } from '../../kernels/size.ts';
import { type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { extentOf } from '../ops/extent.ts';
import type { Nest } from './nest.ts';

/** The empty conjunction. Conditions compare by identity, so this object stands for every condition that always holds. */
export const always: Condition = [];
const never: Condition = [{ at: constant(-1), below: 1 }];

export const choose = (when: Condition, then: Expr, otherwise: Expr): Expr =>
  when === always ? then : { kind: 'choose', dtype: then.dtype, when, then, else: otherwise };

const conjunctions = new WeakMap<Condition, WeakMap<Condition, Condition>>();

/** Both conditions; the same object for the same two, so that what is wanted under it is found again. */
export function both(a: Condition, b: Condition): Condition {
  if (b === always) return a;
  if (a === always) return b;
  const withA = conjunctions.get(a) ?? new WeakMap<Condition, Condition>();
  conjunctions.set(a, withA);
  const known = withA.get(b);
  if (known !== undefined) return known;
  const made = [...a, ...b];
  withA.set(b, made);
  return made;
}

/** The condition without the bounds that always hold; `never` where one cannot hold. */
export function decided(nest: Nest, condition: Condition): Condition {
  const open: Condition[number][] = [];
  for (const bound of condition) {
    const { low, high } = boundsOf(bound.at, nest.extents);
    const { below } = bound;
    const least = typeof below === 'number' ? below : (below.least ?? 0);
    if (high < 0 || low >= mostOf(below)) return never;
    if (low < 0 || (high >= least && !isWithin(bound.at, below, nest.extents))) open.push(bound);
  }
  return open.length === 0 ? always : open;
}

/** Whether a coordinate of the padded value lies on an element of the operand. */
export function padInside(nest: Nest, { inputs, attrs }: NodeOf<'pad'>, at: readonly Position[]): Condition {
  const condition = at.flatMap((position, d): Condition => {
    const step = attrs.interior[d]! + 1;
    const extent = extentOf(shapeOf(inputs[0])[d]!, nest.sizes);
    const from = sub(position, constant(attrs.low[d]!));
    if (step === 1) return [{ at: from, below: extent }];
    return [
      { at: from, below: extent === 0 ? 0 : plus(times(plus(extent, -1), step), 1) },
      { at: mod(from, step), below: 1 },
    ];
  });
  return decided(nest, condition);
}

/** The operand's coordinate under a coordinate of the padded value. */
export const padPlace = ({ attrs }: NodeOf<'pad'>, at: readonly Position[]): readonly Position[] =>
  at.map((position, d) => div(sub(position, constant(attrs.low[d]!)), attrs.interior[d]! + 1));

export type Part = { readonly value: Value; readonly at: readonly Position[]; readonly when: Condition };

/** The operands that can hold a coordinate of the concatenation. Exactly one condition holds. */
export function concatParts(nest: Nest, { inputs, attrs: { axis } }: NodeOf<'concat'>, at: readonly Position[]): readonly Part[] {
  const parts: Part[] = [];
  let start = zero;
  for (const value of inputs) {
    const below = extentOf(shapeOf(value)[axis]!, nest.sizes);
    const from = start;
    const shifted = at.map((position, d) => (d === axis ? sub(position, from) : position));
    const when = decided(nest, [{ at: shifted[axis]!, below }]);
    if (when !== never) parts.push({ value, at: shifted, when });
    start = add(start, constant(below));
  }
  return parts;
}
