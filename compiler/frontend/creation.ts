// Making tensors: from literals and typed arrays, by pattern (recorded, so they fuse into their users), and at random (filled on the host).
import { hostBuffer } from '../../runtime/buffer.ts';
import { allocate, bytesPerElement, type DType, isFloat, type TypedArray } from '../../runtime/dtype.ts';
import { ArgumentError, DTypeError, OutOfMemoryError, ShapeError } from '../../runtime/errors.ts';
import { b, lit } from '../ir/builder.ts';
import type { avalOf, Value } from '../ir/node.ts';
import { demandOptions, demandTensors, kindOf as wordFor } from './arguments.ts';
import { at, defaultTarget, placeNow } from './device.ts';
import { drawn as oneDraw } from './drawTape.ts';
import { type DTypeName, demandFits, dtypeName, elementOf, truthOf } from './dtypes.ts';
import { demandGradDType } from './handle.ts';
import { parseNested } from './literals.ts';
import type { Nested } from './methods/observe.ts';
import { apply, newTensor } from './op.ts';
import { castTo } from './operands.ts';
import { isTensor } from './pytree.ts';
import {
  defaultGenerator,
  multinomial as drawPositions,
  fillBernoulliFrom,
  fillNormal,
  fillRandint,
  fillRandperm,
  fillUniform,
  type Generator,
} from './random.ts';
import { drawnLeaf, leafOfBuffer, placeOfValue, slot } from './record.ts';
import { storageOf, storageOfData } from './storage.ts';
import type { Tensor } from './tensor.ts';

export type CreationOptions = {
  readonly dtype?: DTypeName;
  /** Make it a leaf that gathers gradients. */
  readonly requiresGrad?: boolean;
};
export type RandomOptions = CreationOptions & { readonly generator?: Generator };

/** Elements that one array may have; indices stay exact and typed arrays allocatable. */
const maxElements = 2 ** 31;

/** Sizes as given by a caller: non-negative integers whose product an array can hold. Throws ShapeError or OutOfMemoryError. */
export function checkedShape(op: string, shape: readonly number[], dtype: DType): readonly number[] {
  if (!Array.isArray(shape))
    throw new ShapeError(`sizes must be an array of integers, not ${typeof shape}`, { op, fix: `write ${op}([2, 3])` });
  let count = 1;
  for (let i = 0; i < shape.length; i++) {
    const n = shape[i];
    if (typeof n !== 'number' || !Number.isInteger(n) || n < 0)
      throw new ShapeError(`size ${String(n)} of dimension ${i} is no non-negative integer`, { op });
    count *= n;
  }
  if (count > maxElements)
    throw new OutOfMemoryError(
      `a tensor of shape [${shape.join(',')}] needs ${(count * bytesPerElement[dtype]).toPrecision(3)} bytes, past the limit of ${maxElements} elements`,
      { op, fix: 'use a smaller shape' },
    );
  return [...shape];
}

const optionNames: readonly string[] = ['dtype', 'requiresGrad'];
const randomOptionNames = [...optionNames, 'generator'];

function checkedElement(op: string, options: CreationOptions, otherwise: DType, names = optionNames): DType {
  demandOptions(op, options, names);
  const name = options.dtype;
  const dtype = name === undefined ? otherwise : elementOf(name, op);
  if (!defaultTarget().dtypes.includes(dtype)) throw new DTypeError(`this device has no ${dtypeName(dtype)}`, { op, fix: "use 'float32'" });
  return dtype;
}

function leaf(t: Tensor, options: CreationOptions, op: string): Tensor {
  if (!options.requiresGrad) return t;
  demandGradDType(t, op);
  t.edge = undefined;
  t.wantsGrad = true;
  return t;
}

/**
 * A tensor from nested arrays of numbers, booleans or bigints, or from a typed array (copied, one-dimensional).
 * dtype: as given, else bool for booleans, int64 for bigints, float32 for numbers (JavaScript cannot tell 1 from 1.0).
 * Throws ShapeError where rows differ in length, ArgumentError for what is no number.
 */
export function tensor(data: Nested | TypedArray, options: CreationOptions = {}): Tensor {
  const { values, shape, element } = parseNested('tensor', data);
  const dtype = checkedElement('tensor', options, element);
  if (dtype !== element && Array.isArray(values)) for (const v of values) demandFits('tensor', v, dtype);
  return leaf(newTensor(storageOfData(convert(values, dtype), dtype, shape)), options, 'tensor');
}

/**
 * A tensor that takes a typed array of matching kind over, without a copy: the array belongs to the tensor from now on, and must not be written
 * to. (`torch.from_numpy` shares the memory both ways, which a device that keeps a copy of its own could only imitate by copying at every use.)
 */
export function fromTypedArray(data: TypedArray, shape: readonly number[], options: CreationOptions = {}): Tensor {
  const op = 'fromTypedArray';
  if (!ArrayBuffer.isView(data))
    throw new ArgumentError(`expected a typed array, but it is ${wordFor(data)}`, { op, fix: 'use tensor() for nested arrays' });
  const dtype = checkedElement(op, options, kindOf(data));
  const sizes = checkedShape(op, shape, dtype);
  const count = sizes.reduce((n, d) => n * d, 1);
  if (count !== data.length) throw new ShapeError(`shape [${sizes}] is invalid for ${data.length} elements`, { op });
  const isSame = allocate(dtype, 0).constructor === data.constructor;
  const buffer = hostBuffer(dtype, isSame ? data : convert(data, dtype), placeNow());
  return leaf(newTensor(storageOf(leafOfBuffer(buffer, { dtype, shape: sizes }))), options, op);
}

function kindOf(data: TypedArray): DType {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  if (data instanceof Int32Array) return 'i32';
  if (data instanceof BigInt64Array) return 'i64';
  if (data instanceof Uint8Array) return 'u8';
  throw new DTypeError(`elements of a ${(data as object).constructor.name} have no dtype here`, {
    op: 'fromTypedArray',
    fix: 'convert to a Float32Array or Int32Array',
  });
}

/** Elements converted as a cast would: to integers by truncation, to bool by comparison with zero. */
export function convert(values: ArrayLike<number | bigint | boolean>, dtype: DType): TypedArray {
  const out = allocate(dtype, values.length);
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (dtype === 'bool') out[i] = Number(truthOf(v));
    else if (out instanceof BigInt64Array) out[i] = typeof v === 'bigint' ? v : BigInt(Math.trunc(Number(v)) || 0);
    else out[i] = Number(v);
  }
  return out;
}

/** A recorded constant: costs no memory until somebody looks, and fuses into what uses it. */
function constant(
  op: string,
  shape: readonly number[],
  options: CreationOptions,
  otherwise: DType,
  value: (dtype: DType) => Value,
): Tensor {
  const dtype = checkedElement(op, options, otherwise);
  const sizes = checkedShape(op, shape, dtype);
  const t = apply(op, [], () => spread(value(dtype), sizes));
  return leaf(t, options, op);
}
const spread = (v: Value, shape: readonly number[]): Value =>
  shape.length === 0 ? b.reshape(v, { shape }) : b.expand(v, { shape, at: shape.map((_, i) => i) });

/** Zeros of a shape. */
export const zeros = (shape: readonly number[], options: CreationOptions = {}): Tensor =>
  constant('zeros', shape, options, 'f32', (d) => lit(0, d));
/** Ones of a shape. */
export const ones = (shape: readonly number[], options: CreationOptions = {}): Tensor =>
  constant('ones', shape, options, 'f32', (d) => lit(1, d));
/** As `zeros`: nothing is ever left uninitialised. */
export const empty = (shape: readonly number[], options: CreationOptions = {}): Tensor => zeros(shape, options);
/** One number everywhere. dtype: as given, else bool or float32. */
export function full(shape: readonly number[], value: number | boolean, options: CreationOptions = {}): Tensor {
  const otherwise = typeof value === 'boolean' ? 'bool' : 'f32';
  if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'bigint')
    throw new ArgumentError(`the value must be a number, not ${wordFor(value)}`, { op: 'full' });
  return constant('full', shape, options, otherwise, (d) => {
    demandFits('full', value, d);
    return d === 'bool' ? lit(truthOf(value), d) : slot(Number(value), d);
  });
}

/** Makes a tensor where `t` belongs. */
const beside = (t: Tensor, f: () => Tensor): Tensor => at((isTensor(t) && placeOfValue(t.storage.value)) || placeNow(), f);

/** What a tensor of the same shape and, unless told otherwise, dtype is made with. */
function like<O extends CreationOptions>(
  op: string,
  t: Tensor,
  options: O | undefined,
): [shape: readonly number[], options: O & CreationOptions] {
  demandTensors(op, t);
  return [t.shape, { dtype: t.dtype, ...options } as O & CreationOptions];
}
export const zerosLike = (t: Tensor, options?: CreationOptions): Tensor => beside(t, () => zeros(...like('zerosLike', t, options)));
export const onesLike = (t: Tensor, options?: CreationOptions): Tensor => beside(t, () => ones(...like('onesLike', t, options)));
export function fullLike(t: Tensor, value: number | boolean, options?: CreationOptions): Tensor {
  const [shape, all] = like('fullLike', t, options);
  return beside(t, () => full(shape, value, all));
}
export const emptyLike = (t: Tensor, options?: CreationOptions): Tensor => beside(t, () => zeros(...like('emptyLike', t, options)));
export const randLike = (t: Tensor, options?: RandomOptions): Tensor => beside(t, () => rand(...like('randLike', t, options)));
export const randnLike = (t: Tensor, options?: RandomOptions): Tensor => beside(t, () => randn(...like('randnLike', t, options)));

/**
 * `start, start + step, ...` below `end`; one number counts from 0. int64 if all are integers, else float32, as `torch.arange`.
 * Throws ArgumentError where the step leads away from the end.
 */
export function arange(end: number, options?: CreationOptions): Tensor;
export function arange(start: number, end: number, options?: CreationOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: CreationOptions): Tensor;
export function arange(...given: readonly (number | CreationOptions | undefined)[]): Tensor {
  const op = 'arange';
  const { numbers, options } = numbersAndOptions(op, given, 3);
  const [from, to, step] = numbers.length < 2 ? [0, numbers[0]!, 1] : [numbers[0]!, numbers[1]!, numbers[2] ?? 1];
  if (![from, to, step].every(Number.isFinite) || step === 0 || (to - from) / step < 0)
    throw new ArgumentError(`no range leads from ${from} to ${to} by steps of ${step}`, {
      op,
      fix: 'give the step the sign of end - start',
    });
  const whole = [from, to, step].every(Number.isInteger);
  const dtype = checkedElement(op, options, whole ? 'i64' : 'f32');
  if (dtype === 'bool') throw new DTypeError('counts in no bool', { op, fix: "use dtype: 'int64' and compare" });
  const shape = checkedShape(op, [Math.ceil((to - from) / step)], dtype);
  if (!whole) {
    // In float64, as PyTorch: a float32 step would drift.
    const values = Float64Array.from({ length: shape[0]! }, (_, i) => from + step * i);
    return leaf(newTensor(storageOfData(convert(values, dtype), dtype, shape)), options, op);
  }
  const t = apply(op, [], () => {
    const position = b.iota({ dtype, shape, axis: 0 });
    if (from === 0 && step === 1) return position;
    return b.add(b.mul(position, spread(slot(step, dtype), shape)), spread(slot(from, dtype), shape));
  });
  return leaf(t, options, op);
}

/** Leading numbers, then options. */
function numbersAndOptions(
  op: string,
  given: readonly (number | CreationOptions | undefined)[],
  most: number,
): { numbers: number[]; options: CreationOptions } {
  const list = given.filter((v) => v !== undefined);
  const last = list.at(-1);
  const options = typeof last === 'object' ? last : {};
  const numbers = typeof last === 'object' ? list.slice(0, -1) : list;
  numbers.forEach((v, i) => {
    if (typeof v !== 'number') throw new ArgumentError(`argument ${i} is ${wordFor(v)}, not a number`, { op });
  });
  if (numbers.length === 0 || numbers.length > most) throw new ArgumentError(`takes 1 to ${most} numbers, got ${numbers.length}`, { op });
  return { numbers: numbers as number[], options };
}
/** `count` numbers from `start` to `end`, both included. */
export function linspace(start: number, end: number, count: number, options: CreationOptions = {}): Tensor {
  const dtype = checkedElement('linspace', options, 'f32');
  const [n] = checkedShape('linspace', [count], dtype) as [number];
  const step = n > 1 ? (end - start) / (n - 1) : 0;
  // From both ends, as PyTorch, so that the last is `end` exactly.
  const values = Float64Array.from({ length: n }, (_, i) => (i < n / 2 ? start + step * i : end - step * (n - 1 - i)));
  return leaf(newTensor(storageOfData(convert(values, dtype), dtype, [n])), options, 'linspace');
}

/** `count` numbers from base ** start to base ** end, equally spaced in the exponent. */
export const logspace = (start: number, end: number, count: number, options: CreationOptions & { readonly base?: number } = {}): Tensor => {
  demandOptions('logspace', options, [...optionNames, 'base']);
  const { base = 10, ...rest } = options;
  const exponents = at('cpu', () => linspace(start, end, count, { dtype: 'float64' }).dataSync());
  const values = Float64Array.from(exponents as Float64Array, (e) => base ** e);
  const dtype = checkedElement('logspace', rest, 'f32');
  return leaf(newTensor(storageOfData(convert(values, dtype), dtype, [values.length])), rest, 'logspace');
};

/** The identity matrix of n rows, or ones on the diagonal of an n x m matrix. */
export function eye(n: number, options?: CreationOptions): Tensor;
export function eye(n: number, m: number, options?: CreationOptions): Tensor;
export function eye(...given: readonly (number | CreationOptions | undefined)[]): Tensor {
  const { numbers, options } = numbersAndOptions('eye', given, 2);
  const dtype = checkedElement('eye', options, 'f32');
  const shape = checkedShape('eye', [numbers[0]!, numbers[1] ?? numbers[0]!], dtype);
  const position = (axis: number): Value => b.iota({ dtype: 'i32', shape, axis });
  return leaf(
    apply('eye', [], () => castTo(b.eq(position(0), position(1)), dtype)),
    options,
    'eye',
  );
}

/** A leaf filled on the host from a generator, in recorded order; a replay of compiled code draws anew. */
function drawn(
  op: string,
  shape: readonly number[],
  options: RandomOptions,
  otherwise: DType,
  fill: (out: TypedArray, g: Generator) => void,
): Tensor {
  const dtype = checkedElement(op, options, otherwise, randomOptionNames);
  const sizes = checkedShape(op, shape, dtype);
  const generator = options.generator ?? defaultGenerator;
  const draw = (): TypedArray => {
    const out = allocate(
      dtype,
      sizes.reduce((n, d) => n * d, 1),
    );
    fill(out, generator);
    return out;
  };
  const value = oneDraw(() => drawnLeaf({ dtype, shape: sizes }, generator, draw));
  return leaf(newTensor(storageOf(value)), options, op);
}

function demandFloat(op: string, options: RandomOptions): void {
  demandOptions(op, options, randomOptionNames);
  const name = options.dtype;
  if (name !== undefined && !isFloat(elementOf(name, op))) throw new DTypeError(`does not draw ${name}`, { op, fix: 'use randint' });
}

/** Uniform in [0, 1); PyTorch's numbers for a seed. */
export function rand(shape: readonly number[], options: RandomOptions = {}): Tensor {
  demandFloat('rand', options);
  return drawn('rand', shape, options, 'f32', (out, g) => fillUniform(out, 0, 1, g));
}
/** Standard normal; PyTorch's numbers for a seed. */
export function randn(shape: readonly number[], options: RandomOptions = {}): Tensor {
  demandFloat('randn', options);
  return drawn('randn', shape, options, 'f32', (out, g) => fillNormal(out, 0, 1, g));
}
/** Integers in [low, high), int64; PyTorch's numbers for a seed. */
export function randint(low: number, high: number, shape: readonly number[], options: RandomOptions = {}): Tensor {
  if (!Number.isInteger(low) || !Number.isInteger(high) || high <= low)
    throw new ArgumentError(`no integer lies in [${low}, ${high})`, { op: 'randint' });
  return drawn('randint', shape, options, 'i64', (out, g) => fillRandint(out, low, high, g));
}
/** The integers below n in random order, int64; PyTorch's order for a seed. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  return drawn('randperm', [n], options, 'i64', (out, g) => fillRandperm(out, g));
}

/** Normally distributed around `mean` with deviation `std`; PyTorch's numbers for a seed. */
export function normal(mean: number, std: number, shape: readonly number[], options: RandomOptions = {}): Tensor {
  demandFloat('normal', options);
  if (!(std >= 0)) throw new ArgumentError(`standard deviation ${std} must not be negative`, { op: 'normal' });
  return drawn('normal', shape, options, 'f32', (out, g) => fillNormal(out, mean, std, g));
}
/** 1 with the probability that stands in each element of `p`, else 0, in p's dtype; PyTorch's numbers for a seed. Observes p at each draw. */
export function bernoulli(p: Tensor, options: Pick<RandomOptions, 'generator'> = {}): Tensor {
  demandTensors('bernoulli', p);
  if (!isFloat(p.element)) throw new DTypeError(`probabilities must be floating, not ${p.dtype}`, { op: 'bernoulli' });
  return drawn('bernoulli', p.shape, { ...options, dtype: p.dtype }, 'f32', (out, g) => fillBernoulliFrom(out, p.dataSync(), g));
}
/** `count` positions of each row of weights, int64, drawn in proportion to the weights. Observes the weights. */
export function multinomial(
  weights: Tensor,
  count: number,
  options: { readonly replacement?: boolean; readonly generator?: Generator } = {},
): Tensor {
  const op = 'multinomial';
  demandTensors(op, weights);
  if (!isFloat(weights.element) || weights.ndim < 1 || weights.ndim > 2)
    throw new ArgumentError(`weights must be floating, [N] or [B, N], not ${weights.dtype}[${weights.shape}]`, { op });
  if (!Number.isInteger(count) || count <= 0) throw new ArgumentError(`cannot draw ${String(count)} positions`, { op });
  const data = weights.dataSync() as Float32Array;
  const n = weights.shape.at(-1)!;
  const rows = Array.from({ length: n === 0 ? 0 : data.length / n }, (_, i) => data.subarray(i * n, (i + 1) * n));
  const drawnRows = oneDraw(() =>
    rows.flatMap((row) => drawPositions(row, count, options.replacement ?? false, options.generator ?? defaultGenerator)),
  );
  return fromTypedArray(BigInt64Array.from(drawnRows, BigInt), [...weights.shape.slice(0, -1), count]);
}

/** A tensor with a buffer of zeros from the start: state that the first step must find as the second does. */
export function realizedZeros(shape: readonly number[], dtype: DType): Tensor {
  return newTensor(
    storageOfData(
      allocate(
        dtype,
        shape.reduce((n, d) => n * d, 1),
      ),
      dtype,
      shape,
    ),
  );
}

/** The tensor's dtype and shape, for building values like it. */
export const avalOfTensor = (t: Tensor): ReturnType<typeof avalOf> => ({ dtype: t.element, shape: t.shape });
