// Errors across the border: of the same class on the other side, with their fields and the stack of the thread that threw.
import * as errors from '../../runtime/errors.ts';

/** What was thrown, as far as it can be copied. */
export type Thrown = {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Own fields that are plain: code, op, and the like. */
  readonly fields: Readonly<Record<string, unknown>>;
};

const isPrimitive = (x: unknown): boolean => (typeof x !== 'object' && typeof x !== 'function' && typeof x !== 'symbol') || x === null;

export function thrownOf(error: unknown): Thrown {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: `Error: ${String(error)}`, fields: {} };
  const { name, message, stack = `${name}: ${message}` } = error;
  return { name, message, stack, fields: Object.fromEntries(Object.entries(error).filter(([, value]) => isPrimitive(value))) };
}

type AnyError = new (message: string) => Error;
/** The classes that are known on both sides: ours and the language's. */
const classes: ReadonlyMap<string, AnyError> = new Map<string, AnyError>([
  ...Object.entries(errors).filter((entry): entry is [string, typeof errors.FluxionError] => /Error$/.test(entry[0])),
  ...[RangeError, TypeError, SyntaxError, ReferenceError, EvalError, URIError].map((c): [string, AnyError] => [c.name, c]),
]);

/** The error again. `site` is where the call was made: its frames follow those of the worker. */
export function revive({ name, message, stack, fields }: Thrown, site: Error): Error {
  const error = new (classes.get(name) ?? Error)(message);
  const frames = (site.stack ?? '').split('\n').filter((line) => /^\s*at |@/.test(line));
  Object.assign(error, fields, { name });
  for (const [key, value] of Object.entries({ message, stack: [stack, '    in a worker, called', ...frames].join('\n') }))
    Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
  return error;
}
