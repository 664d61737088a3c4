// Identifiers of kernels and their parts, made from the names that values have in the user's program.

const longest = 40;

/** `fc.weight` becomes `fc_weight`. Emitters see to the keywords of their language. */
export function identifier(hint: string): string {
  const cleaned = hint.slice(0, longest).replace(/\W/g, '_');
  return /^(\d|$)/.test(cleaned) ? `_${cleaned}` : cleaned;
}
