// Pieces of JavaScript with their precedence: the one place that knows when an operand needs parentheses.

/** Binding strength of JavaScript's operators, loosest first. */
export const Precedence = {
  conditional: 3,
  or: 4,
  and: 5,
  bitOr: 6,
  bitXor: 7,
  bitAnd: 8,
  equality: 9,
  relational: 10,
  shift: 11,
  additive: 12,
  multiplicative: 13,
  unary: 15,
  primary: 17,
} as const;

/** `exact`: the same value before it was rounded to float32, which a store to a Float32Array does anyway. */
export type Code = { readonly text: string; readonly precedence: number; readonly exact?: Code };

export const primary = (text: string): Code => ({ text, precedence: Precedence.primary });

/** The text, in parentheses if it binds more loosely than its place asks for. */
export const within = (code: Code, precedence: number): string => (code.precedence < precedence ? `(${code.text})` : code.text);

const levels: Readonly<Record<string, number>> = {
  '||': Precedence.or,
  '&&': Precedence.and,
  '|': Precedence.bitOr,
  '^': Precedence.bitXor,
  '&': Precedence.bitAnd,
  '===': Precedence.equality,
  '!==': Precedence.equality,
  '<': Precedence.relational,
  '<=': Precedence.relational,
  '<<': Precedence.shift,
  '>>': Precedence.shift,
  '>=': Precedence.relational,
  '+': Precedence.additive,
  '-': Precedence.additive,
  '*': Precedence.multiplicative,
  '/': Precedence.multiplicative,
  '%': Precedence.multiplicative,
};
const bitwise = new Set(['|', '^', '&', '<<', '>>']);

/** All infix operators used here associate to the left. Operands of bitwise ones keep their parentheses, since few readers know their order. */
export function infix(a: Code, operator: keyof typeof levels, b: Code): Code {
  const precedence = levels[operator]!;
  const [left, right] = bitwise.has(operator) ? [Precedence.unary, Precedence.unary] : [precedence, precedence + 1];
  return { text: `${within(a, left)} ${operator} ${within(b, right)}`, precedence };
}

/** A second prefix operator goes into parentheses, so that `--x` is never written. */
export const prefix = (operator: '-' | '!' | '~', a: Code): Code => ({
  text: `${operator}${within(a, Precedence.primary)}`,
  precedence: Precedence.unary,
});

export const invoke = (fn: string, ...args: readonly Code[]): Code => primary(`${fn}(${args.map((a) => a.text).join(', ')})`);
export const element = (buffer: string, at: Code): Code => primary(`${buffer}[${at.text}]`);

export const conditional = (test: Code, yes: Code, no: Code): Code => ({
  text: `${within(test, Precedence.conditional + 1)} ? ${within(yes, Precedence.conditional)} : ${within(no, Precedence.conditional)}`,
  precedence: Precedence.conditional,
});

/** A number; negative ones bind like a prefix operator. The text is the shortest that reads back as the same number. */
export function number(value: number): Code {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return { text, precedence: text.startsWith('-') ? Precedence.unary : Precedence.primary };
}

/** Rounding to float32. */
export const fround = (exact: Code): Code => ({ ...invoke('Math.fround', exact), exact });

/** Any text as a string literal that also stands safely in comments and in inline scripts. */
export const quoted = (text: string): string =>
  JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]|<\/|\*\//g, (c) =>
    c.length === 1 ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}` : `${c[0]}\\/`,
  );

/** Any text as one line comment: whatever could end the line or the comment is escaped. */
export const comment = (text: string): string =>
  `// ${quoted(text)
    .slice(1, -1)
    .replace(/\\(["\\])/g, '$1')}`;
