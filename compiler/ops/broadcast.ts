// Elementwise ops as users mean them: operands of any dtypes and shapes, promoted and broadcast once, then the primitive, which wants them equal.
import { type ScalarName, scalar } from '../../kernels/scalar.ts';
import { type DType, isFloat } from '../../runtime/dtype.ts';
import { DTypeError, InternalError, ShapeError } from '../../runtime/errors.ts';
import { b, build } from '../ir/builder.ts';
import { type Dim, dimText, type Shape, shapeText } from '../ir/dim.ts';
import { dtypeOf, shapeOf, type Value } from '../ir/node.ts';

/** A number that a user wrote. It has a category only; `as` makes the value (a slot) in the dtype that promotion chose. */
export type Num = { readonly number: 'bool' | 'int' | 'float'; readonly as: (dtype: DType) => Value };
export type Operand = Value | Num;
const isNumber = (x: Operand): x is Num => 'number' in x;

/** From narrow to wide. Two dtypes promote to the wider: float before integer before bool, and within a category more bits before fewer. */
const width: Readonly<Record<DType, number>> = { bool: 0, u8: 1, i32: 2, i64: 3, f16: 4, f32: 5, f64: 6 };
const wider = (x: DType, y: DType): DType => (width[x] >= width[y] ? x : y);
const category = (dtype: DType): number => (dtype === 'bool' ? 0 : isFloat(dtype) ? 2 : 1);
/** What a number is by itself: Python's defaults in PyTorch. */
const ofNumber = { bool: 'bool', int: 'i64', float: 'f32' } as const satisfies Record<Num['number'], DType>;

/**
 * PyTorch's result type. Tensors with dimensions decide among themselves; a 0-d tensor, and after that a number,
 * counts only where its category is higher (pytorch/aten/src/ATen/native/TypeProperties.cpp).
 */
export function promote(operands: readonly Operand[]): DType {
  const numbers = operands.filter(isNumber).map((x) => ofNumber[x.number]);
  const tensors = operands.filter((x): x is Value => !isNumber(x));
  const scalars = tensors.filter((x) => shapeOf(x).length === 0).map(dtypeOf);
  const dimensioned = tensors.filter((x) => shapeOf(x).length > 0).map(dtypeOf);
  let result: DType | undefined;
  for (const rank of [dimensioned, scalars, numbers]) {
    if (rank.length === 0) continue;
    const widest = rank.reduce(wider);
    if (result === undefined || category(widest) > category(result)) result = widest;
  }
  if (result === undefined) throw new InternalError('no operands to promote', { op: 'promote' });
  return result;
}

/** The shape that both broadcast to: aligned at the last axis, a size of 1 stretches. */
export function broadcastShapes(op: string, x: Shape, y: Shape): Shape {
  const rank = Math.max(x.length, y.length);
  const at = (shape: Shape, i: number): Dim => shape[i - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, i) => {
    const [m, n] = [at(x, i), at(y, i)];
    if (m === n || n === 1) return m;
    if (m === 1) return n;
    throw new ShapeError(
      `The size of tensor a (${dimText(m)}) must match the size of tensor b (${dimText(n)}) at non-singleton dimension ${i}`,
      { op, fix: `${shapeText(x)} and ${shapeText(y)} are aligned at their last axes, where sizes must be equal or 1` },
    );
  });
}

/** `v` repeated to `shape`. Axes of size 1 that grow are taken out and inserted anew, since `expand` only inserts. */
export function broadcastTo(v: Value, shape: Shape): Value {
  const from = shapeOf(v);
  const lead = shape.length - from.length;
  const at = shape.map((_, i) => i).filter((i) => i < lead || (from[i - lead] === 1 && shape[i] !== 1));
  if (at.length === 0) return v;
  const kept = from.filter((_, i) => !at.includes(i + lead));
  return b.expand(kept.length === from.length ? v : b.reshape(v, { shape: kept }), { shape, at });
}

export const castTo = (v: Value, dtype: DType): Value => (dtypeOf(v) === dtype ? v : b.cast(v, { to: dtype }));

const typed = (x: Operand, dtype: DType): Value => (isNumber(x) ? x.as(dtype) : castTo(x, dtype));
const shapeOfOperand = (x: Operand): Shape => (isNumber(x) ? [] : shapeOf(x));

/** Operands as values of one dtype and one shape. */
export function align(op: string, operands: readonly Operand[], dtype: DType): readonly Value[] {
  const shape = operands.map(shapeOfOperand).reduce((x, y) => broadcastShapes(op, x, y));
  return operands.map((x) => broadcastTo(typed(x, dtype), shape));
}

type NamesOf<A extends number> = { [K in ScalarName]: (typeof scalar)[K]['arity'] extends A ? K : never }[ScalarName];
export type UnaryName = NamesOf<1>;
export type BinaryName = NamesOf<2>;

/** Arithmetic that has a meaning on truths, and the logic that it is. */
const onBools: { readonly [K in BinaryName]?: BinaryName } = { add: 'or', mul: 'and', max: 'or', min: 'and' };

/** An elementwise op of two operands: PyTorch's promotion and broadcasting, then the primitive. */
export function binary(name: BinaryName, x: Operand, y: Operand): Value {
  const dtype = operandType(name, [x, y]);
  const fn = isBoolArithmetic(name, dtype) ? (onBools[name] ?? noArithmetic(name)) : name;
  const [left, right] = align(name, [x, y], dtype) as [Value, Value];
  return elementwise(fn, [left, right]);
}

/** An elementwise op of one operand; integers become float32 where the function is not whole. */
export function unary(name: UnaryName, x: Operand): Value {
  const dtype = operandType(name, [x]);
  if (isBoolArithmetic(name, dtype)) noArithmetic(name);
  return elementwise(name, align(name, [x], dtype));
}

/** `x` where `condition` holds, else `y`. */
export function where(condition: Value, x: Operand, y: Operand): Value {
  if (dtypeOf(condition) !== 'bool')
    throw new DTypeError(`the condition must be bool, not ${dtypeOf(condition)}`, { op: 'where', fix: 'compare, or cast it' });
  const values = align('where', [x, y], promote([x, y]));
  const shape = broadcastShapes('where', shapeOf(condition), shapeOf(values[0]!));
  return elementwise(
    'select',
    [condition, ...values].map((v) => broadcastTo(v, shape)),
  );
}

const elementwise = (name: ScalarName, operands: readonly Value[]): Value => build(name, operands).values[0]!;

/** In which dtype the primitive runs. */
function operandType(name: UnaryName | BinaryName, operands: readonly Operand[]): DType {
  const dtype = promote(operands);
  switch (scalar[name].dtype) {
    case 'float':
      return isFloat(dtype) ? dtype : 'f32';
    case 'logical':
      return 'bool';
    case 'bits':
      if (isFloat(dtype)) throw new DTypeError(`bits of ${dtype} have no meaning`, { op: name, fix: 'cast to an integer dtype' });
      return dtype;
    case 'same':
      if (name === 'sub') refuseBools(operands);
      return dtype;
    case 'compare':
      return dtype;
  }
}

function refuseBools(operands: readonly Operand[]): void {
  const isBool = (x: Operand): boolean => (isNumber(x) ? x.number : dtypeOf(x)) === 'bool';
  if (operands.some(isBool))
    throw new DTypeError('a bool is not subtracted from or by', { op: 'sub', fix: 'use logicalXor, or logicalNot to invert a mask' });
}

const isBoolArithmetic = (name: ScalarName, dtype: DType): boolean => dtype === 'bool' && scalar[name].dtype === 'same';
function noArithmetic(name: ScalarName): never {
  throw new DTypeError('bools have no such arithmetic', { op: name, fix: 'cast them to an integer dtype' });
}
