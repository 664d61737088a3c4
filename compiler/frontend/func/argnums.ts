// `argnums`: which arguments a transform differentiates by, and how what it finds is given back.
import { ArgumentError } from '../../../runtime/errors.ts';
import { type Rest, unflatten } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { demandFloats, demandTensors } from './trace.ts';

/** One position gives one answer, a list of them a list. */
export type Argnums = number | readonly number[];
export type Chosen<A extends readonly unknown[], N extends Argnums> = N extends readonly number[]
  ? { [I in keyof N]: N[I] extends keyof A ? A[N[I]] : A[number] }
  : N extends keyof A
    ? A[N]
    : A[number];

export type Choice = {
  /** Positions among the tensors of all arguments. */
  readonly positions: readonly number[];
  /** What was found for each of these, in the places that the arguments have. */
  readonly place: (found: readonly unknown[]) => unknown;
};

/** Throws ArgumentError for positions that are no arguments or come twice, AutogradError for tensors without derivative. */
export function choose(op: string, args: Rest, tensors: readonly Tensor[], argnums: Argnums): Choice {
  const items = args.kind === 'list' ? args.items : [];
  const list = typeof argnums === 'number' ? [argnums] : argnums;
  if (!Array.isArray(list) || list.length === 0) throw new ArgumentError('argnums is a position, or a non-empty list of them', { op });
  const at = list.map((n) => {
    if (!Number.isInteger(n) || n < -items.length || n >= items.length)
      throw new ArgumentError(`argnum ${String(n)} is out of range: there are ${items.length} arguments`, { op });
    return n < 0 ? n + items.length : n;
  });
  if (new Set(at).size < at.length) throw new ArgumentError(`argnums [${list}] must be unique`, { op });
  const chosen = at.map((n) => items[n]!);
  for (const item of chosen) demandTensors(op, item, 'arguments to differentiate by are tensors');
  const positions = chosen.flatMap(positionsIn);
  demandFloats(
    op,
    positions.map((i) => tensors[i]!),
  );
  const place = (found: readonly unknown[]): unknown => {
    const all = new Array<unknown>(tensors.length);
    for (const [i, position] of positions.entries()) all[position] = found[i];
    const trees = chosen.map((item) => unflatten(item, all));
    return typeof argnums === 'number' ? trees[0] : trees;
  };
  return { positions, place };
}

/** Positions of the tensors in a part of a tree. */
export function positionsIn(rest: Rest): readonly number[] {
  switch (rest.kind) {
    case 'tensor':
      return [rest.index];
    case 'static':
      return [];
    default:
      return rest.items.flatMap(positionsIn);
  }
}
