// How each scalar function is written in JavaScript, by the dtype of its operands. f32 is float64 arithmetic rounded after every operation.
import type { DType } from '../../runtime/dtype.ts';
import { DTypeError, InternalError } from '../../runtime/errors.ts';
import { type Printers, type ScalarName, scalar } from '../scalar.ts';
import { type Code, conditional, fround, infix, invoke, number, Precedence, prefix, primary, within } from './code.ts';
import type { HelperName } from './prelude.ts';

/** Comparisons and logical functions print a JavaScript boolean; `need` asks for a function of the prelude. */
export type Print = (args: readonly Code[], need: (name: HelperName) => void) => Code;

/** Functions that are defined for floating operands only. */
type FloatOnly = { [K in ScalarName]: (typeof scalar)[K]['dtype'] extends 'float' ? K : never }[ScalarName];
type IntegerPrinters = { readonly [K in Exclude<ScalarName, FloatOnly>]: Print };

const one =
  (print: (x: Code) => Code): Print =>
  ([x]) =>
    print(x!);
const two =
  (print: (x: Code, y: Code) => Code): Print =>
  ([x, y]) =>
    print(x!, y!);
const operator = (symbol: string): Print => two((x, y) => infix(x, symbol, y));
const math = (name: string): Print => {
  return (args) => invoke(`Math.${name}`, ...args);
};
const helper =
  (name: HelperName): Print =>
  (args, need) => {
    need(name);
    return invoke(name, ...args);
  };
const same: Print = one((x) => x);

const comparisons = { eq: operator('==='), ne: operator('!=='), lt: operator('<'), le: operator('<=') };
const logical = { and: operator('&&'), or: operator('||'), not: one((x) => prefix('!', x)) };
const select: Print = ([c, x, y]) => conditional(c!, x!, y!);
const threefry = helper('threefry');

/** Bitwise functions have no meaning for floats; the verifier lets none through. */
const noBits: Print = () => {
  throw new InternalError('bitwise functions take integers', { op: 'emit' });
};
const bitsOfFloats = { bitAnd: noBits, bitOr: noBits, bitXor: noBits, bitNot: noBits, shl: noBits, shr: noBits, threefry: noBits };

const f64: Printers<Print> = {
  ...comparisons,
  ...logical,
  ...bitsOfFloats,
  add: operator('+'),
  sub: operator('-'),
  mul: operator('*'),
  div: operator('/'),
  floorDiv: helper('floorDivide'),
  rem: helper('floorRemainder'),
  fmod: operator('%'),
  pow: helper('power'),
  min: math('min'),
  max: math('max'),
  atan2: math('atan2'),
  neg: one((x) => prefix('-', x)),
  abs: math('abs'),
  sign: helper('sign'),
  floor: math('floor'),
  ceil: math('ceil'),
  trunc: math('trunc'),
  round: helper('roundHalfEven'),
  recip: one((x) => infix(number(1), '/', x)),
  sqrt: math('sqrt'),
  rsqrt: one((x) => infix(number(1), '/', invoke('Math.sqrt', x))),
  exp: math('exp'),
  exp2: one((x) => invoke('Math.pow', number(2), x)),
  expm1: math('expm1'),
  log: math('log'),
  log2: math('log2'),
  log10: math('log10'),
  log1p: math('log1p'),
  sin: math('sin'),
  cos: math('cos'),
  tan: math('tan'),
  asin: math('asin'),
  acos: math('acos'),
  atan: math('atan'),
  sinh: math('sinh'),
  cosh: math('cosh'),
  tanh: math('tanh'),
  asinh: math('asinh'),
  acosh: math('acosh'),
  atanh: math('atanh'),
  erf: helper('erf'),
  sigmoid: one((x) => infix(number(1), '/', infix(number(1), '+', invoke('Math.exp', prefix('-', x))))),
  softplus: helper('softplus'),
  select,
};

/** Functions whose result is a float32 already when the operands are. */
const exact = new Set<ScalarName>(['fmod', 'min', 'max', 'neg', 'abs', 'sign', 'floor', 'ceil', 'trunc', 'round', 'select']);
const isRounded = (name: ScalarName): boolean => {
  const rule = scalar[name].dtype;
  return (rule === 'same' || rule === 'float') && !exact.has(name);
};

/**
 * One rounding to float64 and one to float32 are as good as a single one for + - * / and sqrt, as 53 >= 2 * 24 + 2 (Figueroa 1995);
 * for the others the error stays below half an ulp plus 2^-28 of one.
 */
const f32 = Object.fromEntries(
  Object.entries(f64).map(([name, print]) => [
    name,
    isRounded(name as ScalarName) ? (((args, need) => fround((print as Print)(args, need))) satisfies Print) : print,
  ]),
) as Printers<Print>;

const wrap32 = (x: Code): Code => infix(x, '|', number(0));
const wrapped = (symbol: string): Print => two((x, y) => wrap32(infix(x, symbol, y)));
/** A quotient or remainder whose divisor is checked when it runs. */
const divided =
  (print: (x: Code, y: Code) => Code): Print =>
  ([x, y], need) => {
    need('nonZero');
    return print(x!, invoke('nonZero', y!));
  };

const bitwise = {
  bitAnd: operator('&'),
  bitOr: operator('|'),
  bitXor: operator('^'),
  bitNot: one((x) => prefix('~', x)),
};

const i32: IntegerPrinters = {
  ...comparisons,
  ...logical,
  ...bitwise,
  add: wrapped('+'),
  sub: wrapped('-'),
  mul: math('imul'),
  floorDiv: divided((x, y) => wrap32(invoke('Math.floor', infix(x, '/', y)))),
  rem: ([x, y], need) => {
    need('nonZero');
    need('floorRemainder');
    return wrap32(invoke('floorRemainder', x!, invoke('nonZero', y!)));
  },
  fmod: divided((x, y) => wrap32(infix(x, '%', y))),
  pow: helper('powerInteger'),
  min: math('min'),
  max: math('max'),
  shl: operator('<<'),
  shr: operator('>>'),
  threefry,
  neg: one((x) => wrap32(prefix('-', x))),
  abs: one((x) => wrap32(invoke('Math.abs', x))),
  sign: math('sign'),
  floor: same,
  ceil: same,
  trunc: same,
  round: same,
  select,
};

const wrap8 = (x: Code): Code => infix(x, '&', number(255));
const narrowed = (print: Print): Print => {
  return (args, need) => wrap8(print(args, need));
};
const u8: IntegerPrinters = {
  ...i32,
  add: narrowed(operator('+')),
  sub: narrowed(operator('-')),
  mul: narrowed(operator('*')),
  pow: narrowed(helper('powerInteger')),
  bitNot: narrowed(bitwise.bitNot),
  shl: narrowed(operator('<<')),
  threefry: narrowed(threefry),
  neg: narrowed(one((x) => prefix('-', x))),
  abs: same,
};

const wrap64 = (x: Code): Code => invoke('BigInt.asIntN', number(64), x);
const wrapped64 = (symbol: string): Print => two((x, y) => wrap64(infix(x, symbol, y)));
/** Shifts count modulo 64, as they do modulo 32 for i32. */
const shifted64 = (symbol: '<<' | '>>'): Print => two((x, y) => wrap64(infix(x, symbol, infix(y, '&', primary('63n')))));
const i64: IntegerPrinters = {
  ...comparisons,
  ...logical,
  ...bitwise,
  add: wrapped64('+'),
  sub: wrapped64('-'),
  mul: wrapped64('*'),
  floorDiv: ([x, y], need) => {
    need('nonZero');
    need('floorDivideBigInt');
    return invoke('floorDivideBigInt', x!, invoke('nonZero', y!));
  },
  rem: ([x, y], need) => {
    need('nonZero');
    need('floorRemainderBigInt');
    return invoke('floorRemainderBigInt', x!, invoke('nonZero', y!));
  },
  fmod: divided((x, y) => infix(x, '%', y)),
  pow: helper('powerBigInt'),
  min: helper('minBigInt'),
  max: helper('maxBigInt'),
  shl: shifted64('<<'),
  shr: shifted64('>>'),
  threefry: (args, need) => {
    const words = args.map((x) => invoke('Number', invoke('BigInt.asIntN', number(32), x)));
    return invoke('BigInt', threefry(words, need));
  },
  neg: one((x) => wrap64(prefix('-', x))),
  abs: helper('absBigInt'),
  sign: helper('signBigInt'),
  floor: same,
  ceil: same,
  trunc: same,
  round: same,
  select,
};

/** Bools are 0 or 1, integers of one bit; arithmetic on them the verifier lets through nowhere. */
const oneBit = (print: Print): Print => {
  return (args, need) => infix(print(args, need), '&', number(1));
};
const bool: IntegerPrinters = {
  ...u8,
  bitNot: one((x) => infix(x, '^', number(1))),
  shl: oneBit(operator('<<')),
  threefry: oneBit(threefry),
};

/** The printer of a function whose operands have this dtype. */
export function printerOf(fn: ScalarName, dtype: DType): Print {
  const table = tableOf(dtype);
  const print = table[fn];
  if (print === undefined) throw new InternalError(`${fn} has no meaning for ${dtype}`, { op: 'emit' });
  return print;
}

function tableOf(dtype: DType): { readonly [K in ScalarName]?: Print } {
  switch (dtype) {
    case 'f32':
      return f32;
    case 'f64':
      return f64;
    case 'i32':
      return i32;
    case 'i64':
      return i64;
    case 'u8':
      return u8;
    case 'bool':
      return bool;
    case 'f16':
      throw noHalf();
    default:
      return dtype satisfies never;
  }
}

export const noHalf = (): DTypeError => new DTypeError('the js target has no float16', { op: 'emit', fix: 'use float32' });

/**
 * Conversion between dtypes as PyTorch's: float to integer truncates, to bool tests for non-zero. Where C leaves it open (NaN and
 * values out of range), integers wrap and NaN and infinities give 0.
 */
export function cast(x: Code, from: DType, to: DType, need: (name: HelperName) => void): Code {
  if (from === to) return x;
  if (from === 'f16' || to === 'f16') throw noHalf();
  const wide = from === 'i64';
  switch (to) {
    case 'bool':
      return infix(x, '!==', wide ? primary('0n') : number(0));
    case 'f64':
      return wide ? invoke('Number', x) : x;
    case 'f32':
      if (wide) {
        need('bigIntToFloat32');
        return invoke('bigIntToFloat32', x);
      }
      return from === 'f64' || from === 'i32' ? fround(x) : x;
    case 'i32':
      if (wide) return invoke('Number', invoke('BigInt.asIntN', number(32), x));
      return from === 'f32' || from === 'f64' ? wrap32(x) : x;
    case 'u8':
      if (wide) return invoke('Number', invoke('BigInt.asUintN', number(8), x));
      return from === 'bool' ? x : wrap8(x);
    case 'i64':
      if (from === 'f32' || from === 'f64') {
        need('toBigInt');
        return invoke('toBigInt', x);
      }
      return invoke('BigInt', x);
    default:
      return to satisfies never;
  }
}

const viewNames: Readonly<Partial<Record<DType, string>>> = { f32: 'Float32', f64: 'Float64', i32: 'Int32', i64: 'BigInt64', u8: 'Uint8' };

/** The same bits read as another dtype of equal size. */
export function bitcast(x: Code, from: DType, to: DType, need: (name: HelperName) => void): Code {
  const write = viewNames[from];
  const read = viewNames[to];
  if (from === 'bool' && to === 'u8') return x;
  if (from === 'u8' && to === 'bool') return infix(x, '&', number(1));
  if (write === undefined || read === undefined) throw new InternalError(`no bitcast from ${from} to ${to}`, { op: 'emit' });
  if (from === to) return x;
  need('bits');
  return primary(`(bits.set${write}(0, ${within(x, Precedence.conditional)}), bits.get${read}(0))`);
}
