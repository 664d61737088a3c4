// Unroll-and-jam: several iterations of a parallel loop side by side, statement by statement, so that they share loads (register tiles).
import type { Position, Stmt } from '../loop.ts';
import { add, axis, constant } from '../position.ts';
import { known, peel, refuse } from './loops.ts';
import { effectsOf, freshName, type Loop, mentioned, type Renaming, rename } from './rewrite.ts';

/**
 * `loop` in steps of `count` iterations side by side, then the remaining ones side by side. Loops inside run once for all copies; what does
 * not depend on the iteration stands once. Sums keep their order, so results are the same bits.
 */
export function unrollAndJam(loop: Loop, count: number, taken: Set<string>): Loop[] {
  const extent = known(loop, 'unroll-and-jam');
  if (loop.mode !== 'par') throw refuse('unroll-and-jam', `${loop.axis} is not par`);
  if (count < 2 || extent < 2) return [loop];
  const whole = extent - (extent % count);
  const [main, tail] = peel(loop, whole);
  const blocks: Loop[] = [];
  if (whole > 0) blocks.push({ ...main, step: count, body: jam(main, count, taken) });
  if (tail.extent === 1) blocks.push(tail);
  else if (whole < extent) blocks.push({ ...tail, step: extent - whole, body: jam(tail, extent - whole, taken) });
  return blocks;
}

type Jam = {
  readonly loop: Loop;
  /** One renaming per copy; grows as declarations are met. */
  readonly copies: readonly { readonly axes: ReadonlyMap<string, Position>; readonly names: Map<string, string> }[];
  /** Names whose value differs between copies, and the loop's axis. */
  readonly varying: Set<string>;
  readonly taken: Set<string>;
};

function jam(loop: Loop, count: number, taken: Set<string>): Stmt[] {
  const copies = Array.from({ length: count }, (_, u) => ({
    axes: new Map([[loop.axis, add(axis(loop.axis), constant(u))]]),
    names: new Map<string, string>(),
  }));
  return jamBody({ loop, copies, varying: new Set([loop.axis]), taken }, loop.body);
}

const jamBody = (j: Jam, body: readonly Stmt[]): Stmt[] => body.flatMap((s) => jamStatement(j, s));

/** One statement per copy, each with its own names. */
const everyCopy = (j: Jam, s: Stmt): Stmt[] => j.copies.map((r: Renaming) => rename(s, r));

/** Gives each copy a name of its own for what is declared here. */
function declareCopies(j: Jam, name: string): void {
  j.varying.add(name);
  j.copies.forEach((copy, u) => {
    copy.names.set(name, freshName(`${name}${u}`, j.taken));
  });
}

function isUniform(j: Jam, names: ReadonlySet<string>): boolean {
  for (const name of names) if (j.varying.has(name)) return false;
  return true;
}

function jamStatement(j: Jam, s: Stmt): Stmt[] {
  switch (s.kind) {
    case 'let':
      if (isUniform(j, mentioned(s.value))) return [s];
      declareCopies(j, s.name);
      return everyCopy(j, s);
    case 'var':
    case 'scratch':
      declareCopies(j, s.name);
      return everyCopy(j, s);
    case 'assign':
    case 'accumulate':
    case 'store':
    case 'update':
      return everyCopy(j, s);
    case 'loop':
      return [{ ...s, body: jamBody(j, s.body) }];
    case 'if':
      if (isUniform(j, mentioned(s.test))) return [{ ...s, then: jamBody(j, s.then), else: jamBody(j, s.else) }];
      return j.copies.map((copy) => {
        const names = new Map(copy.names);
        for (const name of effectsOf([s]).declares) names.set(name, freshName(name, j.taken));
        return rename(s, { axes: copy.axes, names });
      });
    case 'check':
      return isUniform(j, mentioned(s.value)) ? [s] : everyCopy(j, s);
    case 'members':
      throw refuse('unroll-and-jam', `${j.loop.axis} holds a member table`);
    case 'product':
    case 'transpose':
      return everyCopy(j, s);
    case 'library':
      throw refuse('unroll-and-jam', `${j.loop.axis} calls ${s.routine}`);
    default:
      return s satisfies never;
  }
}
