// Literals of the loop IR: numbers to bit patterns and back, and their text.
import { type DType, dtypes } from '../runtime/dtype.ts';
import { InternalError } from '../runtime/errors.ts';
import type { Expr } from './loop.ts';

export type LiteralExpr = Extract<Expr, { kind: 'literal' }>;

const scratch = new DataView(new ArrayBuffer(8));
const widths: Readonly<Record<DType, number>> = { f32: 32, f64: 64, f16: 16, i32: 32, i64: 64, u8: 8, bool: 1 };

/** The literal nearest to `value`; integers wrap. Half floats have no arithmetic here: give their bits. */
export function literal(value: number | bigint | boolean, dtype: DType): LiteralExpr {
  return { kind: 'literal', dtype, bits: bitsOf(value, dtype) };
}

function bitsOf(value: number | bigint | boolean, dtype: DType): bigint {
  switch (dtype) {
    case 'f32':
      scratch.setFloat32(0, Number(value));
      return BigInt(scratch.getUint32(0));
    case 'f64':
      scratch.setFloat64(0, Number(value));
      return scratch.getBigUint64(0);
    case 'f16':
      throw new InternalError('a literal of f16 is made from its bits', { op: 'literal' });
    case 'bool':
      return value ? 1n : 0n;
    case 'i32':
    case 'i64':
    case 'u8':
      return BigInt.asUintN(widths[dtype], BigInt(value));
    default:
      return dtype satisfies never;
  }
}

/** The value as a number, for i64 as a bigint. */
export function literalValue({ dtype, bits }: LiteralExpr): number | bigint {
  switch (dtype) {
    case 'f32':
      scratch.setUint32(0, Number(bits));
      return scratch.getFloat32(0);
    case 'f64':
      scratch.setBigUint64(0, bits);
      return scratch.getFloat64(0);
    case 'i64':
      return BigInt.asIntN(64, bits);
    case 'i32':
      return Number(BigInt.asIntN(32, bits));
    case 'f16':
    case 'u8':
    case 'bool':
      return Number(bits);
    default:
      return dtype satisfies never;
  }
}

/** Whether the bits fit the dtype. */
export const isLiteral = ({ dtype, bits }: LiteralExpr): boolean => bits >= 0n && bits >> BigInt(widths[dtype]) === 0n;

/** `0.1_f32`, `-3_i64`, `true`, `inf_f64`, `0x7fc00001_f32` for NaNs: the shortest text that reads back as the same bits. */
export function literalText(l: LiteralExpr): string {
  if (l.dtype === 'bool') return l.bits === 1n ? 'true' : 'false';
  const value = literalValue(l);
  if (l.dtype === 'f16' || Number.isNaN(value)) return `0x${l.bits.toString(16)}_${l.dtype}`;
  if (Object.is(value, -0)) return `-0_${l.dtype}`;
  if (value === Infinity || value === -Infinity) return `${value < 0 ? '-' : ''}inf_${l.dtype}`;
  return `${l.dtype === 'f32' ? shortestFloat32(value as number) : value}_${l.dtype}`;
}

function shortestFloat32(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9)); // nine digits always tell a float32 apart
}

/** An unsigned literal, as a token. */
export const literalPattern = /(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf)_(?:f32|f64|f16|i32|i64|u8)(?!\w)|\b(?:true|false)\b/;

/** Reads what `literalText` printed; undefined if the text is none or the number is out of range. */
export function parseLiteral(text: string): LiteralExpr | undefined {
  if (text === 'true' || text === 'false') return literal(text === 'true', 'bool');
  const cut = text.lastIndexOf('_');
  const digits = text.slice(0, cut);
  const dtype = dtypes.find((d) => d === text.slice(cut + 1));
  if (cut <= 0 || dtype === undefined) return undefined;
  if (digits.startsWith('0x')) {
    const read: LiteralExpr = { kind: 'literal', dtype, bits: BigInt(digits) };
    return isLiteral(read) ? read : undefined;
  }
  if (dtype === 'f16') return undefined;
  if (dtype === 'f32' || dtype === 'f64') return literal(Number(digits.replace('inf', 'Infinity')), dtype);
  if (!/^-?\d+$/.test(digits)) return undefined;
  const read = literal(BigInt(digits), dtype);
  return BigInt(literalValue(read)) === BigInt(digits) ? read : undefined;
}
