// Merging of views. Permutes and reshapes move towards inputs through expands, where they are free, and meet; no rule adds a node that is not a view.

import { scalarNames } from '../../../kernels/scalar.ts';
import { b, build } from '../../ir/builder.ts';
import { fixed, isStatic, sameShape } from '../../ir/dim.ts';
import { shapeOf, type Value } from '../../ir/node.ts';
import { isScalarName, type OpName } from '../../ir/opset.ts';
import { bind, ignore, p, splatOf, value } from '../pattern.ts';
import { type Rule, rule, ruleOn } from '../rewrite.ts';
import { axisGroups } from './axes.ts';
import { splatTo } from './splat.ts';

const x = value('x');
/** Ops that keep every element in its place. */
const pointwise: readonly OpName[] = [...scalarNames, 'cast', 'bitcast'];

const isIdentity = (order: readonly number[]): boolean => order.every((axis, i) => axis === i);
const none = (widths: readonly number[]): boolean => widths.every((w) => w === 0);

export const views: readonly Rule[] = [
  rule('a reshape of a reshape is one', p.reshape(p.reshape(x, { shape: ignore }), { shape: bind('shape') }), ({ x, shape }) =>
    b.reshape(x, { shape }),
  ),
  rule('a reshape to the same shape is none', p.reshape(x, { shape: bind('shape') }), ({ x, shape }) =>
    sameShape(shapeOf(x), shape) ? x : undefined,
  ),
  rule('a permute in place is none', p.permute(x, { order: bind('order') }), ({ x, order }) => (isIdentity(order) ? x : undefined)),
  rule(
    'a permute of a permute is one',
    p.permute(p.permute(x, { order: bind('inner') }), { order: bind('outer') }),
    ({ x, inner, outer }) => b.permute(x, { order: outer.map((axis) => inner[axis]!) }),
  ),
  rule('a permute that moves only axes of size 1 is a reshape', p.permute(x, { order: bind('order') }), ({ x, order }, { shape }) => {
    const moved = order.filter((axis) => shapeOf(x)[axis] !== 1);
    return moved.every((axis, i) => i === 0 || axis > moved[i - 1]!) ? b.reshape(x, { shape }) : undefined;
  }),
  rule('an expand of no axes is none', p.expand(x, { shape: ignore, at: bind('at') }), ({ x, at }) => (at.length === 0 ? x : undefined)),
  rule(
    'an expand of an expand is one',
    p.expand(p.expand(x, { shape: ignore, at: bind('inner') }), { shape: bind('shape'), at: bind('outer') }),
    ({ x, inner, shape, outer }) => {
      const kept = shape.map((_, i) => i).filter((i) => !outer.includes(i));
      return b.expand(x, { shape, at: [...outer, ...inner.map((i) => kept[i]!)].sort((i, j) => i - j) });
    },
  ),
  rule('an expand by axes of size 1 is a reshape', p.expand(x, { shape: bind('shape'), at: bind('at') }), ({ x, shape, at }) =>
    at.length > 0 && at.every((axis) => shape[axis] === 1) ? b.reshape(x, { shape }) : undefined,
  ),
  ruleOn('a view of a splat is a splat', ['reshape', 'permute', 'slice', 'flip'], (node) => {
    const scalar = shapeOf(node.inputs[0]).length === 0 ? undefined : splatOf(node.inputs[0]);
    return scalar === undefined ? undefined : splatTo(scalar, node.outputs[0]!.shape);
  }),
  ruleOn('a reshape of an expand is an expand of a reshape', ['reshape'], ({ inputs: [v], attrs: { shape } }) => {
    if (v.node.op !== 'expand') return undefined;
    const inserted = v.node.attrs.at;
    const at: number[] = [];
    for (const { from, to } of axisGroups(shapeOf(v), shape) ?? [{ from: [-1, ...inserted], to: [] }]) {
      const expanded = from.filter((axis) => inserted.includes(axis)).length;
      if (expanded > 0 && expanded < from.length) return undefined;
      if (expanded > 0) at.push(...to);
    }
    const inner = b.reshape(v.node.inputs[0], { shape: shape.filter((_, i) => !at.includes(i)) });
    return at.length === 0 ? inner : b.expand(inner, { shape, at });
  }),
  rule(
    'a permute of an expand is an expand of a permute',
    p.permute(p.expand(x, { shape: bind('shape'), at: bind('at') }), { order: bind('order') }),
    ({ x, shape, at, order }) => {
      const axisOf = new Map(
        shape
          .map((_, i) => i)
          .filter((i) => !at.includes(i))
          .map((i, axis) => [i, axis] as const),
      );
      const inner = b.permute(x, { order: order.filter((axis) => !at.includes(axis)).map((axis) => axisOf.get(axis)!) });
      return b.expand(inner, { shape: order.map((i) => shape[i]!), at: order.flatMap((axis, i) => (at.includes(axis) ? [i] : [])) });
    },
  ),
  rule('a flip of no axes is none', p.flip(x, { axes: bind('axes') }), ({ x, axes }) => (axes.length === 0 ? x : undefined)),
  rule('a flip of a flip is one', p.flip(p.flip(x, { axes: bind('inner') }), { axes: bind('outer') }), ({ x, inner, outer }) =>
    b.flip(x, { axes: [...inner.filter((a) => !outer.includes(a)), ...outer.filter((a) => !inner.includes(a))].sort((i, j) => i - j) }),
  ),
  ...slices(),
  ...joins(),
  ...sinking(),
];

function slices(): readonly Rule[] {
  return [
    rule(
      'a slice of everything is none',
      p.slice(x, { start: bind('start'), stop: bind('stop'), step: bind('step') }),
      ({ x, start, stop, step }) => (none(start) && step.every((s) => s === 1) && sameShape(stop, shapeOf(x)) ? x : undefined),
    ),
    ruleOn('a slice of a slice is one', ['slice'], ({ inputs: [v], attrs }, { shape }) => {
      if (v.node.op !== 'slice' || !isStatic(shape) || !isStatic(shapeOf(v.node.inputs[0]))) return undefined;
      const [inner] = v.node.inputs;
      const outer = v.node.attrs;
      const start = attrs.start.map((s, i) => Math.min(fixed(shapeOf(inner)[i]!), outer.start[i]! + s * outer.step[i]!));
      const step = attrs.step.map((s, i) => s * outer.step[i]!);
      const stop = start.map((s, i) => (shape[i] === 0 ? s : s + (shape[i]! - 1) * step[i]! + 1));
      return b.slice(inner, { start, stop, step });
    }),
    ruleOn('a slice of a pad that keeps what was padded undoes it', ['slice'], ({ inputs: [v], attrs: { start, step } }, { shape }) => {
      if (v.node.op !== 'pad') return undefined;
      const [inner] = v.node.inputs;
      const { low, interior } = v.node.attrs;
      const undone = sameShape(shape, shapeOf(inner)) && start.every((s, i) => s === low[i] && step[i] === interior[i]! + 1);
      return undone ? inner : undefined;
    }),
    ruleOn('a slice within one operand of a concat is a slice of it', ['slice'], ({ inputs: [v], attrs: { start, stop, step } }) => {
      if (v.node.op !== 'concat') return undefined;
      const { axis } = v.node.attrs;
      let before = 0;
      for (const operand of v.node.inputs) {
        const size = shapeOf(operand)[axis];
        const end = stop[axis];
        if (typeof size !== 'number' || typeof end !== 'number') return undefined;
        if (start[axis]! >= before && end <= before + size)
          return b.slice(operand, {
            start: start.map((s, i) => (i === axis ? s - before : s)),
            stop: stop.map((s, i) => (i === axis ? end - before : s)),
            step,
          });
        before += size;
      }
      return undefined;
    }),
  ];
}

function joins(): readonly Rule[] {
  return [
    rule(
      'a pad by nothing is none',
      p.pad(x, value('fill'), { low: bind('low'), high: bind('high'), interior: bind('interior') }),
      ({ x, low, high, interior }) => (none(low) && none(high) && none(interior) ? x : undefined),
    ),
    rule(
      'a pad of a pad with the same fill is one',
      p.pad(p.pad(x, value('fill'), { low: bind('low'), high: bind('high'), interior: bind('gap') }), value('fill'), {
        low: bind('low2'),
        high: bind('high2'),
        interior: bind('gap2'),
      }),
      ({ x, fill, low, high, gap, low2, high2, gap2 }) =>
        none(gap) && none(gap2)
          ? b.pad(x, fill, { low: low.map((w, i) => w + low2[i]!), high: high.map((w, i) => w + high2[i]!), interior: gap })
          : undefined,
    ),
    ruleOn('a concat of one is none', ['concat'], ({ inputs }) => (inputs.length === 1 ? inputs[0] : undefined)),
    ruleOn('a concat within a concat is one', ['concat'], ({ inputs, attrs: { axis } }) => {
      const isInner = (v: Value): boolean => v.node.op === 'concat' && v.node.attrs.axis === axis;
      return inputs.some(isInner)
        ? b.concat(
            inputs.flatMap((v) => (isInner(v) ? v.node.inputs : [v])),
            { axis },
          )
        : undefined;
    }),
  ];
}

/** Whether a value is nothing but a view of an input or a number. */
function isAtHand(v: Value): boolean {
  let { node } = v;
  while (node.op === 'reshape' || node.op === 'permute' || node.op === 'expand' || node.op === 'slice' || node.op === 'flip')
    node = node.inputs[0].node;
  return node.op === 'input' || node.op === 'slot' || node.op === 'literal';
}

/**
 * Reshapes of computed values move towards outputs, so that what is computed stays aligned with what it is computed from.
 * Numbers and views of inputs are reshaped instead, at no cost. The measure: pointwise nodes below a reshape of something computed.
 */
function sinking(): readonly Rule[] {
  const isMoving = (v: Value): boolean => v.node.op === 'reshape' && !isAtHand(v);
  return [
    ruleOn('a reshape moves below what is computed elementwise', pointwise, (node) => {
      if (!isScalarName(node.op) && node.op !== 'cast' && node.op !== 'bitcast') return undefined;
      const moving = node.inputs.find(isMoving);
      if (moving === undefined) return undefined;
      const shape = shapeOf(moving.node.inputs[0]!);
      const inner: Value[] = [];
      for (const v of node.inputs) {
        const scalar = splatOf(v);
        if (isMoving(v) && sameShape(shapeOf(v.node.inputs[0]!), shape)) inner.push(v.node.inputs[0]!);
        else if (scalar !== undefined) inner.push(splatTo(scalar, shape));
        else if (isAtHand(v)) inner.push(b.reshape(v, { shape }));
        else return undefined;
      }
      return b.reshape(build(node.op, inner, node.attrs).values[0]!, { shape: node.outputs[0]!.shape });
    }),
  ];
}
