// How each scalar function is computed on four elements at once. What has no vector form is computed lane by lane.
import type { DType } from '../../runtime/dtype.ts';
import type { ScalarName } from '../scalar.ts';
import { wrapToInteger } from './arithmetic.ts';
import { castScalar } from './cast.ts';
import type { FunctionBuilder, Node, OpName } from './function.ts';
import { isWide, type Lanes, laneCount, laneOf, lanesFrom, narrowMask, partsOf, widenMask } from './lanes.ts';
import { type Float32Function, float32 } from './math/table.ts';
import { vectorMath } from './math/vector-math.ts';
import { float32Function, scalarOf } from './scalar.ts';
import { threefryOf } from './threefry.ts';
import { type Site, shared } from './unit.ts';

/** A value of each lane from operands; each vector of an operand may be used more than once only when it is bound. */
export type ComputeLanes = (site: Site, ...x: Lanes[]) => Lanes;
type Table = { readonly [K in ScalarName]?: ComputeLanes };

/** One instruction for each vector of the operands. */
const instruction =
  (name: OpName): ComputeLanes =>
  ({ f }, ...x) =>
    x[0]!.map((_, part) => f.op(name, ...x.map((v) => v[part]!)));
const negated = (compute: ComputeLanes): ComputeLanes => {
  return (site, ...x) => compute(site, ...x).map((mask) => site.f.op('v128.not', mask));
};
/** Comparisons of 64-bit lanes, as a mask of 32-bit lanes. */
const narrowed = (compute: ComputeLanes): ComputeLanes => {
  return (site, ...x) => {
    const [low, high] = compute(site, ...x);
    return [narrowMask(site.f, low!, high!)];
  };
};
const perPart =
  (compute: (site: Site, ...x: Node[]) => Node): ComputeLanes =>
  (site, ...x) =>
    x[0]!.map((_, part) => compute(site, ...x.map((v) => v[part]!)));
const same: ComputeLanes = (_, x) => x!;

const select32: ComputeLanes = ({ f }, mask, x, y) => [f.op('v128.bitselect', x![0]!, y![0]!, mask![0]!)];
const select64: ComputeLanes = ({ f }, mask, x, y) =>
  widenMask(f, mask![0]!).map((wide, part) => f.op('v128.bitselect', x![part]!, y![part]!, wide));

/** Vectors that hold no NaN in any lane: minima and maxima with them need no test. */
const numbers = new WeakSet<Node>();
export function markNumber(x: Node): Node {
  numbers.add(x);
  return x;
}

/** The instructions `pmin(a, b)` and `pmax(a, b)` give `a` where the comparison fails: they keep a NaN of `a`, and lose one of `b`. */
const extremum = (shape: 'f32x4' | 'f64x2', pick: 'pmin' | 'pmax'): ComputeLanes =>
  perPart(({ f }, x, y) => {
    if (numbers.has(y!)) return f.op(`${shape}.${pick}`, x!, y!);
    if (numbers.has(x!)) return f.op(`${shape}.${pick}`, y!, x!);
    const [a, b] = [f.bind(x!), f.bind(y!)];
    return f.op('v128.bitselect', b, f.op(`${shape}.${pick}`, a, b), f.op(`${shape}.ne`, b, b));
  });

const ones = (f: FunctionBuilder, shape: 'f32x4' | 'f64x2'): Node => f.constant(shape === 'f32x4' ? { f32x4: 1 } : { f64x2: 1 });
const zeros = (f: FunctionBuilder): Node => f.constant({ i32x4: 0 });

const floats = (shape: 'f32x4' | 'f64x2') =>
  ({
    add: instruction(`${shape}.add`),
    sub: instruction(`${shape}.sub`),
    mul: instruction(`${shape}.mul`),
    div: instruction(`${shape}.div`),
    min: extremum(shape, 'pmin'),
    max: extremum(shape, 'pmax'),
    neg: instruction(`${shape}.neg`),
    abs: instruction(`${shape}.abs`),
    floor: instruction(`${shape}.floor`),
    ceil: instruction(`${shape}.ceil`),
    trunc: instruction(`${shape}.trunc`),
    round: instruction(`${shape}.nearest`),
    sqrt: instruction(`${shape}.sqrt`),
    recip: perPart(({ f }, x) => f.op(`${shape}.div`, ones(f, shape), x!)),
    sign: perPart(({ f }, v) => {
      const x = f.bind(v!);
      const above = f.op('v128.and', f.op(`${shape}.gt`, x, zeros(f)), ones(f, shape));
      const below = f.op('v128.and', f.op(`${shape}.lt`, x, zeros(f)), ones(f, shape));
      return f.op(`${shape}.sub`, above, below);
    }),
  }) satisfies Table;

const logical = {
  and: instruction('v128.and'),
  or: instruction('v128.or'),
  not: instruction('v128.not'),
} satisfies Table;

/** A function of vectors is written out where that is faster than a call. */
const transcendental = (name: Float32Function): ComputeLanes =>
  perPart((site, ...x) => {
    const { compute, inline } = float32[name];
    const { f, unit } = site;
    return inline ? compute(vectorMath(unit, f), ...x.map((v) => f.bind(v))) : f.callValue(float32Function(site, name), x);
  });

const f32: Table = {
  ...logical,
  ...floats('f32x4'),
  ...(Object.fromEntries((Object.keys(float32) as Float32Function[]).map((name) => [name, transcendental(name)])) as Table),
  eq: instruction('f32x4.eq'),
  ne: instruction('f32x4.ne'),
  lt: instruction('f32x4.lt'),
  le: instruction('f32x4.le'),
  select: select32,
};

const f64: Table = {
  ...logical,
  ...floats('f64x2'),
  rsqrt: perPart(({ f }, x) => f.op('f64x2.div', ones(f, 'f64x2'), f.op('f64x2.sqrt', x!))),
  eq: narrowed(instruction('f64x2.eq')),
  ne: narrowed(instruction('f64x2.ne')),
  lt: narrowed(instruction('f64x2.lt')),
  le: narrowed(instruction('f64x2.le')),
  select: select64,
};

const words = (f: FunctionBuilder) => ({
  bind: (x: Node) => f.bind(x),
  constant: (n: number) => f.constant({ i32x4: n }),
  add: (x: Node, y: Node) => f.op('i32x4.add', x, y),
  xor: (x: Node, y: Node) => f.op('v128.xor', x, y),
  rotate: (x: Node, by: number) => f.op('v128.or', f.op('i32x4.shl', x, f.i32(by)), f.op('i32x4.shr_u', x, f.i32(32 - by))),
});

const i32: Table = {
  ...logical,
  eq: instruction('i32x4.eq'),
  ne: instruction('i32x4.ne'),
  lt: instruction('i32x4.lt_s'),
  le: instruction('i32x4.le_s'),
  bitAnd: instruction('v128.and'),
  bitOr: instruction('v128.or'),
  bitXor: instruction('v128.xor'),
  bitNot: instruction('v128.not'),
  add: instruction('i32x4.add'),
  sub: instruction('i32x4.sub'),
  mul: instruction('i32x4.mul'),
  min: instruction('i32x4.min_s'),
  max: instruction('i32x4.max_s'),
  neg: instruction('i32x4.neg'),
  abs: instruction('i32x4.abs'),
  floor: same,
  ceil: same,
  trunc: same,
  round: same,
  threefry: ({ f }, key, stream, index) => [threefryOf(words(f), key![0]!, stream![0]!, index![0]!)],
  select: select32,
};

const narrowByte = (compute: ComputeLanes): ComputeLanes => {
  return (site, ...x) => compute(site, ...x).map((v) => site.f.op('v128.and', v, site.f.constant({ i32x4: 255 })));
};
const u8: Table = {
  ...i32,
  abs: same,
  add: narrowByte(i32.add!),
  sub: narrowByte(i32.sub!),
  mul: narrowByte(i32.mul!),
  neg: narrowByte(i32.neg!),
  bitNot: narrowByte(i32.bitNot!),
  threefry: narrowByte(i32.threefry!),
};

const i64: Table = {
  ...logical,
  eq: narrowed(instruction('i64x2.eq')),
  ne: narrowed(instruction('i64x2.ne')),
  lt: narrowed(instruction('i64x2.lt_s')),
  le: narrowed(instruction('i64x2.le_s')),
  bitAnd: instruction('v128.and'),
  bitOr: instruction('v128.or'),
  bitXor: instruction('v128.xor'),
  bitNot: instruction('v128.not'),
  add: instruction('i64x2.add'),
  sub: instruction('i64x2.sub'),
  mul: instruction('i64x2.mul'),
  neg: instruction('i64x2.neg'),
  abs: instruction('i64x2.abs'),
  floor: same,
  ceil: same,
  trunc: same,
  round: same,
  select: select64,
};

/** Masks: what is true has all bits set. */
const bool: Table = {
  ...logical,
  eq: negated(instruction('v128.xor')),
  ne: instruction('v128.xor'),
  lt: perPart(({ f }, x, y) => f.op('v128.andnot', y!, x!)),
  le: perPart(({ f }, x, y) => f.op('v128.or', y!, f.op('v128.not', x!))),
  bitAnd: instruction('v128.and'),
  bitOr: instruction('v128.or'),
  bitXor: instruction('v128.xor'),
  bitNot: instruction('v128.not'),
  floor: same,
  ceil: same,
  trunc: same,
  round: same,
  select: select32,
};

const tables: Readonly<Record<Exclude<DType, 'f16'>, Table>> = { f32, f64, i32, i64, u8, bool };

/** `fn` on lanes of `dtype`, the dtype of its operands (for select: of what it selects). `dtypes` are those of operands and result. */
export function applyLanes(site: Site, fn: ScalarName, dtype: DType, x: readonly Lanes[], dtypes: readonly DType[], result: DType): Lanes {
  const compute = tables[dtype as Exclude<DType, 'f16'>][fn];
  if (compute !== undefined) return compute(site, ...x);
  const scalar = scalarOf(fn, dtype);
  const bound = x.map((v) => v.map((part) => site.f.bind(part)));
  return laneByLane(site.f, result, (l) => scalar(site, ...bound.map((v, i) => laneOf(site.f, dtypes[i]!, v, l))));
}

/** A scalar computation for each lane. */
export const laneByLane = (f: FunctionBuilder, dtype: DType, compute: (lane: number) => Node, count = laneCount): Lanes =>
  lanesFrom(
    f,
    dtype,
    Array.from({ length: count }, (_, l) => f.bind(compute(l))),
  );

/** float32 lanes as integers: lanes beyond 2^31 wrap, so the instruction, which saturates, serves only where there are none. */
const truncate = (site: Site, x: Node): Node => {
  const fn = shared(site.unit, 'truncate', ['v128'], ['v128'], (f) => {
    const v = f.param(0);
    const small = f.op('f32x4.lt', f.op('f32x4.abs', v), f.constant({ f32x4: 2 ** 31 }));
    f.if(f.op('i32x4.all_true', small), () => f.return_(f.op('i32x4.trunc_sat_f32x4_s', v)));
    const wrap = wrapToInteger(site.unit);
    const lanes = laneByLane(f, 'i32', (l) =>
      f.op('i32.wrap_i64', f.callValue(wrap, [f.op('f64.promote_f32', f.extractLane('f32x4', l, v))])),
    );
    f.return_(lanes[0]!);
  });
  return site.f.callValue(fn, [x]);
};

/** Conversion of lanes, as castScalar converts scalars. */
export function castLanes(site: Site, x: Lanes, from: DType, to: DType): Lanes {
  if (from === to) return x;
  const { f } = site;
  if (from === 'bool') {
    // A mask is -1 where it is true.
    if (to === 'f32') return [f.op('v128.and', x[0]!, ones(f, 'f32x4'))];
    if (!isWide(to)) return [f.op('v128.and', x[0]!, f.constant({ i32x4: 1 }))];
    return castLanes(site, [f.op('v128.and', x[0]!, f.constant({ i32x4: 1 }))], 'i32', to);
  }
  if (to === 'bool') return applyLanes(site, 'ne', from, [x, splatZero(site, from)], [from, from], 'bool');
  const bound = (): Node => f.bind(x[0]!);
  switch (`${from}>${to}` as const) {
    case 'u8>i32':
      return x;
    case 'i32>u8':
      return [f.op('v128.and', x[0]!, f.constant({ i32x4: 255 }))];
    case 'i32>f32':
    case 'u8>f32':
      return [f.op('f32x4.convert_i32x4_s', x[0]!)];
    case 'f32>i32':
      return [truncate(site, x[0]!)];
    case 'f32>u8':
      return [f.op('v128.and', truncate(site, x[0]!), f.constant({ i32x4: 255 }))];
    case 'f32>f64': {
      const v = bound();
      return [f.op('f64x2.promote_low_f32x4', v), f.op('f64x2.promote_low_f32x4', high(f, v))];
    }
    case 'i32>f64':
    case 'u8>f64': {
      const v = bound();
      return [f.op('f64x2.convert_low_i32x4_s', v), f.op('f64x2.convert_low_i32x4_s', high(f, v))];
    }
    case 'i32>i64':
    case 'u8>i64': {
      const v = bound();
      return [f.op('i64x2.extend_low_i32x4_s', v), f.op('i64x2.extend_high_i32x4_s', v)];
    }
    case 'f64>f32':
      return [joinLow(f, f.op('f32x4.demote_f64x2_zero', x[0]!), f.op('f32x4.demote_f64x2_zero', x[1]!))];
    case 'i64>i32':
      return [narrowMask(f, x[0]!, x[1]!)];
    case 'i64>u8':
      return [f.op('v128.and', narrowMask(f, x[0]!, x[1]!), f.constant({ i32x4: 255 }))];
    default: {
      const parts = x.map((part) => f.bind(part));
      return laneByLane(f, to, (l) => castScalar(site, laneOf(f, from, parts, l), from, to));
    }
  }
}

/** The same bits as another dtype: 32-bit and 64-bit lanes lie alike. */
export function bitcastLanes({ f }: Site, x: Lanes, from: DType, to: DType): Lanes {
  if (from === 'bool' && to === 'u8') return [f.op('v128.and', x[0]!, f.constant({ i32x4: 1 }))];
  if (from === 'u8' && to === 'bool') return [f.op('i32x4.ne', f.op('v128.and', x[0]!, f.constant({ i32x4: 1 })), zeros(f))];
  return x;
}

const high = (f: FunctionBuilder, v: Node): Node => f.shuffle(v, v, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
const joinLow = (f: FunctionBuilder, low: Node, other: Node): Node =>
  f.shuffle(low, other, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
const splatZero = ({ f }: Site, dtype: DType): Lanes => Array.from({ length: partsOf(dtype) }, () => zeros(f));
