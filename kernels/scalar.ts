// The one list of scalar functions: arity, dtype rule, meaning in float64, and an expansion where a target may lack it.
// Graph ops, loop IR, constant folding, the float64 reference and every emitter are made from this list.

/**
 * How operand and result dtypes relate.
 * same: all equal, any dtype but bool. float: all equal, floating. compare: operands equal, result bool.
 * logical: all bool. bits: all equal, integer or bool. select: a bool, then two of the result's dtype.
 */
export type DTypeRule = 'same' | 'float' | 'compare' | 'logical' | 'bits' | 'select';

/** An expansion is written over this; `fn` is a string here because naming `ScalarName` would make the list circular (TS7022). */
export type Expansion = { readonly fn: string; readonly args: readonly Expansion[]; readonly value?: number };

type Fn = {
  readonly 1: (x: number) => number;
  readonly 2: (x: number, y: number) => number;
  readonly 3: (x: number, y: number, z: number) => number;
};
type ScalarFnOf<A extends 1 | 2 | 3> = {
  readonly arity: A;
  readonly dtype: DTypeRule;
  /** The meaning. Integer functions are exact as long as values are; wrap-around is the emitter's and the reference's duty. */
  readonly f64: Fn[A];
  readonly expand?: (...x: Expansion[]) => Expansion;
};
export type ScalarFn = ScalarFnOf<1> | ScalarFnOf<2> | ScalarFnOf<3>;

type Call = (...args: Expansion[]) => Expansion;
const call =
  (fn: string): Call =>
  (...args) => ({ fn, args });
const lit = (value: number): Expansion => ({ fn: 'lit', args: [], value });
type Calls = [Call, Call, Call, Call, Call, Call, Call];
const [add, neg, recip, exp, log1p, abs, max] = ['add', 'neg', 'recip', 'exp', 'log1p', 'abs', 'max'].map(call) as Calls;

const bool = (b: boolean): number => (b ? 1 : 0);
const sameSign = (x: number, y: number): boolean => x < 0 === y < 0;

export const scalar = {
  // arithmetic
  add: { arity: 2, dtype: 'same', f64: (x, y) => x + y },
  sub: { arity: 2, dtype: 'same', f64: (x, y) => x - y },
  mul: { arity: 2, dtype: 'same', f64: (x, y) => x * y },
  div: { arity: 2, dtype: 'float', f64: (x, y) => x / y },
  /** Quotient rounded to minus infinity, as Python's `//`. */
  floorDiv: { arity: 2, dtype: 'same', f64: floorDivide },
  /** Remainder with the divisor's sign, as Python's `%`. */
  rem: { arity: 2, dtype: 'same', f64: floorRemainder },
  /** Remainder with the dividend's sign, as C's fmod. */
  fmod: { arity: 2, dtype: 'same', f64: (x, y) => x % y },
  pow: { arity: 2, dtype: 'same', f64: power },
  /** Both propagate NaN. */
  min: { arity: 2, dtype: 'same', f64: Math.min },
  max: { arity: 2, dtype: 'same', f64: Math.max },
  atan2: { arity: 2, dtype: 'float', f64: Math.atan2 },
  // comparison
  eq: { arity: 2, dtype: 'compare', f64: (x, y) => bool(x === y) },
  ne: { arity: 2, dtype: 'compare', f64: (x, y) => bool(x !== y) },
  lt: { arity: 2, dtype: 'compare', f64: (x, y) => bool(x < y) },
  le: { arity: 2, dtype: 'compare', f64: (x, y) => bool(x <= y) },
  // logical and bitwise
  and: { arity: 2, dtype: 'logical', f64: (x, y) => bool(x !== 0 && y !== 0) },
  or: { arity: 2, dtype: 'logical', f64: (x, y) => bool(x !== 0 || y !== 0) },
  not: { arity: 1, dtype: 'logical', f64: (x) => bool(x === 0) },
  bitAnd: { arity: 2, dtype: 'bits', f64: (x, y) => x & y },
  bitOr: { arity: 2, dtype: 'bits', f64: (x, y) => x | y },
  bitXor: { arity: 2, dtype: 'bits', f64: (x, y) => x ^ y },
  bitNot: { arity: 1, dtype: 'bits', f64: (x) => ~x },
  shl: { arity: 2, dtype: 'bits', f64: (x, y) => x << y },
  /** Arithmetic shift. */
  shr: { arity: 2, dtype: 'bits', f64: (x, y) => x >> y },
  /** Random 32 bits (i32) from a key, a stream and an index: Threefry-2x32 with 20 rounds (Salmon et al. 2011). */
  threefry: { arity: 3, dtype: 'bits', f64: threefry },
  // rounding and sign
  neg: { arity: 1, dtype: 'same', f64: (x) => -x },
  abs: { arity: 1, dtype: 'same', f64: Math.abs },
  /** 0 for both zeros, and, as PyTorch has it, for NaN. */
  sign: { arity: 1, dtype: 'same', f64: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0) },
  floor: { arity: 1, dtype: 'same', f64: Math.floor },
  ceil: { arity: 1, dtype: 'same', f64: Math.ceil },
  trunc: { arity: 1, dtype: 'same', f64: Math.trunc },
  /** Half to even. */
  round: { arity: 1, dtype: 'same', f64: roundHalfEven },
  // powers and exponentials
  recip: { arity: 1, dtype: 'float', f64: (x) => 1 / x },
  sqrt: { arity: 1, dtype: 'float', f64: Math.sqrt },
  rsqrt: { arity: 1, dtype: 'float', f64: (x) => 1 / Math.sqrt(x) },
  exp: { arity: 1, dtype: 'float', f64: Math.exp },
  exp2: { arity: 1, dtype: 'float', f64: (x) => 2 ** x },
  expm1: { arity: 1, dtype: 'float', f64: Math.expm1 },
  log: { arity: 1, dtype: 'float', f64: Math.log },
  log2: { arity: 1, dtype: 'float', f64: Math.log2 },
  log10: { arity: 1, dtype: 'float', f64: Math.log10 },
  log1p: { arity: 1, dtype: 'float', f64: Math.log1p },
  // trigonometric and hyperbolic
  sin: { arity: 1, dtype: 'float', f64: Math.sin },
  cos: { arity: 1, dtype: 'float', f64: Math.cos },
  tan: { arity: 1, dtype: 'float', f64: Math.tan },
  asin: { arity: 1, dtype: 'float', f64: Math.asin },
  acos: { arity: 1, dtype: 'float', f64: Math.acos },
  atan: { arity: 1, dtype: 'float', f64: Math.atan },
  sinh: { arity: 1, dtype: 'float', f64: Math.sinh },
  cosh: { arity: 1, dtype: 'float', f64: Math.cosh },
  tanh: { arity: 1, dtype: 'float', f64: Math.tanh },
  asinh: { arity: 1, dtype: 'float', f64: Math.asinh },
  acosh: { arity: 1, dtype: 'float', f64: Math.acosh },
  atanh: { arity: 1, dtype: 'float', f64: Math.atanh },
  erf: { arity: 1, dtype: 'float', f64: erf },
  sigmoid: { arity: 1, dtype: 'float', f64: (x) => 1 / (1 + Math.exp(-x)), expand: (x) => recip(add(lit(1), exp(neg(x!)))) },
  /** log(1 + exp x) without overflow. */
  softplus: {
    arity: 1,
    dtype: 'float',
    f64: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    expand: (x) => add(max(x!, lit(0)), log1p(exp(neg(abs(x!))))),
  },
  select: { arity: 3, dtype: 'select', f64: (c, x, y) => (c !== 0 ? x : y) },
} satisfies Record<string, ScalarFn>;

export type ScalarName = keyof typeof scalar;
export const scalarNames = Object.keys(scalar) as readonly ScalarName[];
type Derived = { [K in ScalarName]: (typeof scalar)[K] extends { expand: unknown } ? K : never }[ScalarName];

/** A table of one entry per function that a target must print itself; what has an expansion may be absent. */
export type Printers<P> = { readonly [K in Exclude<ScalarName, Derived>]: P } & { readonly [K in Derived]?: P };

function floorDivide(x: number, y: number): number {
  const r = x % y;
  if (y === 0) return x / y;
  const q = (x - r) / y;
  return Math.round(r !== 0 && !sameSign(r, y) ? q - 1 : q);
}

function floorRemainder(x: number, y: number): number {
  const r = x % y;
  return r !== 0 && !sameSign(r, y) ? r + y : r;
}

/** IEEE pow: 1 ** y and x ** 0 are 1 even for NaN, which JavaScript's ** denies for the former. */
function power(x: number, y: number): number {
  return x === 1 || (x === -1 && (y === Infinity || y === -Infinity)) ? 1 : x ** y;
}

function roundHalfEven(x: number): number {
  const f = Math.floor(x);
  const d = x - f;
  if (d < 0.5) return f === 0 && (x < 0 || Object.is(x, -0)) ? -0 : f;
  if (d > 0.5) return f + 1 === 0 ? -0 : f + 1;
  return Number.isNaN(d) ? x : f % 2 === 0 ? f : f + 1 === 0 ? -0 : f + 1;
}

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** First word of Threefry-2x32-20 under key (key, stream) at counter (index, 0), as a signed integer. */
export function threefry(key: number, stream: number, index: number): number {
  const k = [key | 0, stream | 0, 0x1bd11bda ^ key ^ stream] as const;
  let a = (index + k[0]) | 0;
  let b = k[1] | 0;
  for (let round = 0; round < 20; round++) {
    a = (a + b) | 0;
    const r = rotations[round % 8]!;
    b = ((b << r) | (b >>> (32 - r))) ^ a;
    if (round % 4 === 3) {
      const j = (round + 1) / 4;
      a = (a + k[j % 3]!) | 0;
      b = (b + k[(j + 1) % 3]! + j) | 0;
    }
  }
  return a;
}

/** erf by its Maclaurin series below 1.5 and the continued fraction of erfc above, where 1 - erfc hides its error; 5 ulps. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a < 1.5) {
    let sum = 1;
    for (let n = 40; n >= 1; n--) sum = 1 + (sum * 2 * a * a) / (2 * n + 1);
    return x * (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
  }
  if (a > 6) return Math.sign(x);
  let f = 0;
  for (let n = 100; n >= 1; n--) f = n / 2 / (a + f);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + f));
}
