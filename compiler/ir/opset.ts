// Signatures: everything that parser, printer, verifier, hash and typed builder need to know of an op. Imports no node and no builder.
import { type ScalarFn, type ScalarName, scalar } from '../../kernels/scalar.ts';
import { bytesPerElement, type DType, isFloat } from '../../runtime/dtype.ts';
import { IRError } from '../../runtime/errors.ts';
import { type Aval, aval, avalText, sameAval } from './aval.ts';
import { type Codec, dim, dims, dtype, flag, int, ints, literal, oneOf, type Pairs, pairs, params, text } from './codec.ts';
import { type Dim, dimAdd, dimMul, dimSub, dimText, fixed, numel, type Shape, sameShape, shapeText } from './dim.ts';

// biome-ignore lint/suspicious/noExplicitAny: Codec<T> is invariant, so Codec<unknown> would reject every codec.
type Codecs = { readonly [name: string]: Codec<any> };
export type Attrs<C extends Codecs> = { readonly [K in keyof C]: C[K] extends Codec<infer T> ? T : never };
type Operands = readonly string[] | 'many';

/** `operands` is data because destructuring `([x]) =>` carries no arity into the type: the builder would take any number of values. */
export type Signature<O extends Operands, C extends Codecs, R extends Aval | readonly Aval[], G extends readonly string[]> = {
  readonly operands: O;
  readonly attrs: C;
  readonly regions: G;
  /** Shapes and dtypes of the results; throws IRError where the operands do not fit. Regions are given by the avals of their results. */
  readonly infer: (inputs: Tuple<O, Aval>, attrs: Attrs<C>, regions: readonly (readonly Aval[])[]) => R;
};
export type Tuple<O extends Operands, T> = O extends 'many' ? readonly T[] : { readonly [I in keyof O]: T };

function op<const O extends Operands, C extends Codecs, R extends Aval | readonly Aval[], const G extends readonly string[] = readonly []>(
  operands: O,
  attrs: C,
  infer: (inputs: Tuple<O, Aval>, attrs: Attrs<C>, regions: readonly (readonly Aval[])[]) => R,
  regions?: G,
): Signature<O, C, R, G> {
  return { operands, attrs, infer, regions: regions ?? ([] as readonly string[] as G) };
}

function demand(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new IRError(message());
}
const without = (shape: Shape, axes: readonly number[]): Shape => shape.filter((_, i) => !axes.includes(i));
function demandAxes(x: Aval, axes: readonly number[]): void {
  // The length first: what follows is quadratic.
  const distinct = axes.length <= x.shape.length && axes.every((a, i) => axes.indexOf(a) === i);
  demand(
    distinct && axes.every((a) => Number.isInteger(a) && a >= 0 && a < x.shape.length),
    () => `axes [${axes}] do not fit ${avalText(x)}`,
  );
}
const areIntegers = (list: readonly number[], least: number): boolean => list.every((n) => Number.isSafeInteger(n) && n >= least);
function demandRank(x: Aval, ...lists: readonly (readonly unknown[])[]): void {
  demand(
    lists.every((l) => l.length === x.shape.length),
    () => `attributes must have one entry for each axis of ${avalText(x)}`,
  );
}
const demandIndex = (x: Aval): void => demand(x.dtype === 'i32' || x.dtype === 'i64', () => `an index must be i32 or i64, not ${x.dtype}`);
const demandDense = (x: Aval, what: string): void => demand(x.dtype !== 'bool', () => `${what} takes no bool`);

/** Sizes are natural numbers, and positions stay exact as float64. */
function demandShape(shape: Shape): void {
  demand(
    shape.every((d) => typeof d !== 'number' || (Number.isInteger(d) && d >= 0)),
    () => `${shapeText(shape)} has a size that is no natural number`,
  );
  const n = numel(shape);
  demand(typeof n !== 'number' || Number.isSafeInteger(n), () => `${shapeText(shape)} has too many elements`);
}
/** A maximum has no value where there is nothing; a sum and a product have. */
const demandSome = (x: Aval, axes: readonly number[]): void =>
  demand(
    axes.every((a) => x.shape[a] !== 0),
    () => `the extremum of ${avalText(x)} over [${axes}] has no value: an axis is empty`,
  );

const reduce = (ofNothing: 'identity' | 'refused') =>
  op(['x'], { axes: ints }, ([x], { axes }) => {
    demandAxes(x, axes);
    demandDense(x, 'a reduction');
    if (ofNothing === 'refused') demandSome(x, axes);
    return aval(x.dtype, without(x.shape, axes));
  });
const argReduce = () =>
  op(['x'], { axis: int }, ([x], { axis }) => {
    demandAxes(x, [axis]);
    demandSome(x, [axis]);
    return aval('i64', without(x.shape, [axis]));
  });
const scanLike = () =>
  op(['x'], { axis: int, reverse: flag }, ([x], { axis }) => {
    demandAxes(x, [axis]);
    demandDense(x, 'a cumulative op');
    return x;
  });

/** Elements of `start:stop:step`; a step other than 1 wants a known `stop`. */
const strided = (start: number, stop: Dim, step: number): Dim =>
  step === 1 ? dimSub(stop, start) : Math.max(0, Math.ceil((fixed(stop) - start) / step));

function dotShape(x: Aval, y: Aval, batch: Pairs, contract: Pairs): Shape {
  const used = [...batch, ...contract];
  demandAxes(
    x,
    used.map((p) => p[0]),
  );
  demandAxes(
    y,
    used.map((p) => p[1]),
  );
  for (const [l, r] of used)
    demand(x.shape[l] === y.shape[r], () => `${avalText(x)} and ${avalText(y)} differ where axis ${l} meets axis ${r}`);
  return [
    ...batch.map(([l]) => x.shape[l]!),
    ...without(
      x.shape,
      used.map((p) => p[0]),
    ),
    ...without(
      y.shape,
      used.map((p) => p[1]),
    ),
  ];
}

/** Geometry of a convolution; one entry a spatial axis, `padding` as [before]x[after]. */
const convAttrs = { stride: ints, padding: pairs, dilation: ints, groups: int };
export type ConvAttrs = Attrs<typeof convAttrs>;

/** Size of one spatial axis after a convolution. */
const convExtent = (n: Dim, k: Dim, stride: number, [before, after]: readonly [number, number], dilation: number): Dim =>
  stride === 1
    ? dimAdd(dimSub(n, dimMul(dilation, dimSub(k, 1))), before + after)
    : Math.floor((fixed(n) + before + after - dilation * (fixed(k) - 1) - 1) / stride) + 1;

/** Two operands that have batch or channel axes before at least one spatial axis. */
const demandImages = (x: Aval, w: Aval): void =>
  demand(
    x.shape.length >= 3 && w.shape.length === x.shape.length,
    () => `conv needs [N,C,...] and [O,C/groups,...], got ${avalText(x)} and ${avalText(w)}`,
  );
function demandConv(x: Aval, w: Aval, a: ConvAttrs): void {
  const rank = x.shape.length - 2;
  demandImages(x, w);
  demand(
    [a.stride, a.padding, a.dilation].every((l) => l.length === rank),
    () => `conv over ${rank} spatial axes needs as many strides, paddings and dilations`,
  );
  demand(
    [a.stride, a.dilation, [a.groups]].every((l) => areIntegers(l, 1)) && a.padding.every((p) => areIntegers(p, 0)),
    () => 'strides, dilations and groups must be positive, and paddings natural numbers',
  );
  demand(
    fixed(x.shape[1]!) === fixed(w.shape[1]!) * a.groups && fixed(w.shape[0]!) % a.groups === 0,
    () => `channels of ${avalText(x)} and ${avalText(w)} do not fit ${a.groups} groups`,
  );
  demand(x.dtype === w.dtype, () => `conv of ${x.dtype} with ${w.dtype}`);
  demandDense(x, 'conv');
}
function convOut(x: Aval, w: Aval, a: ConvAttrs): Aval {
  demandConv(x, w, a);
  const spatial = a.stride.map((s, i) => convExtent(x.shape[i + 2]!, w.shape[i + 2]!, s, a.padding[i]!, a.dilation[i]!));
  demandShape(spatial);
  return aval(x.dtype, [x.shape[0]!, w.shape[0]!, ...spatial]);
}
function indexed(x: Aval, index: Aval, axis: number): void {
  demandAxes(x, [axis]);
  demandIndex(index);
  demand(
    index.shape.length === x.shape.length && x.shape.every((d, i) => i === axis || d === index.shape[i]),
    () => `index ${avalText(index)} must have the shape of ${avalText(x)} but for axis ${axis}`,
  );
}
function scatterLike(x: Aval, index: Aval, updates: Aval, axis: number): Aval {
  indexed(x, index, axis);
  demand(
    sameShape(updates.shape, index.shape) && updates.dtype === x.dtype,
    () => `updates ${avalText(updates)} do not fit index ${avalText(index)} and ${avalText(x)}`,
  );
  return x;
}

/** The batch, rows and columns of what linear algebra takes. */
function demandMatrix(x: Aval): readonly [batch: Shape, rows: Dim, columns: Dim] {
  demand(isFloat(x.dtype), () => `a matrix must be floating, not ${x.dtype}`);
  demand(x.shape.length >= 2, () => `${avalText(x)} holds no matrix`);
  return [x.shape.slice(0, -2), x.shape.at(-2)!, x.shape.at(-1)!];
}
function demandSquare(x: Aval): void {
  const [, rows, columns] = demandMatrix(x);
  demand(rows === columns, () => `a square matrix is wanted, not ${avalText(x)}`);
}

type RegionResults = readonly (readonly Aval[])[];
const sameAvals = (a: readonly Aval[], b: readonly Aval[]): boolean => a.length === b.length && a.every((x, i) => sameAval(x, b[i]!));
const listText = (avals: readonly Aval[]): string => `(${avals.map(avalText).join(', ')})`;

function inferCond([test]: readonly Aval[], _: object, [then, otherwise]: RegionResults): readonly Aval[] {
  demand(then !== undefined && otherwise !== undefined, () => 'cond wants two regions');
  demand(test !== undefined && sameAval(test, aval('bool', [])), () => 'the first operand of cond, its condition, must be bool[]');
  demand(sameAvals(then, otherwise), () => `the branches give ${listText(then)} and ${listText(otherwise)}`);
  return then;
}
function inferWhile(xs: readonly Aval[], _: object, [test, body]: RegionResults): readonly Aval[] {
  demand(test !== undefined && body !== undefined, () => 'whileLoop wants two regions');
  demand(sameAvals(test, [aval('bool', [])]), () => `the test must give bool[], not ${listText(test)}`);
  demand(sameAvals(body, xs), () => `the body makes ${listText(body)} of ${listText(xs)}`);
  return xs;
}
function inferScan(xs: readonly Aval[], { carries, length }: { carries: number; length: number }, [body]: RegionResults): readonly Aval[] {
  demand(body !== undefined, () => 'scan wants a region');
  demand(
    areIntegers([carries, length], 0) && carries <= xs.length,
    () => `${xs.length} operands and ${length} steps do not fit ${carries} carries`,
  );
  const [before, after] = [xs.slice(0, carries), body.slice(0, carries)];
  demand(sameAvals(before, after), () => `the body makes ${listText(after)} of the carries ${listText(before)}`);
  for (const x of xs.slice(carries)) demand(x.shape[0] === length, () => `${avalText(x)} has no ${length} slices`);
  return body.map((o, i) => (i < carries ? o : aval(o.dtype, [length, ...o.shape])));
}
function bodyOf(name: string, body: readonly Aval[] | undefined): readonly Aval[] {
  demand(body !== undefined, () => `${name} wants a region`);
  return body;
}

const structural = {
  // leaves
  input: op([], { dtype, shape: dims }, (_, a) => {
    demandShape(a.shape);
    return aval(a.dtype, a.shape);
  }),
  slot: op([], { dtype }, (_, a) => aval(a.dtype, [])),
  literal: op([], { value: literal }, (_, a) => aval(a.value.dtype, [])),
  /** An open size as a number. */
  size: op([], { dtype, size: dim }, (_, a) => {
    demand(a.dtype !== 'bool', () => 'a size is no bool');
    demandShape([a.size]);
    return aval(a.dtype, []);
  }),
  iota: op([], { dtype, shape: dims, axis: int }, (_, a) => {
    demandShape(a.shape);
    demandDense(a, 'iota');
    demandAxes(aval(a.dtype, a.shape), [a.axis]);
    return aval(a.dtype, a.shape);
  }),
  randomBits: op(['key', 'stream'], { shape: dims }, ([key, stream], { shape }) => {
    demand(
      sameAval(key, aval('i32', [])) && sameAval(stream, key),
      () => `key and stream must be i32[], not ${avalText(key)} and ${avalText(stream)}`,
    );
    demandShape(shape);
    return aval('i32', shape);
  }),
  // reductions
  sum: reduce('identity'),
  prod: reduce('identity'),
  amax: reduce('refused'),
  amin: reduce('refused'),
  argmax: argReduce(),
  argmin: argReduce(),
  // movement
  reshape: op(['x'], { shape: dims }, ([x], { shape }) => {
    demandShape(shape);
    demand(numel(x.shape) === numel(shape), () => `${avalText(x)} does not reshape to ${shapeText(shape)}`);
    return aval(x.dtype, shape);
  }),
  permute: op(['x'], { order: ints }, ([x], { order }) => {
    demandRank(x, order);
    demandAxes(x, order);
    return aval(
      x.dtype,
      order.map((i) => x.shape[i]!),
    );
  }),
  /** Inserts axes `at` (positions in the result) of the sizes that `shape` has there: the inverse of a sum over them. */
  expand: op(['x'], { shape: dims, at: ints }, ([x], { shape, at }) => {
    const result = aval(x.dtype, shape);
    demandShape(shape);
    demandAxes(result, at);
    demand(sameShape(without(shape, at), x.shape), () => `${avalText(x)} does not expand to ${shapeText(shape)} at [${at}]`);
    return result;
  }),
  /** Surrounds with `fill`, and puts `interior` of it between neighbours. */
  pad: op(['x', 'fill'], { low: ints, high: ints, interior: ints }, ([x, fill], { low, high, interior }) => {
    demandRank(x, low, high, interior);
    demand(sameAval(fill, aval(x.dtype, [])), () => `fill ${avalText(fill)} must be ${x.dtype}[]`);
    demand(
      [low, high, interior].every((widths) => areIntegers(widths, 0)),
      () => 'widths must be natural numbers',
    );
    const inner = (d: Dim, gap: number): Dim => (gap === 0 || d === 0 ? d : dimAdd(dimMul(d, gap + 1), -gap));
    return aval(
      x.dtype,
      x.shape.map((d, i) => dimAdd(inner(d, interior[i]!), low[i]! + high[i]!)),
    );
  }),
  slice: op(['x'], { start: ints, stop: dims, step: ints }, ([x], { start, stop, step }) => {
    demandRank(x, start, stop, step);
    demandShape(stop);
    demand(areIntegers(start, 0) && areIntegers(step, 1), () => 'starts must be natural numbers and steps positive ones');
    const shape = x.shape.map((d, i) => {
      const inside = typeof d !== 'number' || typeof stop[i] !== 'number' || (start[i]! <= stop[i]! && stop[i]! <= d);
      demand(inside, () => `slice ${start[i]}:${dimText(stop[i]!)}:${step[i]} does not fit axis ${i} of ${avalText(x)}`);
      return strided(start[i]!, stop[i]!, step[i]!);
    });
    return aval(x.dtype, shape);
  }),
  flip: op(['x'], { axes: ints }, ([x], { axes }) => {
    demandAxes(x, axes);
    return x;
  }),
  concat: op('many', { axis: int }, (xs, { axis }) => {
    const [first] = xs;
    demand(first !== undefined, () => 'concat of nothing');
    demandAxes(first, [axis]);
    for (const x of xs)
      demand(
        x.dtype === first.dtype && sameShape(without(x.shape, [axis]), without(first.shape, [axis])),
        () => `concat of ${avalText(first)} with ${avalText(x)} on axis ${axis}`,
      );
    return aval(
      first.dtype,
      first.shape.map((d, i) => (i === axis ? xs.reduce<Dim>((n, x) => dimAdd(n, x.shape[i]!), 0) : d)),
    );
  }),
  cast: op(['x'], { to: dtype }, ([x], { to }) => aval(to, x.shape)),
  /** The same bits as another dtype of the same size. */
  bitcast: op(['x'], { to: dtype }, ([x], { to }) => {
    demand(bytesPerElement[x.dtype] === bytesPerElement[to], () => `${x.dtype} and ${to} differ in size`);
    demand(to !== 'bool' || x.dtype === 'bool', () => `not every ${x.dtype} is a bool`);
    return aval(to, x.shape);
  }),
  // contractions
  dot: op(['x', 'y'], { batch: pairs, contract: pairs }, ([x, y], { batch, contract }) => {
    demand(x.dtype === y.dtype, () => `dot of ${x.dtype} with ${y.dtype}`);
    demandDense(x, 'dot');
    return aval(x.dtype, dotShape(x, y, batch, contract));
  }),
  conv: op(['x', 'w'], convAttrs, ([x, w], a) => convOut(x, w, a)),
  /** Gradient of `conv` by its input: spreads `ct` back over an input whose spatial sizes are `spatial`. */
  convInputGrad: op(['ct', 'w'], { ...convAttrs, spatial: ints }, ([ct, w], a) => {
    demandImages(ct, w);
    const x = aval(ct.dtype, [ct.shape[0]!, fixed(w.shape[1]!) * a.groups, ...a.spatial]);
    demand(sameAval(convOut(x, w, a), ct), () => `${avalText(ct)} is no result of conv(${avalText(x)}, ${avalText(w)})`);
    return x;
  }),
  /** Gradient of `conv` by its weight, whose spatial sizes are `spatial`. */
  convWeightGrad: op(['x', 'ct'], { ...convAttrs, spatial: ints }, ([x, ct], a) => {
    demandImages(x, ct);
    const w = aval(x.dtype, [ct.shape[1]!, fixed(x.shape[1]!) / a.groups, ...a.spatial]);
    demand(sameAval(convOut(x, w, a), ct), () => `${avalText(ct)} is no result of conv(${avalText(x)}, ${avalText(w)})`);
    return w;
  }),
  // indexing. `checked` refuses an index out of range at run time; `trusted` is for indices that the library made itself.
  gather: op(['x', 'index'], { axis: int, mode: oneOf('checked', 'trusted') }, ([x, index], { axis }) => {
    indexed(x, index, axis);
    return aval(x.dtype, index.shape);
  }),
  scatterAdd: op(['x', 'index', 'updates'], { axis: int, mode: oneOf('checked', 'trusted') }, ([x, i, u], { axis }) =>
    scatterLike(x, i, u, axis),
  ),
  /** Where several updates meet, the last in row-major order stays. */
  scatterSet: op(['x', 'index', 'updates'], { axis: int, mode: oneOf('checked', 'trusted') }, ([x, i, u], { axis }) =>
    scatterLike(x, i, u, axis),
  ),
  // cumulative and sorting
  cumsum: scanLike(),
  cumprod: scanLike(),
  /** Stable; NaN sorts as the largest. Values, then the positions (i64) they came from. */
  sort: op(['x'], { axis: int, descending: flag }, ([x], { axis }) => {
    demandAxes(x, [axis]);
    return [x, aval('i64', x.shape)] as const;
  }),
  /** The first `k` of the sorted axis. */
  topk: op(['x'], { axis: int, k: int, largest: flag }, ([x], { axis, k }) => {
    demandAxes(x, [axis]);
    demand(
      areIntegers([k], 0) && (typeof x.shape[axis] !== 'number' || k <= x.shape[axis]),
      () => `top ${k} of axis ${axis} of ${avalText(x)}`,
    );
    const shape = x.shape.map((d, i) => (i === axis ? k : d));
    return [aval(x.dtype, shape), aval('i64', shape)] as const;
  }),
  // linear algebra, on the matrices that the last two axes hold
  /** Lower factor L of a positive-definite x = L L'; only the lower triangle of x is read. */
  cholesky: op(['x'], {}, ([x]) => {
    demandSquare(x);
    return x;
  }),
  /** L (unit, below the diagonal) and U in one matrix, the row of x that each row of L U is, and the sign of that permutation. */
  lu: op(['x'], { singular: oneOf('refused', 'allowed') }, ([x]) => {
    demandSquare(x);
    return [x, aval('i32', x.shape.slice(0, -1)), aval(x.dtype, x.shape.slice(0, -2))] as const;
  }),
  /** The solution of op(a) x = y; `transpose` says whether op(a) is a or its transpose, `unit` that the diagonal is ones. */
  triangularSolve: op(['a', 'y'], { upper: flag, transpose: flag, unit: flag }, ([a, y]) => {
    demandSquare(a);
    demand(
      a.dtype === y.dtype && y.shape.length === a.shape.length && sameShape(a.shape.slice(0, -1), y.shape.slice(0, -1)),
      () => `a system ${avalText(a)} does not fit the right side ${avalText(y)}`,
    );
    return y;
  }),
  /** x = Q R with orthonormal columns of Q: as many as x has, or (`complete`) as x has rows. */
  qr: op(['x'], { complete: flag }, ([x], { complete }) => {
    const [batch, rows, columns] = demandMatrix(x);
    demand(fixed(rows) >= fixed(columns), () => `qr wants no more columns than rows, got ${avalText(x)}`);
    const width = complete ? rows : columns;
    return [aval(x.dtype, [...batch, rows, width]), aval(x.dtype, [...batch, width, columns])] as const;
  }),
  /** Eigenvalues of a symmetric x in ascending order, and their vectors as columns; only the lower triangle of x is read. */
  eigh: op(['x'], {}, ([x]) => {
    demandSquare(x);
    return [aval(x.dtype, x.shape.slice(0, -1)), x] as const;
  }),
  /** x = U diag(S) Vh, S in descending order; `full` completes U and Vh to square matrices. */
  svd: op(['x'], { full: flag }, ([x], { full }) => {
    const [batch, rows, columns] = demandMatrix(x);
    const short = Math.min(fixed(rows), fixed(columns));
    return [
      aval(x.dtype, [...batch, rows, full ? rows : short]),
      aval(x.dtype, [...batch, short]),
      aval(x.dtype, [...batch, full ? columns : short, columns]),
    ] as const;
  }),
  // order
  /** `x`, but made no earlier than `after`: what is computed from it is never one with what is computed from `x`, and runs later. */
  barrier: op(['x', 'after'], {}, ([x]) => x),
  // regions
  /** `then` or `else` of the operands after the first, which is the condition. */
  cond: op('many', {}, inferCond, ['then', 'else']),
  /** `body` applied to the operands for as long as `test` of them holds. */
  whileLoop: op('many', {}, inferWhile, ['test', 'body']),
  /** `body` maps carries, and a slice of each further operand along its first axis, to carries and a slice of each further result. */
  scan: op('many', { carries: int, length: int, reverse: flag }, inferScan, ['body']),
  /** One notion written as a graph of primitives. Composites are one op: their names must not enter OpName, or bodies written with the builder are circular. */
  composite: op('many', { name: text, params }, (_xs, _a, [body]) => bodyOf('composite', body), ['body']),
  /** A fused group, made by the fusion pass; `space` is its iteration space and `reduce` the axes of it that are reduced. */
  kernel: op(
    'many',
    { name: text, form: oneOf('pointwise', 'rows', 'contraction', 'members', 'library'), space: dims, reduce: ints },
    (_xs, _a, [body]) => bodyOf('kernel', body),
    ['body'],
  ),
};

const names = { 1: ['x'], 2: ['x', 'y'], 3: ['c', 'x', 'y'] } as const;
type Pointwise = {
  readonly [K in ScalarName]: Signature<(typeof names)[(typeof scalar)[K]['arity']], Record<never, never>, Aval, readonly []>;
};

/** Whether a function with this dtype rule takes values of `dtype`. */
function takes(rule: ScalarFn['dtype'], dtype: DType): boolean {
  switch (rule) {
    case 'same':
      return dtype !== 'bool';
    case 'float':
      return isFloat(dtype);
    case 'bits':
      return !isFloat(dtype);
    case 'logical':
      return dtype === 'bool';
    case 'compare':
    case 'select':
      return true;
    default:
      return rule satisfies never;
  }
}

function inferPointwise(name: string, f: ScalarFn, xs: readonly Aval[]): Aval {
  const isSelect = f.dtype === 'select';
  const value = isSelect ? xs[1]! : xs[0]!;
  demand(
    xs.every((x, i) => sameShape(x.shape, value.shape) && (x.dtype === value.dtype || (isSelect && i === 0))),
    () => `${name} wants operands of one dtype and shape, got ${xs.map(avalText).join(', ')}`,
  );
  demand(
    takes(f.dtype, value.dtype) && (!isSelect || xs[0]!.dtype === 'bool'),
    () => `${name} does not take ${xs.map((x) => x.dtype).join(', ')}`,
  );
  return f.dtype === 'compare' ? aval('bool', value.shape) : value;
}

const pointwise = Object.fromEntries(
  Object.entries(scalar).map(([name, f]: [string, ScalarFn]) => [
    name,
    op(names[f.arity] as readonly string[], {}, (xs) => inferPointwise(name, f, xs)),
  ]),
) as unknown as Pointwise; // the one cast

type Structural = typeof structural;
/** An interface, so that error messages say `OpSet` and not eighty lines of object. */
export interface OpSet extends Structural, Pointwise {}
export const opset: OpSet = { ...structural, ...pointwise };
export type OpName = keyof OpSet;
export type StructuralName = keyof Structural;
export type AttrsOf<K extends OpName> = Attrs<OpSet[K]['attrs']>;
export const opNames = Object.keys(opset) as readonly OpName[];
export const isOpName = (name: string): name is OpName => Object.hasOwn(opset, name);
export const isScalarName = (name: string): name is ScalarName => Object.hasOwn(scalar, name);
