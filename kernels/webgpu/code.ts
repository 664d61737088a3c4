// Pieces of WGSL with their precedence. The language forbids most mixtures of operators without parentheses, so few levels are enough.

export const Precedence = {
  or: 1,
  and: 2,
  bitwise: 3,
  relational: 4,
  shift: 5,
  additive: 6,
  multiplicative: 7,
  unary: 8,
  primary: 9,
} as const;

export type Code = { readonly text: string; readonly precedence: number };

export const primary = (text: string): Code => ({ text, precedence: Precedence.primary });

const within = (code: Code, precedence: number): string => (code.precedence < precedence ? `(${code.text})` : code.text);

/** What an operator makes, and how tightly its operands must bind. */
const operators = {
  '||': [Precedence.or, Precedence.relational],
  '&&': [Precedence.and, Precedence.relational],
  '|': [Precedence.bitwise, Precedence.unary],
  '^': [Precedence.bitwise, Precedence.unary],
  '&': [Precedence.bitwise, Precedence.unary],
  '==': [Precedence.relational, Precedence.additive],
  '!=': [Precedence.relational, Precedence.additive],
  '<': [Precedence.relational, Precedence.additive],
  '<=': [Precedence.relational, Precedence.additive],
  '>=': [Precedence.relational, Precedence.additive],
  '<<': [Precedence.shift, Precedence.unary],
  '>>': [Precedence.shift, Precedence.unary],
  '+': [Precedence.additive, Precedence.additive],
  '-': [Precedence.additive, Precedence.additive],
  '*': [Precedence.multiplicative, Precedence.multiplicative],
  '/': [Precedence.multiplicative, Precedence.multiplicative],
  '%': [Precedence.multiplicative, Precedence.multiplicative],
} as const;
export type Operator = keyof typeof operators;

/** All of them associate to the left; `&&` of `&&` needs no parentheses on that side. */
export function infix(a: Code, operator: Operator, b: Code): Code {
  const [precedence, operand] = operators[operator];
  const left = a.precedence === precedence && precedence <= Precedence.and ? a.text : within(a, operand);
  return { text: `${left} ${operator} ${within(b, operand + (operand >= Precedence.unary ? 0 : 1))}`, precedence };
}

export const prefix = (operator: '-' | '!' | '~' | '&', x: Code): Code => ({
  // `--` is a token of its own.
  text: `${operator}${operator === '-' && x.text.startsWith('-') ? `(${x.text})` : within(x, Precedence.unary)}`,
  precedence: Precedence.unary,
});

/** Comparisons among arguments stand in parentheses, since `f(a < b, c > d)` would be read as a template. */
export const invoke = (name: string, ...args: readonly Code[]): Code =>
  primary(`${name}(${args.map((a) => (a.precedence === Precedence.relational ? `(${a.text})` : a.text)).join(', ')})`);

export const element = (array: string, index: Code): Code => primary(`${array}[${index.text}]`);

/** An i32. The least one has no decimal form of its own. */
export const integer = (value: number): Code =>
  value === -(2 ** 31) ? primary('i32(-2147483648)') : { text: `${value}`, precedence: value < 0 ? Precedence.unary : Precedence.primary };

/** Any text as one line comment: whatever ends a line is escaped. */
export const comment = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not stand in a comment
  `// ${text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}`;
