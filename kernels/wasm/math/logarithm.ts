// log, log2, log10, log1p, and the inverse hyperbolic functions, which are log1p of something computed in float64.
import type { Node } from '../function.ts';
import { ln2 } from './exponential.ts';
import { exceptWhere, polynomial, promote, signOf, split, type VectorMath } from './vector-math.ts';

/** log(1+f) = f - f²/2 + f³ q(f) for sqrt(1/2) <= 1+f < sqrt(2), to 2^-30.1. */
const coefficients = [
  0.333333135, -0.250000149, 0.200020298, -0.166678876, 0.14221473, -0.12406341, 0.118732922, -0.11672812, 0.0678212047,
];
const sqrtHalf = 0x3f3504f3;
const exponentBits = 0xff800000 | 0;

/** A positive number as 2^e (1+f), with 1+f between sqrt(1/2) and sqrt(2). */
type Decomposed = { readonly e: Node; readonly f: Node };
function decompose(m: VectorMath, x: Node): Decomposed {
  const i = m.subBits(x, m.bits(sqrtHalf));
  return { e: m.convert(m.shr(i, 23)), f: m.sub(m.subBits(x, m.and(i, m.bits(exponentBits))), m.c(1)) };
}

/** Lanes that are not positive, normal and finite. */
const isSpecial = (m: VectorMath, x: Node): Node => m.geBits(m.subBits(x, m.bits(0x00800000)), m.bits(0x7f000000));

/** e ln2 + log(1+f) + extra, where `extra` is tiny. */
function logOf(m: VectorMath, { e, f }: Decomposed, extra?: Node): Node {
  const { high, low } = ln2(m);
  const f2 = m.mul(f, f);
  const cubic = m.mul(m.mul(f2, f), polynomial(m, f, coefficients));
  const small = m.madd(e, m.c(low), extra === undefined ? cubic : m.add(cubic, extra));
  return m.madd(e, m.c(high), m.add(f, m.madd(f2, m.c(-0.5), small)));
}

/** Infinity and NaN as they are; -Infinity at 0 and NaN below it, for a result `y` of x. */
function special(m: VectorMath, y: Node, x: Node): Node {
  const finite = m.select(m.lt(x, m.c(Number.POSITIVE_INFINITY)), y, m.add(x, x));
  const atZero = m.select(m.eq(x, m.c(0)), m.c(Number.NEGATIVE_INFINITY), m.c(Number.NaN));
  return m.select(m.gt(x, m.c(0)), finite, m.select(m.eq(x, x), atZero, x));
}

/**
 * A logarithm that tests once a vector whether there are special lanes. What is done for them stands in branches and not in a function:
 * a call, though never made, would cost the loop around its constants in registers.
 */
function logarithm(m: VectorMath, x: Node, compute: (parts: Decomposed) => Node): Node {
  const mask = isSpecial(m, x);
  const subnormal = m.lt(x, m.c(2 ** -126));
  const normal = exceptWhere(m, mask, x, () => m.select(subnormal, m.mul(x, m.c(2 ** 23)), x));
  const { e, f } = decompose(m, normal);
  const y = compute({ e: m.sub(e, m.and(subnormal, m.c(23))), f });
  return exceptWhere(m, mask, y, () => special(m, y, x));
}

export const log = (m: VectorMath, x: Node): Node => logarithm(m, x, (parts) => logOf(m, parts));

/** e and log(1+f) to another base: the factors in two parts, of which the first has 11 bits. */
type Base = { readonly e: number; readonly eLow: number; readonly factor: number; readonly factorLow: number };
function logOfBase(m: VectorMath, { e, f }: Decomposed, base: Base): Node {
  const tail = polynomial(
    m,
    f,
    [-0.5, ...coefficients].map((c) => c * (base.factor + base.factorLow)),
  );
  const square = m.mul(m.mul(f, f), tail);
  // The product with the first part must be exact; where nothing fuses, that wants a fraction of 12 bits.
  const high = m.fused ? f : m.and(f, m.bits(0xfffff000 | 0));
  const rest = m.fused ? square : m.madd(m.sub(f, high), m.c(base.factor), square);
  const small = m.madd(f, m.c(base.factorLow), rest);
  const fraction = m.madd(high, m.c(base.factor), base.eLow === 0 ? small : m.madd(e, m.c(base.eLow), small));
  return base.e === 1 ? m.add(e, fraction) : m.madd(e, m.c(base.e), fraction);
}
const base2 = { e: 1, eLow: 0, factor: 1.4423828125, factorLow: Math.LOG2E - 1.4423828125 };
const base10 = {
  e: 0.301025390625,
  eLow: 0.3010299956639812 - 0.301025390625,
  factor: 0.43408203125,
  factorLow: Math.LOG10E - 0.43408203125,
};
export const log2 = (m: VectorMath, x: Node): Node => logarithm(m, x, (parts) => logOfBase(m, parts, base2));
export const log10 = (m: VectorMath, x: Node): Node => logarithm(m, x, (parts) => logOfBase(m, parts, base10));

/** log(1 + x + low), where `low` is below the last bit of x and 1 + x is positive and finite. A negative zero comes out positive. */
function log1pOf(m: VectorMath, x: Node, u: Node, low?: Node): Node {
  const exponent = m.and(m.subBits(u, m.bits(sqrtHalf)), m.bits(exponentBits));
  // 4 2^-e, which is normal up to e = 128. x 2^-e is exact, so f is rounded once.
  const scale = m.subBits(m.c(4), exponent);
  const f = m.madd(m.mul(x, scale), m.c(0.25), m.madd(scale, m.c(0.25), m.c(-1)));
  const e = m.convert(m.shr(exponent, 23));
  return logOf(m, { e, f }, low === undefined ? undefined : m.div(low, u));
}

/** The same for every x. */
function log1pSpecial(m: VectorMath, x: Node, low?: Node): Node {
  const u = m.add(x, m.c(1));
  const y = log1pOf(m, x, u, low);
  return exceptWhere(m, isSpecial(m, u), y, () => special(m, y, u));
}

export const log1p = (m: VectorMath, x: Node): Node => m.or(log1pSpecial(m, x), signOf(m, x));

/** log(1 + high + low) for 0 <= high <= 1: softplus's other half. */
export const log1pSplit = (m: VectorMath, { high, low }: { readonly high: Node; readonly low: Node }): Node =>
  log1pOf(m, high, m.add(high, m.c(1)), low);

type Pairs = readonly [Node, Node];
const inDouble = (m: VectorMath, x: Node, formula: (pair: Node) => Node): Pairs => {
  const [a, b] = promote(m, x);
  return [m.f.bind(formula(a)), m.f.bind(formula(b))];
};

/** log(1 + x) of float64 pairs. */
function log1pOfPairs(m: VectorMath, x: Pairs): Node {
  const { high, low } = split(m, x);
  return log1pSpecial(m, high, low);
}

export function asinh(m: VectorMath, x: Node): Node {
  const { f } = m;
  const one = f.constant({ f64x2: 1 });
  const a = m.abs(x);
  // sqrt(a² + 1) - 1 loses what a² is beside 1: the term that is lost matters below 2^-12, where asinh(a) is a - a³/6.
  const argument = inDouble(m, m.pmin(a, m.c(2 ** 100)), (v) =>
    f.op('f64x2.add', v, f.op('f64x2.sub', f.op('f64x2.sqrt', f.op('f64x2.add', f.op('f64x2.mul', v, v), one)), one)),
  );
  const y = log1pOfPairs(m, argument);
  const small = m.lt(a, m.c(2 ** -12));
  const beyond = m.gt(a, m.c(2 ** 100));
  const large = m.add(log(m, a), m.c(Math.LN2));
  return m.or(m.select(small, m.nmadd(m.mul(m.mul(a, a), a), m.c(1 / 6), a), m.select(beyond, large, y)), signOf(m, x));
}

export function acosh(m: VectorMath, x: Node): Node {
  const { f } = m;
  const one = f.constant({ f64x2: 1 });
  const argument = inDouble(m, m.pmin(x, m.c(2 ** 100)), (v) => {
    const t = f.bind(f.op('f64x2.sub', v, one));
    return f.op('f64x2.add', t, f.op('f64x2.sqrt', f.op('f64x2.mul', t, f.op('f64x2.add', v, one))));
  });
  const y = m.select(m.lt(x, m.c(1)), m.c(Number.NaN), log1pOfPairs(m, argument));
  return m.select(m.gt(x, m.c(2 ** 100)), m.add(log(m, x), m.c(Math.LN2)), y);
}

export function atanh(m: VectorMath, x: Node): Node {
  const { f } = m;
  const a = m.abs(x);
  const argument = inDouble(m, a, (v) => f.op('f64x2.div', f.op('f64x2.add', v, v), f.op('f64x2.sub', f.constant({ f64x2: 1 }), v)));
  const y = m.mul(log1pOfPairs(m, argument), m.c(0.5));
  return m.or(y, signOf(m, x));
}
