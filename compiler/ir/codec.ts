// Attributes as codecs: type, text, reading back and hash key of an attribute in one value.
import { type DType, dtypes } from '../../runtime/dtype.ts';
import { IRError } from '../../runtime/errors.ts';
import { type Dim, dimText, parseDim, type Shape } from './dim.ts';
import { type Literal, literalText, parseLiteral } from './literal.ts';

export type Codec<T> = {
  readonly print: (value: T) => string;
  /** Throws IRError on anything that `print` does not give. */
  readonly parse: (text: string) => T;
  readonly equal: (a: T, b: T) => boolean;
  /** A 32-bit integer; equal values have equal keys. */
  readonly key: (value: T) => number;
};

/** One step of a 32-bit mix (the finaliser of MurmurHash3, folded). */
export function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x9e3779b1);
  h ^= h >>> 15;
  return Math.imul(h, 0x85ebca77) ^ (h >>> 13);
}

export function hashText(text: string): number {
  let h = text.length;
  for (let i = 0; i < text.length; i++) h = mix(h, text.charCodeAt(i));
  return h;
}

export const dimKey = (d: Dim): number => (typeof d === 'number' ? d | 0 : hashText(d.text));
export function hashDims(dims: Shape): number {
  let h = dims.length;
  for (const d of dims) h = mix(h, dimKey(d));
  return h;
}

/** A text in quotes as it stands in the graph's text form: JSON without raw line ends of any kind. */
export const quote = (text: string): string => JSON.stringify(text).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);

/** Reads what `quote` gave. */
export function unquote(text: string): string {
  const value = parseJson(text);
  if (typeof value !== 'string') throw new IRError(`${text} is no quoted text`);
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new IRError(`${text} is not well formed`, { cause });
  }
}

const split = (text: string): string[] => {
  if (!text.startsWith('[') || !text.endsWith(']')) throw new IRError(`'${text}' is no list`);
  const inner = text.slice(1, -1).trim();
  return inner === '' ? [] : inner.split(',').map((t) => t.trim());
};
const integer = (text: string): number => {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new IRError(`'${text}' is no integer`);
  return value + 0; // -0 becomes 0
};
const sameList = <T>(a: readonly T[], b: readonly T[]): boolean => a.length === b.length && a.every((v, i) => v === b[i]);

export const int: Codec<number> = { print: String, parse: integer, equal: (a, b) => a === b, key: (v) => v | 0 };
export const ints: Codec<readonly number[]> = {
  print: (v) => `[${v.join(',')}]`,
  parse: (t) => split(t).map(integer),
  equal: sameList,
  key: hashDims,
};
export const dims: Codec<Shape> = {
  print: (v) => `[${v.map(dimText).join(',')}]`,
  parse: (t) => split(t).map(parseDim),
  equal: sameList,
  key: hashDims,
};
export const dim: Codec<Dim> = { print: dimText, parse: parseDim, equal: (a, b) => a === b, key: dimKey };
export const flag: Codec<boolean> = {
  print: String,
  parse: (t) => {
    if (t !== 'true' && t !== 'false') throw new IRError(`'${t}' is neither true nor false`);
    return t === 'true';
  },
  equal: (a, b) => a === b,
  key: Number,
};
export const text: Codec<string> = { print: quote, parse: unquote, equal: (a, b) => a === b, key: hashText };

export const oneOf = <const T extends readonly string[]>(...names: T): Codec<T[number]> => ({
  print: (v) => v,
  parse: (t) => {
    const found = names.find((n) => n === t);
    if (found === undefined) throw new IRError(`'${t}' is none of ${names.join(', ')}`);
    return found;
  },
  equal: (a, b) => a === b,
  key: hashText,
});
export const dtype: Codec<DType> = oneOf(...dtypes);

/** Pairs of axes, printed as `[1,0]x[0,2]`: axis 1 of the left with axis 0 of the right, axis 0 with axis 2. */
export type Pairs = readonly (readonly [number, number])[];
export const pairs: Codec<Pairs> = {
  print: (v) => `[${v.map((p) => p[0]).join(',')}]x[${v.map((p) => p[1]).join(',')}]`,
  parse: (t) => {
    const cut = t.indexOf(']x[');
    if (cut < 0) throw new IRError(`'${t}' are no pairs; write them as [1]x[0]`);
    const left = ints.parse(t.slice(0, cut + 1));
    const right = ints.parse(t.slice(cut + 2));
    if (left.length !== right.length) throw new IRError(`'${t}' pairs ${left.length} axes with ${right.length}`);
    return left.map((l, i) => [l, right[i]!] as const);
  },
  equal: (a, b) => a.length === b.length && a.every((p, i) => p[0] === b[i]![0] && p[1] === b[i]![1]),
  key: (v) => v.reduce((h, [l, r]) => mix(mix(h, l), r), v.length),
};

export const literal: Codec<Literal> = {
  print: literalText,
  parse: parseLiteral,
  equal: (a, b) => a.dtype === b.dtype && a.bits === b.bits,
  key: (v) => mix(hashText(v.dtype), mix(Number(v.bits & 0xffffffffn), Number(v.bits >> 32n))),
};

/** Static options of a composite: finite numbers, flags, texts and lists of integers by name, printed as JSON with sorted keys. */
export type Params = { readonly [name: string]: number | boolean | string | readonly number[] };

function isParam(v: unknown): v is Params[string] {
  if (Array.isArray(v)) return v.every((n) => Number.isSafeInteger(n));
  return typeof v === 'number' ? Number.isFinite(v) : typeof v === 'boolean' || typeof v === 'string';
}
function paramText(name: string, v: Params[string]): string {
  if (!isParam(v)) throw new IRError(`the option ${name} is no finite number, flag, text or list of integers`);
  return Object.is(v, -0) ? '-0' : typeof v === 'string' ? quote(v) : JSON.stringify(v);
}
function paramsText(v: Params): string {
  const names = Object.keys(v).sort();
  return `{${names.map((name) => `${quote(name)}:${paramText(name, v[name]!)}`).join(',')}}`;
}
export const params: Codec<Params> = {
  print: paramsText,
  parse: (t) => {
    const value = parseJson(t);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.values(value).every(isParam)) {
      throw new IRError(`${t} is no JSON object of numbers, flags, texts and lists of integers`);
    }
    return value as Params;
  },
  equal: (a, b) => a === b || paramsText(a) === paramsText(b),
  key: (v) => {
    const known = paramsKeys.get(v);
    if (known !== undefined) return known;
    const key = hashText(paramsText(v));
    paramsKeys.set(v, key);
    return key;
  },
};
/** A composite that is recorded again brings the same params object, and recording is on the hot path. */
const paramsKeys = new WeakMap<Params, number>();
