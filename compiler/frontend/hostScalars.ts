// The numbers of an update (rates, bias corrections): computed on the host when a step is taken, and read by what the step records.
import type { DType } from '../../runtime/dtype.ts';
import { b } from '../ir/builder.ts';
import { shapeOf, type Value } from '../ir/node.ts';
import { hostAction, hostSlot } from './record.ts';

/** Each number as a 0-d slot, one for all its uses in a step: a number that changes changes no graph. */
export type Scalars<N> = { readonly [K in keyof N]: Value };

/**
 * Computes `numbers` now, and again at each replay of compiled code, at this point among the host's actions: what is assigned later in the
 * same step (a scheduler's new rate) is seen by the next step only. Gives slots of the dtype that is asked for.
 * `undo` takes back what `numbers` counted, if the step fails.
 */
export function hostScalars<N extends Readonly<Record<string, number>>>(numbers: () => N, undo?: () => void): (dtype: DType) => Scalars<N> {
  let current: N | undefined;
  hostAction(() => {
    current = numbers();
    return undo;
  });
  const made = new Map<DType, Scalars<N>>();
  return (dtype) => {
    const known = made.get(dtype);
    if (known !== undefined) return known;
    const slots = Object.fromEntries(Object.keys(current!).map((key) => [key, hostSlot(() => current![key]!, dtype)])) as Scalars<N>;
    made.set(dtype, slots);
    return slots;
  };
}

const spread = (s: Value, like: Value): Value => {
  const shape = shapeOf(like);
  return shape.length === 0 ? s : b.expand(s, { shape, at: shape.map((_, i) => i) });
};

/** x * s */
export const scaled = (x: Value, s: Value): Value => b.mul(x, spread(s, x));
/** x / s */
export const over = (x: Value, s: Value): Value => b.div(x, spread(s, x));
/** x + s */
export const shifted = (x: Value, s: Value): Value => b.add(x, spread(s, x));
/** x + s * y */
export const axpy = (x: Value, s: Value, y: Value): Value => b.add(x, scaled(y, s));
