// The rules of ops that move elements and compute nothing.

import type { Position } from '../../kernels/loop.ts';
import { add, constant, div, mod, mul } from '../../kernels/position.ts';
import { aval } from '../ir/aval.ts';
import { b, full, lit } from '../ir/builder.ts';
import { type Dim, dimAdd, dimMul, dimSub, fixed, numel, type Shape } from '../ir/dim.ts';
import { avalOf, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { allBehind, allInFront, behind } from './batching.ts';
import { extentOf } from './extent.ts';
import { at, flatten, type Index, replaced, tabulate } from './reference.ts';
import type { RulesFor } from './rules.ts';
import { all, bool, f32, f64, i32 } from './samples.ts';

type MovementName = 'reshape' | 'permute' | 'expand' | 'pad' | 'slice' | 'flip' | 'concat';

const inverse = (order: readonly number[]): readonly number[] => order.map((_, i) => order.indexOf(i));
const without = <T>(list: readonly T[], axes: readonly number[]): readonly T[] => list.filter((_, i) => !axes.includes(i));
const zerosLike = (v: Value): Value => full(0, avalOf(v));

/** Tells which of two products has to grow to become the other: their names stand for the same numbers, whatever these are. */
const whenLarge = (d: Dim): number =>
  typeof d === 'number' ? d : d.terms.reduce((n, t) => n + t.coefficient * 65537 ** t.names.length, 0);

/**
 * Positions of a reshape's operand. Axes are taken in the smallest groups of equal size, so that an axis which was neither
 * split nor merged keeps its position, and only the others cost a division.
 */
function reshapedPosition(position: readonly Position[], from: Shape, to: Shape): readonly Position[] {
  const result: Position[] = from.map(() => constant(0));
  if (from.includes(0)) return result; // no place has a position
  const sources = from.map((_, i) => i).filter((i) => from[i] !== 1);
  const targets = to.map((_, i) => i).filter((i) => to[i] !== 1);
  let [s, t] = [0, 0];
  while (s < sources.length && t < targets.length) {
    if (from[sources[s]!] === to[targets[t]!]) {
      result[sources[s++]!] = position[targets[t++]!]!;
      continue;
    }
    let [sizeFrom, sizeTo] = [from[sources[s]!]!, to[targets[t]!]!];
    const [firstSource, firstTarget] = [s++, t++];
    while (sizeFrom !== sizeTo) {
      if (whenLarge(sizeFrom) < whenLarge(sizeTo)) sizeFrom = dimMul(sizeFrom, from[sources[s++]!]!);
      else sizeTo = dimMul(sizeTo, to[targets[t++]!]!);
    }
    const line = targets.slice(firstTarget, t).reduce<Position>((sum, i) => add(mul(sum, extentOf(to[i]!)), position[i]!), constant(0));
    for (let i = firstSource; i < s; i++) {
      const stride = numel(sources.slice(i + 1, s).map((source) => from[source]!));
      const steps = div(line, extentOf(stride));
      result[sources[i]!] = i === firstSource ? steps : mod(steps, extentOf(from[sources[i]!]!));
    }
  }
  return result;
}

/** Where the elements of a pad's operand lie in its result. */
function placed(x: Shape, { low, interior }: NodeOf<'pad'>['attrs']): NodeOf<'slice'>['attrs'] {
  const inner = x.map((d, i) => (interior[i] === 0 || d === 0 ? d : dimAdd(dimMul(d, interior[i]! + 1), -interior[i]!)));
  return { start: low, stop: inner.map((d, i) => dimAdd(d, low[i]!)), step: interior.map((gap) => gap + 1) };
}

/** The place of the operand that lies at `index` of the padded result, or none. */
function unpadded(index: Index, shape: Shape, { low, interior }: NodeOf<'pad'>['attrs']): Index | undefined {
  const source = index.map((i, axis) => (i - low[axis]!) / (interior[axis]! + 1));
  return source.every((i, axis) => Number.isInteger(i) && i >= 0 && i < fixed(shape[axis]!)) ? source : undefined;
}

/** `ct` of a slice, back in its place among zeros. */
function unsliced(ct: Value, x: Shape, { start, step }: NodeOf<'slice'>['attrs']): Value {
  const count = shapeOf(ct);
  const covered = count.map((n, i) => (n === 0 ? 0 : dimAdd(dimMul(dimSub(n, 1), step[i]!), 1)));
  const high = x.map((d, i) => fixed(dimSub(d, dimAdd(covered[i]!, start[i]!))));
  return b.pad(ct, lit(0, avalOf(ct).dtype), { low: start, high, interior: step.map((s) => s - 1) });
}

/** True where a padded result is filling. */
function filling(x: Value, attrs: NodeOf<'pad'>['attrs']): Value {
  return b.pad(full(false, aval('bool', shapeOf(x))), lit(true, 'bool'), attrs);
}

/** The slice of `axis` that operand `k` of a concat takes in its result. */
function sliceOf(ct: Value, n: NodeOf<'concat'>, k: number): Value {
  const { axis } = n.attrs;
  const extent = (v: Value) => shapeOf(v)[axis]!;
  const start = n.inputs.slice(0, k).reduce((sum, v) => sum + fixed(extent(v)), 0);
  const shape = shapeOf(ct);
  return b.slice(ct, {
    start: replaced(
      shape.map(() => 0),
      axis,
      start,
    ),
    stop: shape.map((d, i) => (i === axis ? dimAdd(extent(n.inputs[k]!), start) : d)),
    step: shape.map(() => 1),
  });
}

export const movementRules = {
  reshape: {
    doc: 'The same elements in row-major order under another shape.',
    derivative: { kind: 'linear', in: 'jointly', transpose: (ct, { inputs: [x] }) => [b.reshape(ct, { shape: shapeOf(x) })] },
    batch: { kind: 'custom', rule: ([x], _, size, n) => [b.reshape(x!, { shape: [size, ...n.attrs.shape] })] },
    lower: { kind: 'view', at: (position, x, { shape }) => reshapedPosition(position, x.shape, shape) },
    reference: ([x], n) => [tabulate(n.outputs[0]!, (_, flat) => x!.data[flat]!)],
    samples: [
      ...all.map((dtype) => ({ inputs: [{ dtype, shape: [2, 6] }], attrs: { shape: [3, 4] } })),
      { inputs: [f64(2, 3, 4)], attrs: { shape: [6, 1, 4] } },
      { inputs: [f64(4, 1, 6)], attrs: { shape: [2, 2, 2, 3] } },
      { inputs: [f32(2, 15, 2)], attrs: { shape: [6, 10] } },
      { inputs: [f64()], attrs: { shape: [1, 1] } },
      { inputs: [f64(1)], attrs: { shape: [] } },
      { inputs: [f64(0, 3)], attrs: { shape: [3, 5, 0] } },
    ],
    refuses: [
      { inputs: [f32(2, 3)], attrs: { shape: [4] }, message: /f32\[2,3\] does not reshape to \[4\]/ },
      { inputs: [f32(2, 3)], attrs: { shape: [-2, -3] }, message: /no natural number/ },
    ],
    ulp: 0,
  },
  permute: {
    doc: 'Axes in another order: axis i of the result is axis order[i] of the operand.',
    derivative: { kind: 'linear', in: 'jointly', transpose: (ct, { attrs }) => [b.permute(ct, { order: inverse(attrs.order) })] },
    batch: { kind: 'custom', rule: ([x], _, __, n) => [b.permute(x!, { order: [0, ...allBehind(n.attrs.order)] })] },
    lower: { kind: 'view', at: (position, _, { order }) => inverse(order).map((i) => position[i]!) },
    reference: ([x], n) => [
      tabulate(n.outputs[0]!, (index) =>
        at(
          x!,
          inverse(n.attrs.order).map((i) => index[i]!),
        ),
      ),
    ],
    samples: [
      ...all.map((dtype) => ({ inputs: [{ dtype, shape: [2, 3] }], attrs: { order: [1, 0] } })),
      { inputs: [f64(2, 3, 4)], attrs: { order: [2, 0, 1] } },
      { inputs: [f64(1, 3, 0)], attrs: { order: [2, 1, 0] } },
      { inputs: [f64()], attrs: { order: [] } },
    ],
    refuses: [
      { inputs: [f32(2, 3)], attrs: { order: [0] }, message: /one entry for each axis/ },
      { inputs: [f32(2, 3)], attrs: { order: [0, 0] }, message: /axes \[0,0\] do not fit/ },
    ],
    ulp: 0,
  },
  expand: {
    doc: 'New axes `at`, along which the operand repeats.',
    derivative: { kind: 'linear', in: 'jointly', transpose: (ct, { attrs }) => [b.sum(ct, { axes: attrs.at })] },
    batch: { kind: 'custom', rule: ([x], _, size, n) => [b.expand(x!, { shape: [size, ...n.attrs.shape], at: allBehind(n.attrs.at) })] },
    lower: { kind: 'view', at: (position, _, { at: axes }) => without(position, axes) },
    reference: ([x], n) => [tabulate(n.outputs[0]!, (index) => at(x!, without(index, n.attrs.at)))],
    samples: [
      ...all.map((dtype) => ({ inputs: [{ dtype, shape: [3] }], attrs: { shape: [2, 3], at: [0] } })),
      { inputs: [f64(2, 3)], attrs: { shape: [4, 2, 1, 3, 5], at: [0, 2, 4] } },
      { inputs: [f64()], attrs: { shape: [2, 2], at: [1, 0] } },
      { inputs: [f64()], attrs: { shape: [], at: [] } },
      { inputs: [f64(2)], attrs: { shape: [0, 2], at: [0] } },
      { inputs: [f64(0)], attrs: { shape: [0, 2], at: [1] } },
    ],
    refuses: [
      { inputs: [f32(2)], attrs: { shape: [2, 3], at: [0] }, message: /f32\[2\] does not expand to \[2,3\] at \[0\]/ },
      { inputs: [f32(2)], attrs: { shape: [2], at: [1] }, message: /axes \[1\] do not fit/ },
    ],
    ulp: 0,
  },
  pad: {
    doc: 'Surrounds with `fill`, and puts `interior` of it between neighbours.',
    derivative: {
      kind: 'linear',
      in: 'jointly',
      transpose: (ct, { inputs: [x], attrs }, [, fillWanted]) => [
        b.slice(ct, placed(shapeOf(x), attrs)),
        fillWanted ? b.sum(b.select(filling(x, attrs), ct, zerosLike(ct)), { axes: shapeOf(ct).map((_, i) => i) }) : null,
      ],
    },
    batch: {
      kind: 'custom',
      rule: ([x, fill], [isBatched, fillBatched], size, n) => {
        const attrs = { low: [0, ...n.attrs.low], high: [0, ...n.attrs.high], interior: [0, ...n.attrs.interior] };
        const [inner] = allInFront([x!], [isBatched!], size);
        if (!fillBatched) return [b.pad(inner!, fill!, attrs)];
        // One fill for each member: pad with anything, then put the fills where the filling is.
        const padded = b.pad(inner!, lit(0, avalOf(inner!).dtype), attrs);
        const shape = shapeOf(padded);
        return [b.select(filling(inner!, attrs), b.expand(fill!, { shape, at: shape.slice(1).map((_, i) => i + 1) }), padded)];
      },
    },
    lower: { kind: 'indexed' },
    reference: ([x, fill], n) => [
      tabulate(n.outputs[0]!, (index) => {
        const source = unpadded(index, x!.shape, n.attrs);
        return source === undefined ? fill!.data[0]! : at(x!, source);
      }),
    ],
    samples: [
      ...all.map((dtype) => ({
        inputs: [
          { dtype, shape: [2, 3] },
          { dtype, shape: [] },
        ],
        attrs: { low: [1, 0], high: [0, 2], interior: [0, 0] },
      })),
      { inputs: [f64(3), f64()], attrs: { low: [1], high: [2], interior: [2] } },
      { inputs: [f64(2, 1), f64()], attrs: { low: [0, 1], high: [1, 0], interior: [1, 1] } },
      { inputs: [f64(0, 2), f64()], attrs: { low: [2, 0], high: [1, 0], interior: [3, 0] } },
      { inputs: [f64(), f64()], attrs: { low: [], high: [], interior: [] } },
      { inputs: [f64(2), f64()], attrs: { low: [0], high: [0], interior: [0] } },
    ],
    refuses: [
      { inputs: [f32(2), f64()], attrs: { low: [0], high: [0], interior: [0] }, message: /fill f64\[\] must be f32\[\]/ },
      { inputs: [f32(2), f32()], attrs: { low: [-1], high: [0], interior: [0] }, message: /widths must be natural numbers/ },
      { inputs: [f32(2), f32()], attrs: { low: [], high: [0], interior: [0] }, message: /one entry for each axis/ },
    ],
    ulp: 0,
  },
  slice: {
    doc: 'Elements start, start + step, ... below stop of each axis.',
    derivative: { kind: 'linear', in: 'jointly', transpose: (ct, { inputs: [x], attrs }) => [unsliced(ct, shapeOf(x), attrs)] },
    batch: {
      kind: 'custom',
      rule: ([x], _, size, n) => [b.slice(x!, { start: [0, ...n.attrs.start], stop: [size, ...n.attrs.stop], step: [1, ...n.attrs.step] })],
    },
    lower: { kind: 'view', at: (position, _, { start, step }) => position.map((p, i) => add(mul(p, step[i]!), constant(start[i]!))) },
    reference: ([x], n) => [
      tabulate(n.outputs[0]!, (index) =>
        at(
          x!,
          index.map((i, axis) => n.attrs.start[axis]! + i * n.attrs.step[axis]!),
        ),
      ),
    ],
    samples: [
      ...all.map((dtype) => ({ inputs: [{ dtype, shape: [4, 5] }], attrs: { start: [1, 0], stop: [4, 5], step: [1, 2] } })),
      { inputs: [f64(7)], attrs: { start: [1], stop: [7], step: [4] } },
      { inputs: [f64(7)], attrs: { start: [2], stop: [2], step: [3] } },
      { inputs: [f64(7)], attrs: { start: [7], stop: [7], step: [1] } },
      { inputs: [f64(1, 0)], attrs: { start: [0, 0], stop: [1, 0], step: [1, 1] } },
      { inputs: [f64()], attrs: { start: [], stop: [], step: [] } },
    ],
    refuses: [
      { inputs: [f32(3)], attrs: { start: [0], stop: [4], step: [1] }, message: /slice 0:4:1 does not fit axis 0/ },
      { inputs: [f32(3)], attrs: { start: [-1], stop: [3], step: [1] }, message: /starts must be natural numbers and steps positive ones/ },
      { inputs: [f32(3)], attrs: { start: [0], stop: [3], step: [0] }, message: /starts must be natural numbers and steps positive ones/ },
    ],
    ulp: 0,
  },
  flip: {
    doc: 'The order along `axes` reversed.',
    derivative: { kind: 'linear', in: 'jointly', transpose: (ct, { attrs }) => [b.flip(ct, attrs)] },
    batch: { kind: 'custom', rule: ([x], _, __, n) => [b.flip(x!, { axes: allBehind(n.attrs.axes) })] },
    lower: {
      kind: 'view',
      at: (position, x, { axes }) =>
        position.map((p, i) => (axes.includes(i) ? add(constant(extentOf(x.shape[i]!)), constant(-1), mul(p, -1)) : p)),
    },
    reference: ([x], n) => [
      tabulate(n.outputs[0]!, (index) =>
        at(
          x!,
          index.map((i, axis) => (n.attrs.axes.includes(axis) ? x!.shape[axis]! - 1 - i : i)),
        ),
      ),
    ],
    samples: [
      ...all.map((dtype) => ({ inputs: [{ dtype, shape: [2, 3] }], attrs: { axes: [1] } })),
      { inputs: [f64(2, 1, 3)], attrs: { axes: [0, 1, 2] } },
      { inputs: [f64(0, 2)], attrs: { axes: [0] } },
      { inputs: [f64()], attrs: { axes: [] } },
    ],
    refuses: [
      { inputs: [f32(2)], attrs: { axes: [1] }, message: /axes \[1\] do not fit/ },
      { inputs: [f32(2)], attrs: { axes: [0, 0] }, message: /axes \[0,0\] do not fit/ },
    ],
    ulp: 0,
  },
  concat: {
    doc: 'Operands one after the other along `axis`.',
    derivative: {
      kind: 'linear',
      in: 'jointly',
      transpose: (ct, n, wanted) => n.inputs.map((_, k) => (wanted[k] ? sliceOf(ct, n, k) : null)),
    },
    batch: {
      kind: 'custom',
      rule: (xs, isBatched, size, n) => [b.concat(allInFront(xs, isBatched, size), { axis: behind(n.attrs.axis) })],
    },
    lower: { kind: 'indexed' },
    reference: (xs, n) => {
      const { axis } = n.attrs;
      return [
        tabulate(n.outputs[0]!, (index) => {
          let position = index[axis]!;
          let k = 0;
          while (position >= xs[k]!.shape[axis]!) position -= xs[k++]!.shape[axis]!;
          return xs[k]!.data[flatten(xs[k]!.shape, replaced(index, axis, position))]!;
        }),
      ];
    },
    samples: [
      ...all.map((dtype) => ({
        inputs: [
          { dtype, shape: [2, 1] },
          { dtype, shape: [2, 3] },
        ],
        attrs: { axis: 1 },
      })),
      { inputs: [f64(2, 2), f64(0, 2), f64(1, 2)], attrs: { axis: 0 } },
      { inputs: [f64(3)], attrs: { axis: 0 } },
      { inputs: [f64(2, 0), f64(1, 0)], attrs: { axis: 0 } },
    ],
    refuses: [
      { inputs: [], attrs: { axis: 0 }, message: /concat of nothing/ },
      { inputs: [f32(2, 3), f32(3, 2)], attrs: { axis: 0 }, message: /concat of f32\[2,3\] with f32\[3,2\] on axis 0/ },
      { inputs: [f32(2), i32(2)], attrs: { axis: 0 }, message: /concat of f32\[2\] with i32\[2\]/ },
      { inputs: [bool(), bool()], attrs: { axis: 0 }, message: /axes \[0\] do not fit/ },
    ],
    ulp: 0,
  },
} satisfies RulesFor<MovementName>;
