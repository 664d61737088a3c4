// erf: a polynomial near 0, one minus two to the power of a polynomial elsewhere.
import type { Node } from '../function.ts';
import { exp2Normal } from './exponential.ts';
import { polynomial, signOf, type VectorMath } from './vector-math.ts';

/** erf(x) = x + x q(x²) for |x| < 1, to 2^-29.4. */
const nearZero = [0.128379166, -0.37612626, 0.112835787, -0.0268533472, 0.0051871622, -0.00079978531, 7.80690389e-5];
/** log2(1 - erf(x)) for 1 <= x <= 4, so that erf has an error of 2^-29.7. */
const tail = [-4.62492317e-4, -1.62616491, -0.920457184, -0.148912206, 0.0315799379, -0.004270487, 2.70647957e-4];

export function erf(m: VectorMath, x: Node): Node {
  const a = m.pmin(m.abs(x), m.c(4));
  const square = m.mul(a, a);
  const small = m.madd(polynomial(m, square, nearZero), a, a);
  const large = m.sub(m.c(1), exp2Normal(m, polynomial(m, a, tail)));
  return m.or(m.select(m.lt(a, m.c(1)), small, large), signOf(m, x));
}
