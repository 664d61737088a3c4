// A growing array of bytes and the number encodings of the WebAssembly binary format.

export type Bytes = { data: Uint8Array<ArrayBuffer>; length: number };

export const bytes = (capacity = 256): Bytes => ({ data: new Uint8Array(capacity), length: 0 });

function reserve(b: Bytes, more: number): void {
  if (b.length + more <= b.data.length) return;
  const grown = new Uint8Array(Math.max(b.data.length * 2, b.length + more));
  grown.set(b.data.subarray(0, b.length));
  b.data = grown;
}

export function pushByte(b: Bytes, value: number): void {
  if (b.length === b.data.length) reserve(b, 1);
  b.data[b.length++] = value;
}

export function pushBytes(b: Bytes, values: Uint8Array | readonly number[]): void {
  reserve(b, values.length);
  // Short ones are copied faster here than by the engine's call.
  if (values.length > 32) b.data.set(values, b.length);
  else for (let k = 0; k < values.length; k++) b.data[b.length + k] = values[k]!;
  b.length += values.length;
}

export const append = (b: Bytes, other: Bytes): void => pushBytes(b, other.data.subarray(0, other.length));

/** Unsigned LEB128 of 32 bits. */
export function pushU32(b: Bytes, value: number): void {
  reserve(b, 5);
  let rest = value >>> 0;
  while (rest > 127) {
    b.data[b.length++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  b.data[b.length++] = rest;
}

/** Signed LEB128 of 32 bits. */
export function pushS32(b: Bytes, value: number): void {
  reserve(b, 5);
  let rest = value | 0;
  while (rest < -64 || rest > 63) {
    b.data[b.length++] = (rest & 127) | 128;
    rest >>= 7;
  }
  b.data[b.length++] = rest & 127;
}

/** Signed LEB128 of 64 bits. */
export function pushS64(b: Bytes, value: bigint): void {
  reserve(b, 10);
  let rest = BigInt.asIntN(64, value);
  while (rest < -64n || rest > 63n) {
    b.data[b.length++] = Number(rest & 127n) | 128;
    rest >>= 7n;
  }
  b.data[b.length++] = Number(rest & 127n);
}

/** Length of a LEB128 number that is written before its value is known. */
export const paddedLength = 5;

/** Unsigned LEB128 in `paddedLength` bytes at `at`, which may have been written before. */
export function patchU32(b: Bytes, at: number, value: number): void {
  for (let k = 0; k < paddedLength; k++) b.data[at + k] = ((value >>> (7 * k)) & 127) | (k < paddedLength - 1 ? 128 : 0);
}

/** Room for a number that `patchU32` will write; gives its place. */
export function pushPadded(b: Bytes): number {
  reserve(b, paddedLength);
  const at = b.length;
  b.length += paddedLength;
  return at;
}

const scratch = new DataView(new ArrayBuffer(8));
const scratchBytes = new Uint8Array(scratch.buffer);
const firstFour = new Uint8Array(scratch.buffer, 0, 4);
export function pushF32Bits(b: Bytes, bits: number): void {
  scratch.setInt32(0, bits, true);
  pushBytes(b, firstFour);
}

export function pushF64Bits(b: Bytes, bits: bigint): void {
  scratch.setBigInt64(0, bits, true);
  pushBytes(b, scratchBytes);
}

export function f32Bits(value: number): number {
  scratch.setFloat32(0, value, true);
  return scratch.getInt32(0, true);
}

export function f64Bits(value: number): bigint {
  scratch.setFloat64(0, value, true);
  return scratch.getBigInt64(0, true);
}

const utf8 = new TextEncoder();
/** A name: its length in bytes, then UTF-8. */
export function pushName(b: Bytes, name: string): void {
  const text = utf8.encode(name);
  pushU32(b, text.length);
  pushBytes(b, text);
}
