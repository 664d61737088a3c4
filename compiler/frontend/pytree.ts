// Pytrees: nested arrays and plain objects with tensors at their leaves, as arguments and results of transformed functions.
import { ArgumentError } from '../../runtime/errors.ts';
import { Handle } from './handle.ts';
import type { Tensor } from './tensor.ts';

/** A tree taken apart: its tensors in order, and what is left of it, with holes where they were. */
export type Flattened = { readonly tensors: readonly Tensor[]; readonly rest: Rest };
export type Rest =
  | { readonly kind: 'tensor'; readonly index: number }
  | { readonly kind: 'list'; readonly items: readonly Rest[] }
  | { readonly kind: 'record'; readonly keys: readonly string[]; readonly items: readonly Rest[] }
  | { readonly kind: 'static'; readonly value: unknown };

export const isTensor = (v: unknown): v is Tensor => v instanceof Handle;

/** Deeper trees are refused: they are cyclic, or no argument of a function. */
const maxDepth = 64;

export function flatten(tree: unknown): Flattened {
  const tensors: Tensor[] = [];
  const visit = (v: unknown, depth: number): Rest => {
    if (depth > maxDepth) throw new ArgumentError(`a structure of tensors nests more than ${maxDepth} deep`, { op: 'pytree' });
    if (isTensor(v)) return { kind: 'tensor', index: tensors.push(v) - 1 };
    if (Array.isArray(v)) return { kind: 'list', items: (v as unknown[]).map((x) => visit(x, depth + 1)) };
    const prototype: unknown = typeof v === 'object' && v !== null ? Object.getPrototypeOf(v) : undefined;
    if (prototype === Object.prototype || prototype === null) {
      const keys = Object.keys(v as object);
      return { kind: 'record', keys, items: keys.map((k) => visit((v as Record<string, unknown>)[k], depth + 1)) };
    }
    return { kind: 'static', value: v };
  };
  const rest = visit(tree, 0);
  return { tensors, rest };
}

/** The tree with other tensors in the holes. */
export function unflatten(rest: Rest, tensors: readonly unknown[]): unknown {
  switch (rest.kind) {
    case 'tensor':
      return tensors[rest.index];
    case 'list':
      return rest.items.map((r) => unflatten(r, tensors));
    case 'record':
      return Object.fromEntries(rest.keys.map((k, i) => [k, unflatten(rest.items[i]!, tensors)]));
    case 'static':
      return rest.value;
  }
}

/** Same shape of tree and, by `Object.is`, the same static leaves. */
export function sameRest(a: Rest, b: Rest): boolean {
  switch (a.kind) {
    case 'tensor':
      return b.kind === 'tensor' && a.index === b.index;
    case 'static':
      return b.kind === 'static' && Object.is(a.value, b.value);
    case 'list':
      return b.kind === 'list' && a.items.length === b.items.length && a.items.every((r, i) => sameRest(r, b.items[i]!));
    case 'record':
      return (
        b.kind === 'record' &&
        a.keys.length === b.keys.length &&
        a.keys.every((k, i) => k === b.keys[i]) &&
        a.items.every((r, i) => sameRest(r, b.items[i]!))
      );
  }
}
