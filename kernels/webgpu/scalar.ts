// How each scalar function is written in WGSL, by the dtype of its operands. A u8 is computed with as an i32 between 0 and 255.
import type { DType } from '../../runtime/dtype.ts';
import { DTypeError, InternalError } from '../../runtime/errors.ts';
import type { Printers, ScalarName, scalar } from '../scalar.ts';
import { type Code, infix, integer, invoke, type Operator, Precedence, prefix, primary } from './code.ts';
import type { HelperName } from './prelude.ts';

/** dtypes that shaders compute with. */
export type ShaderDType = 'f32' | 'i32' | 'i64' | 'u8' | 'bool';

/** How values of a dtype are typed. */
export const typeOf: Readonly<Record<ShaderDType, 'f32' | 'i32' | 'vec2<u32>' | 'bool'>> = {
  f32: 'f32',
  i32: 'i32',
  i64: 'vec2<u32>',
  u8: 'i32',
  bool: 'bool',
};
/** Words that an element takes in scratch. */
export const wordsOf = (dtype: DType): number => (dtype === 'i64' ? 2 : 1);

/** The dtype, if shaders know it. */
export function shaderDType(dtype: DType): ShaderDType {
  switch (dtype) {
    case 'f32':
    case 'i32':
    case 'i64':
    case 'u8':
    case 'bool':
      return dtype;
    case 'f64':
    case 'f16':
      throw new DTypeError(`webgpu does not compute with ${dtype === 'f64' ? 'float64' : 'float16'}`, {
        op: 'emit',
        fix: "convert with to('float32')",
      });
    default:
      return dtype satisfies never;
  }
}

/** What printing a function may ask for. */
export type Asked = {
  readonly need: (name: HelperName) => void;
  /** The number of the failure that a division by zero is, for `fail`. */
  readonly divisionByZero: () => Code;
};
export type Print = (args: readonly Code[], asked: Asked) => Code;

const one =
  (print: (x: Code) => Code): Print =>
  ([x]) =>
    print(x!);
const operator =
  (symbol: Operator): Print =>
  ([x, y]) =>
    infix(x!, symbol, y!);
const builtin =
  (name: string): Print =>
  (args) =>
    invoke(name, ...args);
const helper =
  (name: HelperName): Print =>
  (args, { need }) => {
    need(name);
    return invoke(name, ...args);
  };
const same: Print = one((x) => x);
const select: Print = ([c, x, y]) => invoke('select', y!, x!, c!);
const onePart = primary('1f');

/** Nothing that the verifier lets through. */
const never =
  (what: string): Print =>
  () => {
    throw new InternalError(what, { op: 'emit' });
  };
const noBits = never('bitwise functions take integers');

/** Both operands are computed: `&&` would be a branch, of which compilers of shaders make far too much. */
const logical = { and: operator('&'), or: operator('|'), not: one((x) => prefix('!', x)) };

/** A number is equal to itself unless it is NaN, which only its bits tell for certain. */
const equality =
  (symbol: '==' | '!='): Print =>
  ([x, y], { need }) => {
    if (x!.text !== y!.text) return infix(x!, symbol, y!);
    need('is_nan');
    const test = invoke('is_nan', x!);
    return symbol === '!=' ? test : prefix('!', test);
  };

const f32: Printers<Print> = {
  ...logical,
  eq: equality('=='),
  ne: equality('!='),
  lt: operator('<'),
  le: operator('<='),
  bitAnd: noBits,
  bitOr: noBits,
  bitXor: noBits,
  bitNot: noBits,
  shl: noBits,
  shr: noBits,
  threefry: noBits,
  add: operator('+'),
  sub: operator('-'),
  mul: operator('*'),
  div: operator('/'),
  floorDiv: helper('floor_divide_f32'),
  rem: helper('floor_remainder_f32'),
  fmod: helper('fmod_f32'),
  pow: helper('pow_f32'),
  min: helper('minimum'),
  max: helper('maximum'),
  atan2: helper('atan2_f32'),
  neg: one((x) => prefix('-', x)),
  abs: builtin('abs'),
  sign: helper('sign_of'),
  floor: builtin('floor'),
  ceil: builtin('ceil'),
  trunc: builtin('trunc'),
  round: builtin('round'),
  recip: one((x) => infix(onePart, '/', x)),
  sqrt: builtin('sqrt'),
  rsqrt: one((x) => infix(onePart, '/', invoke('sqrt', x))),
  exp: helper('exp_f32'),
  exp2: helper('exp2_f32'),
  expm1: helper('expm1_f32'),
  log: helper('log_f32'),
  log2: helper('log2_f32'),
  log10: helper('log10_f32'),
  log1p: helper('log1p_f32'),
  sin: helper('sin_f32'),
  cos: helper('cos_f32'),
  tan: helper('tan_f32'),
  asin: helper('asin_f32'),
  acos: helper('acos_f32'),
  atan: helper('atan_f32'),
  sinh: helper('sinh_f32'),
  cosh: helper('cosh_f32'),
  tanh: helper('tanh_f32'),
  asinh: helper('asinh_f32'),
  acosh: helper('acosh_f32'),
  atanh: helper('atanh_f32'),
  erf: helper('erf_f32'),
  sigmoid: helper('sigmoid_f32'),
  softplus: helper('softplus_f32'),
  select,
};

/** Counts of shifts are taken modulo 32. */
const shift =
  (symbol: '<<' | '>>'): Print =>
  ([x, y]) =>
    infix(x!, symbol, infix(invoke('u32', y!), '&', primary('31u')));
const divided =
  (print: (x: Code, y: Code, asked: Asked) => Code): Print =>
  ([x, y], asked) => {
    asked.need('divisor');
    return print(x!, invoke('divisor', y!, asked.divisionByZero()), asked);
  };
const dividedBy = (name: HelperName): Print => divided((x, y, asked) => helper(name)([x, y], asked));

const divided64 =
  (name: HelperName): Print =>
  ([x, y], asked) => {
    asked.need('divisor_i64');
    return helper(name)([x!, invoke('divisor_i64', y!, asked.divisionByZero())], asked);
  };
/** A pair of words as an i32: its low word. */
export const lowWord = (x: Code): Code =>
  invoke('bitcast<i32>', primary(`${x.precedence === Precedence.primary ? x.text : `(${x.text})`}.x`));

/** Functions that are defined for floating operands only. */
type FloatOnly = { [K in ScalarName]: (typeof scalar)[K]['dtype'] extends 'float' ? K : never }[ScalarName];
type Integer = { readonly [K in Exclude<ScalarName, FloatOnly>]: Print };

const i32: Integer = {
  ...logical,
  eq: operator('=='),
  ne: operator('!='),
  lt: operator('<'),
  le: operator('<='),
  add: operator('+'),
  sub: operator('-'),
  mul: operator('*'),
  floorDiv: dividedBy('floor_divide_i32'),
  rem: dividedBy('floor_remainder_i32'),
  fmod: divided((x, y) => infix(x, '%', y)),
  pow: helper('power_i32'),
  min: builtin('min'),
  max: builtin('max'),
  bitAnd: operator('&'),
  bitOr: operator('|'),
  bitXor: operator('^'),
  bitNot: one((x) => prefix('~', x)),
  shl: shift('<<'),
  shr: shift('>>'),
  threefry: helper('threefry'),
  neg: one((x) => prefix('-', x)),
  abs: builtin('abs'),
  sign: builtin('sign'),
  floor: same,
  ceil: same,
  trunc: same,
  round: same,
  select,
};

/** Bits are those of the words; all else is a function. */
const long = (name: HelperName): Print => helper(name);
const i64: Integer = {
  ...logical,
  eq: ([x, y]) => invoke('all', infix(x!, '==', y!)),
  ne: ([x, y]) => invoke('any', infix(x!, '!=', y!)),
  lt: long('lt_i64'),
  le: ([x, y], asked) => prefix('!', long('lt_i64')([y!, x!], asked)),
  add: long('add_i64'),
  sub: long('sub_i64'),
  mul: long('mul_i64'),
  floorDiv: divided64('floor_divide_i64'),
  rem: divided64('floor_remainder_i64'),
  fmod: divided64('fmod_i64'),
  pow: long('pow_i64'),
  min: long('min_i64'),
  max: long('max_i64'),
  bitAnd: operator('&'),
  bitOr: operator('|'),
  bitXor: operator('^'),
  bitNot: one((x) => prefix('~', x)),
  shl: long('shl_i64'),
  shr: long('shr_i64'),
  threefry: (args, asked) => {
    asked.need('to_i64');
    return invoke('to_i64', helper('threefry')(args.map(lowWord), asked));
  },
  neg: long('neg_i64'),
  abs: long('abs_i64'),
  sign: long('sign_i64'),
  floor: same,
  ceil: same,
  trunc: same,
  round: same,
  select,
};

export const wrap8 = (x: Code): Code => infix(x, '&', integer(255));
const narrowed =
  (print: Print): Print =>
  (args, asked) =>
    wrap8(print(args, asked));
const u8: Integer = {
  ...i32,
  add: narrowed(i32.add),
  sub: narrowed(i32.sub),
  mul: narrowed(i32.mul),
  pow: narrowed(i32.pow),
  bitNot: narrowed(i32.bitNot),
  shl: narrowed(i32.shl),
  threefry: narrowed(i32.threefry),
  neg: narrowed(i32.neg),
  abs: same,
};

const noArithmetic = never('there is no arithmetic on bools');
const numberOf = (x: Code): Code => invoke('i32', x);
const bool: Integer = {
  ...logical,
  eq: operator('=='),
  ne: operator('!='),
  lt: ([x, y]) => infix(prefix('!', x!), '&', y!),
  le: ([x, y]) => infix(prefix('!', x!), '|', y!),
  bitAnd: operator('&'),
  bitOr: operator('|'),
  bitXor: operator('!='),
  bitNot: logical.not,
  // Integers of one bit.
  shl: ([x, y]) => infix(x!, '&', prefix('!', y!)),
  shr: ([x, y]) => infix(x!, '&', prefix('!', y!)),
  threefry: (args, asked) => infix(infix(helper('threefry')(args.map(numberOf), asked), '&', integer(1)), '==', integer(1)),
  min: operator('&'),
  max: operator('|'),
  select,
  add: noArithmetic,
  sub: noArithmetic,
  mul: noArithmetic,
  floorDiv: noArithmetic,
  rem: noArithmetic,
  fmod: noArithmetic,
  pow: noArithmetic,
  neg: noArithmetic,
  abs: noArithmetic,
  sign: noArithmetic,
  floor: noArithmetic,
  ceil: noArithmetic,
  trunc: noArithmetic,
  round: noArithmetic,
};

const tables: Readonly<Record<ShaderDType, { readonly [K in ScalarName]?: Print }>> = { f32, i32, i64, u8, bool };

/** The printer of a function whose operands have this dtype. */
export function printerOf(fn: ScalarName, dtype: DType): Print {
  const print = tables[shaderDType(dtype)][fn];
  if (print === undefined) throw new InternalError(`${fn} has no meaning for ${dtype}`, { op: 'emit' });
  return print;
}

/** Conversion as the reference has it: towards zero, with integers wrapping around; to bool, whether it is anything but zero. */
export function cast(x: Code, from: ShaderDType, to: ShaderDType, { need }: Asked): Code {
  if (from === to) return x;
  switch (to) {
    case 'bool':
      if (from === 'i64') return invoke('any', infix(x, '!=', primary('vec2(0u)')));
      // NaN is true, which a comparison need not say.
      return from === 'f32'
        ? infix(infix(invoke('bitcast<u32>', x), '&', primary('0x7fffffffu')), '!=', primary('0u'))
        : infix(x, '!=', integer(0));
    case 'f32':
      if (from !== 'i64') return invoke('f32', x);
      need('i64_to_f32');
      return invoke('i64_to_f32', x);
    case 'i64': {
      const name = from === 'f32' ? 'f32_to_i64' : 'to_i64';
      need(name);
      return invoke(name, from === 'bool' ? numberOf(x) : x);
    }
    case 'i32':
    case 'u8': {
      if (from === 'bool') return invoke('i32', x);
      if (from === 'u8') return x;
      if (from === 'i32') return wrap8(x);
      if (from === 'i64') return to === 'i32' ? lowWord(x) : wrap8(lowWord(x));
      need('to_i32');
      const whole = invoke('to_i32', x);
      return to === 'u8' ? wrap8(whole) : whole;
    }
    default:
      return to satisfies never;
  }
}

/** The same bits read as another dtype of equal size. */
export function bitcast(x: Code, from: ShaderDType, to: ShaderDType): Code {
  if (from === to) return x;
  if (from === 'bool' && to === 'u8') return invoke('i32', x);
  if (from === 'u8' && to === 'bool') return infix(infix(x, '&', integer(1)), '!=', integer(0));
  if ((from === 'f32' && to === 'i32') || (from === 'i32' && to === 'f32')) return invoke(`bitcast<${to}>`, x);
  throw new InternalError(`no bitcast from ${from} to ${to}`, { op: 'emit' });
}
