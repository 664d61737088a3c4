// Activation functions. Those with a `slope` take their gradient from the result, or would lose accuracy or stability inside; the
// others are differentiated through their bodies. Values at kinks and at NaN are PyTorch's.
import { aval } from '../../ir/aval.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { composite, elementwise } from './rule.ts';
import { broadcastScalar, constant, keepIf, square, zero, zeroIf } from './shape.ts';

const plane = aval('f64', [3, 4]);
const number = aval('f64', []);
const unary = [{ inputs: [plane], params: {}, range: [-5, 5] }] as const;
/** Samples for operands (x, numbers...). */
const withNumbers = (...numbers: readonly number[]) =>
  [{ inputs: [plane, ...numbers.map(() => number)], params: {}, data: [undefined, ...numbers.map((n) => [n])] }] as const;

const isPositive = (x: Value): Value => b.lt(zero(x), x);
/** Asked this way, a NaN and its gradient go the way of positive numbers. */
const isNotPositive = (x: Value): Value => b.le(x, zero(x));
/** `x` where it is not positive, else 0: feeds a branch that is not taken, so that it can neither overflow nor poison a gradient. */
const negativePart = (x: Value): Value => keepIf(isNotPositive(x), x);
const scaled = (x: Value, factor: number): Value => b.mul(x, constant(factor, x));
const plus = (x: Value, term: number): Value => b.add(x, constant(term, x));
const one = (x: Value): Value => constant(1, x);
const between = (low: Value, x: Value, high: Value): Value => b.and(b.lt(low, x), b.lt(x, high));
const clip = (x: Value, low: Value, high: Value): Value => b.min(b.max(x, low), high);

export const relu = elementwise<[Value]>({
  doc: 'max(x, 0). NaN passes, and so does its gradient; the mask is taken from the result.',
  body: ([x]) => b.max(x, zero(x)),
  slope: (t, y) => zeroIf(b.le(y, zero(y)), t),
  samples: unary,
});

export const relu6 = elementwise<[Value]>({
  doc: 'x clipped to [0, 6].',
  body: ([x]) => clip(x, zero(x), constant(6, x)),
  slope: (t, y) => zeroIf(b.or(b.le(y, zero(y)), b.le(constant(6, y), y)), t),
  samples: [{ inputs: [plane], params: {}, range: [-4, 10] }],
});

export const leakyRelu = composite<[x: Value, negativeSlope: Value]>({
  doc: 'x, times `negativeSlope` where it is not positive.',
  body: ([x, slope]) => [b.select(isPositive(x), x, b.mul(x, broadcastScalar(slope, x)))],
  samples: withNumbers(0.01),
});

export const prelu = composite<[x: Value, weight: Value]>({
  doc: 'x, times a learnt `weight` of its shape where it is not positive.',
  body: ([x, weight]) => [b.select(isPositive(x), x, b.mul(x, weight))],
  samples: [{ inputs: [plane, plane], params: {} }],
});

export const elu = composite<[x: Value, alpha: Value]>({
  doc: 'x where positive, else alpha (exp(x) - 1).',
  body: ([x, alpha]) => [b.select(isNotPositive(x), b.mul(broadcastScalar(alpha, x), b.expm1(negativePart(x))), x)],
  samples: withNumbers(1.3),
});

export const celu = composite<[x: Value, alpha: Value]>({
  doc: 'x where positive, else alpha (exp(x / alpha) - 1).',
  body: ([x, alpha]) => {
    const a = broadcastScalar(alpha, x);
    return [b.select(isNotPositive(x), b.mul(a, b.expm1(b.div(negativePart(x), a))), x)];
  },
  samples: withNumbers(1.3),
});

// Klambauer et al. 2017, "Self-normalizing neural networks".
const seluAlpha = 1.6732632423543772;
const seluScale = 1.0507009873554805;
export const selu = composite<[Value]>({
  doc: 'elu with the alpha and the scale that keep mean 0 and variance 1.',
  body: ([x]) => [scaled(b.select(isNotPositive(x), scaled(b.expm1(negativePart(x)), seluAlpha), x), seluScale)],
  samples: unary,
});

/** The standard normal distribution function. */
const normalCdf = (x: Value): Value => scaled(plus(b.erf(scaled(x, Math.SQRT1_2)), 1), 0.5);
export const gelu = elementwise<[Value]>({
  doc: 'x times the normal distribution function of x.',
  body: ([x]) => b.mul(x, normalCdf(x)),
  slope: (t, _, [x]) => b.mul(t, b.add(normalCdf(x), b.mul(x, scaled(b.exp(scaled(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))))),
  samples: unary,
});

/** tanh of sqrt(2/pi) (x + 0.044715 x^3). */
const geluTanhOf = (x: Value): Value => b.tanh(scaled(b.add(x, scaled(b.mul(square(x), x), 0.044715)), Math.sqrt(2 / Math.PI)));
export const geluTanh = elementwise<[Value]>({
  doc: 'The approximation of gelu by tanh (Hendrycks and Gimpel 2016).',
  body: ([x]) => b.mul(scaled(x, 0.5), plus(geluTanhOf(x), 1)),
  slope: (t, _, [x]) => {
    const u = geluTanhOf(x);
    const inner = scaled(plus(scaled(square(x), 3 * 0.044715), 1), Math.sqrt(2 / Math.PI));
    const tail = b.mul(b.mul(scaled(x, 0.5), b.sub(one(x), square(u))), inner);
    return b.mul(t, b.add(scaled(plus(u, 1), 0.5), tail));
  },
  samples: unary,
});

export const silu = elementwise<[Value]>({
  doc: 'x sigmoid(x), also called swish.',
  body: ([x]) => b.mul(x, b.sigmoid(x)),
  slope: (t, _, [x]) => {
    const s = b.sigmoid(x);
    return b.mul(t, b.mul(s, plus(b.mul(x, b.sub(one(x), s)), 1)));
  },
  samples: unary,
});

export const mish = elementwise<[Value]>({
  doc: 'x tanh(softplus(x)).',
  body: ([x]) => b.mul(x, b.tanh(b.softplus(x))),
  slope: (t, _, [x]) => {
    const u = b.tanh(b.softplus(x));
    return b.mul(t, b.add(u, b.mul(b.mul(x, b.sigmoid(x)), b.sub(one(x), square(u)))));
  },
  samples: unary,
});

export const thresholdedSoftplus = composite<[x: Value, beta: Value, threshold: Value]>({
  doc: 'log(1 + exp(beta x)) / beta; x itself where beta x exceeds `threshold`.',
  body: ([x, beta, threshold]) => {
    const scale = broadcastScalar(beta, x);
    const bx = b.mul(x, scale);
    return [b.select(b.lt(broadcastScalar(threshold, x), bx), x, b.div(b.softplus(bx), scale))];
  },
  samples: withNumbers(1.5, 2),
});

export const logSigmoid = composite<[Value]>({
  doc: 'Logarithm of sigmoid, without underflow.',
  body: ([x]) => [b.neg(b.softplus(b.neg(x)))],
  samples: [{ inputs: [plane], params: {}, range: [-50, 50] }],
});

export const softsign = elementwise<[Value]>({
  doc: 'x / (1 + |x|).',
  body: ([x]) => b.div(x, plus(b.abs(x), 1)),
  slope: (t, _, [x]) => {
    const scale = plus(b.abs(x), 1);
    return b.div(b.div(t, scale), scale);
  },
  samples: unary,
});

export const tanhshrink = composite<[Value]>({ doc: 'x - tanh(x).', body: ([x]) => [b.sub(x, b.tanh(x))], samples: unary });

export const hardtanh = elementwise<[x: Value, low: Value, high: Value]>({
  doc: 'x clipped to [low, high], with gradient 0 on the bounds; NaN passes, and so does its gradient.',
  body: ([x, low, high]) => clip(x, broadcastScalar(low, x), broadcastScalar(high, x)),
  slope: (t, _, [x, low, high]) => zeroIf(b.or(b.le(x, broadcastScalar(low, x)), b.le(broadcastScalar(high, x), x)), t),
  samples: withNumbers(-1, 0.7),
});

export const clamp = elementwise<[x: Value, low: Value, high: Value]>({
  doc: 'x clipped to [low, high] (the latter wins where they cross), with gradient 0 on the bounds.',
  body: ([x, low, high]) => clip(x, broadcastScalar(low, x), broadcastScalar(high, x)),
  slope: (t, _, [x, low, high]) => keepIf(between(broadcastScalar(low, x), x, broadcastScalar(high, x)), t),
  samples: withNumbers(-1, 0.7),
});

export const clampMin = elementwise<[x: Value, low: Value]>({
  doc: 'x, but no less than `low`; gradient 0 on the bound.',
  body: ([x, low]) => b.max(x, broadcastScalar(low, x)),
  slope: (t, _, [x, low]) => keepIf(b.lt(broadcastScalar(low, x), x), t),
  samples: withNumbers(-1),
});

export const clampMax = elementwise<[x: Value, high: Value]>({
  doc: 'x, but no more than `high`; gradient 0 on the bound.',
  body: ([x, high]) => b.min(x, broadcastScalar(high, x)),
  slope: (t, _, [x, high]) => keepIf(b.lt(x, broadcastScalar(high, x)), t),
  samples: withNumbers(0.7),
});

export const hardswish = elementwise<[Value]>({
  doc: 'x relu6(x + 3) / 6.',
  body: ([x]) => b.div(b.mul(x, clip(plus(x, 3), zero(x), constant(6, x))), constant(6, x)),
  slope: (t, _, [x]) => {
    const inside = b.mul(t, plus(b.div(x, constant(3, x)), 0.5));
    return b.select(b.le(x, constant(-3, x)), zero(x), b.select(b.lt(x, constant(3, x)), inside, t));
  },
  samples: unary,
});

export const hardsigmoid = elementwise<[Value]>({
  doc: 'relu6(x + 3) / 6.',
  body: ([x]) => b.div(clip(plus(x, 3), zero(x), constant(6, x)), constant(6, x)),
  slope: (t, _, [x]) => keepIf(between(constant(-3, x), x, constant(3, x)), b.div(t, constant(6, x))),
  samples: unary,
});

export const threshold = composite<[x: Value, threshold: Value, value: Value]>({
  doc: 'x where it exceeds `threshold`, else `value`.',
  body: ([x, limit, value]) => [b.select(b.le(x, broadcastScalar(limit, x)), broadcastScalar(value, x), x)],
  samples: withNumbers(0.3, -7),
});

const withinPlusMinus = (x: Value, limit: Value): Value => b.le(b.abs(x), broadcastScalar(limit, x));
export const hardshrink = composite<[x: Value, lambda: Value]>({
  doc: 'x, but 0 from -lambda to lambda.',
  body: ([x, lambda]) => [zeroIf(withinPlusMinus(x, lambda), x)],
  samples: withNumbers(0.5),
});

export const softshrink = composite<[x: Value, lambda: Value]>({
  doc: 'x moved towards 0 by lambda, but 0 from -lambda to lambda.',
  body: ([x, lambda]) => {
    const step = broadcastScalar(lambda, x);
    return [zeroIf(withinPlusMinus(x, lambda), b.sub(x, b.select(isPositive(x), step, b.neg(step))))];
  },
  samples: withNumbers(0.5),
});
