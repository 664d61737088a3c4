// Literals as bit patterns: two literals are equal when dtype and bits are, so -0 is not 0 and NaNs keep their payload.
import { bytesPerElement, type DType, dtypes } from '../../runtime/dtype.ts';
import { IRError } from '../../runtime/errors.ts';

export type Literal = { readonly dtype: DType; readonly bits: bigint };

const scratch = new DataView(new ArrayBuffer(8));

/** The literal nearest to `value` in `dtype`; integers wrap. */
export function literalOf(value: number | bigint | boolean, dtype: DType): Literal {
  switch (dtype) {
    case 'f32':
      scratch.setFloat32(0, Number(value));
      return { dtype, bits: BigInt(scratch.getUint32(0)) };
    case 'f64':
      scratch.setFloat64(0, Number(value));
      return { dtype, bits: scratch.getBigUint64(0) };
    case 'f16':
      return { dtype, bits: BigInt(halfBits(Number(value))) };
    case 'bool':
      return { dtype, bits: value ? 1n : 0n };
    case 'u8':
      return { dtype, bits: BigInt.asUintN(8, toBigInt(value)) };
    case 'i32':
      return { dtype, bits: BigInt.asUintN(32, toBigInt(value)) };
    case 'i64':
      return { dtype, bits: BigInt.asUintN(64, toBigInt(value)) };
  }
}

const toBigInt = (v: number | bigint | boolean): bigint =>
  typeof v === 'bigint' ? v : BigInt(Number.isFinite(Number(v)) ? Math.trunc(Number(v)) : 0);

/** The literal's value as a number; i64 beyond 2^53 loses low bits, use `literalBigInt` there. */
export function literalNumber({ dtype, bits }: Literal): number {
  switch (dtype) {
    case 'f32':
      scratch.setUint32(0, Number(bits));
      return scratch.getFloat32(0);
    case 'f64':
      scratch.setBigUint64(0, bits);
      return scratch.getFloat64(0);
    case 'f16':
      return halfValue(Number(bits));
    default:
      return Number(literalBigInt({ dtype, bits }));
  }
}

/** An integer or bool literal's value. */
export const literalBigInt = ({ dtype, bits }: Literal): bigint =>
  dtype === 'i64' ? BigInt.asIntN(64, bits) : dtype === 'i32' ? BigInt.asIntN(32, bits) : bits;

/** `f32 0.1`, `i64 3`, `bool true`, `f32 0x7fc00001` for NaNs. Shortest text that reads back as the same bits. */
export function literalText(l: Literal): string {
  if (l.dtype === 'bool') return `bool ${l.bits === 1n}`;
  if (l.dtype === 'i32' || l.dtype === 'i64' || l.dtype === 'u8') return `${l.dtype} ${literalBigInt(l)}`;
  const value = literalNumber(l);
  if (Number.isNaN(value)) return `${l.dtype} 0x${l.bits.toString(16)}`;
  if (Object.is(value, -0)) return `${l.dtype} -0`;
  if (l.dtype === 'f64') return `f64 ${value}`;
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (literalOf(short, l.dtype).bits === l.bits) return `${l.dtype} ${short}`;
  }
  return `${l.dtype} ${Number(value.toPrecision(9))}`; // nine digits always tell a float32 apart
}

/** Reads what `literalText` gave; a number that the dtype does not have exactly is rounded to it, an integer out of range refused. */
export function parseLiteral(text: string): Literal {
  const [, name = '', value = ''] = /^(\w+) (\S+)$/.exec(text) ?? [];
  const dtype = dtypes.find((d) => d === name);
  if (dtype === undefined) throw new IRError(`'${text}' is no literal; write it as 'f32 0.5'`);
  switch (dtype) {
    case 'bool':
      if (value !== 'true' && value !== 'false') throw new IRError(`'${value}' is neither true nor false`);
      return literalOf(value === 'true', dtype);
    case 'u8':
    case 'i32':
    case 'i64': {
      if (!/^-?\d{1,20}$/.test(value)) throw new IRError(`'${value}' is no integer`);
      const read = literalOf(BigInt(value), dtype);
      if (literalBigInt(read) !== BigInt(value)) throw new IRError(`${value} is out of the range of ${dtype}`);
      return read;
    }
    case 'f16':
    case 'f32':
    case 'f64':
      if (value.startsWith('0x')) return parseBits(value, dtype);
      if (!/^-?(\d+(\.\d*)?(e[-+]?\d+)?|Infinity)$/.test(value)) throw new IRError(`'${value}' is no number`);
      return literalOf(Number(value), dtype);
    default:
      throw dtype satisfies never;
  }
}

function parseBits(value: string, dtype: DType): Literal {
  if (!/^0x[0-9a-f]{1,16}$/.test(value)) throw new IRError(`'${value}' are no bits`);
  const bits = BigInt(value);
  if (bits >> BigInt(8 * bytesPerElement[dtype]) !== 0n) throw new IRError(`${value} has more bits than ${dtype}`);
  return { dtype, bits };
}

function halfBits(value: number): number {
  scratch.setFloat32(0, value);
  const x = scratch.getUint32(0);
  const sign = (x >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  const a = Math.abs(value);
  if (a >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(a || 2 ** -30)));
  const units = a / 2 ** (exponent - 10);
  const floor = Math.floor(units);
  const rest = units - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return sign | (rounded + ((exponent + 14) << 10));
}

function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25);
}
