// What a call did at two sizes, as what it does at any: plain data in which numbers grow in a straight line with the size.
import { type Buffer, readSync } from '../../../runtime/buffer.ts';

/** The same data at another size. */
export type AtSize<T> = (size: number) => T;

class Unlike extends Error {}

/** Numbers that mean something else than a size or a place: they have to be equal. */
const fixedKeys: ReadonlySet<string> = new Set([
  'number',
  'value',
  'index',
  'id',
  'depth',
  'ordinal',
  'identity',
  'slot',
  'output',
  'alias',
]);

/**
 * `one` and `other` differ in nothing but what grows with a size, which was `sizes[0]` and `sizes[1]`: what they are at any size; else
 * undefined. Of functions, which are made anew by every run, those of `other` stay. With one size alone, nothing may differ.
 */
export function lineThrough<T>(one: T, other: T, sizes: readonly [number, number] | undefined): AtSize<T> | undefined {
  try {
    return through(one, other, sizes, '') as AtSize<T>;
  } catch (error) {
    if (error instanceof Unlike) return undefined;
    throw error;
  }
}

function through(a: unknown, c: unknown, sizes: readonly [number, number] | undefined, key: string): AtSize<unknown> {
  // Structures are compared by those who share their Programs.
  if (Object.is(a, c) || key === 'structure') return () => c;
  if (typeof a === 'number' && typeof c === 'number') return between(a, c, sizes, key);
  if (typeof a === 'function' && typeof c === 'function') return () => c;
  if (a instanceof Set && c instanceof Set) return sameSet(a, c);
  if (Array.isArray(a) && Array.isArray(c)) {
    if (a.length !== c.length) throw new Unlike();
    const items = a.map((x, i) => through(x, c[i], sizes, key));
    return (size) => items.map((item) => item(size));
  }
  if (!isRecord(a) || !isRecord(c)) throw new Unlike();
  if (a.kind === 'constant') return sameConstant(a, c);
  // How much is drawn depends on the size.
  if (a.kind === 'draw') throw new Unlike();
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(c).length) throw new Unlike();
  const fields = keys.map((k) => [k, through(a[k], c[k], sizes, k)] as const);
  return (size) => Object.fromEntries(fields.map(([k, field]) => [k, field(size)]));
}

function between(a: number, c: number, sizes: readonly [number, number] | undefined, key: string): AtSize<number> {
  if (sizes === undefined || fixedKeys.has(key)) throw new Unlike();
  const times = (c - a) / (sizes[1] - sizes[0]);
  if (!Number.isInteger(times)) throw new Unlike();
  return (size) => a + times * (size - sizes[0]);
}

function sameSet(a: ReadonlySet<unknown>, c: ReadonlySet<unknown>): AtSize<unknown> {
  if (a.size !== c.size || [...a].some((x) => !c.has(x))) throw new Unlike();
  return () => c;
}

/** Elements that the host made: they are the same whatever the size, or nobody knows how they follow from it. */
function sameConstant(a: Fields, c: Fields): AtSize<unknown> {
  const [x, y] = [readSync(a.buffer as Buffer), readSync(c.buffer as Buffer)];
  if (c.kind !== 'constant' || x.length !== y.length) throw new Unlike();
  for (let i = 0; i < x.length; i++) if (!Object.is(x[i], y[i])) throw new Unlike();
  return () => c;
}

type Fields = Readonly<Record<string, unknown>>;

/** Plain data; what is of a class is equal only to itself. */
function isRecord(x: unknown): x is Fields {
  if (typeof x !== 'object' || x === null) return false;
  const prototype: unknown = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
}
