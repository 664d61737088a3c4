// Numbers that the host computes for a launch: float64 expressions over counters, such as an optimiser's steps, as plain data.

/** Functions of numbers, each one operation of JavaScript on float64. `select` gives its second operand where the first is not 0. */
const functions = {
  neg: (a: number) => -a,
  sqrt: Math.sqrt,
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  pow: (a: number, b: number) => a ** b,
  equal: (a: number, b: number) => (a === b ? 1 : 0),
  select: (test: number, a: number, b: number) => (test !== 0 ? a : b),
} as const;
export type HostFunction = keyof typeof functions;

/** A number, the value of a counter, or a function of such. `C` is what counters are called: a key once the expression is written down. */
export type HostExpr<C = string> = number | { readonly counter: C } | { readonly fn: HostFunction; readonly args: readonly HostExpr<C>[] };

/** The value of an expression. `read` gives the value of a counter. Expressions are a few levels deep. */
export function evaluateHost<C>(expr: HostExpr<C>, read: (counter: C) => number): number {
  if (typeof expr === 'number') return expr;
  if ('counter' in expr) return read(expr.counter);
  const [a = 0, b = 0, c = 0] = expr.args.map((arg) => evaluateHost(arg, read));
  return functions[expr.fn](a, b, c);
}

/** The same expression over other counters. */
export function mapCounters<A, B>(expr: HostExpr<A>, f: (counter: A) => HostExpr<B>): HostExpr<B> {
  if (typeof expr === 'number') return expr;
  if ('counter' in expr) return f(expr.counter);
  return { fn: expr.fn, args: expr.args.map((arg) => mapCounters(arg, f)) };
}

/** The expression `fn(a, b, ...)`. */
export const hostCall = <C>(fn: HostFunction, ...args: readonly HostExpr<C>[]): HostExpr<C> => ({ fn, args });
