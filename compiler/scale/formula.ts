// Numbers of the host as arithmetic that the runner reads: over `step`, which counts from the export, and the learning rates.
import type { HostExpr } from '../../runtime/host.ts';

/** What stands for a counter: `lr`, or `(7 + step)`. */
export type CounterText<C> = (counter: C) => string;

/** A number as both Python and JavaScript read it, to the bit. */
export const numberText = (n: number): string => (Number.isFinite(n) ? String(n) : Number.isNaN(n) ? 'nan' : n > 0 ? 'inf' : '-inf');

const infix = { add: '+', sub: '-', mul: '*', div: '/', pow: '**', equal: '==' } as const;

/** The expression, with a pair of parentheses for each operation but the last. */
export function formulaText<C>(expr: HostExpr<C>, counter: CounterText<C>): string {
  const text = inner(expr, counter);
  return text.startsWith('(') && typeof expr === 'object' && 'fn' in expr ? text.slice(1, -1) : text;
}

function inner<C>(expr: HostExpr<C>, counter: CounterText<C>): string {
  if (typeof expr === 'number') return expr < 0 ? `(${numberText(expr)})` : numberText(expr);
  if ('counter' in expr) return counter(expr.counter);
  const [a = '', b = '', c = ''] = expr.args.map((arg) => inner(arg, counter));
  switch (expr.fn) {
    case 'neg':
      return `(-${a})`;
    case 'sqrt':
      return `sqrt(${a})`;
    case 'select':
      return `(${b} if ${a} else ${c})`;
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'pow':
    case 'equal':
      return `(${a} ${infix[expr.fn]} ${b})`;
    default:
      return expr.fn satisfies never;
  }
}
