// The lexical forms of MLIR: types, bit patterns of constants, strings and locations.
import type { DType } from '../../../runtime/dtype.ts';
import { type Literal, literalBigInt, literalNumber } from '../../ir/literal.ts';

/** Element types as StableHLO names them. */
export type Element = 'f64' | 'f32' | 'f16' | 'i64' | 'i32' | 'ui8' | 'i1';

const elements: Readonly<Record<DType, Element>> = { f64: 'f64', f32: 'f32', f16: 'f16', i64: 'i64', i32: 'i32', u8: 'ui8', bool: 'i1' };
export const elementOf = (dtype: DType): Element => elements[dtype];
export const isFloatElement = (element: Element): boolean => element.startsWith('f');

export const typeText = (element: Element, shape: readonly number[]): string => `tensor<${[...shape, element].join('x')}>`;

/** Floats by their bits: exact, and the only way to write NaN and infinities. */
export function constantText(l: Literal): string {
  switch (l.dtype) {
    case 'f16':
      return hex(l.bits, 4);
    case 'f32':
      return hex(l.bits, 8);
    case 'f64':
      return hex(l.bits, 16);
    case 'bool':
      return String(literalNumber(l) !== 0);
    case 'i32':
    case 'i64':
    case 'u8':
      return String(literalBigInt(l));
    default:
      return l.dtype satisfies never;
  }
}
const hex = (bits: bigint, digits: number): string => `0x${bits.toString(16).toUpperCase().padStart(digits, '0')}`;

const plain = /^[\x20-\x7e]$/;

/** A string as MLIR reads it, which is not JSON: what is not printable ASCII stands as two hex digits a byte of UTF-8. */
export function stringText(text: string): string {
  let out = '';
  for (const character of text) {
    if (plain.test(character) && character !== '"' && character !== '\\') out += character;
    else for (const byte of new TextEncoder().encode(character)) out += `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return `"${out}"`;
}

/** A place `file:line` as a location, to stand behind an op; nothing where no place is known. */
export function locationSuffix(place: string | undefined): string {
  const [, file, line] = /^(.*):(\d{1,9})$/s.exec(place ?? '') ?? [];
  if (file !== undefined) return ` loc(${stringText(file)}:${line}:0)`;
  return place === undefined ? '' : ` loc(${stringText(place)})`;
}

/** Integers as an attribute of generic ops. */
export const arrayText = (values: readonly (number | boolean)[], type: 'i64' | 'i1' = 'i64'): string =>
  values.length === 0 ? `array<${type}>` : `array<${type}: ${values.join(', ')}>`;
