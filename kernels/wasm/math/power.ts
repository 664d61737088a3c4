// pow and rsqrt. pow is computed in float64 without fused arithmetic: all but correctly rounded, and the same bits in both classes.
import type { Node } from '../function.ts';
import { demote, promote, signBit, type VectorMath } from './vector-math.ts';

export const rsqrt = (m: VectorMath, x: Node): Node => m.div(m.c(1), m.sqrt(x));

/** log2((1+s) / (1-s)) = s q(s²) for |s| <= 0.1716, to 2^-45. */
const logCoefficients = [
  2.88539008177785, 0.9617966941135083, 0.5770779423272321, 0.4122092558659273, 0.31990555833110346, 0.28290210554552003,
];
/** 2^r for |r| <= 1/2, to 2^-34.5. */
const expCoefficients = [
  0.9999999999613782, 0.6931471807297961, 0.2402265120115034, 0.05550410350366401, 0.009618026848467447, 0.0013333924023221388,
  0.0001546942208503044, 1.5201819532624644e-5,
];
const sqrtHalf = 0x3fe6a09e667f3bcdn;
/** 2^52, whose low bits hold an integer that is added; 1.5 2^52 rounds to one. */
const integers = 0x4330000000000000n;
const roundingBias = 1.5 * 2 ** 52;

type Pair = Node;
const pairs = ({ f }: VectorMath) => {
  const c = (value: number): Pair => f.constant({ f64x2: value });
  return {
    f,
    c,
    bits: (value: bigint): Pair => f.constant({ i64x2: value }),
    add: (x: Pair, y: Pair): Pair => f.bind(f.op('f64x2.add', x, y)),
    sub: (x: Pair, y: Pair): Pair => f.bind(f.op('f64x2.sub', x, y)),
    mul: (x: Pair, y: Pair): Pair => f.bind(f.op('f64x2.mul', x, y)),
    polynomial: (x: Pair, coefficients: readonly number[]): Pair =>
      coefficients
        .slice(0, -1)
        .reduceRight<Pair>((sum, k) => f.bind(f.op('f64x2.add', f.op('f64x2.mul', sum, x), c(k))), c(coefficients.at(-1)!)),
  };
};

/** log2 of a positive, finite float64; two lanes. */
function log2(m: VectorMath, x: Pair): Pair {
  const p = pairs(m);
  const { f } = p;
  const shifted = f.bind(f.op('i64x2.add', x, p.bits((1023n << 52n) - sqrtHalf)));
  const exponent = f.bind(f.op('i64x2.shr_u', shifted, f.i32(52)));
  const e = p.sub(f.op('v128.or', exponent, p.bits(integers)), p.c(2 ** 52 + 1023));
  const significand = f.bind(f.op('i64x2.sub', x, f.op('i64x2.shl', f.op('i64x2.sub', exponent, p.bits(1023n)), f.i32(52))));
  const s = f.bind(f.op('f64x2.div', f.op('f64x2.sub', significand, p.c(1)), f.op('f64x2.add', significand, p.c(1))));
  return p.add(e, p.mul(s, p.polynomial(p.mul(s, s), logCoefficients)));
}

/** 2^z, 0 and infinite in float32 far before it is so here. */
function exp2(m: VectorMath, z: Pair): Pair {
  const p = pairs(m);
  const { f } = p;
  const bounded = f.bind(f.op('f64x2.pmax', f.op('f64x2.pmin', z, p.c(300)), p.c(-300)));
  const biased = p.add(bounded, p.c(roundingBias));
  const r = p.sub(bounded, p.sub(biased, p.c(roundingBias)));
  const scale = f.bind(f.op('i64x2.shl', f.op('i64x2.add', biased, p.bits(1023n)), f.i32(52)));
  return p.mul(p.polynomial(r, expCoefficients), scale);
}

/** x ** y as IEEE 754 has it: 1 ** y and x ** 0 are 1, even for NaN; a negative x wants an integer y, unless it is infinite. */
export function pow(m: VectorMath, x: Node, y: Node): Node {
  const { f } = m;
  const a = m.abs(x);
  const magnitude = magnitudeOf(m, a, y);

  // From 2^24 on every float is an even integer.
  const half = m.mul(y, m.c(0.5));
  const isInteger = m.eq(f.bind(f.op('f32x4.trunc', y)), y);
  const isEven = m.eq(f.bind(f.op('f32x4.trunc', half)), half);
  const isOdd = m.andnot(isInteger, isEven);
  const signed = m.or(magnitude, m.and(m.and(x, m.bits(signBit)), isOdd));
  const isWrong = m.andnot(m.and(m.lt(x, m.c(0)), m.gt(x, m.c(Number.NEGATIVE_INFINITY))), isInteger);
  const number = m.select(isWrong, m.c(Number.NaN), signed);
  const hasNaN = m.or(m.ne(x, x), m.ne(y, y));
  const isOne = m.or(m.eq(x, m.c(1)), m.eq(y, m.c(0)));
  return m.select(isOne, m.c(1), m.select(hasNaN, m.add(x, y), number));
}

function magnitudeOf(m: VectorMath, a: Node, y: Node): Node {
  const { f } = m;
  const [bases, exponents] = [promote(m, a), promote(m, y)];
  const finite = (k: 0 | 1): Pair => {
    const base = bases[k];
    const isZero = f.op('f64x2.eq', base, f.constant({ f64x2: 0 }));
    const isInfinite = f.op('f64x2.eq', base, f.constant({ f64x2: Number.POSITIVE_INFINITY }));
    const log = f.op('v128.bitselect', f.constant({ f64x2: Number.NEGATIVE_INFINITY }), log2(m, base), isZero);
    const extended = f.op('v128.bitselect', f.constant({ f64x2: Number.POSITIVE_INFINITY }), log, isInfinite);
    return exp2(m, f.bind(f.op('f64x2.mul', exponents[k], extended)));
  };
  // (-1) ** Infinity is 1, where 0 times Infinity would be NaN.
  return m.select(m.eq(a, m.c(1)), m.c(1), demote(m, [finite(0), finite(1)]));
}
