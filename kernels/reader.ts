// What the parser of kernels reads its text with: one token after the other, and errors that name line and column.
import { type DType, dtypes } from '../runtime/dtype.ts';
import { IRError } from '../runtime/errors.ts';
import type { Size } from './loop.ts';
import { placeOf, type Token } from './tokens.ts';

/** A text that is read, and what is known of it so far. */
export type Parser = {
  readonly text: string;
  readonly tokens: readonly Token[];
  next: number;
  readonly slots: readonly DType[];
  /** Those with bounds, by name. */
  readonly sizes: Map<string, Size>;
  /** dtypes of the names in scope, innermost last. Axes are in here without one. */
  readonly scopes: Map<string, DType | 'axis'>[];
};

export const failAt = (p: Parser, t: Token, expected: string): IRError =>
  new IRError(`${placeOf(p.text, t.at)}: expected ${expected}, found ${t.kind === 'end' ? 'the end' : `'${t.text}'`}`, { op: 'parse' });
export const peek = (p: Parser): Token => p.tokens[p.next]!;
export const isWord = (p: Parser, text: string): boolean => peek(p).kind === 'name' && peek(p).text === text;
export const isSymbol = (p: Parser, text: string): boolean => peek(p).kind === 'symbol' && peek(p).text === text;

export function take(p: Parser, kind: Token['kind'], expected: string): Token {
  const t = peek(p);
  if (t.kind !== kind) throw failAt(p, t, expected);
  p.next++;
  return t;
}
export function word(p: Parser, text: string): void {
  if (!isWord(p, text)) throw failAt(p, peek(p), `'${text}'`);
  p.next++;
}
export function symbol(p: Parser, text: string): void {
  if (!isSymbol(p, text)) throw failAt(p, peek(p), `'${text}'`);
  p.next++;
}
export function accept(p: Parser, text: string): boolean {
  const found = isSymbol(p, text);
  if (found) p.next++;
  return found;
}
export const identifier = (p: Parser): string => take(p, 'name', 'a name').text;

export function acceptWord(p: Parser, text: string): boolean {
  const found = isWord(p, text);
  if (found) p.next++;
  return found;
}

export function list<T>(p: Parser, open: string, close: string, item: (p: Parser) => T): T[] {
  symbol(p, open);
  const items: T[] = [];
  while (!isSymbol(p, close)) {
    if (items.length > 0) symbol(p, ',');
    items.push(item(p));
  }
  symbol(p, close);
  return items;
}

export function integer(p: Parser): number {
  const minus = accept(p, '-');
  const t = take(p, 'integer', 'an integer');
  const n = Number(t.text);
  if (!Number.isSafeInteger(n)) throw failAt(p, t, 'an integer below 2^53');
  return minus ? -n : n;
}

export function quotedText(p: Parser): string {
  const t = take(p, 'text', 'a quoted text');
  try {
    return JSON.parse(t.text) as string;
  } catch {
    throw failAt(p, t, 'a quoted text');
  }
}

export function dtypeName(p: Parser): DType {
  const t = peek(p);
  const found = dtypes.find((d) => d === t.text);
  if (found === undefined) throw failAt(p, t, `one of ${dtypes.join(', ')}`);
  p.next++;
  return found;
}
