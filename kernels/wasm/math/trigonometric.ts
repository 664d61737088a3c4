// sin, cos and tan of any argument: one reduction by multiples of pi/2, polynomials on what is left.
import type { Node } from '../function.ts';
import { shared } from '../unit.ts';
import { type Reduction, reduceLarge } from './payne-hanek.ts';
import { exceptWhere, polynomial, promote, roundingBias, split, type VectorMath, vectorMath } from './vector-math.ts';

/** sin(r) = r + r³ q(r²) for |r| <= pi/4, to 2^-27.9. */
const sinCoefficients = [-0.166666552, 0.00833218731, -1.95178975e-4];
/** cos(r) = 1 - r²/2 + r⁴ q(r²), to 2^-31. */
const cosCoefficients = [0.0416666642, -0.00138880732, 2.45080846e-5];
/** tan(r) = r + r³ q(r²), to 2^-29.5. */
const tanCoefficients = [0.333333492, 0.133326754, 0.0540589131, 0.0212862082, 0.0108274445, 9.82424972e-5, 0.0043727006];

/** pi/2 in three floats; a fused subtraction of n times each loses nothing that matters below `cheap`. */
const halfPi = [1.5707963705062866, -4.37113882867379e-8, -1.71512449e-15] as const;
/** pi/2 in two float64: n times the first, of 33 bits, is exact. */
const halfPiWide = [1.5707963267341256, 6.077100506506192e-11] as const;
/** Up to here the reduction in floats (fused) or in float64 (mul+add) is good: n is right in the first place, and so are the products. */
const cheap = (m: VectorMath): number => (m.fused ? 1e5 : 2 ** 15);

/** How much of the reduced angle a function needs: a float, or what that leaves out as well. */
type Precision = 'single' | 'extended';

function reduceCheaply(m: VectorMath, x: Node, precision: Precision): Reduction {
  const quadrant = m.madd(x, m.c(2 / Math.PI), m.c(roundingBias));
  const n = m.sub(quadrant, m.c(roundingBias));
  if (!m.fused) return { quadrant, ...reduceInDouble(m, x, n) };
  const first = m.nmadd(n, m.c(halfPi[0]), x);
  if (precision === 'single') return { quadrant, high: m.nmadd(n, m.c(halfPi[2]), m.nmadd(n, m.c(halfPi[1]), first)), low: m.c(0) };
  // Either operand of the second subtraction may be the larger one, so what it loses takes six operations (Knuth's TwoSum).
  const product = m.mul(n, m.c(halfPi[1]));
  const high = m.sub(first, product);
  const subtracted = m.sub(high, first);
  const lost = m.sub(m.sub(first, m.sub(high, subtracted)), m.add(product, subtracted));
  const productLow = m.nmadd(n, m.c(halfPi[1]), product);
  return { quadrant, high, low: m.nmadd(n, m.c(halfPi[2]), m.add(lost, productLow)) };
}

function reduceInDouble(m: VectorMath, x: Node, n: Node): { readonly high: Node; readonly low: Node } {
  const { f } = m;
  const wide = promote(m, x);
  const turns = promote(m, n);
  const rest = (k: 0 | 1): Node =>
    halfPiWide.reduce<Node>((r, part) => f.bind(f.op('f64x2.sub', r, f.op('f64x2.mul', turns[k], f.constant({ f64x2: part })))), wide[k]);
  return split(m, [rest(0), rest(1)]);
}

/** A function of the reduced angle. Lanes beyond the cheap range are computed by a function of their own, which few loops ever call. */
function ofAngle(m: VectorMath, name: string, x: Node, precision: Precision, compute: (m: VectorMath, r: Reduction) => Node): Node {
  const { f, unit } = m;
  const small = compute(m, reduceCheaply(m, x, precision));
  const isLarge = m.gt(m.abs(x), m.c(cheap(m)));
  return exceptWhere(m, isLarge, small, () => {
    const large = shared(unit, `${name}_large`, ['v128'], ['v128'], (g) => {
      const inner = vectorMath(unit, g);
      const angle = g.param(0);
      // Infinity has no angle: this is 0, or NaN.
      const nothing = inner.sub(angle, angle);
      g.return_(inner.add(compute(inner, reduceLarge(inner, angle)), nothing));
    });
    return m.select(isLarge, f.callValue(large, [x]), small);
  });
}

/** sin of the angle, `turns` quadrants further. */
function sinOf(m: VectorMath, { quadrant, high: r }: Reduction, turns: 0 | 1): Node {
  const square = m.mul(r, r);
  const sin = m.madd(m.mul(r, square), polynomial(m, square, sinCoefficients), r);
  const cos = m.madd(m.mul(square, square), polynomial(m, square, cosCoefficients), m.madd(square, m.c(-0.5), m.c(1)));
  const q = turns === 0 ? quadrant : m.addBits(quadrant, m.bits(turns));
  const isEven = m.eqBits(m.and(q, m.bits(1)), m.bits(0));
  return m.xor(m.select(isEven, sin, cos), m.shl(m.and(q, m.bits(2)), 30));
}

/** -0 is kept: n is 0 there, and 0 - 0 would be 0. */
const keepZero = (m: VectorMath, y: Node, x: Node): Node => m.or(y, m.and(m.eq(x, m.c(0)), x));

export const sin = (m: VectorMath, x: Node): Node =>
  keepZero(
    m,
    ofAngle(m, 'sin', x, 'single', (inner, r) => sinOf(inner, r, 0)),
    x,
  );
export const cos = (m: VectorMath, x: Node): Node => ofAngle(m, 'cos', x, 'single', (inner, r) => sinOf(inner, r, 1));
export const tan = (m: VectorMath, x: Node): Node => keepZero(m, ofAngle(m, 'tan', x, 'extended', tanOf), x);

function tanOf(m: VectorMath, { quadrant, high: r, low }: Reduction): Node {
  const square = m.mul(r, r);
  const cubic = m.mul(m.mul(r, square), polynomial(m, square, tanCoefficients));
  // The derivative of tan carries what r lacks: 1 + r² is near enough.
  const small = m.add(cubic, m.madd(low, square, low));
  const y = m.add(r, small);
  // In odd quadrants -1/(y + lost), of which 1/y - lost/y² is all that can be seen.
  const lost = m.add(small, m.sub(r, y));
  const inverse = m.div(m.c(1), y);
  const cotangent = m.nmadd(m.mul(inverse, lost), inverse, inverse);
  const isEven = m.eqBits(m.and(quadrant, m.bits(1)), m.bits(0));
  return m.select(isEven, y, m.neg(cotangent));
}
