// Sizes of axes: numbers, or symbolic sizes that are bound when a Program is launched.
import { IRError, ShapeError } from '../../runtime/errors.ts';

/** A polynomial over size names with integer coefficients, interned by its text: two equal sizes are the same object. */
export type Sym = { readonly text: string; readonly terms: readonly Term[] };
type Term = { readonly coefficient: number; readonly names: readonly string[] };
export type Dim = number | Sym;
export type Shape = readonly Dim[];

/** Terms of a size, and factors of a term: shape arithmetic stays simple, and no text makes it explode. */
const mostTerms = 64;
const interned = new Map<string, Sym>();
const termText = (t: Term): string =>
  t.names.length === 0 ? String(t.coefficient) : (t.coefficient === 1 ? '' : `${t.coefficient}*`) + t.names.join('*');

function make(terms: readonly Term[]): Dim {
  const merged = new Map<string, Term>();
  for (const t of terms) {
    const names = [...t.names].sort();
    const key = names.join('*');
    merged.set(key, { names, coefficient: t.coefficient + (merged.get(key)?.coefficient ?? 0) });
  }
  const kept = [...merged.entries()]
    .filter(([, t]) => t.coefficient !== 0)
    .sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  if (kept.length === 0) return 0;
  if (kept.length > mostTerms || kept.some(([, t]) => t.names.length > mostTerms || !Number.isSafeInteger(t.coefficient))) {
    throw new IRError('a size has grown too complicated');
  }
  if (kept.length === 1 && kept[0]![0] === '') return kept[0]![1].coefficient;
  const text = kept
    .map(([, t]) => termText(t))
    .join('+')
    .replaceAll('+-', '-');
  const known = interned.get(text);
  if (known !== undefined) return known;
  const sym: Sym = { text, terms: kept.map(([, t]) => t) };
  interned.set(text, sym);
  return sym;
}

const termsOf = (d: Dim): readonly Term[] => (typeof d === 'number' ? [{ coefficient: d, names: [] }] : d.terms);

/** The size called `name`, a letter followed by letters and digits. */
export const sym = (name: string): Sym => make([{ coefficient: 1, names: [name] }]) as Sym;
export const isStatic = (shape: Shape): shape is readonly number[] => shape.every((d) => typeof d === 'number');

export function dimAdd(a: Dim, b: Dim): Dim {
  return typeof a === 'number' && typeof b === 'number' ? a + b : make([...termsOf(a), ...termsOf(b)]);
}

export function dimMul(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b + 0; // never -0
  return make(
    termsOf(a).flatMap((s) => termsOf(b).map((t) => ({ coefficient: s.coefficient * t.coefficient, names: [...s.names, ...t.names] }))),
  );
}

export const dimSub = (a: Dim, b: Dim): Dim => dimAdd(a, dimMul(-1, b));
export function numel(shape: Shape): Dim {
  let n: Dim = 1;
  for (const d of shape) n = dimMul(n, d);
  return n;
}
export const sameShape = (a: Shape, b: Shape): boolean => a === b || (a.length === b.length && a.every((d, i) => d === b[i]));

/** The size as a number; for places where only a fixed size makes sense. */
export function fixed(d: Dim): number {
  if (typeof d === 'number') return d;
  throw new ShapeError(`the size ${d.text} must be known here`, { op: 'compile' });
}
export const fixedShape = (shape: Shape): readonly number[] => shape.map(fixed);

/** The value of a size when its names are bound. */
export function bindDim(d: Dim, sizes: ReadonlyMap<string, number>): number {
  if (typeof d === 'number') return d;
  return d.terms.reduce((sum, t) => sum + t.names.reduce((p, n) => p * (sizes.get(n) ?? Number.NaN), t.coefficient), 0);
}

export const dimText = (d: Dim): string => (typeof d === 'number' ? String(d) : d.text);
export const shapeText = (shape: Shape): string => `[${shape.map(dimText).join(',')}]`;

const sizePattern = /^-?(\d+|[A-Za-z]\w*)(\*(\d+|[A-Za-z]\w*))*([-+](\d+|[A-Za-z]\w*)(\*(\d+|[A-Za-z]\w*))*)*$/;

/** Reads what `dimText` printed: `12`, `n`, `2*n+1`. */
export function parseDim(text: string): Dim {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (text.length > 1000 || !sizePattern.test(text)) throw new IRError(`'${text}' is no size`);
  const terms = text.match(/-?[\w*]+/g)!.map((t): Term => {
    const factors = t.replace('-', '').split('*');
    const isNumber = (f: string): boolean => /^\d/.test(f);
    const sign = t.startsWith('-') ? -1 : 1;
    return { coefficient: factors.filter(isNumber).reduce((n, f) => n * Number(f), sign), names: factors.filter((f) => !isNumber(f)) };
  });
  return make(terms);
}
