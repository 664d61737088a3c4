// The arithmetic that the vector functions are written in: four float32 lanes, or the same bits as integers.
import type { FunctionBuilder, Node } from '../function.ts';
import type { Unit } from '../unit.ts';

/**
 * Arithmetic has two classes: `fused`, where `madd` rounds once, and `mul+add`, where it rounds twice. Bits are equal within a class.
 * Every result is bound, so that all of them may be used more than once.
 */
export type VectorMath = {
  readonly unit: Unit;
  readonly f: FunctionBuilder;
  readonly fused: boolean;
  /** The number in all lanes, rounded to float32. */
  c(value: number): Node;
  /** The 32-bit integer in all lanes. */
  bits(value: number): Node;
  bind(x: Node): Node;

  add(x: Node, y: Node): Node;
  sub(x: Node, y: Node): Node;
  mul(x: Node, y: Node): Node;
  div(x: Node, y: Node): Node;
  sqrt(x: Node): Node;
  abs(x: Node): Node;
  neg(x: Node): Node;
  /** x y + z */
  madd(x: Node, y: Node, z: Node): Node;
  /** z - x y */
  nmadd(x: Node, y: Node, z: Node): Node;
  /** `y < x ? y : x`: keeps a NaN of x. */
  pmin(x: Node, y: Node): Node;
  /** `x < y ? y : x`: keeps a NaN of x. */
  pmax(x: Node, y: Node): Node;

  // Comparisons give masks: all bits of a lane, or none.
  lt(x: Node, y: Node): Node;
  gt(x: Node, y: Node): Node;
  eq(x: Node, y: Node): Node;
  ne(x: Node, y: Node): Node;
  select(mask: Node, x: Node, y: Node): Node;

  and(x: Node, y: Node): Node;
  /** x without the bits of y. */
  andnot(x: Node, y: Node): Node;
  or(x: Node, y: Node): Node;
  xor(x: Node, y: Node): Node;
  addBits(x: Node, y: Node): Node;
  subBits(x: Node, y: Node): Node;
  eqBits(x: Node, y: Node): Node;
  /** Unsigned. */
  geBits(x: Node, y: Node): Node;
  shl(x: Node, by: number): Node;
  /** Arithmetic. */
  shr(x: Node, by: number): Node;
  /** Integers as numbers. */
  convert(x: Node): Node;
};

export function vectorMath(unit: Unit, f: FunctionBuilder): VectorMath {
  const { fused } = unit;
  const bind = (x: Node): Node => f.bind(x);
  const op =
    (name: Parameters<FunctionBuilder['op']>[0]) =>
    (...x: Node[]): Node =>
      bind(f.op(name, ...x));
  return {
    unit,
    f,
    fused,
    c: (value) => f.constant({ f32x4: value }),
    bits: (value) => f.constant({ i32x4: value }),
    bind,
    add: op('f32x4.add'),
    sub: op('f32x4.sub'),
    mul: op('f32x4.mul'),
    div: op('f32x4.div'),
    sqrt: op('f32x4.sqrt'),
    abs: op('f32x4.abs'),
    neg: op('f32x4.neg'),
    madd: fused ? op('f32x4.relaxed_madd') : (x, y, z) => bind(f.op('f32x4.add', f.op('f32x4.mul', x, y), z)),
    nmadd: fused ? op('f32x4.relaxed_nmadd') : (x, y, z) => bind(f.op('f32x4.sub', z, f.op('f32x4.mul', x, y))),
    pmin: op('f32x4.pmin'),
    pmax: op('f32x4.pmax'),
    lt: op('f32x4.lt'),
    gt: op('f32x4.gt'),
    eq: op('f32x4.eq'),
    ne: op('f32x4.ne'),
    // One instruction where relaxed SIMD is; on whole masks both mean the same.
    select: (mask, x, y) => bind(f.op(fused ? 'i32x4.relaxed_laneselect' : 'v128.bitselect', x, y, mask)),
    and: op('v128.and'),
    andnot: op('v128.andnot'),
    or: op('v128.or'),
    xor: op('v128.xor'),
    addBits: op('i32x4.add'),
    subBits: op('i32x4.sub'),
    eqBits: op('i32x4.eq'),
    geBits: op('i32x4.ge_u'),
    shl: (x, by) => bind(f.op('i32x4.shl', x, f.i32(by))),
    shr: (x, by) => bind(f.op('i32x4.shr_s', x, f.i32(by))),
    convert: op('f32x4.convert_i32x4_s'),
  };
}

/** c[0] + c[1] x + c[2] x² + ... */
export function polynomial(m: VectorMath, x: Node, coefficients: readonly number[]): Node {
  let sum = m.c(coefficients.at(-1)!);
  for (let k = coefficients.length - 2; k >= 0; k--) sum = m.madd(sum, x, m.c(coefficients[k]!));
  return sum;
}

/** `usual`, but what `compute` gives if the mask holds for any lane: code that is jumped over as long as it holds for none. */
export function exceptWhere({ f }: VectorMath, mask: Node, usual: Node, compute: () => Node): Node {
  const result = f.local('v128');
  f.set(result, usual);
  f.if(f.op('v128.any_true', mask), () => f.set(result, compute()));
  const y = f.bind(f.get(result));
  f.release(result);
  return y;
}

export const signBit = 0x80000000 | 0;
export const signOf = (m: VectorMath, x: Node): Node => m.and(x, m.bits(signBit));

/** Adding this rounds to an integer, which then stands in the low bits: 1.5 * 2^23. */
export const roundingBias = 12582912;

/** Two float64 lanes each of the four lanes of x: the low pair, the high pair. */
export function promote({ f }: VectorMath, x: Node): readonly [Node, Node] {
  const high = f.shuffle(x, x, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  return [f.bind(f.op('f64x2.promote_low_f32x4', x)), f.bind(f.op('f64x2.promote_low_f32x4', high))];
}

/** Four lanes from two pairs of float64, rounded. */
export function demote({ f }: VectorMath, [low, high]: readonly [Node, Node]): Node {
  const [a, b] = [f.op('f32x4.demote_f64x2_zero', low), f.op('f32x4.demote_f64x2_zero', high)];
  return f.bind(f.shuffle(a, b, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]));
}

/** Float64 pairs as a float32 and what that leaves out, also a float32. */
export function split(m: VectorMath, x: readonly [Node, Node]): { readonly high: Node; readonly low: Node } {
  const { f } = m;
  const high = demote(m, x);
  const [a, b] = promote(m, high);
  return { high, low: demote(m, [f.op('f64x2.sub', x[0], a), f.op('f64x2.sub', x[1], b)]) };
}
