// Four elements side by side: how each dtype lies in vectors, and the ways in and out. 64-bit elements take two vectors, bools are lane masks.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import type { FunctionBuilder, Node } from './function.ts';
import { noHalf } from './scalar.ts';

/** The vectors that hold four elements. */
export type Lanes = readonly Node[];

export const laneCount = 4;
export const isWide = (dtype: DType): boolean => dtype === 'f64' || dtype === 'i64';
export const partsOf = (dtype: DType): number => (isWide(dtype) ? 2 : 1);

type Shape = 'f32x4' | 'f64x2' | 'i32x4' | 'i64x2';
export function shapeOf(dtype: DType): Shape {
  switch (dtype) {
    case 'f32':
      return 'f32x4';
    case 'f64':
      return 'f64x2';
    case 'i64':
      return 'i64x2';
    case 'i32':
    case 'u8':
    case 'bool':
      return 'i32x4';
    case 'f16':
      throw noHalf();
    default:
      return dtype satisfies never;
  }
}

/** One value in all lanes. */
export function splat(f: FunctionBuilder, dtype: DType, x: Node): Lanes {
  const value = dtype === 'bool' ? f.op('i32.sub', f.i32(0), x) : x;
  const vector = f.op(`${shapeOf(dtype)}.splat`, value);
  if (!isWide(dtype)) return [vector];
  const bound = f.bind(vector);
  return [bound, bound];
}

/** The value of one lane, as scalars are held. */
export function laneOf(f: FunctionBuilder, dtype: DType, x: Lanes, lane: number): Node {
  const value = isWide(dtype) ? f.extractLane(shapeOf(dtype), lane % 2, x[lane >> 1]!) : f.extractLane(shapeOf(dtype), lane, x[0]!);
  return dtype === 'bool' ? f.op('i32.and', value, f.i32(1)) : value;
}

/** Lanes from scalars, the missing last ones equal to the first. */
export function lanesFrom(f: FunctionBuilder, dtype: DType, values: readonly Node[]): Lanes {
  const shape = shapeOf(dtype);
  const raw = dtype === 'bool' ? values.map((x) => f.op('i32.sub', f.i32(0), x)) : values;
  const perPart = isWide(dtype) ? 2 : 4;
  return Array.from({ length: partsOf(dtype) }, (_, part) => {
    let vector = f.op(`${shape}.splat`, raw[part * perPart] ?? raw[0]!);
    for (let l = 1; l < perPart; l++) {
      const value = raw[part * perPart + l];
      if (value !== undefined) vector = f.replaceLane(shape, l, vector, value);
    }
    return f.bind(vector);
  });
}

/** A mask of 32-bit lanes from two of 64-bit lanes, and back. */
export const narrowMask = (f: FunctionBuilder, low: Node, high: Node): Node =>
  f.shuffle(low, high, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]);
export function widenMask(f: FunctionBuilder, mask: Node): Lanes {
  const m = f.bind(mask);
  return [
    f.shuffle(m, m, [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7]),
    f.shuffle(m, m, [8, 9, 10, 11, 8, 9, 10, 11, 12, 13, 14, 15, 12, 13, 14, 15]),
  ];
}

/** A mask that is set in the first `count` lanes. */
export const firstLanes = (f: FunctionBuilder, count: number): Node =>
  f.constant({ i32x4: Array.from({ length: laneCount }, (_, l) => (l < count ? -1 : 0)) });

/** Four elements that lie side by side. Past the last element of a buffer something readable follows. */
export function loadLanes(f: FunctionBuilder, dtype: DType, address: Node, offset: number): Lanes {
  switch (dtype) {
    case 'f32':
    case 'i32':
      return [f.load('v128.load', address, offset)];
    case 'f64':
    case 'i64': {
      const at = f.bind(address);
      return [f.load('v128.load', at, offset), f.load('v128.load', at, offset + 16)];
    }
    case 'u8':
    case 'bool': {
      const bytes = f.load('v128.load32_zero', address, offset);
      const wide = f.op('i32x4.extend_low_i16x8_u', f.op('i16x8.extend_low_i8x16_u', bytes));
      return [dtype === 'u8' ? wide : f.op('i32x4.ne', wide, f.constant({ i32x4: 0 }))];
    }
    case 'f16':
      throw noHalf();
    default:
      return dtype satisfies never;
  }
}

/** The first `count` lanes in reverse order. */
export function reversedLanes(f: FunctionBuilder, dtype: DType, x: Lanes, count: number): Lanes {
  const width = isWide(dtype) ? 8 : 4;
  const perPart = 16 / width;
  const [low, high = x[0]!] = x.map((part) => f.bind(part));
  return x.map((_, part) => {
    const from = Array.from({ length: perPart }, (_, l) => Math.max(0, count - 1 - part * perPart - l));
    return f.bind(
      f.shuffle(
        low!,
        x.length === 1 ? low! : high,
        from.flatMap((element) => Array.from({ length: width }, (_, byte) => element * width + byte)),
      ),
    );
  });
}

/** Stores the first `count` elements side by side. */
export function storeLanes(f: FunctionBuilder, dtype: DType, address: Node, offset: number, x: Lanes, count: number): void {
  const at = f.bind(address);
  if (dtype === 'u8' || dtype === 'bool') {
    const words = dtype === 'bool' ? f.op('v128.and', x[0]!, f.constant({ i32x4: 1 })) : x[0]!;
    const shorts = f.bind(f.op('i16x8.narrow_i32x4_u', words, words));
    const bytes = f.bind(f.op('i8x16.narrow_i16x8_u', shorts, shorts));
    if (count === laneCount) f.storeLane('v128.store32_lane', at, bytes, 0, offset);
    else {
      if (count >= 2) f.storeLane('v128.store16_lane', at, bytes, 0, offset);
      if (count % 2 === 1) f.storeLane('v128.store8_lane', at, bytes, count - 1, offset + count - 1);
    }
    return;
  }
  const perPart = isWide(dtype) ? 2 : 4;
  const width = bytesPerElement[dtype];
  x.forEach((part, p) => {
    const left = Math.min(perPart, count - p * perPart);
    const where = offset + p * 16;
    if (left <= 0) return;
    if (left === perPart) {
      f.store('v128.store', at, part, where);
      return;
    }
    const bound = f.bind(part);
    if (width === 8) f.storeLane('v128.store64_lane', at, bound, 0, where);
    else {
      if (left >= 2) f.storeLane('v128.store64_lane', at, bound, 0, where);
      if (left % 2 === 1) f.storeLane('v128.store32_lane', at, bound, left - 1, where + 4 * (left - 1));
    }
  });
}
