// asin, acos, atan, atan2: odd polynomials after a reflection.
import type { Node } from '../function.ts';
import { polynomial, signBit, signOf, type VectorMath } from './vector-math.ts';

/** asin(x) = x + x³ q(x²) for |x| <= 1/2, to 2^-27.6. */
const asinCoefficients = [0.166667521, 0.0749531016, 0.0454690233, 0.0241854675, 0.0421570949];
/** atan(x) = x + x³ q(x²) for |x| <= 1, to 2^-28.5. */
const atanCoefficients = [
  -0.333332986, 0.199985355, -0.142641246, 0.109516382, -0.0840198547, 0.0579342469, -0.0311559234, 0.0109034106, -0.00179122353,
];
/** pi/2 in two floats. */
const halfPi = 1.5707963705062866;
const halfPiLow = -4.37113882867379e-8;

const oddPolynomial = (m: VectorMath, x: Node, square: Node, coefficients: readonly number[]): Node =>
  m.mul(m.mul(x, square), polynomial(m, square, coefficients));

export function asin(m: VectorMath, x: Node): Node {
  const a = m.abs(x);
  const isLarge = m.gt(a, m.c(0.5));
  // asin(a) = pi/2 - 2 asin(sqrt((1-a)/2)); (1-a)/2 is exact.
  const reflected = m.nmadd(a, m.c(0.5), m.c(0.5));
  const z = m.select(isLarge, reflected, m.mul(a, a));
  const s = m.select(isLarge, m.sqrt(reflected), a);
  const cubic = oddPolynomial(m, s, z, asinCoefficients);
  // What the first subtraction loses is taken up again, since it may be a whole last place of the result.
  const twice = m.add(s, s);
  const first = m.sub(m.c(halfPi), twice);
  const lost = m.sub(m.sub(m.c(halfPi), first), twice);
  const large = m.add(first, m.sub(m.add(lost, m.c(halfPiLow)), m.add(cubic, cubic)));
  return m.or(m.select(isLarge, large, m.add(s, cubic)), signOf(m, x));
}

export function acos(m: VectorMath, x: Node): Node {
  const a = m.abs(x);
  const isLarge = m.gt(a, m.c(0.5));
  const reflected = m.nmadd(a, m.c(0.5), m.c(0.5));
  const z = m.select(isLarge, reflected, m.mul(x, x));
  const s = m.select(isLarge, m.sqrt(reflected), x);
  const cubic = oddPolynomial(m, s, z, asinCoefficients);
  // In the middle pi/2 - asin(x).
  const middle = m.sub(m.c(halfPi), m.add(s, m.sub(cubic, m.c(halfPiLow))));
  const half = m.add(s, cubic);
  const above = m.add(half, half);
  const below = m.sub(m.c(2 * halfPi), m.sub(above, m.c(2 * halfPiLow)));
  return m.select(isLarge, m.select(m.lt(x, m.c(0)), below, above), middle);
}

/** base + sign(flip) (t + cubic(t)), where `low` is what base lacks. */
function turned(m: VectorMath, t: Node, flip: Node, base: Node, low: Node): Node {
  const angle = m.add(t, oddPolynomial(m, t, m.mul(t, t), atanCoefficients));
  return m.add(base, m.add(m.xor(angle, flip), low));
}

export function atan(m: VectorMath, x: Node): Node {
  const a = m.abs(x);
  const isLarge = m.gt(a, m.c(1));
  const t = m.select(isLarge, m.div(m.c(1), a), a);
  const flip = m.and(isLarge, m.bits(signBit));
  return m.or(turned(m, t, flip, m.and(isLarge, m.c(halfPi)), m.and(isLarge, m.c(halfPiLow))), signOf(m, x));
}

/** The angle of the point (x, y), as IEEE 754 has it, zeros and infinities included. */
export function atan2(m: VectorMath, y: Node, x: Node): Node {
  const [ay, ax] = [m.abs(y), m.abs(x)];
  const isSteep = m.gt(ay, ax);
  const [least, most] = [m.select(isSteep, ax, ay), m.select(isSteep, ay, ax)];
  // 0/0 stands for 0 and Infinity/Infinity for 1.
  const quotient = m.select(m.eq(most, m.c(0)), m.c(0), m.div(least, most));
  const t = m.select(m.eq(least, m.c(Number.POSITIVE_INFINITY)), m.c(1), quotient);
  const isLeft = m.shr(x, 31);
  const flip = m.and(m.xor(isSteep, isLeft), m.bits(signBit));
  // pi/2 above and below, pi to the left, 0 to the right.
  const base = m.select(isSteep, m.c(halfPi), m.and(isLeft, m.c(2 * halfPi)));
  const low = m.select(isSteep, m.c(halfPiLow), m.and(isLeft, m.c(2 * halfPiLow)));
  const angle = m.or(turned(m, t, flip, base, low), signOf(m, y));
  const sum = m.add(x, y);
  const hasNaN = m.or(m.ne(x, x), m.ne(y, y));
  return m.select(hasNaN, sum, angle);
}
