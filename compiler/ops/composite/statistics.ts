// Means, variances and norms over axes.
import { aval } from '../../ir/aval.ts';
import { b } from '../../ir/builder.ts';
import { shapeOf, type Value } from '../../ir/node.ts';
import { composite, leading, type Maybe } from './rule.ts';
import { along, constant, countIn, keepIf, meanOver, square, sumOver, zero, zeroIf } from './shape.ts';

type Axes = { readonly axes: readonly number[] };
type Moments = { readonly axes: readonly number[]; readonly correction: number };

const batchAxes = leading(1, <P extends Axes>(params: P): P => ({ ...params, axes: params.axes.map((a) => a + 1) }));

const cube = aval('f64', [2, 3, 4]);
const momentSamples = [
  { inputs: [cube], params: { axes: [2], correction: 1 } },
  { inputs: [cube], params: { axes: [0, 2], correction: 0 } },
  { inputs: [cube], params: { axes: [0, 1, 2], correction: 1.5 } },
] as const;

/** Distance of each element from the mean over `axes`. */
const centred = (x: Value, axes: readonly number[]): Value => b.sub(x, along(meanOver(x, axes), x, axes));

/** Squared distances from the mean, summed and divided by the count less `correction` (0/0 where nothing is left). Two passes: no cancellation. */
function varianceOf(x: Value, { axes, correction }: Moments): Value {
  const total = sumOver(square(centred(x, axes)), axes);
  return b.div(total, constant(Math.max(0, countIn(shapeOf(x), axes) - correction), total));
}

/** Half the derivative of the variance, applied to `ct`; the part through the mean vanishes. */
function halfVarianceVjp(ct: Value, x: Value, { axes, correction }: Moments): Value {
  const scale = b.div(ct, constant(Math.max(0, countIn(shapeOf(x), axes) - correction), ct));
  return b.mul(along(scale, x, axes), centred(x, axes));
}

export const mean = composite<[Value], Axes>({
  doc: 'Sum over `axes`, divided by their count; NaN over none.',
  body: ([x], { axes }) => [meanOver(x, axes)],
  batch: batchAxes,
  samples: [
    { inputs: [cube], params: { axes: [1] } },
    { inputs: [cube], params: { axes: [0, 1, 2] } },
  ],
});

export const variance = composite<[Value], Moments>({
  doc: 'Variance over `axes`, with `correction` degrees of freedom taken away; NaN where none is left.',
  body: ([x], params) => [varianceOf(x, params)],
  vjp: ([ct], { inputs: [x], params }) => [b.mul(constant(2, x), halfVarianceVjp(ct!, x, params))],
  batch: batchAxes,
  samples: momentSamples,
});

export const std = composite<[Value], Moments>({
  doc: 'Square root of the variance; where all elements are equal its gradient is 0.',
  body: ([x], params) => [b.sqrt(varianceOf(x, params))],
  vjp: ([ct], { inputs: [x], results: [y], params }) => [halfVarianceVjp(zeroIf(b.eq(y!, zero(y!)), b.div(ct!, y!)), x, params)],
  batch: batchAxes,
  samples: momentSamples,
});

/** Options are finite, so an infinite p is a word. */
type Norm = { readonly axes: readonly number[]; readonly p: number | 'inf' | '-inf' };

function normOf(x: Value, { axes, p }: Norm): Value {
  const size = b.abs(x);
  const nonzero = b.select(b.ne(x, zero(x)), constant(1, x), zero(x));
  switch (p) {
    case 0:
      return sumOver(nonzero, axes);
    case 1:
      return sumOver(size, axes);
    case 2:
      return axes.length === 0 ? size : b.sqrt(sumOver(square(x), axes));
    case 'inf':
      return axes.length === 0 ? size : b.amax(size, { axes });
    case '-inf':
      return axes.length === 0 ? size : b.amin(size, { axes });
    default: {
      const total = sumOver(b.pow(size, constant(p, x)), axes);
      return b.pow(total, constant(1 / p, total));
    }
  }
}

/** PyTorch's norm_backward: subgradient of least norm at 0, ties of an infinite norm share. */
function normVjp(ct: Value, x: Value, y: Value, { axes, p }: Norm): Maybe {
  if (p === 0) return null;
  if (p === 1) return b.mul(along(ct, x, axes), b.sign(x));
  const isZero = b.eq(y, zero(y));
  if (p === 2) return b.mul(x, along(zeroIf(isZero, b.div(ct, y)), x, axes));
  if (p === 'inf' || p === '-inf') {
    const extreme = b.eq(b.abs(x), along(y, x, axes));
    const ties = sumOver(b.select(extreme, constant(1, x), zero(x)), axes);
    return keepIf(extreme, b.mul(b.sign(x), along(b.div(ct, ties), x, axes)));
  }
  const power = b.pow(b.abs(x), constant(p - 1, x));
  const scale = p < 1 ? b.mul(ct, b.pow(y, constant(1 - p, y))) : zeroIf(isZero, b.div(ct, b.pow(y, constant(p - 1, y))));
  const signed = b.mul(b.sign(x), p < 1 ? zeroIf(b.eq(x, zero(x)), power) : power);
  return b.mul(signed, along(scale, x, axes));
}

export const norm = composite<[Value], Norm>({
  doc: 'The p-norm over `axes`; p = 0 counts, p = inf and -inf take the extremes of |x|. The gradient at 0 is 0.',
  body: ([x], params) => [normOf(x, params)],
  vjp: ([ct], { inputs: [x], results: [y], params }) => [normVjp(ct!, x, y!, params)],
  batch: batchAxes,
  samples: ([0, 1, 2, 3, 0.5, 1.5, 'inf', '-inf'] as const).map((p) => ({ inputs: [cube], params: { axes: [1], p } })),
});

export const xlogy = composite<[Value, Value]>({
  doc: 'x log(y), and 0 where x is 0, whatever y but NaN.',
  body: ([x, y]) => [b.select(b.and(b.eq(x, zero(x)), b.eq(y, y)), zero(x), b.mul(x, b.log(y)))],
  vjp: ([ct], { inputs: [x, y] }, wanted) => [
    wanted[0] ? b.mul(ct!, zeroIf(b.and(b.eq(x, zero(x)), b.le(y, zero(y))), b.log(y))) : null,
    wanted[1] ? b.mul(ct!, b.div(x, y)) : null,
  ],
  samples: [{ inputs: [cube, cube], params: {}, range: [0.1, 3] }],
});
