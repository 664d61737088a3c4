// Arithmetic on tensors and numbers: promoted and broadcast once, then one primitive.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, DTypeError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { avalOf, dtypeOf, type Value } from '../../ir/node.ts';
import { type CompositeName, composite } from '../../ops/composite/table.ts';
import { demandTensors } from '../arguments.ts';
import { elementwise, elementwiseInPlace, type Operand } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';

// An op whose first operand is a number is called `<op>.number`: PyTorch's graph has an edge that leads nowhere in its place.

type Two = (x: Value, y: Value) => Value;
const zero = (x: Value): Value => full(0, avalOf(x));
const nonZero = (x: Value): Value => b.ne(x, zero(x));

// Each as in PyTorch: bool + bool is `or`, bool * bool is `and`; bool - bool is refused.
const addRule: Two = (x, y) => (dtypeOf(x) === 'bool' ? b.or(x, y) : b.add(x, y));
const mulRule: Two = (x, y) => (dtypeOf(x) === 'bool' ? b.and(x, y) : b.mul(x, y));
/** Arithmetic that bools have no part in. */
function refuseBools(op: string, ...operands: readonly Operand[]): void {
  if (operands.some((o) => (isTensor(o) ? o.element === 'bool' : typeof o === 'boolean')))
    throw new DTypeError('a bool is not subtracted from or by', { op, fix: 'use logicalXor, or logicalNot to invert a mask' });
}
const floating = { float: true };
/** Two bools have no such arithmetic. */
const numeric = { refuseBool: true };

/** x + alpha * y, broadcast and promoted. */
export function add(x: Operand, y: Operand, options: { readonly alpha?: number } = {}): Tensor {
  return elementwise('add', [x, scaled(y, options.alpha)], addRule);
}
export const add_ = (x: Tensor, y: Operand, options: { readonly alpha?: number } = {}): Tensor =>
  elementwiseInPlace('add_', x, [scaled(y, options.alpha)], addRule);
/** x - alpha * y. */
export function sub(x: Operand, y: Operand, options: { readonly alpha?: number } = {}): Tensor {
  refuseBools('sub', x, y);
  return elementwise(isTensor(x) ? 'sub' : 'sub.number', [x, scaled(y, options.alpha)], b.sub);
}
export function sub_(x: Tensor, y: Operand, options: { readonly alpha?: number } = {}): Tensor {
  refuseBools('sub_', x, y);
  return elementwiseInPlace('sub_', x, [scaled(y, options.alpha)], b.sub);
}
const scaled = (y: Operand, alpha: number | undefined): Operand =>
  alpha === undefined ? y : isTensor(y) ? mul(y, alpha) : Number(y) * alpha;

/** y - alpha * x: `sub` with its operands exchanged. */
export function rsub(x: Operand, y: Operand, options: { readonly alpha?: number } = {}): Tensor {
  refuseBools('rsub', x, y);
  return elementwise('rsub', [y, scaled(x, options.alpha)], b.sub);
}

/** x * y. */
export const mul = (x: Operand, y: Operand): Tensor => elementwise('mul', [x, y], mulRule);
export const mul_ = (x: Tensor, y: Operand): Tensor => elementwiseInPlace('mul_', x, [y], mulRule);

export type DivOptions = { readonly roundingMode?: 'floor' | 'trunc' };
/** x / y: true division of integers gives float32; with `roundingMode` integers stay integers. */
export const div = (x: Operand, y: Operand, options: DivOptions = {}): Tensor =>
  elementwise(isTensor(x) || options.roundingMode !== undefined ? 'div' : 'div.number', [x, y], divRule(options), divOptions(options));
export const div_ = (x: Tensor, y: Operand, options: DivOptions = {}): Tensor =>
  elementwiseInPlace('div_', x, [y], divRule(options), divOptions(options));
const divOptions = (o: DivOptions): { float?: boolean; refuseBool?: boolean } => (o.roundingMode === undefined ? floating : numeric);
function divRule({ roundingMode }: DivOptions): Two {
  if (roundingMode !== undefined && roundingMode !== 'floor' && roundingMode !== 'trunc')
    throw new ArgumentError(`roundingMode '${String(roundingMode)}' is neither 'floor' nor 'trunc'`, { op: 'div' });
  if (roundingMode === undefined) return b.div;
  if (roundingMode === 'floor') return b.floorDiv;
  return (x, y) => (isFloat(dtypeOf(x)) ? composite('truncDiv', [x, y], {})[0]! : truncatedQuotient(x, y));
}
/** Integers, rounded toward 0: the quotient of what fmod leaves. */
const truncatedQuotient: Two = (x, y) => b.floorDiv(b.sub(x, b.fmod(x, y)), y);

/** Quotient rounded to minus infinity, as Python's `//`. */
export const floorDivide = (x: Operand, y: Operand): Tensor => elementwise('floorDivide', [x, y], b.floorDiv, numeric);
export const floorDivide_ = (x: Tensor, y: Operand): Tensor => elementwiseInPlace('floorDivide_', x, [y], b.floorDiv, numeric);
/** Remainder with the divisor's sign, as Python's `%`. */
export const remainder = (x: Operand, y: Operand): Tensor => elementwise('remainder', [x, y], b.rem, numeric);
export const remainder_ = (x: Tensor, y: Operand): Tensor => elementwiseInPlace('remainder_', x, [y], b.rem, numeric);
/** Remainder with the dividend's sign, as C's fmod. */
export const fmod = (x: Operand, y: Operand): Tensor => elementwise('fmod', [x, y], b.fmod, numeric);
export const fmod_ = (x: Tensor, y: Operand): Tensor => elementwiseInPlace('fmod_', x, [y], b.fmod, numeric);

/** x ** y. A negative number as exponent of an integer tensor is a DTypeError. */
export function pow(x: Operand, y: Operand): Tensor {
  demandExponent('pow', x, y);
  return elementwise(isTensor(x) ? 'pow' : 'pow.number', [x, y], b.pow, numeric);
}
export function pow_(x: Tensor, y: Operand): Tensor {
  demandExponent('pow_', x, y);
  return elementwiseInPlace('pow_', x, [y], b.pow, numeric);
}
function demandExponent(op: string, x: Operand, y: Operand): void {
  if (typeof y === 'number' && y < 0 && Number.isInteger(y) && isTensor(x) && !isFloat(x.element))
    throw new DTypeError('integers to negative integer powers are not allowed', { op, fix: "convert with .to('float32') first" });
}

/** The larger (smaller) of each pair; NaN wins; at ties each operand gets half the gradient. */
export const maximum = (x: Operand, y: Operand): Tensor => elementwise('maximum', [x, y], larger);
export const minimum = (x: Operand, y: Operand): Tensor => elementwise('minimum', [x, y], smaller);
const larger: Two = (x, y) => (dtypeOf(x) === 'bool' ? b.or(x, y) : b.max(x, y));
const smaller: Two = (x, y) => (dtypeOf(x) === 'bool' ? b.and(x, y) : b.min(x, y));
/** Angle of the point (y, x) from the axis of x. */
export const atan2 = (x: Operand, y: Operand): Tensor => elementwise('atan2', [x, y], b.atan2, floating);

/** A composite of two operands, in floating point. */
const pair =
  (op: Extract<CompositeName, 'hypot' | 'logaddexp' | 'copysign' | 'xlogy'>) =>
  (x: Operand, y: Operand): Tensor =>
    elementwise(op, [x, y], (l, r) => composite(op, [l, r], {})[0]!, floating);
/** sqrt(x^2 + y^2), without overflow on the way. */
export const hypot = pair('hypot');
/** log(exp(x) + exp(y)), without overflow. */
export const logaddexp = pair('logaddexp');
/** The size of x with the sign of y. */
export const copysign = pair('copysign');
/** x log(y), and 0 where x is 0. */
export const xlogy = pair('xlogy');
/** As `maximum`, but a NaN gives way to the other operand. */
export const fmax = (x: Operand, y: Operand): Tensor =>
  elementwise('fmax', [x, y], (l, r) => (isFloat(dtypeOf(l)) ? composite('fmax', [l, r], {})[0]! : larger(l, r)));
/** As `minimum`, but a NaN gives way to the other operand. */
export const fmin = (x: Operand, y: Operand): Tensor =>
  elementwise('fmin', [x, y], (l, r) => (isFloat(dtypeOf(l)) ? composite('fmin', [l, r], {})[0]! : smaller(l, r)));
/** 0 where x is negative, 1 where it is positive, `values` where it is 0. It has no derivative. */
export function heaviside(x: Tensor, values: Operand): Tensor {
  const still = (o: Operand): Operand => (isTensor(o) ? o.detach() : o);
  return elementwise('heaviside', [still(x), still(values)], (v, at0) => {
    const step = b.select(b.lt(zero(v), v), full(1, avalOf(v)), zero(v));
    return b.select(b.eq(v, zero(v)), at0, step);
  });
}

/** x + weight * (y - x): from x at 0 to y at 1. */
export const lerp = (x: Tensor, y: Tensor, weight: Operand): Tensor => elementwise('lerp', [x, y, weight], lerpRule);
export const lerp_ = (x: Tensor, y: Tensor, weight: Operand): Tensor => elementwiseInPlace('lerp_', x, [y, weight], lerpRule);
/** Taken from the nearer end, so that both ends are met exactly. */
function lerpRule(x: Value, y: Value, w: Value): Value {
  const gap = b.sub(y, x);
  const one = full(1, avalOf(w));
  return b.select(b.lt(b.abs(w), full(0.5, avalOf(w))), b.add(x, b.mul(w, gap)), b.sub(y, b.mul(gap, b.sub(one, w))));
}

type Valued = { readonly value?: number };
/** x + value * y * z. */
export const addcmul = (x: Tensor, y: Tensor, z: Tensor, { value = 1 }: Valued = {}): Tensor =>
  elementwise('addcmul', [x, y, z, value], addcmulRule);
export const addcmul_ = (x: Tensor, y: Tensor, z: Tensor, { value = 1 }: Valued = {}): Tensor =>
  elementwiseInPlace('addcmul_', x, [y, z, value], addcmulRule);
const addcmulRule = (x: Value, y: Value, z: Value, c: Value): Value => b.add(x, b.mul(b.mul(c, y), z));
/** x + value * y / z, in floating point. */
export const addcdiv = (x: Tensor, y: Tensor, z: Tensor, { value = 1 }: Valued = {}): Tensor =>
  elementwise('addcdiv', [x, y, z, value], addcdivRule, floating);
export const addcdiv_ = (x: Tensor, y: Tensor, z: Tensor, { value = 1 }: Valued = {}): Tensor =>
  elementwiseInPlace('addcdiv_', x, [y, z, value], addcdivRule, floating);
const addcdivRule = (x: Value, y: Value, z: Value, c: Value): Value => b.add(x, b.div(b.mul(c, y), z));

// Comparisons give bool.
export const eq = (x: Operand, y: Operand): Tensor => elementwise('eq', [x, y], b.eq);
export const ne = (x: Operand, y: Operand): Tensor => elementwise('ne', [x, y], b.ne);
export const lt = (x: Operand, y: Operand): Tensor => elementwise('lt', [x, y], b.lt);
export const le = (x: Operand, y: Operand): Tensor => elementwise('le', [x, y], b.le);
export const gt = (x: Operand, y: Operand): Tensor => elementwise('gt', [x, y], (l, r) => b.lt(r, l));
export const ge = (x: Operand, y: Operand): Tensor => elementwise('ge', [x, y], (l, r) => b.le(r, l));

// Logical ops take any dtype: an element counts as true if it differs from 0.
const logical =
  (f: Two): Two =>
  (x, y) =>
    dtypeOf(x) === 'bool' ? f(x, y) : f(nonZero(x), nonZero(y));
export const logicalAnd = (x: Operand, y: Operand): Tensor => elementwise('logicalAnd', [x, y], logical(b.and));
export const logicalOr = (x: Operand, y: Operand): Tensor => elementwise('logicalOr', [x, y], logical(b.or));
export const logicalXor = (x: Operand, y: Operand): Tensor => elementwise('logicalXor', [x, y], logical(b.ne));
export const logicalNot = (x: Operand): Tensor =>
  elementwise('logicalNot', [x], (v) => (dtypeOf(v) === 'bool' ? b.not(v) : b.eq(v, zero(v))));

// Bits, of integers and bools only.
function bits(op: string, operands: readonly Operand[], f: (...values: Value[]) => Value): Tensor {
  return elementwise(op, operands, (...values) => {
    if (isFloat(dtypeOf(values[0]!)))
      throw new DTypeError('has no meaning on floating point numbers', { op, fix: "convert with .to('int32') first" });
    return f(...values);
  });
}
export const bitwiseAnd = (x: Operand, y: Operand): Tensor => bits('bitwiseAnd', [x, y], b.bitAnd as (...values: Value[]) => Value);
export const bitwiseOr = (x: Operand, y: Operand): Tensor => bits('bitwiseOr', [x, y], b.bitOr as (...values: Value[]) => Value);
export const bitwiseXor = (x: Operand, y: Operand): Tensor => bits('bitwiseXor', [x, y], b.bitXor as (...values: Value[]) => Value);
export const bitwiseLeftShift = (x: Operand, y: Operand): Tensor =>
  bits('bitwiseLeftShift', [x, y], b.shl as (...values: Value[]) => Value);
export const bitwiseRightShift = (x: Operand, y: Operand): Tensor =>
  bits('bitwiseRightShift', [x, y], b.shr as (...values: Value[]) => Value);
export const bitwiseNot = (x: Operand): Tensor => bits('bitwiseNot', [x], b.bitNot as (...values: Value[]) => Value);

export type Closeness = { readonly rtol?: number; readonly atol?: number; readonly equalNan?: boolean };
/** Whether |x - y| <= atol + rtol |y|, element by element; equal infinities are close. */
export function isclose(x: Tensor, y: Tensor, { rtol = 1e-5, atol = 1e-8, equalNan = false }: Closeness = {}): Tensor {
  demandTensors('isclose', x, y);
  if (!(rtol >= 0) || !(atol >= 0))
    throw new ArgumentError(`tolerances must not be negative, got rtol = ${rtol} and atol = ${atol}`, { op: 'isclose' });
  return elementwise('isclose', [x, y, rtol, atol], (l, r, relative, absolute) => {
    const same = b.eq(l, r);
    if (!isFloat(dtypeOf(l))) return same;
    const bounded = b.lt(b.abs(l), full(Number.POSITIVE_INFINITY, avalOf(l)));
    const near = b.and(bounded, b.le(b.abs(b.sub(l, r)), b.add(absolute, b.mul(relative, b.abs(r)))));
    const close = b.or(same, near);
    return equalNan ? b.or(close, b.and(b.ne(l, l), b.ne(r, r))) : close;
  });
}
/** Whether all elements are close, as a boolean. Observes both. */
export const allclose = (x: Tensor, y: Tensor, options: Closeness = {}): boolean => isclose(x, y, options).all().itemSync() === 1;
/** Whether both have one shape and equal elements, as a boolean. Observes both. */
export function equal(x: Tensor, y: Tensor): boolean {
  demandTensors('equal', x, y);
  return x.shape.join() === y.shape.join() && eq(x, y).all().itemSync() === 1;
}
