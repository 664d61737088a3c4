// Numbers in half precision (IEEE 754 binary16), which no typed array of ours holds.

/** The value of a number in half precision, by its bits. */
export function fromHalf(bits: number): number {
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 0 ? fraction * 2 ** -24 : exponent < 31 ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction === 0 ? Infinity : NaN;
  return bits & 0x8000 ? -size : size;
}
