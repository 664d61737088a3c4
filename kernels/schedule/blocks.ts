// Loops that schedules write: over blocks of an axis and what is left of it, over several axes, over stretches of the summed axes.
import { literal } from '../literal.ts';
import type { Extent, Position, Stmt } from '../loop.ts';
import { axis, constant, mul, zero } from '../position.ts';
import { mostOf, productOf, restOf, times, wholeParts } from '../size.ts';
import type { Axis } from './factors.ts';
import { effectsOf, freshName, type Loop } from './rewrite.ts';

export const loopOver = ({ name, extent }: Axis, mode: Loop['mode'], body: readonly Stmt[]): Loop => ({
  kind: 'loop',
  axis: name,
  extent,
  mode,
  body,
});

/** The body within loops over all of the axes, the first outermost. */
export const loopsOver = (axes: readonly Axis[], mode: Loop['mode'], body: readonly Stmt[]): readonly Stmt[] =>
  axes.reduceRight<readonly Stmt[]>((inside, a) => [loopOver(a, mode, inside)], body);

/** How an axis is cut: `count` blocks of `size`, and `rest` elements behind them. */
export type Cut<E extends Extent = Extent> = { readonly size: E; readonly count: E; readonly rest: E };

export const blocksOf = ({ count, rest }: Cut<number>): number => count + (rest > 0 ? 1 : 0);

/** Parts of equal size, one behind the other; with `onlyIf`, only if that extent has that value. */
export type Run = {
  readonly start: Position;
  readonly size: number;
  readonly count: Extent;
  readonly onlyIf?: { readonly extent: Extent; readonly is: number };
};

/** As few parts as parts of at most `most` elements can be, whose sizes differ by one at most: the larger first. */
export function evenParts(extent: Extent, most: number): readonly Run[] {
  if (typeof extent !== 'number') return openParts(extent, most);
  const parts = Math.ceil(extent / most);
  const size = Math.ceil(extent / parts);
  const count = extent - parts * (size - 1);
  const larger = { start: zero, size, count };
  return count === parts ? [larger] : [larger, { start: constant(count * size), size: size - 1, count: parts - count }];
}

/** Parts of `size` elements, and one of what is left, which may be anything less: of several, the launch takes the one that fits. */
function openParts(extent: Extent, size: number): readonly Run[] {
  const whole = wholeParts(extent, size);
  const rest = restOf(extent, size);
  const start = constant(times(whole, size));
  const last = Array.from({ length: size - 1 }, (_, i): Run => ({ start, size: i + 1, count: 1, onlyIf: { extent: rest, is: i + 1 } }));
  return [{ start: zero, size, count: whole }, ...last];
}

/** The statements of a run, where it is there. */
export const inRun = ({ onlyIf }: Run, body: readonly Stmt[]): readonly Stmt[] =>
  onlyIf === undefined ? body : [when('eq', constant(onlyIf.extent), onlyIf.is, body)];

export const when = (fn: 'lt' | 'eq' | 'ne', at: Position, bound: number, then: readonly Stmt[]): Stmt => ({
  kind: 'if',
  test: { kind: 'call', dtype: 'bool', fn, args: [{ kind: 'position', dtype: 'i32', at }, literal(bound, 'i32')] },
  then,
  else: [],
});

export function cutInto(extent: number, size: number): Cut<number>;
export function cutInto(extent: Extent, size: number): Cut;
export function cutInto(extent: Extent, size: number): Cut {
  return { size, count: wholeParts(extent, size), rest: restOf(extent, size) };
}

/**
 * Blocks of at most `most` elements, as equal as multiples of `unit` allow. What is no whole unit goes into the last block, never into one
 * of its own.
 */
export function cutEvenly(extent: number, most: number, unit: number): Cut<number>;
export function cutEvenly(extent: Extent, most: number, unit: number): Cut;
export function cutEvenly(extent: Extent, most: number, unit: number): Cut {
  if (typeof extent !== 'number')
    return mostOf(extent) <= most ? { size: extent, count: 1, rest: 0 } : cutInto(extent, Math.max(1, Math.floor(most / unit)) * unit);
  const units = Math.floor(extent / unit);
  const blocks = Math.max(1, Math.ceil(units / Math.max(1, Math.floor(most / unit))));
  if (blocks === 1) return { size: extent, count: 1, rest: 0 };
  const size = Math.ceil(units / blocks) * unit;
  const whole = Math.floor(extent / size);
  const rest = extent - whole * size;
  return rest > 0 && rest < unit ? { size, count: whole - 1, rest: rest + size } : { size, count: whole, rest };
}

/** The parts that `evenParts` made, in blocks of at most `most` elements. The smaller parts stand in the last block, with larger ones. */
export function partsInBlocks(
  extent: Extent,
  [large, small]: readonly Run[],
  most: number,
): { readonly cut: Cut; readonly partsOf: (extent: Extent) => readonly Run[] } {
  const { size, count } = large!;
  if (typeof count !== 'number') return { cut: cutEvenly(extent, most, size), partsOf: (part) => evenParts(part, size) };
  const cut = cutEvenly(size * count, most, size);
  const whole = (part: number): Run => ({ start: zero, size, count: part / size });
  if (small === undefined) return { cut, partsOf: (part) => [whole(part as number)] };
  const behind = small.size * (small.count as number);
  const last = cut.rest > 0 ? { ...cut, rest: cut.rest + behind } : { ...cut, count: cut.count - 1, rest: cut.size + behind };
  const partsOf = (part: Extent): readonly Run[] =>
    part === last.rest ? [whole(part - behind), { ...small, start: constant(part - behind) }] : [whole(part as number)];
  return { cut: last, partsOf };
}

/** What stands for each block, in a loop where there are several; `body` gets where a block starts and how many elements it has. */
export function inBlocks(
  { size, count, rest }: Cut,
  base: string,
  mode: Loop['mode'],
  taken: Set<string>,
  body: (start: Position, extent: Extent) => readonly Stmt[],
): Stmt[] {
  const blocks: Stmt[] = [];
  if (count === 1) blocks.push(...body(zero, size));
  else if (mostOf(count) > 0) {
    const name = freshName(base, taken);
    blocks.push(loopOver({ name, extent: count }, mode, body(mul(axis(name), size), size)));
  }
  if (mostOf(rest) > 0) {
    const last = body(constant(times(count, mostOf(size))), rest);
    blocks.push(...(typeof rest === 'number' ? last : [when('ne', constant(rest), 0, last)]));
  }
  return blocks;
}

/** A stretch of the summed axes: the axes that are walked in it, and where each starts that does not start at 0. */
export type Stretch = { readonly axes: readonly Axis[]; readonly starts: ReadonlyMap<string, Position> };

/** The summed axes in stretches of at most `most` steps: whole inner axes, parts of the next one, single steps of those outside. */
export function inStretches(depth: readonly Axis[], most: number, taken: Set<string>, body: (s: Stretch) => Stmt[]): Stmt[] {
  let inner = 1;
  let first = depth.length;
  while (first > 0 && inner * mostOf(depth[first - 1]!.extent) <= most) inner *= mostOf(depth[--first]!.extent);
  if (first === 0) return body({ axes: depth, starts: new Map() });
  const cut = depth[first - 1]!;
  const whole = depth.slice(first);
  const blocks = inBlocks(
    cutEvenly(cut.extent, Math.max(1, Math.floor(most / inner)), 1),
    `${cut.name}_block`,
    'serial',
    taken,
    (start, extent) => body({ axes: [{ name: cut.name, extent }, ...whole], starts: new Map([[cut.name, start]]) }),
  );
  return [...loopsOver(depth.slice(0, first - 1), 'serial', blocks)];
}

/** Whether all summed axes are one stretch. */
export const isOneStretch = (depth: readonly Axis[], most: number): boolean => sizeOf(depth) <= most;

/** How many places the axes have, or can have. */
export const sizeOf = (axes: readonly Axis[]): number => axes.reduce((n, a) => n * mostOf(a.extent), 1);

/** The same at the launch. */
export const stepsOf = (axes: readonly Axis[]): Extent => productOf(axes.map((a) => a.extent));

export const isOpen = (axes: readonly Axis[]): boolean => axes.some((a) => typeof a.extent !== 'number');

/**
 * Loops over `outer` and within them over `inner`, whose body is `statements`; those at the beginning that do not move with `inner` stand
 * outside of its loop.
 */
export function innermostOver(inner: Axis, mode: Loop['mode'], statements: readonly Stmt[]): Stmt[] {
  const varying = new Set([inner.name]);
  const uniform: Stmt[] = [];
  let next = 0;
  const varies = (s: Stmt): boolean => [...effectsOf([s]).reads].some((name) => varying.has(name));
  const inside: Stmt[] = [];
  for (; next < statements.length; next++) {
    const s = statements[next]!;
    if (s.kind !== 'let') break;
    if (varies(s)) {
      varying.add(s.name);
      inside.push(s);
    } else uniform.push(s);
  }
  return [...uniform, loopOver(inner, mode, [...inside, ...statements.slice(next)])];
}
