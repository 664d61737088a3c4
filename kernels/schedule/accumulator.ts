// Splits the accumulators of a serial loop by a fixed tree: several lanes side by side (speed), or a part per block (accuracy).
//
// A serial float sum of n values errs by up to n * eps * sum|x|. In blocks of b, with l lanes, it errs by (b / l + l + n / b) * eps * sum|x|, and
// blocks of blocks by the sum of the lengths of all levels. The tree depends on the extent alone, so results do not vary from run to run.
import { type DType, greatest, least } from '../../runtime/dtype.ts';
import { literal } from '../literal.ts';
import type { Expr, Stmt } from '../loop.ts';
import { add, axis, constant } from '../position.ts';
import type { ScalarName } from '../scalar.ts';
import { known, moveAxis, peel, refuse, split, withBody } from './loops.ts';
import { effectsOf, freshName, type Loop, mentioned, rename } from './rewrite.ts';

type Accumulator = { readonly name: string; readonly fn: ScalarName; readonly dtype: DType };

/** fn(identity, x) = x, for functions whose values may be combined in any order; floats up to rounding. */
export function identityOf(fn: ScalarName, dtype: DType): Expr | undefined {
  switch (fn) {
    case 'add':
    case 'bitOr':
    case 'bitXor':
      return literal(0, dtype);
    case 'or':
      return literal(false, 'bool');
    case 'mul':
      return literal(1, dtype);
    case 'and':
      return literal(true, 'bool');
    case 'max':
      return literal(least[dtype], dtype);
    case 'min':
      return literal(greatest[dtype], dtype);
    default:
      return undefined;
  }
}

/**
 * What the loop accumulates into variables of an enclosing body. Refuses a loop that carries anything else from one iteration to the next:
 * an assigned variable, or an accumulator that is also read.
 */
function accumulatorsOf(loop: Loop): Accumulator[] {
  const found = new Map<string, Accumulator>();
  const { reads: others, writes, declares } = effectsOf(loop.body.filter((s) => s.kind !== 'accumulate'));
  const reads = new Set(others);
  for (const s of loop.body) {
    if (s.kind !== 'accumulate' || declares.has(s.name)) continue;
    const seen = found.get(s.name);
    if (identityOf(s.fn, s.value.dtype) === undefined) throw refuse('split accumulator', `${s.fn} may not be combined in another order`);
    if (seen !== undefined && seen.fn !== s.fn) throw refuse('split accumulator', `${s.name} is accumulated by ${seen.fn} and ${s.fn}`);
    found.set(s.name, { name: s.name, fn: s.fn, dtype: s.value.dtype });
    mentioned(s.value, reads);
  }
  for (const { name } of found.values()) {
    if (reads.has(name) || writes.has(name)) throw refuse('split accumulator', `${name} is carried from one iteration to the next`);
  }
  for (const name of writes) {
    if (!declares.has(name) && reads.has(name)) throw refuse('split accumulator', `${name} is carried from one iteration to the next`);
  }
  if (found.size === 0) throw refuse('split accumulator', `${loop.axis} accumulates nothing`);
  return [...found.values()];
}

const declareParts = (accumulators: readonly Accumulator[], names: ReadonlyMap<string, string>): Stmt[] =>
  accumulators.map((a) => ({ kind: 'var', name: names.get(a.name)!, init: identityOf(a.fn, a.dtype)! }));

const combine = (a: Accumulator, into: string, from: string): Stmt => ({
  kind: 'accumulate',
  name: into,
  fn: a.fn,
  value: { kind: 'ref', dtype: a.dtype, name: from },
});

/** `lanes` accumulators side by side, which hides the latency of each; their sums are added pairwise. */
export function splitIntoLanes(loop: Loop, lanes: number, taken: Set<string>): Stmt[] {
  const extent = known(loop, 'split accumulator');
  if (extent < 2 * lanes || lanes < 2) return [loop];
  const accumulators = accumulatorsOf(loop);
  const [main, tail] = peel(loop, extent - (extent % lanes));
  const own = effectsOf(loop.body).declares;
  const names = Array.from({ length: lanes }, (_, lane) =>
    lane === 0 ? new Map<string, string>() : new Map(accumulators.map((a) => [a.name, freshName(`${a.name}${lane}`, taken)])),
  );
  const copies = names.flatMap((accs, lane) => {
    const locals = lane === 0 ? [] : [...own].map((name) => [name, freshName(`${name}${lane}`, taken)] as const);
    const axes = new Map([[loop.axis, add(axis(loop.axis), constant(lane))]]);
    return main.body.map((s) => rename(s, { axes, names: new Map([...accs, ...locals]) }));
  });
  const tree: Stmt[] = [];
  for (let width = 1; width < lanes; width *= 2) {
    for (let lane = 0; lane + width < lanes; lane += 2 * width) {
      for (const a of accumulators) tree.push(combine(a, names[lane]!.get(a.name) ?? a.name, names[lane + width]!.get(a.name)!));
    }
  }
  return [
    ...names.slice(1).flatMap((n) => declareParts(accumulators, n)),
    { ...main, step: lanes, body: copies },
    ...(tail.extent === 0 ? [] : [tail]),
    ...tree,
  ];
}

/** An accumulator for every `size` iterations, added to the whole when its block ends. */
export function splitIntoBlocks(
  loop: Loop,
  size: number,
  taken: Set<string>,
  inner: (block: Loop) => readonly Stmt[] = (block) => [block],
): Stmt[] {
  const extent = known(loop, 'split accumulator');
  if (extent <= size) return [...inner(loop)];
  const accumulators = accumulatorsOf(loop);
  const block = (part: Loop, names: ReadonlyMap<string, string>): Stmt[] => [
    ...declareParts(accumulators, names),
    ...inner(rename(part, { axes: new Map(), names }) as Loop),
    ...accumulators.map((a) => combine(a, a.name, names.get(a.name)!)),
  ];
  const partNames = (): Map<string, string> => new Map(accumulators.map((a) => [a.name, freshName(`${a.name}_part`, taken)]));
  const outer = freshName(`${loop.axis}_block`, taken);
  const whole = Math.floor(extent / size);
  const result: Stmt[] = [];
  if (whole > 1) {
    const blocks = split(peel(loop, whole * size)[0], size, outer, loop.axis);
    result.push(withBody(blocks, block(blocks.body[0] as Loop, partNames())));
  } else {
    result.push(...block(peel(loop, size)[0], partNames()));
  }
  const rest = extent - whole * size;
  if (rest > 0)
    result.push(
      ...block(
        withBody({ ...loop, extent: rest }, moveAxis(loop.body, loop.axis, add(axis(loop.axis), constant(whole * size)))),
        partNames(),
      ),
    );
  return result;
}

export type TreeOptions = {
  readonly lanes: number;
  /** Iterations in a leaf. */
  readonly leaf: number;
  /** Parts that one node of the tree adds up. */
  readonly radix: number;
};
const defaultTree: TreeOptions = { lanes: 4, leaf: 512, radix: 128 };

/** Relative to sum|x| and eps: how far off a sum of `extent` values by this tree may be. */
export function errorBound(extent: number, { lanes, leaf, radix }: TreeOptions = defaultTree): number {
  let bound = Math.ceil(Math.min(extent, leaf) / lanes) + Math.ceil(Math.log2(lanes)) + lanes;
  for (let parts = Math.ceil(extent / leaf); parts > 1; parts = Math.ceil(parts / radix)) bound += Math.min(parts, radix) + 1;
  return bound;
}

/** A serial loop as a tree of blocks over lanes. */
export function splitByTree(loop: Loop, taken: Set<string>, options: TreeOptions = defaultTree): Stmt[] {
  const { lanes, leaf, radix } = options;
  const sizes = [leaf];
  while (sizes.at(-1)! * radix < known(loop, 'split accumulator')) sizes.push(sizes.at(-1)! * radix);
  const level = (at: number): ((block: Loop) => readonly Stmt[]) =>
    at < 0 ? (block) => splitIntoLanes(block, lanes, taken) : (block) => splitIntoBlocks(block, sizes[at]!, taken, level(at - 1));
  return [...level(sizes.length - 1)(loop)];
}
