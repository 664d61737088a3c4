// Functions of one tensor, element by element.
import { isFloat } from '../../../runtime/dtype.ts';
import { DTypeError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { avalOf, dtypeOf, type Value } from '../../ir/node.ts';
import { demandTensors } from '../arguments.ts';
import { broadcastTo, elementwise, elementwiseInPlace, scalarValue } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';

type One = (x: Value) => Value;
const floating = { float: true };
/** A function whose result is floating whatever comes in. */
const float =
  (op: string, f: One) =>
  (x: Tensor): Tensor =>
    elementwise(op, [x], f, floating);
/** A function that keeps the dtype; bool is refused as in PyTorch. */
const same =
  (op: string, f: One) =>
  (x: Tensor): Tensor => {
    if (isTensor(x) && x.element === 'bool')
      throw new DTypeError('is not defined for bool tensors', { op, fix: "convert with .to('int64') first" });
    return elementwise(op, [x], f);
  };
/** Rounding leaves integers as they are. */
const rounding = (op: string, f: One) => same(op, (x) => (isFloat(dtypeOf(x)) ? f(x) : x));

export const exp = float('exp', b.exp);
export const exp2 = float('exp2', b.exp2);
export const expm1 = float('expm1', b.expm1);
export const log = float('log', b.log);
export const log2 = float('log2', b.log2);
export const log10 = float('log10', b.log10);
export const log1p = float('log1p', b.log1p);
export const sqrt = float('sqrt', b.sqrt);
export const rsqrt = float('rsqrt', b.rsqrt);
export const reciprocal = float('reciprocal', b.recip);
export const sin = float('sin', b.sin);
export const cos = float('cos', b.cos);
export const tan = float('tan', b.tan);
export const asin = float('asin', b.asin);
export const acos = float('acos', b.acos);
export const atan = float('atan', b.atan);
export const sinh = float('sinh', b.sinh);
export const cosh = float('cosh', b.cosh);
export const tanh = float('tanh', b.tanh);
export const asinh = float('asinh', b.asinh);
export const acosh = float('acosh', b.acosh);
export const atanh = float('atanh', b.atanh);
export const erf = float('erf', b.erf);
/** 1 - erf(x). */
export const erfc = float('erfc', (x) => b.sub(full(1, avalOf(x)), b.erf(x)));
export const sigmoid = float('sigmoid', b.sigmoid);

/** log(x / (1 - x)), the inverse of sigmoid; with `eps` x is first held in [eps, 1 - eps]. */
export function logit(x: Tensor, eps?: number): Tensor {
  demandTensors('logit', x);
  const held = eps === undefined ? x : x.clamp(eps, 1 - eps);
  return elementwise('logit', [held], (v) => b.log(b.div(v, b.sub(full(1, avalOf(v)), v))), floating);
}
/** sin(pi x) / (pi x), and 1 at 0. */
export const sinc = float('sinc', (x) => {
  const isZero = b.eq(x, full(0, avalOf(x)));
  const angle = b.mul(b.select(isZero, full(1, avalOf(x)), x), full(Math.PI, avalOf(x)));
  return b.select(isZero, full(1, avalOf(x)), b.div(b.sin(angle), angle));
});
/** Degrees to radians. */
export const deg2rad = float('deg2rad', (x) => b.mul(x, full(Math.PI / 180, avalOf(x))));
/** Radians to degrees. */
export const rad2deg = float('rad2deg', (x) => b.mul(x, full(180 / Math.PI, avalOf(x))));

export const neg = same('neg', b.neg);
export const abs = same('abs', b.abs);
/** -1, 0 or 1, and NaN of NaN; a bool is its own sign. */
export const sign = (x: Tensor): Tensor =>
  elementwise('sign', [x], (v) => (dtypeOf(v) === 'bool' ? b.reshape(v, { shape: avalOf(v).shape }) : b.sign(v)));
/** x * x, without the general power. */
export const square = (x: Tensor): Tensor => elementwise('square', [x], (v) => b.mul(v, v), { noBool: true });
export const floor = rounding('floor', b.floor);
export const ceil = rounding('ceil', b.ceil);
export const trunc = rounding('trunc', b.trunc);
/** Half to even. */
export const round = rounding('round', b.round);
/** x - trunc(x). */
export const frac = same('frac', (x) => b.sub(x, b.trunc(x)));

const inPlace =
  (op: string, f: One) =>
  (x: Tensor): Tensor =>
    elementwiseInPlace(op, x, [], f, floating);
export const exp_ = inPlace('exp_', b.exp);
export const log_ = inPlace('log_', b.log);
export const sqrt_ = inPlace('sqrt_', b.sqrt);
export const rsqrt_ = inPlace('rsqrt_', b.rsqrt);
export const sin_ = inPlace('sin_', b.sin);
export const cos_ = inPlace('cos_', b.cos);
export const tanh_ = inPlace('tanh_', b.tanh);
export const sigmoid_ = inPlace('sigmoid_', b.sigmoid);
export const neg_ = (x: Tensor): Tensor => elementwiseInPlace('neg_', x, [], b.neg);
export const abs_ = (x: Tensor): Tensor => elementwiseInPlace('abs_', x, [], b.abs);

export const square_ = (x: Tensor): Tensor => elementwiseInPlace('square_', x, [], (v) => b.mul(v, v));
export const reciprocal_ = inPlace('reciprocal_', b.recip);
const roundingInPlace =
  (op: string, f: One) =>
  (x: Tensor): Tensor =>
    elementwiseInPlace(op, x, [], (v) => (isFloat(dtypeOf(v)) ? f(v) : v));
export const floor_ = roundingInPlace('floor_', b.floor);
export const ceil_ = roundingInPlace('ceil_', b.ceil);
export const trunc_ = roundingInPlace('trunc_', b.trunc);
export const round_ = roundingInPlace('round_', b.round);

// Predicates give bool.
const isInfinite = (x: Value): Value => b.eq(b.abs(x), full(Number.POSITIVE_INFINITY, avalOf(x)));
const never = (x: Value): Value => full(false, { dtype: 'bool', shape: avalOf(x).shape });
const always = (x: Value): Value => full(true, { dtype: 'bool', shape: avalOf(x).shape });
export const isnan = (x: Tensor): Tensor => elementwise('isnan', [x], (v) => b.ne(v, b.reshape(v, { shape: avalOf(v).shape })));
export const isinf = (x: Tensor): Tensor => elementwise('isinf', [x], (v) => (isFloat(dtypeOf(v)) ? isInfinite(v) : never(v)));
export const isfinite = (x: Tensor): Tensor =>
  elementwise('isfinite', [x], (v) => (isFloat(dtypeOf(v)) ? b.lt(b.abs(v), full(Number.POSITIVE_INFINITY, avalOf(v))) : always(v)));

/** Whether the sign bit is set: of negative numbers, and of minus zero. */
export const signbit = (x: Tensor): Tensor =>
  elementwise('signbit', [x], (v) => {
    if (dtypeOf(v) === 'bool') return never(v);
    const negative = b.lt(v, full(0, avalOf(v)));
    return isFloat(dtypeOf(v)) ? b.or(negative, b.lt(b.recip(v), full(0, avalOf(v)))) : negative;
  });

/** NaN, infinity and minus infinity replaced by numbers; by default 0 and the largest finite values. */
export function nanToNum(x: Tensor, options: { readonly nan?: number; readonly posinf?: number; readonly neginf?: number } = {}): Tensor {
  demandTensors('nanToNum', x);
  const largest = x.element === 'f64' ? Number.MAX_VALUE : 3.4028234663852886e38;
  return elementwise('nanToNum', [x], (v) => {
    if (!isFloat(dtypeOf(v))) return v;
    const aval = avalOf(v);
    const at = (n: number): Value => broadcastTo(scalarValue(n, aval.dtype), x.shape);
    const nan = b.ne(v, b.reshape(v, { shape: aval.shape }));
    const high = b.select(b.eq(v, at(Number.POSITIVE_INFINITY)), at(options.posinf ?? largest), v);
    const low = b.select(b.eq(v, at(Number.NEGATIVE_INFINITY)), at(options.neginf ?? -largest), high);
    return b.select(nan, at(options.nan ?? 0), low);
  });
}
