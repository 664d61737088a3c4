// One maker per kind of op: each takes operands from a pool of values and gives the results of a valid new node, or nothing if none fits.

import { b, build, full, lit, region } from '../compiler/ir/builder.ts';
import { type Dim, dimMul, fixed, isStatic, numel, type Shape, sameShape } from '../compiler/ir/dim.ts';
import { avalOf, dtypeOf, shapeOf, type Value } from '../compiler/ir/node.ts';
import { type ScalarName, scalar, scalarNames } from '../kernels/scalar.ts';
import { bytesPerElement, type DType, isFloat, isInteger } from '../runtime/dtype.ts';

export type OpOptions = {
  readonly dtypes: readonly DType[];
  /** Values stay finite and moderate: operands of steep functions are bounded first. */
  readonly finite: boolean;
  /** No function that jumps: small errors stay small. */
  readonly continuous: boolean;
};
/** A stream of choices; `choose(n)` is below n. */
export type Choose = (n: number) => number;
export type Context = OpOptions & { readonly pool: readonly Value[]; readonly choose: Choose };
export type Maker = (c: Context) => readonly Value[] | undefined;

const mostElements = 2048;

export function pick(c: Context, fits: (v: Value) => boolean): Value | undefined {
  const candidates = c.pool.filter(fits);
  if (candidates.length === 0) return undefined;
  // The later of two, so that graphs grow deep rather than wide.
  return candidates[Math.max(c.choose(candidates.length), c.choose(candidates.length))];
}
const rankOf = (v: Value): number => shapeOf(v).length;
const isSmall = (shape: Shape): boolean => {
  const n = numel(shape);
  return typeof n !== 'number' || n <= mostElements;
};
const positiveAxes = (v: Value): number[] => shapeOf(v).flatMap((d, i) => (d === 0 ? [] : [i]));
const replaced = (shape: Shape, axis: number, d: Dim): Dim[] => shape.map((old, i) => (i === axis ? d : old));
const like = (value: number, v: Value): Value => full(value, avalOf(v));

// Elementwise.

const jumps: ReadonlySet<ScalarName> = new Set<ScalarName>([
  ...(['floor', 'ceil', 'trunc', 'round', 'sign', 'floorDiv', 'rem', 'fmod', 'eq', 'ne', 'lt', 'le', 'atan2'] as const),
]);

/** Operands within which a float function neither overflows nor leaves its domain, made of any operands. */
function boundedOperands(fn: ScalarName, xs: readonly Value[]): readonly Value[] {
  const [x, y] = xs as [Value, Value];
  const positive = (v: Value): Value => b.add(b.abs(v), like(1, v));
  switch (fn) {
    case 'mul':
    case 'atan2':
      return [x, b.tanh(y)];
    case 'div':
    case 'fmod':
    case 'rem':
    case 'floorDiv':
      return [x, positive(y)];
    case 'pow':
      return [positive(b.tanh(x)), b.tanh(y)];
    case 'sqrt':
    case 'log1p':
      return [b.abs(x)];
    case 'rsqrt':
    case 'recip':
    case 'log':
    case 'log2':
    case 'log10':
    case 'acosh':
      return [positive(x)];
    case 'exp':
    case 'exp2':
    case 'expm1':
    case 'sinh':
    case 'cosh':
    case 'tan':
      return [b.tanh(x)];
    case 'asin':
    case 'acos':
    case 'atanh':
      return [b.mul(b.tanh(x), like(0.5, x))];
    default:
      return xs;
  }
}

/** Operands with which an integer function is defined on every machine: no division by zero, no shift beyond the width, small exponents. */
function definedOperands(fn: ScalarName, xs: readonly Value[]): readonly Value[] {
  const [x, y] = xs as [Value, Value];
  switch (fn) {
    case 'floorDiv':
    case 'rem':
    case 'fmod':
      return [x, b.bitOr(b.bitAnd(y, like(7, y)), like(1, y))];
    case 'pow':
      return [b.bitAnd(x, like(3, x)), b.bitAnd(y, like(3, y))];
    case 'mul':
      return [b.bitAnd(x, like(1023, x)), b.bitAnd(y, like(7, y))];
    case 'shl':
      return [b.bitAnd(x, like(255, x)), b.bitAnd(y, like(7, y))];
    case 'shr':
      return [x, b.bitAnd(y, like(7, y))];
    default:
      return xs;
  }
}

function accepts(fn: ScalarName, dtype: DType): boolean {
  if (fn === 'threefry') return dtype === 'i32';
  if (fn === 'bitNot' || fn === 'shl' || fn === 'shr') return isInteger(dtype);
  switch (scalar[fn].dtype) {
    case 'same':
      return dtype !== 'bool';
    case 'float':
      return isFloat(dtype);
    case 'bits':
      return !isFloat(dtype);
    case 'logical':
      return dtype === 'bool';
    default:
      return true;
  }
}

const elementwise: Maker = (c) => {
  const names = scalarNames.filter((n) => !(c.continuous && jumps.has(n)));
  const fn = names[c.choose(names.length)]!;
  const x = pick(c, (v) => accepts(fn, dtypeOf(v)) && (fn !== 'select' || dtypeOf(v) !== 'bool'));
  if (x === undefined) return undefined;
  const another = (): Value => pick(c, (v) => dtypeOf(v) === dtypeOf(x) && sameShape(shapeOf(v), shapeOf(x)))!;
  if (fn === 'select') {
    const test =
      pick(c, (v) => dtypeOf(v) === 'bool' && sameShape(shapeOf(v), shapeOf(x))) ?? full(true, { dtype: 'bool', shape: shapeOf(x) });
    return [b.select(test, x, another())];
  }
  const operands = [x, another(), another()].slice(0, scalar[fn].arity);
  if (isInteger(dtypeOf(x))) return build(fn, definedOperands(fn, operands)).values;
  return build(fn, c.finite && isFloat(dtypeOf(x)) ? boundedOperands(fn, operands) : operands).values;
};

const cast: Maker = (c) => {
  const x = pick(c, () => true)!;
  const to = c.dtypes[c.choose(c.dtypes.length)]!;
  const narrows = isFloat(dtypeOf(x)) && !isFloat(to);
  // What a float out of the integers' range becomes differs between machines.
  if (narrows && c.continuous) return undefined;
  return [b.cast(narrows && to !== 'bool' ? inRange(x) : x, { to })];
};
const inRange = (x: Value): Value => b.abs(b.mul(b.atan(b.select(b.eq(x, x), x, like(0, x))), like(50, x)));

const bitcast: Maker = (c) => {
  if (c.finite) return undefined;
  const x = pick(c, (v) => dtypeOf(v) !== 'bool')!;
  const to = c.dtypes.filter((d) => d !== 'bool' && x !== undefined && bytesPerElement[d] === bytesPerElement[dtypeOf(x)]);
  return x === undefined || to.length === 0 ? undefined : [b.bitcast(x, { to: to[c.choose(to.length)]! })];
};

// Leaves that are generated.

const literal: Maker = (c) => {
  const dtype = c.dtypes[c.choose(c.dtypes.length)]!;
  const specials = c.finite ? [0, -0, 1, -1, 0.1] : [0, -0, 1, 0.1, Number.NaN, Number.POSITIVE_INFINITY, 1e-40, 2 ** 24 + 1];
  const value = isFloat(dtype) ? specials[c.choose(specials.length)]! : dtype === 'bool' ? c.choose(2) === 1 : c.choose(5);
  return [lit(value, dtype)];
};
const iota: Maker = (c) => {
  const dtypes = c.dtypes.filter((d) => d !== 'bool');
  const v = pick(c, (x) => rankOf(x) > 0);
  if (v === undefined || dtypes.length === 0) return undefined;
  return [b.iota({ dtype: dtypes[c.choose(dtypes.length)]!, shape: shapeOf(v), axis: c.choose(rankOf(v)) })];
};
const randomBits: Maker = (c) => {
  const key = pick(c, (v) => dtypeOf(v) === 'i32' && rankOf(v) === 0) ?? lit(c.choose(100), 'i32');
  return c.dtypes.includes('i32') ? [b.randomBits(key, lit(c.choose(100), 'i32'), { shape: shapeOf(pick(c, () => true)!) })] : undefined;
};

// Reductions.

const reduction: Maker = (c) => {
  const op = (['sum', 'amax', 'amin', 'prod'] as const)[c.choose(4)]!;
  const x = pick(c, (v) => rankOf(v) > 0 && dtypeOf(v) !== 'bool');
  if (x === undefined) return undefined;
  const allowed = op === 'sum' || op === 'prod' ? shapeOf(x).map((_, i) => i) : positiveAxes(x);
  const axes = allowed.filter(() => c.choose(3) !== 0);
  return [b[op](op === 'prod' ? factors(x) : x, { axes })];
};
/** Factors whose product stays small. */
const factors = (x: Value): Value => (isFloat(dtypeOf(x)) ? b.tanh(x) : b.bitAnd(x, like(1, x)));
const argReduction: Maker = (c) => {
  const x = pick(c, (v) => positiveAxes(v).length > 0);
  if (x === undefined || c.continuous || !c.dtypes.includes('i64')) return undefined;
  const axes = positiveAxes(x);
  return [b[c.choose(2) === 0 ? 'argmax' : 'argmin'](x, { axis: axes[c.choose(axes.length)]! })];
};

// Movement.

const reshape: Maker = (c) => {
  const x = pick(c, (v) => shapeOf(v).every((d) => d !== 0))!;
  if (x === undefined) return undefined;
  const shape = shapeOf(x);
  const axis = c.choose(shape.length + 1);
  switch (c.choose(4)) {
    case 0:
      return [b.reshape(x, { shape: [numel(shape)] })];
    case 1:
      return [b.reshape(x, { shape: [...shape.slice(0, axis), 1, ...shape.slice(axis)] })];
    case 2:
      if (axis + 1 >= shape.length) return undefined;
      return [b.reshape(x, { shape: [...shape.slice(0, axis), dimMul(shape[axis]!, shape[axis + 1]!), ...shape.slice(axis + 2)] })];
    default: {
      const d = shape[axis];
      if (typeof d !== 'number') return undefined;
      const divisors = Array.from({ length: d }, (_, i) => i + 1).filter((n) => d % n === 0);
      const n = divisors[c.choose(divisors.length)]!;
      return [b.reshape(x, { shape: [...shape.slice(0, axis), n, d / n, ...shape.slice(axis + 1)] })];
    }
  }
};
const permute: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 1);
  if (x === undefined) return undefined;
  const left = shapeOf(x).map((_, i) => i);
  const order = shapeOf(x).map(() => left.splice(c.choose(left.length), 1)[0]!);
  return [b.permute(x, { order })];
};
const expand: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) < 4)!;
  if (x === undefined) return undefined;
  const axis = c.choose(rankOf(x) + 1);
  const size = shapeOf(pick(c, () => true)!)[0] ?? 1 + c.choose(4);
  const shape = [...shapeOf(x).slice(0, axis), size, ...shapeOf(x).slice(axis)];
  return isSmall(shape) ? [b.expand(x, { shape, at: [axis] })] : undefined;
};
const pad: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 0 && dtypeOf(v) !== 'f16');
  if (x === undefined) return undefined;
  const fill = pick(c, (v) => rankOf(v) === 0 && dtypeOf(v) === dtypeOf(x)) ?? lit(0, dtypeOf(x));
  const low = shapeOf(x).map(() => c.choose(3));
  const high = shapeOf(x).map(() => c.choose(3));
  const interior = shapeOf(x).map((d) => (typeof d === 'number' ? c.choose(2) : 0));
  const padded = b.pad(x, fill, { low, high, interior });
  return isSmall(shapeOf(padded)) ? [padded] : undefined;
};
const slice: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 0);
  if (x === undefined) return undefined;
  const start: number[] = [];
  const stop: Dim[] = [];
  const step: number[] = [];
  for (const d of shapeOf(x)) {
    const first = typeof d === 'number' ? c.choose(d + 1) : 0;
    start.push(first);
    stop.push(typeof d === 'number' ? first + c.choose(d - first + 1) : d);
    step.push(typeof d === 'number' ? 1 + c.choose(2) : 1);
  }
  return [b.slice(x, { start, stop, step })];
};
const flip: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 0);
  return x === undefined ? undefined : [b.flip(x, { axes: shapeOf(x).flatMap((_, i) => (c.choose(2) === 0 ? [] : [i])) })];
};
const concat: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 0);
  if (x === undefined) return undefined;
  const axis = c.choose(rankOf(x));
  const fits = (v: Value): boolean => dtypeOf(v) === dtypeOf(x) && sameShape(replaced(shapeOf(v), axis, 1), replaced(shapeOf(x), axis, 1));
  const parts = Array.from({ length: 1 + c.choose(3) }, () => pick(c, fits)!);
  const joined = b.concat(parts, { axis });
  return isSmall(shapeOf(joined)) ? [joined] : undefined;
};

// Contractions.

const dot: Maker = (c) => {
  const x = pick(c, (v) => dtypeOf(v) !== 'bool' && rankOf(v) > 0);
  const y = x && pick(c, (v) => dtypeOf(v) === dtypeOf(x) && rankOf(v) > 0);
  if (x === undefined || y === undefined) return undefined;
  const free = new Set(shapeOf(y).map((_, i) => i));
  const batch: [number, number][] = [];
  const contract: [number, number][] = [];
  for (const [l, d] of shapeOf(x).entries()) {
    const r = [...free].find((i) => shapeOf(y)[i] === d);
    const use = c.choose(3);
    if (r === undefined || use === 2) continue;
    free.delete(r);
    (use === 0 ? contract : batch).push([l, r]);
  }
  const [p, q] = isFloat(dtypeOf(x)) && c.finite ? [x, b.tanh(y)] : [x, y];
  const product = b.dot(p, isInteger(dtypeOf(x)) ? b.bitAnd(y, like(7, y)) : q, { batch, contract });
  return isSmall(shapeOf(product)) ? [product] : undefined;
};
const conv: Maker = (c) => {
  const dtype = c.dtypes.filter(isFloat)[0];
  const x = pick(c, (v) => dtypeOf(v) === dtype && rankOf(v) === 3 && isStatic(shapeOf(v)) && shapeOf(v)[1] !== 0);
  if (x === undefined || dtype === undefined) return undefined;
  const channels = shapeOf(x)[1]!;
  const w = b.iota({ dtype, shape: [2, channels, 1 + c.choose(2)], axis: 1 });
  const attrs = { stride: [1 + c.choose(2)], padding: [[1, 1 + c.choose(2)]] as const, dilation: [1], groups: 1 };
  const y = b.conv(x, w, attrs);
  const spatial = (v: Value): number[] => shapeOf(v).slice(2).map(fixed);
  switch (c.choose(3)) {
    case 0:
      return [y];
    case 1:
      return [y, b.convInputGrad(y, w, { ...attrs, spatial: spatial(x) })];
    default:
      return [y, b.convWeightGrad(x, y, { ...attrs, spatial: spatial(w) })];
  }
};

// Indexing, cumulative ops, sorting.

/** Positions on an axis of `size`, in the shape of `shape`: any integers, brought into range. */
function positions(c: Context, shape: Shape, size: number): Value | undefined {
  const dtype = c.dtypes.find((d) => d === 'i64' || d === 'i32');
  if (dtype === undefined || shape.length === 0) return undefined;
  const any =
    pick(c, (v) => dtypeOf(v) === dtype && sameShape(shapeOf(v), shape)) ?? b.iota({ dtype, shape, axis: c.choose(shape.length) });
  return b.rem(any, like(size, any));
}
const mode = (c: Context): 'checked' | 'trusted' => (c.choose(2) === 0 ? 'checked' : 'trusted');

const gather: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 0);
  const axis = x && c.choose(rankOf(x));
  const size = x && shapeOf(x)[axis!];
  if (x === undefined || axis === undefined || typeof size !== 'number' || size === 0) return undefined;
  const index = positions(c, replaced(shapeOf(x), axis, c.choose(4)), size);
  return index && [b.gather(x, index, { axis, mode: mode(c) })];
};
const scatter: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 0 && dtypeOf(v) !== 'bool');
  const axis = x && c.choose(rankOf(x));
  const size = x && shapeOf(x)[axis!];
  if (x === undefined || axis === undefined || typeof size !== 'number' || size === 0) return undefined;
  const index = positions(c, replaced(shapeOf(x), axis, c.choose(4)), size);
  if (index === undefined) return undefined;
  return [
    b[c.choose(2) === 0 ? 'scatterAdd' : 'scatterSet'](x, index, b.gather(x, index, { axis, mode: 'trusted' }), { axis, mode: mode(c) }),
  ];
};
const cumulative: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 0 && dtypeOf(v) !== 'bool');
  if (x === undefined) return undefined;
  const attrs = { axis: c.choose(rankOf(x)), reverse: c.choose(2) === 0 };
  return [c.choose(2) === 0 ? b.cumsum(x, attrs) : b.cumprod(factors(x), attrs)];
};
const sorting: Maker = (c) => {
  const x = pick(c, (v) => rankOf(v) > 0);
  if (x === undefined) return undefined;
  const axis = c.choose(rankOf(x));
  const size = shapeOf(x)[axis]!;
  const isTop = typeof size === 'number' && c.choose(2) === 0;
  const [values, indices] = isTop
    ? b.topk(x, { axis, k: c.choose(size + 1), largest: c.choose(2) === 0 })
    : b.sort(x, { axis, descending: c.choose(2) === 0 });
  return c.continuous || !c.dtypes.includes('i64') ? [values] : [values, indices];
};
const barrier: Maker = (c) => [b.barrier(pick(c, () => true)!, pick(c, () => true)!)];

// Regions.

const compositeOf: Maker = (c) => {
  const x = pick(c, (v) => isFloat(dtypeOf(v)))!;
  if (x === undefined) return undefined;
  const y = pick(c, (v) => dtypeOf(v) === dtypeOf(x) && sameShape(shapeOf(v), shapeOf(x)))!;
  const body = region([avalOf(x), avalOf(y)], ([p, q]) => [b.add(b.tanh(p!), q!), b.sin(q!)]);
  return b.composite([x, y], { name: 'tanhAdd', params: { eps: 1e-5, axes: [c.choose(3)], mode: 'a"b' } }, [body]);
};
const sinTwice = (x: Value): Value =>
  b.scan([x], { carries: 1, length: 2, reverse: false }, [region([avalOf(x)], ([p]) => [b.sin(p!)])])[0]!;
const condOf: Maker = (c) => {
  const x = pick(c, (v) => isFloat(dtypeOf(v)));
  if (x === undefined || c.continuous) return undefined;
  const test = pick(c, (v) => dtypeOf(v) === 'bool' && rankOf(v) === 0) ?? lit(c.choose(2) === 0, 'bool');
  const y = pick(c, (v) => isFloat(dtypeOf(v)))!;
  const isNested = c.choose(3) === 0;
  const branch = (op: 'sin' | 'tanh') =>
    region([avalOf(x), avalOf(y)], ([p, q]) => {
      const inner = isNested ? sinTwice(b[op](p!)) : b[op](p!);
      return [inner, op === 'sin' ? q! : b.neg(q!), inner];
    });
  return b.cond([test, x, y], {}, [branch('sin'), branch('tanh')]);
};
const whileOf: Maker = (c) => {
  const x = pick(c, (v) => isFloat(dtypeOf(v)));
  if (x === undefined || !c.dtypes.includes('i32')) return undefined;
  const counter = { dtype: 'i32', shape: [] } as const;
  // Two values that change places, one that stays, and one that does not matter to the others.
  const avals = [counter, avalOf(x), avalOf(x), avalOf(x)];
  const test = region(avals, ([i]) => [b.lt(i!, lit(3, 'i32'))]);
  const body = region(avals, ([i, p, q, r]) => [b.add(i!, lit(1, 'i32')), q!, c.choose(2) === 0 ? p! : b.sin(b.add(p!, r!)), r!]);
  const other = pick(c, (v) => dtypeOf(v) === dtypeOf(x) && sameShape(shapeOf(v), shapeOf(x)))!;
  return b.whileLoop([lit(c.choose(4), 'i32'), x, other, x], {}, [test, body]);
};
/** Running sums over the first axis, which must be known. */
const alongRows = (x: Value): Value => {
  const slice = { dtype: dtypeOf(x), shape: shapeOf(x).slice(1) };
  const [length] = shapeOf(x);
  if (typeof length !== 'number') return x;
  const body = region([slice, slice], ([sum, row]) => [b.add(sum!, row!), b.add(sum!, row!)]);
  return b.scan([full(0, slice), x], { carries: 1, length, reverse: false }, [body])[1]!;
};
const scanOf: Maker = (c) => {
  const xs = pick(c, (v) => isFloat(dtypeOf(v)) && typeof shapeOf(v)[0] === 'number');
  if (xs === undefined) return undefined;
  const slice = { dtype: dtypeOf(xs), shape: shapeOf(xs).slice(1) };
  const form = c.choose(4);
  const body = region([slice, slice, slice], ([carry, constant, x]) => {
    const next = b.add(b.tanh(carry!), form === 0 ? constant! : x!);
    const inner = form === 1 && slice.shape.length > 0 ? alongRows(x!) : b.sin(carry!);
    return [next, constant!, form === 2 ? next : inner, form === 3 ? x! : b.add(inner, constant!)];
  });
  const attrs = { carries: 2, length: shapeOf(xs)[0] as number, reverse: c.choose(2) === 1 };
  return b.scan([full(0.5, slice), full(0.25, slice), xs], attrs, [body]);
};
const kernelOf: Maker = (c) => {
  const x = pick(c, (v) => isFloat(dtypeOf(v)) && v.node.op !== 'slot' && rankOf(v) > 0);
  if (x === undefined) return undefined;
  if (c.choose(2) === 0) {
    const body = region([avalOf(x)], ([p]) => [b.sin(b.neg(p!)), b.tanh(p!)]);
    return b.kernel([x], { name: 'neg_sin', form: 'pointwise', space: shapeOf(x), reduce: [] }, [body]);
  }
  const axis = c.choose(rankOf(x));
  const body = region([avalOf(x)], ([p]) => {
    const total = b.sum(p!, { axes: [axis] });
    return [b.sub(p!, b.expand(b.tanh(total), { shape: shapeOf(x), at: [axis] })), total];
  });
  return b.kernel([x], { name: 'centre', form: 'rows', space: shapeOf(x), reduce: [axis] }, [body]);
};

/** Elementwise ops stand several times, since there are most of them. */
export const primitiveMakers: readonly Maker[] = [
  ...Array<Maker>(8).fill(elementwise),
  ...[
    cast,
    bitcast,
    literal,
    iota,
    randomBits,
    reduction,
    reduction,
    argReduction,
    reshape,
    permute,
    expand,
    expand,
    pad,
    slice,
    flip,
    concat,
  ],
  ...[dot, conv, gather, scatter, cumulative, sorting, barrier],
];
export const compositeMakers: readonly Maker[] = [compositeOf];
export const controlFlowMakers: readonly Maker[] = [condOf, whileOf, scanOf];
export const kernelMakers: readonly Maker[] = [kernelOf];
