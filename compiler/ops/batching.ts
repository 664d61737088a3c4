// The leading axis that batching adds: bringing operands to it, and moving axes behind it.

import { b } from '../ir/builder.ts';
import type { Dim, Shape } from '../ir/dim.ts';
import { type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import type { OpName } from '../ir/opset.ts';

/** The operand with the batch axis in front, repeated along it where it has none. */
export const inFront = (v: Value, isBatched: boolean, size: number): Value =>
  isBatched ? v : b.expand(v, { shape: [size, ...shapeOf(v)], at: [0] });

/** All operands with the batch axis in front. */
export const allInFront = (vs: readonly Value[], isBatched: readonly boolean[], size: number): readonly Value[] =>
  vs.map((v, i) => inFront(v, isBatched[i]!, size));

/** The rule of an op with one operand, which is then batched: `rule` builds the op behind the batch axis. */
export const batchedBy = <K extends OpName>(rule: (x: Value, n: NodeOf<K>) => Value) =>
  ({
    kind: 'custom',
    rule: ([x]: readonly Value[], _: readonly boolean[], __: number, n: NodeOf<K>): readonly Value[] => [rule(x!, n)],
  }) as const;

/** An axis, or axes, counted behind the batch axis. */
export const behind = (axis: number): number => axis + 1;
export const allBehind = (axes: readonly number[]): readonly number[] => axes.map(behind);

/** Axis `from` moved to position `to`, the others in their order. */
export function moveAxis(v: Value, from: number, to: number): Value {
  if (from === to) return v;
  const order = shapeOf(v).map((_, i) => i);
  order.splice(from, 1);
  order.splice(to, 0, from);
  return b.permute(v, { order });
}

/** Neighbouring axes `axis` and `axis + 1` as one. */
export function mergeAxes(v: Value, axis: number, product: Dim): Value {
  const shape = shapeOf(v);
  return b.reshape(v, { shape: [...shape.slice(0, axis), product, ...shape.slice(axis + 2)] });
}

/** One axis as two neighbours. */
export function splitAxis(v: Value, axis: number, parts: Shape): Value {
  const shape = shapeOf(v);
  return b.reshape(v, { shape: [...shape.slice(0, axis), ...parts, ...shape.slice(axis + 1)] });
}
