// Reductions of views. The order of a reduction is not part of its meaning, but no rule changes which roundings take place.
import { isInteger } from '../../../runtime/dtype.ts';
import { b, build } from '../../ir/builder.ts';
import { numel, type Shape } from '../../ir/dim.ts';
import { literalBigInt, literalNumber, literalOf } from '../../ir/literal.ts';
import { type Node, shapeOf, type Value } from '../../ir/node.ts';
import { literalIn } from '../pattern.ts';
import { type Rule, ruleOn } from '../rewrite.ts';
import { axisGroups } from './axes.ts';
import { splatTo } from './splat.ts';

const foldable = ['sum', 'prod', 'amax', 'amin'] as const;
const extrema = ['amax', 'amin'] as const;

/** Where an axis of the reduced shape lay before: the axes that remain, in order. */
const remaining = (shape: Shape, axes: readonly number[]): number[] => shape.map((_, i) => i).filter((i) => !axes.includes(i));
const isAscending = (axes: readonly number[]): boolean => axes.every((axis, i) => i === 0 || axis > axes[i - 1]!);
const ascending = (axes: readonly number[]): number[] => [...axes].sort((i, j) => i - j);

/** Whether partial results may be combined in any grouping: nothing rounds. */
const isAssociative = (node: Node): boolean => node.op === 'amax' || node.op === 'amin' || isInteger(node.outputs[0]!.dtype);

export const reductions: readonly Rule[] = [
  ruleOn('axes of a reduction ascend', foldable, ({ op, inputs: [v], attrs: { axes } }) =>
    isAscending(axes) ? undefined : build(op, [v], { axes: ascending(axes) }).values[0],
  ),
  ruleOn('a reduction over axes of size 1 is a reshape', foldable, ({ inputs: [v], attrs: { axes } }, { shape }) =>
    axes.every((axis) => shapeOf(v)[axis] === 1) ? b.reshape(v, { shape }) : undefined,
  ),
  ruleOn('a reduction of the same reduction is one where nothing rounds', foldable, (node) => {
    const [v] = node.inputs;
    if (v.node.op !== node.op || !isAssociative(node)) return undefined;
    const inner = (v.node.attrs as { readonly axes: readonly number[] }).axes;
    const kept = remaining(shapeOf(v.node.inputs[0]), inner);
    return build(node.op, v.node.inputs, { axes: ascending([...inner, ...node.attrs.axes.map((axis) => kept[axis]!)]) }).values[0];
  }),
  ruleOn('an extremum of copies is the extremum of the original', extrema, ({ op, inputs: [v], attrs: { axes } }, { shape }) => {
    if (v.node.op !== 'expand' || !axes.some((axis) => isInserted(v, axis))) return undefined;
    const kept = remaining(shapeOf(v), v.node.attrs.at);
    const inner = axes.filter((axis) => !isInserted(v, axis)).map((axis) => kept.indexOf(axis));
    const reduced = inner.length === 0 ? v.node.inputs[0] : build(op, [v.node.inputs[0]], { axes: inner }).values[0]!;
    return expandedBack(reduced, v, axes, shape);
  }),
  ruleOn(
    'a reduction of an expand over other axes is an expand of the reduction',
    foldable,
    ({ op, inputs: [v], attrs: { axes } }, { shape }) => {
      if (v.node.op !== 'expand' || axes.some((axis) => isInserted(v, axis)) || axes.length === 0) return undefined;
      const kept = remaining(shapeOf(v), v.node.attrs.at);
      return expandedBack(build(op, [v.node.inputs[0]], { axes: axes.map((axis) => kept.indexOf(axis)) }).values[0]!, v, axes, shape);
    },
  ),
  ruleOn('a sum of copies of a number is a multiple', ['sum'], ({ inputs: [v], attrs: { axes } }, { dtype, shape }) => {
    const literal = literalIn(v)?.attrs.value;
    const count = numel(axes.map((axis) => shapeOf(v)[axis]!));
    if (literal === undefined || typeof count !== 'number' || shapeOf(v).length === 0) return undefined;
    if (isInteger(dtype)) return splatTo(b.literal({ value: literalOf(literalBigInt(literal) * BigInt(count), dtype) }), shape);
    // Every partial sum is a multiple of the number by at most `count`: exact if the greatest has few enough bits.
    const value = literalNumber(literal);
    return Object.is(value, -0) || !fits(value, count, dtype)
      ? undefined
      : splatTo(b.literal({ value: literalOf(value * count, dtype) }), shape);
  }),
  // Where the reshape has other users, they and the reduction iterate alike, and become one kernel; so it stays.
  ruleOn(
    'a reduction of a reshape is a reshape of the reduction',
    foldable,
    ({ op, inputs: [v], attrs: { axes } }, { shape }, { isOnce }) => {
      if (v.node.op !== 'reshape' || !isOnce(v)) return undefined;
      const [inner] = v.node.inputs;
      const over: number[] = [];
      for (const { from, to } of axisGroups(shapeOf(inner), shapeOf(v)) ?? []) {
        const reduced = to.filter((axis) => axes.includes(axis)).length;
        if (reduced > 0 && reduced < to.length) return undefined;
        if (reduced > 0) over.push(...from);
      }
      return over.length === 0 ? undefined : b.reshape(build(op, [inner], { axes: over }).values[0]!, { shape });
    },
  ),
  ruleOn('a reduction of a permute is a permute of the reduction', foldable, (node) => {
    const [v] = node.inputs;
    if (v.node.op !== 'permute') return undefined;
    const { order } = v.node.attrs;
    const over = node.attrs.axes.map((axis) => order[axis]!);
    if (over.length === 0 || !(isAscending(over) || isAssociative(node))) return undefined;
    const kept = order.filter((axis) => !over.includes(axis));
    const places = ascending(kept);
    return b.permute(build(node.op, v.node.inputs, { axes: ascending(over) }).values[0]!, {
      order: kept.map((axis) => places.indexOf(axis)),
    });
  }),
];

const isInserted = (v: Value, axis: number): boolean => v.node.op === 'expand' && v.node.attrs.at.includes(axis);

/** Expands what was reduced below an expand to the axes that the expand inserted and that remain. */
function expandedBack(reduced: Value, expand: Value, axes: readonly number[], shape: Shape): Value {
  const at = remaining(shapeOf(expand), axes).flatMap((axis, i) => (isInserted(expand, axis) ? [i] : []));
  return at.length === 0 ? reduced : b.expand(reduced, { shape, at });
}

const significand: Readonly<Record<string, number>> = { f16: 11, f32: 24, f64: 53 };

/** Whether all multiples of `value` up to `count` are exact. */
function fits(value: number, count: number, dtype: string): boolean {
  if (!Number.isFinite(value)) return false;
  let odd = Math.abs(value);
  if (odd === 0) return true;
  while (!Number.isInteger(odd)) odd *= 2;
  while (odd % 2 === 0) odd /= 2;
  return (
    odd * count <= 2 ** significand[dtype]! &&
    Math.abs(value) * count < 2 ** (dtype === 'f16' ? 15 : 127) &&
    Math.abs(value) > 2 ** (dtype === 'f16' ? -14 : -100)
  );
}
