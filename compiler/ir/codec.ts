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
export const hashDims = (dims: Shape): number => dims.reduce<number>((h, d) => mix(h, dimKey(d)), dims.length);

const split = (text: string): string[] => {
  if (!text.startsWith('[') || !text.endsWith(']')) throw new IRError(`'${text}' is no list`);
  const inner = text.slice(1, -1).trim();
  return inner === '' ? [] : inner.split(',').map((t) => t.trim());
};
const integer = (text: string): number => {
  if (!/^-?\d+$/.test(text)) throw new IRError(`'${text}' is no integer`);
  return Number(text);
};
const sameList = <T>(a: readonly T[], b: readonly T[]): boolean => a.length === b.length && a.every((v, i) => v === b[i]);

export const int: Codec<number> = { print: String, parse: integer, equal: Object.is, key: (v) => v | 0 };
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
export const text: Codec<string> = {
  print: (v) => JSON.stringify(v),
  parse: (t) => {
    if (!/^"(?:[^"\\]|\\.)*"$/.test(t)) throw new IRError(`${t} is no quoted text`);
    return JSON.parse(t) as string;
  },
  equal: (a, b) => a === b,
  key: hashText,
};

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

/** Static options of a composite: numbers, flags, texts and lists of integers by name, printed as JSON with sorted keys. */
export type Params = { readonly [name: string]: number | boolean | string | readonly number[] };
const sortedJson = (v: Params): string => JSON.stringify(Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))));
export const params: Codec<Params> = {
  print: sortedJson,
  parse: (t) => {
    try {
      return JSON.parse(t) as Params;
    } catch (cause) {
      throw new IRError(`${t} is no JSON object`, { cause });
    }
  },
  equal: (a, b) => a === b || sortedJson(a) === sortedJson(b),
  key: (v) => {
    const known = paramsKeys.get(v);
    if (known !== undefined) return known;
    const key = hashText(sortedJson(v));
    paramsKeys.set(v, key);
    return key;
  },
};
/** A composite that is recorded again brings the same params object, and recording is on the hot path. */
const paramsKeys = new WeakMap<Params, number>();
