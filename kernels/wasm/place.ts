// Positions taken apart: what of them changes in a loop, what is constant, and how they move from lane to lane.
import type { Position } from '../loop.ts';
import { add, strideOf, sub, summandsOf, zero } from '../position.ts';
import { mentionsAny, positionMentionsAny, valuesIn } from '../schedule/rewrite.ts';
import { type Access, bufferOf, type Scope, type VectorLoop } from './scope.ts';

export const accessOf = (s: Scope, buffer: string, at: Position): Access => ({
  base: bufferOf(s, buffer).address,
  rest: at,
  isBehindStart: true,
});

export const constantOf = (p: Position): number => {
  const last = p.kind === 'add' ? p.b : p;
  return last.kind === 'const' && typeof last.value === 'number' ? last.value : 0;
};

/** The parts of a position that mention none of `names`, and those that do. */
export function splitBy(at: Position, names: ReadonlySet<string>): { readonly fixed: Position; readonly varying: Position } {
  let fixed: Position = zero;
  let varying: Position = zero;
  for (const { isNegative, term } of summandsOf(at)) {
    const signed = isNegative ? sub(zero, term) : term;
    if (positionMentionsAny(term, names)) varying = add(varying, signed);
    else fixed = add(fixed, signed);
  }
  return { fixed, varying };
}

/** How a position moves from lane to lane: by a number of elements, or in no regular way. */
export const laneStride = (s: Scope, at: Position): number | undefined => regularStride(s.vector!, at);

export function regularStride({ axis, varying }: VectorLoop, at: Position): number | undefined {
  for (const e of valuesIn(at)) if (mentionsAny(e, varying)) return undefined;
  const stride = strideOf(at, axis);
  return typeof stride === 'number' ? stride : undefined;
}
