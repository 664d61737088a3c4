// Elementwise ops: one line each. Formulas and their values at kinks, ties and poles are PyTorch's (tools/autograd/derivatives.yaml).
import type { ScalarName } from '../../kernels/scalar.ts';
import { b } from '../ir/builder.ts';
import type { Value } from '../ir/node.ts';
import { constantLike, pointwise, zeros } from './pointwise.ts';
import type { RulesFor } from './rules.ts';

const k = constantLike;
const one = (like: Value): Value => k(1, like);
const square = (x: Value): Value => b.mul(x, x);
const isZero = (x: Value): Value => b.eq(x, zeros(x));
/** `t` where `condition` holds, else 0 whatever `t` is. */
const where = (condition: Value, t: Value): Value => b.select(condition, t, zeros(t));
/** Half to each operand at a tie, all to the one that won; NaN takes neither side and passes to both. */
const won = (t: Value, x: Value, y: Value, lost: Value): Value => b.select(lost, zeros(t), b.select(b.eq(x, y), b.mul(t, k(0.5, t)), t));

export const elementwiseRules = {
  // arithmetic
  add: pointwise('add', 'Sum.', { linear: (ct) => [ct, ct] }),
  sub: pointwise('sub', 'Difference.', { linear: (ct) => [ct, b.neg(ct)] }),
  mul: pointwise('mul', 'Product.', { partials: ([x, y]) => [y, x] }),
  div: pointwise(
    'div',
    'True quotient.',
    { shares: [(t, [, y]) => b.div(t, y), (t, [, y], q) => b.neg(b.mul(t, b.div(q, y)))] },
    { range: [0.5, 2], ulp: 1 },
  ),
  floorDiv: pointwise('floorDiv', 'Quotient rounded to minus infinity.', 'flat', { range: [1, 7] }),
  rem: pointwise(
    'rem',
    'Remainder with the sign of the divisor.',
    { partials: ([x, y]) => [one(x), b.neg(b.floorDiv(x, y))] },
    { range: [1, 7] },
  ),
  fmod: pointwise(
    'fmod',
    'Remainder with the sign of the dividend.',
    { partials: ([x, y]) => [one(x), b.neg(b.trunc(b.div(x, y)))] },
    { range: [1, 7] },
  ),
  pow: pointwise(
    'pow',
    'Power. By the base it is flat where the exponent is 0, by the exponent where base is 0 and the exponent is not negative.',
    {
      shares: [
        (t, [x, e]) => b.select(isZero(e), zeros(t), b.mul(t, b.mul(e, b.pow(x, b.sub(e, one(e)))))),
        (t, [x, e], y) => b.select(b.and(isZero(x), b.le(zeros(e), e)), zeros(t), b.mul(t, b.mul(y, b.log(x)))),
      ],
    },
    { range: [0.5, 3], ulp: 16 },
  ),
  min: pointwise('min', 'Smaller operand; NaN wins.', {
    shares: [(t, [x, y]) => won(t, x, y, b.lt(y, x)), (t, [x, y]) => won(t, x, y, b.lt(x, y))],
  }),
  max: pointwise('max', 'Larger operand; NaN wins.', {
    shares: [(t, [x, y]) => won(t, x, y, b.lt(x, y)), (t, [x, y]) => won(t, x, y, b.lt(y, x))],
  }),
  atan2: pointwise('atan2', 'Angle of the point (second, first); its gradient at the origin is 0.', {
    shares: [
      (t, [y, x]) => where(b.or(b.not(isZero(y)), b.not(isZero(x))), b.mul(t, b.div(x, b.add(square(y), square(x))))),
      (t, [y, x]) => where(b.or(b.not(isZero(y)), b.not(isZero(x))), b.mul(t, b.neg(b.div(y, b.add(square(y), square(x)))))),
    ],
  }),
  // comparison
  eq: pointwise('eq', 'Whether equal; NaN equals nothing.', 'none'),
  ne: pointwise('ne', 'Whether different.', 'none'),
  lt: pointwise('lt', 'Whether smaller.', 'none'),
  le: pointwise('le', 'Whether smaller or equal.', 'none'),
  // logical and bitwise
  and: pointwise('and', 'Conjunction.', 'none'),
  or: pointwise('or', 'Disjunction.', 'none'),
  not: pointwise('not', 'Negation.', 'none'),
  bitAnd: pointwise('bitAnd', 'Bits set in both.', 'none'),
  bitOr: pointwise('bitOr', 'Bits set in either.', 'none'),
  bitXor: pointwise('bitXor', 'Bits set in one.', 'none'),
  bitNot: pointwise('bitNot', 'Bits not set.', 'none'),
  shl: pointwise('shl', 'Bits moved up.', 'none', { range: [0, 7] }),
  shr: pointwise('shr', 'Bits moved down, the sign kept.', 'none', { range: [0, 7] }),
  threefry: pointwise('threefry', 'Random bits of a key, a stream and an index.', 'none'),
  // rounding and sign
  neg: pointwise('neg', 'Negative.', { linear: (ct) => [b.neg(ct)] }),
  abs: pointwise('abs', 'Magnitude; flat at 0.', { partials: ([x]) => [b.sign(x)] }),
  sign: pointwise('sign', 'Minus one, 0 or 1.', 'flat'),
  floor: pointwise('floor', 'Largest whole number not above.', 'flat'),
  ceil: pointwise('ceil', 'Smallest whole number not below.', 'flat'),
  trunc: pointwise('trunc', 'Whole part.', 'flat'),
  round: pointwise('round', 'Nearest whole number, half to even.', 'flat'),
  // powers and exponentials
  recip: pointwise('recip', 'Reciprocal.', { partials: (_, y) => [b.neg(square(y))] }, { range: [0.5, 2], ulp: 1 }),
  sqrt: pointwise(
    'sqrt',
    'Square root; infinitely steep at 0.',
    { shares: [(t, _, y) => b.div(t, b.mul(k(2, y), y))] },
    { range: [0.5, 4], ulp: 1 },
  ),
  rsqrt: pointwise(
    'rsqrt',
    'Reciprocal square root.',
    { partials: (_, y) => [b.mul(k(-0.5, y), b.mul(y, square(y)))] },
    { range: [0.5, 4] },
  ),
  exp: pointwise('exp', 'Exponential.', { partials: (_, y) => [y] }),
  exp2: pointwise('exp2', 'Power of two.', { partials: (_, y) => [b.mul(y, k(Math.LN2, y))] }),
  expm1: pointwise('expm1', 'Exponential less 1, exact near 0.', { partials: (_, y) => [b.add(y, one(y))] }),
  log: pointwise('log', 'Natural logarithm.', { shares: [(t, [x]) => b.div(t, x)] }, { range: [0.5, 4] }),
  log2: pointwise('log2', 'Logarithm to base 2.', { shares: [(t, [x]) => b.div(t, b.mul(x, k(Math.LN2, x)))] }, { range: [0.5, 4] }),
  log10: pointwise('log10', 'Logarithm to base 10.', { shares: [(t, [x]) => b.div(t, b.mul(x, k(Math.LN10, x)))] }, { range: [0.5, 4] }),
  log1p: pointwise(
    'log1p',
    'Logarithm of 1 + x, exact near 0.',
    { shares: [(t, [x]) => b.div(t, b.add(x, one(x)))] },
    { range: [-0.5, 3] },
  ),
  // trigonometric and hyperbolic
  sin: pointwise('sin', 'Sine.', { partials: ([x]) => [b.cos(x)] }),
  cos: pointwise('cos', 'Cosine.', { partials: ([x]) => [b.neg(b.sin(x))] }),
  tan: pointwise('tan', 'Tangent.', { partials: (_, y) => [b.add(one(y), square(y))] }, { range: [-1, 1] }),
  asin: pointwise('asin', 'Arc sine.', { partials: ([x]) => [b.rsqrt(b.sub(one(x), square(x)))] }, { range: [-0.9, 0.9] }),
  acos: pointwise('acos', 'Arc cosine.', { partials: ([x]) => [b.neg(b.rsqrt(b.sub(one(x), square(x))))] }, { range: [-0.9, 0.9] }),
  atan: pointwise('atan', 'Arc tangent.', { shares: [(t, [x]) => b.div(t, b.add(one(x), square(x)))] }),
  sinh: pointwise('sinh', 'Hyperbolic sine.', { partials: ([x]) => [b.cosh(x)] }),
  cosh: pointwise('cosh', 'Hyperbolic cosine.', { partials: ([x]) => [b.sinh(x)] }),
  tanh: pointwise('tanh', 'Hyperbolic tangent.', { partials: (_, y) => [b.sub(one(y), square(y))] }),
  asinh: pointwise('asinh', 'Inverse hyperbolic sine.', { partials: ([x]) => [b.rsqrt(b.add(square(x), one(x)))] }),
  acosh: pointwise('acosh', 'Inverse hyperbolic cosine.', { partials: ([x]) => [b.rsqrt(b.sub(square(x), one(x)))] }, { range: [1.2, 3] }),
  atanh: pointwise(
    'atanh',
    'Inverse hyperbolic tangent.',
    { shares: [(t, [x]) => b.div(t, b.sub(one(x), square(x)))] },
    { range: [-0.8, 0.8] },
  ),
  erf: pointwise('erf', 'Gauss error function.', { partials: ([x]) => [b.mul(k(2 / Math.sqrt(Math.PI), x), b.exp(b.neg(square(x))))] }),
  sigmoid: pointwise('sigmoid', 'Logistic function.', { partials: (_, y) => [b.mul(b.sub(one(y), y), y)] }),
  softplus: pointwise('softplus', 'log(1 + exp x) without overflow.', { partials: ([x]) => [b.sigmoid(x)] }),
  select: pointwise('select', 'Second operand where the first is true, else the third.', {
    linear: (ct, [c]) => [null, where(c, ct), b.select(c, zeros(ct), ct)],
    fixed: [0],
  }),
} satisfies RulesFor<ScalarName>;
