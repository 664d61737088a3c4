// How a loss turns the losses of its elements into its result, and the way back.
import { b } from '../../ir/builder.ts';
import { fixed, numel } from '../../ir/dim.ts';
import { shapeOf, type Value } from '../../ir/node.ts';
import { allAxes, along, constant } from './shape.ts';

/** batchmean: the sum over the size of the first axis. */
export type Reduction = 'none' | 'mean' | 'sum' | 'batchmean';
export const reductions = ['none', 'mean', 'sum'] as const;

const divisorOf = (each: Value, reduction: Reduction): number | undefined =>
  reduction === 'mean' ? fixed(numel(shapeOf(each))) : reduction === 'batchmean' ? fixed(shapeOf(each)[0] ?? 1) : undefined;

const total = (x: Value): Value => (shapeOf(x).length === 0 ? x : b.sum(x, { axes: allAxes(x) }));

export function reduced(each: Value, reduction: Reduction): Value {
  if (reduction === 'none') return each;
  const divisor = divisorOf(each, reduction);
  const sum = total(each);
  return divisor === undefined ? sum : b.div(sum, constant(divisor, sum));
}

/** The mean weighted by `weights` (rows of no weight are 0 in both); 0/0 where nothing has weight. */
export function reducedByWeight(weighted: Value, weights: Value, reduction: Reduction): Value {
  return reduction === 'mean' ? b.div(total(weighted), total(weights)) : reduced(weighted, reduction);
}

/** Cotangent of each element's loss, in the shape of `each`, from that of the result. */
export function unreduced(ct: Value, each: Value, reduction: Reduction): Value {
  if (reduction === 'none') return ct;
  const divisor = divisorOf(each, reduction);
  return along(divisor === undefined ? ct : b.div(ct, constant(divisor, ct)), each, allAxes(each));
}

export function unreducedByWeight(ct: Value, weights: Value, reduction: Reduction): Value {
  return reduction === 'mean' ? along(b.div(ct, total(weights)), weights, allAxes(weights)) : unreduced(ct, weights, reduction);
}
