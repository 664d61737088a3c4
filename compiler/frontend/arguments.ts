// Kinds of arguments, asked for where a public function begins: so a mistake is named there, and not met deep inside.
import { ArgumentError } from '../../runtime/errors.ts';
import { isTensor } from './pytree.ts';

/** What a wrong argument is, in words. */
export function kindOf(v: unknown): string {
  if (v === undefined) return 'missing';
  if (v === null) return 'null';
  if (Array.isArray(v)) return 'an array';
  return typeof v === 'object' ? 'an object' : typeof v === 'symbol' ? 'a symbol' : `a ${typeof v}`;
}

/** Throws ArgumentError unless all are tensors. */
export function demandTensors(op: string, ...given: readonly unknown[]): void {
  for (let i = 0; i < given.length; i++)
    if (!isTensor(given[i]))
      throw new ArgumentError(`expected a tensor${given.length > 1 ? ` as operand ${i}` : ''}, but it is ${kindOf(given[i])}`, {
        op,
        fix: 'make one with tensor()',
      });
}

/** Throws ArgumentError unless it is a list of integers. */
export function demandIntegers(op: string, what: string, given: unknown): void {
  if (!Array.isArray(given))
    throw new ArgumentError(`${what} must be an array of integers, but it is ${kindOf(given)}`, { op, fix: 'write [2, 3]' });
  for (const n of given as readonly unknown[])
    if (!Number.isInteger(n))
      throw new ArgumentError(`${what} holds ${typeof n === 'symbol' ? 'a symbol' : String(n)}, which is no integer`, { op });
}

/** Throws ArgumentError unless it is an object of options with no other names than these: a misspelt option would be ignored in silence. */
export function demandOptions(op: string, given: unknown, names: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new ArgumentError(`options must be an object, but they are ${kindOf(given)}`, { op, fix: `write { ${names[0]}: ... }` });
  for (const name in given)
    if (!names.includes(name)) throw new ArgumentError(`has no option '${name}'`, { op, fix: `it takes ${names.join(', ')}` });
}
