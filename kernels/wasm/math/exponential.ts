// exp, exp2, expm1, and the reduction that everything made of exponentials starts from.
import type { Node } from '../function.ts';
import { polynomial, roundingBias, signOf, type VectorMath } from './vector-math.ts';

/** ln 2 in two parts: n times the first is exact in the class that needs it, or fused. */
export const ln2 = (m: VectorMath): { readonly high: number; readonly low: number } =>
  m.fused ? { high: 0.6931471824645996, low: -1.904654290582768e-9 } : { high: 0.693359375, low: -2.1219444005469057e-4 };

/** exp(r) = 1 + r + r² q(r) for |r| <= ln2 / 2, to 2^-28.2. */
const expCoefficients = [0.49999994, 0.16666517, 0.0416681021, 0.00836916547, 0.00138380029];
/** 2^r = 1 + r q(r) for |r| <= 1/2, to 2^-26.2. */
const exp2Coefficients = [0.693147182, 0.240225941, 0.0555036627, 0.0096254386, 0.00133878982, 1.33370224e-4];

/** x = n ln2 + r with |r| <= ln2 / 2. The low bits of `biased` hold n + bias. */
type Reduced = { readonly biased: Node; readonly r: Node };
export function reduce(m: VectorMath, x: Node, bias: number): Reduced {
  const { high, low } = ln2(m);
  const biased = m.madd(x, m.c(Math.LOG2E), m.c(roundingBias + bias));
  const n = m.sub(biased, m.c(roundingBias + bias));
  return { biased, r: m.nmadd(n, m.c(low), m.nmadd(n, m.c(high), x)) };
}

/** exp(r) - 1 on the reduced range. */
export const expm1Reduced = (m: VectorMath, r: Node): Node => m.madd(m.mul(r, r), polynomial(m, r, expCoefficients), r);

/** 2^(n - 127) where the low bits hold n: `bias` of 127 gives the power itself. */
export const powerOf2 = (m: VectorMath, n: Node): Node => m.shl(n, 23);

/** y 2^n in two steps, so that subnormal and infinite results come of themselves; the low bits hold n + 254. */
function scale(m: VectorMath, y: Node, biased: Node): Node {
  const half = m.shr(biased, 1);
  return m.mul(m.mul(y, powerOf2(m, half)), powerOf2(m, m.subBits(biased, half)));
}

/** Between results of 0 and infinity; a NaN stays, since it is the first operand. */
const clamp = (m: VectorMath, x: Node, least: number, most: number): Node => m.pmax(m.pmin(x, m.c(most)), m.c(least));

export function exp(m: VectorMath, x: Node): Node {
  const { biased, r } = reduce(m, clamp(m, x, -104.5, 89.5), 254);
  return scale(m, m.add(expm1Reduced(m, r), m.c(1)), biased);
}

/** exp(x) for x <= 0 as `high + low`: to about 2^-28 where the result is normal. */
export function expSplit(m: VectorMath, x: Node): { readonly high: Node; readonly low: Node } {
  const { biased, r } = reduce(m, m.pmax(x, m.c(-104.5)), 254);
  const tail = expm1Reduced(m, r);
  const sum = m.add(tail, m.c(1));
  const lost = m.add(tail, m.sub(m.c(1), sum));
  return { high: scale(m, sum, biased), low: scale(m, lost, biased) };
}

export function exp2(m: VectorMath, x: Node): Node {
  const z = clamp(m, x, -151, 129);
  const biased = m.add(z, m.c(roundingBias + 254));
  const r = m.sub(z, m.sub(biased, m.c(roundingBias + 254)));
  return scale(m, m.madd(polynomial(m, r, exp2Coefficients), r, m.c(1)), biased);
}

/** 2^z for -126 <= z <= 127. */
export function exp2Normal(m: VectorMath, z: Node): Node {
  const biased = m.add(z, m.c(roundingBias + 127));
  const r = m.sub(z, m.sub(biased, m.c(roundingBias + 127)));
  return m.mul(m.madd(polynomial(m, r, exp2Coefficients), r, m.c(1)), powerOf2(m, biased));
}

export function expm1(m: VectorMath, x: Node): Node {
  // Half the power and half the result, so that n = 128 stays finite; at 89.5 both would be infinite and their difference NaN.
  const { biased, r } = reduce(m, clamp(m, x, -20, 89), 126);
  const half = powerOf2(m, biased);
  const y = m.madd(expm1Reduced(m, r), half, m.sub(half, m.c(0.5)));
  // -0 gives -0.
  return m.or(m.add(y, y), signOf(m, x));
}
