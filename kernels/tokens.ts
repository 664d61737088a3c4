// Cuts the text of a kernel into tokens and tells where each stands.
import { IRError } from '../runtime/errors.ts';
import { literalPattern } from './literal.ts';
import { scalarNames } from './scalar.ts';

/** `combine` is an assignment that applies a function, like `max=`. */
export type Token = {
  readonly kind: 'name' | 'literal' | 'integer' | 'text' | 'combine' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
};

const pattern = new RegExp(
  [
    '\\s+',
    `(?<literal>${literalPattern.source})`,
    '(?<integer>\\d+)',
    `(?<combine>(?:${scalarNames.join('|')})=(?!=)|[-+*/]=)`,
    '(?<name>[A-Za-z_]\\w*)',
    '(?<text>"(?:[^"\\\\\\n]|\\\\.)*")',
    '(?<symbol>[=!<]=|[-+*/<=@#$&.,:()[\\]{}])',
  ].join('|'),
  'y',
);

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const m = pattern.exec(text);
    if (m === null) throw new IRError(`${placeOf(text, at)}: '${text[at]}' starts no token`, { op: 'parse' });
    const found = Object.entries(m.groups!).find(([, v]) => v !== undefined);
    if (found !== undefined) tokens.push({ kind: found[0] as Token['kind'], text: m[0], at });
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

export function placeOf(text: string, at: number): string {
  const before = text.slice(0, at).split('\n');
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}
