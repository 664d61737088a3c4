// sinh, cosh, tanh, and what is made like them: sigmoid and softplus.
import type { Node } from '../function.ts';
import { exp, exp2Normal, expm1Reduced, expSplit, powerOf2, reduce } from './exponential.ts';
import { log1pSplit } from './logarithm.ts';
import { polynomial, signOf, type VectorMath } from './vector-math.ts';

/** sinh(x) = x + x³ q(x²) for |x| <= 1, to 2^-31. */
const sinhCoefficients = [0.16666667, 0.00833331514, 0.000198416645, 2.7899996e-6];
/** tanh(x) = x + x³ q(x²) for |x| <= 0.55, to 2^-27.7. */
const tanhCoefficients = [-0.333332807, 0.133314058, -0.0537365153, 0.0206281673, -0.00569229666];

/** The halves of exp(a) and exp(-a), divided by 2 once more, for a >= 0: s + s u, and the second. */
function halves(m: VectorMath, a: Node): { readonly power: Node; readonly rest: Node; readonly inverse: Node } {
  const { biased, r } = reduce(m, m.pmin(a, m.c(89.5)), 125);
  const power = powerOf2(m, biased);
  const rest = m.mul(power, expm1Reduced(m, r));
  return { power, rest, inverse: m.div(m.c(1 / 16), m.add(power, rest)) };
}

export function sinh(m: VectorMath, x: Node): Node {
  const a = m.abs(x);
  const square = m.mul(a, a);
  const small = m.madd(m.mul(a, square), polynomial(m, square, sinhCoefficients), a);
  const { power, rest, inverse } = halves(m, a);
  const half = m.add(power, m.sub(rest, inverse));
  return m.or(m.select(m.lt(a, m.c(1)), small, m.add(half, half)), signOf(m, x));
}

export function cosh(m: VectorMath, x: Node): Node {
  const { power, rest, inverse } = halves(m, m.abs(x));
  const half = m.add(power, m.add(rest, inverse));
  return m.add(half, half);
}

export function tanh(m: VectorMath, x: Node): Node {
  const a = m.abs(x);
  const square = m.mul(x, x);
  const small = m.madd(m.mul(a, square), polynomial(m, square, tanhCoefficients), a);
  // From 10.4 on the result is 1.
  const e = exp2Normal(m, m.pmin(m.mul(a, m.c(2 * Math.LOG2E)), m.c(30)));
  const large = m.sub(m.c(1), m.div(m.c(2), m.add(e, m.c(1))));
  return m.or(m.select(m.lt(a, m.c(0.55)), small, large), signOf(m, x));
}

export function sigmoid(m: VectorMath, x: Node): Node {
  const e = exp(m, m.neg(m.abs(x)));
  return m.div(m.select(m.lt(x, m.c(0)), e, m.c(1)), m.add(e, m.c(1)));
}

/** log(1 + exp x) = max(x, 0) + log1p(exp(-|x|)) */
export function softplus(m: VectorMath, x: Node): Node {
  const tail = log1pSplit(m, expSplit(m, m.neg(m.abs(x))));
  return m.add(m.pmax(x, m.c(0)), tail);
}
