// How each scalar function is computed in WebAssembly, one value at a time, by the dtype of its operands. Bools are 0 or 1 in an i32.
import type { DType } from '../../runtime/dtype.ts';
import { DTypeError, InternalError } from '../../runtime/errors.ts';
import type { Printers, ScalarName, scalar } from '../scalar.ts';
import { integerPower, remainder } from './arithmetic.ts';
import { erf64 } from './erf64.ts';
import { nonZero } from './failing.ts';
import type { FunctionBuilder, Node, OpName, Type } from './function.ts';
import { type Float32Function, float32 } from './math/table.ts';
import { vectorMath } from './math/vector-math.ts';
import { threefryOf } from './threefry.ts';
import { host, type Site, shared } from './unit.ts';

/** A value from operands, which may be used more than once only when they are bound. */
export type Compute = (site: Site, ...x: Node[]) => Node;

/** The type that holds a dtype outside of memory. */
export const typeOf: Readonly<Record<Exclude<DType, 'f16'>, Type>> = {
  f32: 'f32',
  f64: 'f64',
  i32: 'i32',
  i64: 'i64',
  u8: 'i32',
  bool: 'i32',
};

type FloatOnly = { [K in ScalarName]: (typeof scalar)[K]['dtype'] extends 'float' ? K : never }[ScalarName];
type IntegerTable = { readonly [K in Exclude<ScalarName, FloatOnly>]: Compute };

const instruction =
  (name: OpName): Compute =>
  ({ f }, ...x) =>
    f.op(name, ...x);
const same: Compute = (_, x) => x!;
const select: Compute = ({ f }, c, x, y) => f.select(c!, x!, y!);
const logical = {
  and: instruction('i32.and'),
  or: instruction('i32.or'),
  not: instruction('i32.eqz'),
} satisfies Partial<Record<ScalarName, Compute>>;
const noBits: Compute = () => {
  throw new InternalError('bitwise functions take integers', { op: 'emit' });
};
const bitsOfFloats = { bitAnd: noBits, bitOr: noBits, bitXor: noBits, bitNot: noBits, shl: noBits, shr: noBits, threefry: noBits };

const one = (f: FunctionBuilder, type: 'f32' | 'f64'): Node => (type === 'f32' ? f.f32(1) : f.f64(1));
const zero = (f: FunctionBuilder, type: Type): Node =>
  type === 'f32' ? f.f32(0) : type === 'f64' ? f.f64(0) : type === 'i64' ? f.i64(0n) : f.i32(0);

/** -1, 0 or 1; for floats 0 also where x is NaN. */
const signOf = (f: FunctionBuilder, x: Node): Node => {
  const { type } = x as { type: 'f32' | 'f64' };
  const unit = one(f, type);
  return f.select(
    f.op(`${type}.gt`, x, zero(f, type)),
    unit,
    f.select(f.op(`${type}.lt`, x, zero(f, type)), f.op(`${type}.neg`, unit), zero(f, type)),
  );
};

/** What needs float64 for an exact answer, in either float. */
const throughDouble =
  (compute: Compute): Compute =>
  (site, ...x) => {
    const { f } = site;
    const wide = x.map((v) => (v.type === 'f32' ? f.op('f64.promote_f32', v) : v));
    const y = compute(site, ...wide);
    return x[0]!.type === 'f32' ? f.op('f32.demote_f64', y) : y;
  };
const fmod: Compute = ({ unit, f }, x, y) => f.callValue(remainder(unit), [x!, y!]);
/** Python's remainder: C's, moved to the divisor's sign. */
const floorRemainder: Compute = (site, a, b) => {
  const { f } = site;
  const y = f.bind(b!);
  const r = fmod(site, a!, y);
  const other = f.op('i32.ne', f.op('f64.lt', r, f.f64(0)), f.op('f64.lt', y, f.f64(0)));
  return f.select(f.op('i32.and', f.op('f64.ne', r, f.f64(0)), other), f.op('f64.add', r, y), r);
};
const floorQuotient: Compute = (site, a, b) => {
  const { f } = site;
  const [x, y] = [f.bind(a!), f.bind(b!)];
  const r = fmod(site, x, y);
  const q = f.bind(f.op('f64.div', f.op('f64.sub', x, r), y));
  const other = f.op('i32.ne', f.op('f64.lt', x, f.f64(0)), f.op('f64.lt', y, f.f64(0)));
  const down = f.select(f.op('i32.and', f.op('f64.ne', r, f.f64(0)), other), f.op('f64.sub', q, f.f64(1)), q);
  return f.select(f.op('f64.eq', y, f.f64(0)), f.op('f64.div', x, y), f.op('f64.nearest', down));
};

const floats = (type: 'f32' | 'f64') =>
  ({
    ...logical,
    ...bitsOfFloats,
    eq: instruction(`${type}.eq`),
    ne: instruction(`${type}.ne`),
    lt: instruction(`${type}.lt`),
    le: instruction(`${type}.le`),
    add: instruction(`${type}.add`),
    sub: instruction(`${type}.sub`),
    mul: instruction(`${type}.mul`),
    div: instruction(`${type}.div`),
    min: instruction(`${type}.min`),
    max: instruction(`${type}.max`),
    neg: instruction(`${type}.neg`),
    abs: instruction(`${type}.abs`),
    floor: instruction(`${type}.floor`),
    ceil: instruction(`${type}.ceil`),
    trunc: instruction(`${type}.trunc`),
    round: instruction(`${type}.nearest`),
    sqrt: instruction(`${type}.sqrt`),
    recip: ({ f }, x) => f.op(`${type}.div`, one(f, type), x!),
    sign: ({ f }, x) => signOf(f, f.bind(x!)),
    fmod: throughDouble(fmod),
    rem: throughDouble(floorRemainder),
    floorDiv: throughDouble(floorQuotient),
    select,
  }) satisfies Partial<Record<ScalarName, Compute>>;

/** A function of `Math`, called on the host. */
const math =
  (name: string, arity: 1 | 2 = 1): Compute =>
  ({ unit, f }, ...x) =>
    f.callValue(host(unit, name, Array<Type>(arity).fill('f64'), ['f64']), x);

const f64: Printers<Compute> = {
  ...floats('f64'),
  pow: (site, a, b) => {
    const { f } = site;
    const [x, y] = [f.bind(a!), f.bind(b!)];
    const infinite = f.op('f64.eq', f.op('f64.abs', y), f.f64(Number.POSITIVE_INFINITY));
    const isOne = f.op('i32.or', f.op('f64.eq', x, f.f64(1)), f.op('i32.and', f.op('f64.eq', x, f.f64(-1)), infinite));
    return f.select(isOne, f.f64(1), math('pow', 2)(site, x, y));
  },
  atan2: math('atan2', 2),
  rsqrt: ({ f }, x) => f.op('f64.div', f.f64(1), f.op('f64.sqrt', x!)),
  exp: math('exp'),
  exp2: (site, x) => math('pow', 2)(site, site.f.f64(2), x!),
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
  erf: ({ unit, f }, x) => f.callValue(erf64(unit), [x!]),
  sigmoid: (site, x) => {
    const { f } = site;
    return f.op('f64.div', f.f64(1), f.op('f64.add', f.f64(1), math('exp')(site, f.op('f64.neg', x!))));
  },
  softplus: (site, a) => {
    const { f } = site;
    const x = f.bind(a!);
    const tail = math('log1p')(site, math('exp')(site, f.op('f64.neg', f.op('f64.abs', x))));
    return f.op('f64.add', f.op('f64.max', x, f.f64(0)), tail);
  },
};

/** A function of vectors, called for one value: the bits are those that a lane of a vector would get. */
export function float32Function({ unit }: Pick<Site, 'unit'>, name: Float32Function) {
  const { arity, compute } = float32[name];
  const operands = Array<Type>(arity).fill('v128');
  return shared(unit, name, operands, ['v128'], (f) => f.return_(compute(vectorMath(unit, f), ...operands.map((_, i) => f.param(i)))));
}
const ofLanes = Object.fromEntries(
  (Object.keys(float32) as Float32Function[]).map((name): [string, Compute] => [
    name,
    (site, ...x) => {
      const { f } = site;
      const y = f.callValue(
        float32Function(site, name),
        x.map((v) => f.op('f32x4.splat', v)),
      );
      return f.extractLane('f32x4', 0, y);
    },
  ]),
) as Readonly<Record<Float32Function, Compute>>;

/** What has no form of its own in float32 is computed in float64. */
const fromDouble = Object.fromEntries(Object.entries(f64).map(([name, compute]) => [name, throughDouble(compute as Compute)]));
const f32 = { ...fromDouble, ...floats('f32'), ...ofLanes } as Printers<Compute>;

const integers = <T extends 'i32' | 'i64'>(type: T) =>
  ({
    ...logical,
    eq: instruction(`${type}.eq`),
    ne: instruction(`${type}.ne`),
    lt: instruction(`${type}.lt_s`),
    le: instruction(`${type}.le_s`),
    bitAnd: instruction(`${type}.and`),
    bitOr: instruction(`${type}.or`),
    bitXor: instruction(`${type}.xor`),
    bitNot: ({ f }, x) => f.op(`${type}.xor`, x!, type === 'i32' ? f.i32(-1) : f.i64(-1n)),
    shl: instruction(`${type}.shl`),
    shr: instruction(`${type}.shr_s`),
    add: instruction(`${type}.add`),
    sub: instruction(`${type}.sub`),
    mul: instruction(`${type}.mul`),
    pow: ({ unit, f }, x, y) => f.callValue(integerPower(unit, type), [x!, y!]),
    fmod: (site, x, y) => site.f.op(`${type}.rem_s`, x!, nonZero(site, y!)),
    rem: (site, a, b) => {
      const { f } = site;
      const y = nonZero(site, b!);
      const r = f.bind(f.op(`${type}.rem_s`, a!, y));
      const other = f.op(`${type}.lt_s`, f.op(`${type}.xor`, r, y), zero(f, type));
      return f.select(f.op('i32.and', f.op(`${type}.ne`, r, zero(f, type)), other), f.op(`${type}.add`, r, y), r);
    },
    floorDiv: (site, a, b) => {
      const { f } = site;
      const [x, y] = [f.bind(a!), nonZero(site, b!)];
      const unit = type === 'i32' ? f.i32(1) : f.i64(1n);
      // The least integer divided by -1 traps: negated instead, it wraps around.
      const isMinusOne = f.op(`${type}.eq`, y, type === 'i32' ? f.i32(-1) : f.i64(-1n));
      const divisor = f.bind(f.select(isMinusOne, unit, y));
      const q = f.bind(f.op(`${type}.div_s`, x, divisor));
      const rest = f.bind(f.op(`${type}.sub`, x, f.op(`${type}.mul`, q, divisor)));
      const other = f.op(`${type}.lt_s`, f.op(`${type}.xor`, rest, divisor), zero(f, type));
      const down = f.select(f.op('i32.and', f.op(`${type}.ne`, rest, zero(f, type)), other), f.op(`${type}.sub`, q, unit), q);
      return f.select(isMinusOne, f.op(`${type}.sub`, zero(f, type), x), down);
    },
    min: ({ f }, a, b) => {
      const [x, y] = [f.bind(a!), f.bind(b!)];
      return f.select(f.op(`${type}.lt_s`, x, y), x, y);
    },
    max: ({ f }, a, b) => {
      const [x, y] = [f.bind(a!), f.bind(b!)];
      return f.select(f.op(`${type}.gt_s`, x, y), x, y);
    },
    neg: ({ f }, x) => f.op(`${type}.sub`, zero(f, type), x!),
    abs: ({ f }, a) => {
      const x = f.bind(a!);
      return f.select(f.op(`${type}.lt_s`, x, zero(f, type)), f.op(`${type}.sub`, zero(f, type), x), x);
    },
    sign: ({ f }, a) => {
      const x = f.bind(a!);
      const sign = f.op('i32.sub', f.op(`${type}.gt_s`, x, zero(f, type)), f.op(`${type}.lt_s`, x, zero(f, type)));
      return type === 'i32' ? sign : f.op('i64.extend_i32_s', sign);
    },
    floor: same,
    ceil: same,
    trunc: same,
    round: same,
    select,
  }) satisfies Partial<Record<ScalarName, Compute>>;

const threefry: Compute = ({ f }, key, stream, index) => threefryOf(scalarWords(f), key!, stream!, index!);
const scalarWords = (f: FunctionBuilder) => ({
  bind: (x: Node) => f.bind(x),
  constant: (n: number) => f.i32(n),
  add: (x: Node, y: Node) => f.op('i32.add', x, y),
  xor: (x: Node, y: Node) => f.op('i32.xor', x, y),
  rotate: (x: Node, by: number) => f.op('i32.rotl', x, f.i32(by)),
});

const i32: IntegerTable = { ...integers('i32'), threefry };
const i64: IntegerTable = {
  ...integers('i64'),
  threefry: (site, ...x) => {
    const { f } = site;
    return f.op('i64.extend_i32_s', threefry(site, ...x.map((v) => f.op('i32.wrap_i64', v))));
  },
};

/** Functions whose results may leave the range of a byte. */
const narrowed =
  (compute: Compute, mask: number): Compute =>
  (site, ...x) =>
    site.f.op('i32.and', compute(site, ...x), site.f.i32(mask));
const u8: IntegerTable = {
  ...i32,
  abs: same,
  add: narrowed(i32.add, 255),
  sub: narrowed(i32.sub, 255),
  mul: narrowed(i32.mul, 255),
  pow: narrowed(i32.pow, 255),
  bitNot: narrowed(i32.bitNot, 255),
  shl: narrowed(i32.shl, 255),
  threefry: narrowed(threefry, 255),
  neg: narrowed(i32.neg, 255),
};
const bool: IntegerTable = {
  ...u8,
  bitNot: instruction('i32.eqz'),
  shl: narrowed(i32.shl, 1),
  threefry: narrowed(threefry, 1),
};

const tables: Readonly<Record<Exclude<DType, 'f16'>, { readonly [K in ScalarName]?: Compute }>> = { f32, f64, i32, i64, u8, bool };

/** How a function is computed on operands of this dtype. */
export function scalarOf(fn: ScalarName, dtype: DType): Compute {
  if (dtype === 'f16') throw noHalf();
  const compute = tables[dtype][fn];
  if (compute === undefined) throw new InternalError(`${fn} has no meaning for ${dtype}`, { op: 'emit' });
  return compute;
}

export const noHalf = (): DTypeError => new DTypeError('the wasm target has no float16', { op: 'emit', fix: 'use float32' });
