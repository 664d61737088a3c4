// Scalar functions in StableHLO and CHLO: one entry a function, exhaustive by the list in kernels/scalar.ts.
import { type Expansion, type Printers, type ScalarName, scalar } from '../../../kernels/scalar.ts';
import { InternalError } from '../../../runtime/errors.ts';
import { chlo, compare, convert, type Direction, type Emitter, filled, same, select, type Typed } from './emitter.ts';
import { isFloatElement } from './text.ts';
import { threefry } from './threefry.ts';

/** Operands of one shape to the result. */
export type Pointwise = (e: Emitter, ...xs: readonly Typed[]) => Typed;

const native =
  (op: string): Pointwise =>
  (e, ...xs) =>
    same(e, op, ...(xs as readonly [Typed, ...Typed[]]));
const higher =
  (op: string): Pointwise =>
  (e, x) =>
    chlo(e, op, x!);
const comparison =
  (direction: Direction): Pointwise =>
  (e, x, y) =>
    compare(e, direction, x!, y!);
/** Whole numbers are their own floor, ceiling and rounding. */
const rounding =
  (op: string): Pointwise =>
  (e, x) =>
    isFloatElement(x!.element) ? same(e, op, x!) : x!;
/** A shift of bools is one of their bytes, of which the lowest bit is left. */
const shift =
  (op: string): Pointwise =>
  (e, x, n) => {
    if (x!.element !== 'i1') return same(e, op, x!, n!);
    const shifted = same(e, op, convert(e, x!, 'ui8'), convert(e, n!, 'ui8'));
    return compare(e, 'NE', same(e, 'stablehlo.and', shifted, filled(e, 1, shifted)), filled(e, 0, shifted));
  };
const number = (e: Emitter, value: number, x: Typed): Typed => filled(e, value, x);
const times =
  (factor: number, f: Pointwise): Pointwise =>
  (e, x) =>
    same(e, 'stablehlo.multiply', f(e, x!), number(e, factor, x!));

/** Where a remainder lies on the other side of 0 than the divisor, which Python's `//` and `%` do not allow. */
function isOpposite(e: Emitter, remainder: Typed, y: Typed): Typed {
  const zero = number(e, 0, y);
  const signs = same(e, 'stablehlo.xor', compare(e, 'LT', remainder, zero), compare(e, 'LT', y, zero));
  return same(e, 'stablehlo.and', compare(e, 'NE', remainder, zero), signs);
}

function floorDivide(e: Emitter, x: Typed, y: Typed): Typed {
  if (x.element === 'ui8') return same(e, 'stablehlo.divide', x, y);
  const remainder = same(e, 'stablehlo.remainder', x, y);
  const adjust = convert(e, isOpposite(e, remainder, y), x.element);
  if (!isFloatElement(x.element)) return same(e, 'stablehlo.subtract', same(e, 'stablehlo.divide', x, y), adjust);
  const exact = same(e, 'stablehlo.divide', same(e, 'stablehlo.subtract', x, remainder), y);
  const whole = same(e, 'stablehlo.round_nearest_even', same(e, 'stablehlo.subtract', exact, adjust));
  return select(e, compare(e, 'EQ', y, number(e, 0, y)), same(e, 'stablehlo.divide', x, y), whole);
}

function floorRemainder(e: Emitter, x: Typed, y: Typed): Typed {
  const remainder = same(e, 'stablehlo.remainder', x, y);
  if (x.element === 'ui8') return remainder;
  return select(e, isOpposite(e, remainder, y), same(e, 'stablehlo.add', remainder, y), remainder);
}

/** IEEE's power: 1 to the anything is 1, and so is -1 to an infinite power. */
function power(e: Emitter, x: Typed, y: Typed): Typed {
  const raw = same(e, 'stablehlo.power', x, y);
  if (!isFloatElement(x.element)) return raw;
  const one = number(e, 1, x);
  const isEndless = compare(e, 'EQ', same(e, 'stablehlo.abs', y), number(e, Infinity, y));
  const isMinusOne = same(e, 'stablehlo.and', compare(e, 'EQ', x, number(e, -1, x)), isEndless);
  const isOne = same(e, 'stablehlo.or', compare(e, 'EQ', x, one), compare(e, 'EQ', y, number(e, 0, y)));
  return select(e, same(e, 'stablehlo.or', isOne, isMinusOne), one, raw);
}

/** As PyTorch's, 0 for NaN, which `stablehlo.sign` keeps. */
function sign(e: Emitter, x: Typed): Typed {
  const zero = number(e, 0, x);
  const positive = convert(e, compare(e, 'GT', x, zero), x.element);
  return x.element === 'ui8' ? positive : same(e, 'stablehlo.subtract', positive, convert(e, compare(e, 'LT', x, zero), x.element));
}

const table: Printers<Pointwise> = {
  add: native('stablehlo.add'),
  sub: native('stablehlo.subtract'),
  mul: native('stablehlo.multiply'),
  div: native('stablehlo.divide'),
  floorDiv: (e, x, y) => floorDivide(e, x!, y!),
  rem: (e, x, y) => floorRemainder(e, x!, y!),
  fmod: native('stablehlo.remainder'),
  pow: (e, x, y) => power(e, x!, y!),
  min: native('stablehlo.minimum'),
  max: native('stablehlo.maximum'),
  atan2: native('stablehlo.atan2'),
  eq: comparison('EQ'),
  ne: comparison('NE'),
  lt: comparison('LT'),
  le: comparison('LE'),
  and: native('stablehlo.and'),
  or: native('stablehlo.or'),
  not: native('stablehlo.not'),
  bitAnd: native('stablehlo.and'),
  bitOr: native('stablehlo.or'),
  bitXor: native('stablehlo.xor'),
  bitNot: native('stablehlo.not'),
  shl: shift('stablehlo.shift_left'),
  shr: (e, x, n) =>
    shift(x!.element === 'ui8' || x!.element === 'i1' ? 'stablehlo.shift_right_logical' : 'stablehlo.shift_right_arithmetic')(e, x!, n!),
  threefry: (e, ...xs) => {
    const [key, stream, index] = xs.map((x) => convert(e, x, 'i32'));
    const bits = threefry(e, key!, stream!, index!);
    return xs[0]!.element === 'i1'
      ? compare(e, 'NE', same(e, 'stablehlo.and', bits, number(e, 1, bits)), number(e, 0, bits))
      : convert(e, bits, xs[0]!.element);
  },
  neg: native('stablehlo.negate'),
  abs: (e, x) => (x!.element === 'ui8' ? x! : same(e, 'stablehlo.abs', x!)),
  sign: (e, x) => sign(e, x!),
  floor: rounding('stablehlo.floor'),
  ceil: rounding('stablehlo.ceil'),
  trunc: (e, x) =>
    isFloatElement(x!.element)
      ? select(e, compare(e, 'LT', x!, number(e, 0, x!)), same(e, 'stablehlo.ceil', x!), same(e, 'stablehlo.floor', x!))
      : x!,
  round: rounding('stablehlo.round_nearest_even'),
  recip: (e, x) => same(e, 'stablehlo.divide', number(e, 1, x!), x!),
  sqrt: native('stablehlo.sqrt'),
  rsqrt: native('stablehlo.rsqrt'),
  exp: native('stablehlo.exponential'),
  exp2: (e, x) => same(e, 'stablehlo.power', number(e, 2, x!), x!),
  expm1: native('stablehlo.exponential_minus_one'),
  log: native('stablehlo.log'),
  log2: times(Math.LOG2E, native('stablehlo.log')),
  log10: times(Math.LOG10E, native('stablehlo.log')),
  log1p: native('stablehlo.log_plus_one'),
  sin: native('stablehlo.sine'),
  cos: native('stablehlo.cosine'),
  tan: native('stablehlo.tan'),
  asin: higher('asin'),
  acos: higher('acos'),
  atan: higher('atan'),
  sinh: higher('sinh'),
  cosh: higher('cosh'),
  tanh: native('stablehlo.tanh'),
  asinh: higher('asinh'),
  acosh: higher('acosh'),
  atanh: higher('atanh'),
  erf: higher('erf'),
  sigmoid: native('stablehlo.logistic'),
  select: (e, c, x, y) => select(e, c!, x!, y!),
};

/** A function as its entry says, or by its expansion. */
export function pointwise(name: ScalarName): Pointwise {
  const own = table[name];
  if (own !== undefined) return own;
  return (e, ...xs) => {
    const fn = scalar[name];
    if (!('expand' in fn)) throw new InternalError(`${name} has neither an entry nor an expansion`, { op: 'stablehlo' });
    const names = xs.map((_, i): Expansion => ({ fn: `operand ${i}`, args: [] }));
    return expanded(e, (fn.expand as (...x: Expansion[]) => Expansion)(...names), xs);
  };
}

/** Expansions are a handful of calls deep. */
function expanded(e: Emitter, { fn, args, value }: Expansion, xs: readonly Typed[]): Typed {
  if (fn === 'lit') return number(e, value!, xs[0]!);
  if (fn.startsWith('operand ')) return xs[Number(fn.slice('operand '.length))]!;
  return pointwise(fn as ScalarName)(e, ...args.map((a) => expanded(e, a, xs)));
}
