// Scalar functions in ONNX: one entry a function. What ONNX lacks is refused by name.
import { type Printers, type ScalarName, scalarNames } from '../../../kernels/scalar.ts';
import { type DType, isFloat } from '../../../runtime/dtype.ts';
import { DTypeError } from '../../../runtime/errors.ts';
import { elementType, emit, type Named, number, type Writer } from './writer.ts';

export type Pointwise = (w: Writer, ...xs: readonly Named[]) => Named;

/** Throws: the model asks for what ONNX cannot say. */
export function lacking(what: string): never {
  throw new DTypeError(`ONNX has no ${what}`, { op: 'exportModel', fix: 'export it as StableHLO, or build it with `fluxion build`' });
}

const as = (x: Named, dtype: DType = x.dtype) => ({ dtype, shape: x.shape });
const op =
  (name: string): Pointwise =>
  (w, ...xs) =>
    emit(w, name, xs, as(xs[0]!));
const test =
  (name: string): Pointwise =>
  (w, ...xs) =>
    emit(w, name, xs, as(xs[0]!, 'bool'));
const cast = (w: Writer, x: Named, dtype: DType): Named =>
  x.dtype === dtype ? x : emit(w, 'Cast', [x], as(x, dtype), { to: elementType(dtype) });
/** By way of int32 where runtimes lack the op for bytes and bools. */
export function widened(w: Writer, xs: readonly Named[], f: (...xs: readonly Named[]) => Named): Named {
  const { dtype } = xs[0]!;
  if (dtype !== 'u8' && dtype !== 'bool') return f(...xs);
  const result = f(...xs.map((x) => cast(w, x, 'i32')));
  return result.dtype === 'i32' ? cast(w, result, dtype) : result;
}
const wide =
  (f: Pointwise): Pointwise =>
  (w, ...xs) =>
    widened(w, xs, (...ys) => f(w, ...ys));
/** Whole numbers are their own floor, ceiling and rounding. */
const rounding =
  (name: string): Pointwise =>
  (w, x) =>
    isFloat(x!.dtype) ? op(name)(w, x!) : x!;
const times =
  (factor: number, f: Pointwise): Pointwise =>
  (w, x) =>
    op('Mul')(w, f(w, x!), number(w, factor, x!.dtype));
const bits =
  (onBools: string, onIntegers: string): Pointwise =>
  (w, ...xs) =>
    op(xs[0]!.dtype === 'bool' ? onBools : onIntegers)(w, ...xs);
const none =
  (name: ScalarName): Pointwise =>
  () =>
    lacking(name);

/** The remainder with the divisor's sign: ONNX has it for integers only. */
const remainder: Pointwise = (w, x, y) => {
  if (!isFloat(x!.dtype)) return emit(w, 'Mod', [x!, y!], as(x!));
  const r = emit(w, 'Mod', [x!, y!], as(x!), { fmod: 1 });
  const zero = number(w, 0, x!.dtype);
  const differ = op('Xor')(w, test('Less')(w, r, zero), test('Less')(w, y!, zero));
  const isOpposite = op('And')(w, differ, op('Not')(w, test('Equal')(w, r, zero)));
  return emit(w, 'Where', [isOpposite, op('Add')(w, r, y!), r], as(x!));
};
const floorDivide: Pointwise = (w, x, y) => {
  const exact = op('Div')(w, op('Sub')(w, x!, remainder(w, x!, y!)), y!);
  if (!isFloat(x!.dtype)) return exact;
  const byZero = test('Equal')(w, y!, number(w, 0, y!.dtype));
  return emit(w, 'Where', [byZero, op('Div')(w, x!, y!), op('Round')(w, exact)], as(x!));
};

/** As PyTorch's, 0 for NaN. */
const sign: Pointwise = (w, x) => {
  const zero = number(w, 0, x!.dtype);
  const is = (a: Named, b: Named): Named => cast(w, emit(w, 'Less', [a, b], as(x!, 'bool')), x!.dtype);
  return op('Sub')(w, is(zero, x!), is(x!, zero));
};
const select: Pointwise = (w, c, x, y) => {
  if (x!.dtype !== 'bool') return emit(w, 'Where', [c!, x!, y!], as(x!));
  return op('Or')(w, op('And')(w, c!, x!), op('And')(w, op('Not')(w, c!), y!));
};

const table: Printers<Pointwise> = {
  add: op('Add'),
  sub: op('Sub'),
  mul: op('Mul'),
  div: op('Div'),
  floorDiv: floorDivide,
  rem: remainder,
  fmod: (w, x, y) => emit(w, 'Mod', [x!, y!], as(x!), { fmod: 1 }),
  pow: wide(op('Pow')),
  min: op('Min'),
  max: op('Max'),
  atan2: none('atan2'),
  eq: test('Equal'),
  ne: (w, x, y) => op('Not')(w, test('Equal')(w, x!, y!)),
  lt: wide(test('Less')),
  le: wide(test('LessOrEqual')),
  and: op('And'),
  or: op('Or'),
  not: op('Not'),
  bitAnd: bits('And', 'BitwiseAnd'),
  bitOr: bits('Or', 'BitwiseOr'),
  bitXor: bits('Xor', 'BitwiseXor'),
  bitNot: bits('Not', 'BitwiseNot'),
  shl: none('shl'),
  shr: none('shr'),
  threefry: none('threefry'),
  neg: wide(op('Neg')),
  abs: op('Abs'),
  sign: wide(sign),
  floor: rounding('Floor'),
  ceil: rounding('Ceil'),
  trunc: (w, x) =>
    isFloat(x!.dtype) ? emit(w, 'Where', [test('Less')(w, x!, number(w, 0, x!.dtype)), op('Ceil')(w, x!), op('Floor')(w, x!)], as(x!)) : x!,
  round: rounding('Round'),
  recip: op('Reciprocal'),
  sqrt: op('Sqrt'),
  rsqrt: (w, x) => op('Reciprocal')(w, op('Sqrt')(w, x!)),
  exp: op('Exp'),
  exp2: (w, x) => emit(w, 'Pow', [number(w, 2, x!.dtype), x!], as(x!)),
  expm1: (w, x) => op('Sub')(w, op('Exp')(w, x!), number(w, 1, x!.dtype)),
  log: op('Log'),
  log2: times(Math.LOG2E, op('Log')),
  log10: times(Math.LOG10E, op('Log')),
  log1p: (w, x) => op('Log')(w, op('Add')(w, x!, number(w, 1, x!.dtype))),
  sin: op('Sin'),
  cos: op('Cos'),
  tan: op('Tan'),
  asin: op('Asin'),
  acos: op('Acos'),
  atan: op('Atan'),
  sinh: op('Sinh'),
  cosh: op('Cosh'),
  tanh: op('Tanh'),
  asinh: op('Asinh'),
  acosh: op('Acosh'),
  atanh: op('Atanh'),
  erf: op('Erf'),
  sigmoid: op('Sigmoid'),
  softplus: op('Softplus'),
  select,
};

export const pointwise: Readonly<Record<ScalarName, Pointwise>> = Object.fromEntries(
  scalarNames.map((name) => [name, table[name] ?? none(name)]),
) as Record<ScalarName, Pointwise>;
