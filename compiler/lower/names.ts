// Identifiers of kernels and their parts, made from the names that values have in the user's program.

const longest = 40;

/** `fc.weight` becomes `fc_weight`. Emitters see to the keywords of their language. */
export function identifier(hint: string): string {
  const cleaned = hint.slice(0, longest).replace(/\W/g, '_');
  return /^(\d|$)/.test(cleaned) ? `_${cleaned}` : cleaned;
}

/** Names taken in one scope, and for each base the number to try next, so that many alike cost no search. */
export type Names = { readonly taken: Set<string>; readonly next: Map<string, number> };

export const namesTaken = (taken: Iterable<string> = []): Names => ({ taken: new Set(taken), next: new Map() });

/** `base`, or `base` with the first number that makes it new. */
export function unique({ taken, next }: Names, base: string): string {
  let name = base;
  let n = next.get(base) ?? 2;
  for (; taken.has(name); n++) name = `${base}_${n}`;
  next.set(base, n);
  taken.add(name);
  return name;
}
