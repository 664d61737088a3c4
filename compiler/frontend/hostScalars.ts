// The numbers of an update (rates, bias corrections): computed on the host when a step is taken, and read by what the step records.
import type { DType } from '../../runtime/dtype.ts';
import { evaluateHost, type HostExpr } from '../../runtime/host.ts';
import { b } from '../ir/builder.ts';
import { shapeOf, type Value } from '../ir/node.ts';
import type { HostCounter } from './call.ts';
import { advanced, hostAction, hostSlot } from './record.ts';

/** Each number as a 0-d slot, one for all its uses in a step: a number that changes changes no graph. */
export type Scalars<K extends string> = { readonly [N in K]: Value };

/** A counter that an update advances. */
export type Steps = HostCounter & { readonly advance: () => void; readonly retreat: () => void };
/** A number of an update: an expression over its count of steps, where it depends on that. */
export type Expr = HostExpr<HostCounter>;

/**
 * Advances `counter` and computes `numbers` of its value now, and again at each replay of compiled code, at this point among the host's
 * actions: what is assigned later in the same step (a scheduler's new rate) is seen by the next step only. Gives slots of the dtype that is
 * asked for.
 */
export function hostScalars<K extends string>(
  counter: Steps,
  numbers: (count: Expr) => { readonly [N in K]: Expr },
): (dtype: DType) => Scalars<K> {
  let current: Record<K, number>;
  hostAction(() => {
    counter.advance();
    const exprs = numbers(counter.value());
    current = {} as Record<K, number>;
    for (const key of Object.keys(exprs) as K[]) current[key] = evaluateHost(exprs[key], (c) => c.value());
    return counter.retreat;
  }, true);
  const exprs = numbers(advanced(counter));
  const made = new Map<DType, Scalars<K>>();
  return (dtype) => {
    const known = made.get(dtype);
    if (known !== undefined) return known;
    const slots = {} as { [N in K]: Value };
    for (const key of Object.keys(exprs) as K[]) slots[key] = hostSlot(() => current[key], dtype, exprs[key]);
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
