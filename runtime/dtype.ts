// The element types that exist at run time, their sizes, and the typed arrays that hold them.

export const dtypes = ['f32', 'f64', 'f16', 'i32', 'i64', 'u8', 'bool'] as const;
export type DType = (typeof dtypes)[number];

/** What a buffer on a CPU device is made of. A bool is one byte, 0 or 1; an f16 is its bit pattern. */
export type TypedArray = Float32Array | Float64Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array;

export const bytesPerElement: Readonly<Record<DType, number>> = { f32: 4, f64: 8, f16: 2, i32: 4, i64: 8, u8: 1, bool: 1 };

const views = {
  f32: Float32Array,
  f64: Float64Array,
  f16: Uint16Array,
  i32: Int32Array,
  i64: BigInt64Array,
  u8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Record<DType, unknown>;

/** A fresh zeroed array of `length` elements in an `ArrayBuffer` of its own. */
export function allocate(dtype: DType, length: number): TypedArray {
  return new views[dtype](length);
}

/** A window of `length` elements into `memory`; `byteOffset` must be a multiple of the element size. */
export function viewOf(dtype: DType, memory: ArrayBufferLike, byteOffset: number, length: number): TypedArray {
  return new views[dtype](memory as ArrayBuffer, byteOffset, length);
}

export const isFloat = (dtype: DType): boolean => dtype === 'f32' || dtype === 'f64' || dtype === 'f16';
export const isInteger = (dtype: DType): boolean => dtype === 'i32' || dtype === 'i64' || dtype === 'u8';

/** The value that `max` starts from. */
export const least: Readonly<Record<DType, number | bigint>> = {
  f32: -Infinity,
  f64: -Infinity,
  f16: -Infinity,
  i32: -(2 ** 31),
  i64: -(2n ** 63n),
  u8: 0,
  bool: 0,
};
/** The value that `min` starts from. */
export const greatest: Readonly<Record<DType, number | bigint>> = {
  f32: Infinity,
  f64: Infinity,
  f16: Infinity,
  i32: 2 ** 31 - 1,
  i64: 2n ** 63n - 1n,
  u8: 255,
  bool: 1,
};
