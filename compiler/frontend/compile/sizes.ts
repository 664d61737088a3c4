// Specialisations that serve several sizes of a dimension: made of two that differ in a size alone. A size is let in once a recording at it has
// shown that fn does the same there; of dimensions marked as dynamic, so are all sizes between those that were recorded.
import type { Misfit } from '../../ir/generalise.ts';
import { misfitOf, openLike } from '../../jit/open.ts';
import type { Structure } from '../../jit/structure.ts';
import { sameRest } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { type AtSize, lineThrough } from './line.ts';
import type { ArgumentGuard, Finish, Segment, Specialisation } from './tree.ts';

/** What a specialisation is but for its Program, as far as a size can change it. */
type Facts = Pick<Segment, 'leaves' | 'needs'> & Pick<Specialisation, 'arguments' | 'rest'> & { readonly finish: Finish };

/** The sizes that a specialisation serves: of dimension `axis` of argument `argument`, and of all that grow with it. */
export type Open = {
  readonly argument: number;
  readonly axis: number;
  readonly sizes: Set<number>;
  /** Whether the user says that fn does the same at all sizes. */
  readonly isMarked: boolean;
  readonly at: AtSize<Facts>;
  readonly known: Map<number, Facts>;
};

/** Dimensions that are marked: by position of an argument, or by the name of a property in one. */
export type Marks = Readonly<Record<string, readonly number[]>>;

/** A specialisation that a call fits but for sizes: what it was recorded at, and what the call has there. */
export type Like = {
  readonly first: Specialisation;
  readonly argument: number;
  readonly axis: number;
  readonly sizes: readonly [number, number];
};

const factsOf = ({ arguments: guards, rest, root }: Specialisation, finish: Finish): Facts => ({
  leaves: root.leaves,
  needs: root.needs,
  arguments: guards,
  rest,
  finish,
});

/** A specialisation of one segment from which the call of now, for which `made` would be recorded, differs in a size alone. */
export function alike(specialisations: readonly Specialisation[], made: Omit<Specialisation, 'root'>): Like | undefined {
  for (const first of specialisations) {
    if (first.open !== undefined || first.root.end.kind !== 'finish' || first.root.structure === undefined) continue;
    if (first.target !== made.target || first.gradMode !== made.gradMode || first.inference !== made.inference) continue;
    if (!sameRest(first.rest, made.rest)) continue;
    const found = varying(first.arguments, made.arguments);
    const open = first.opened?.open;
    // One dimension of each is open; another may be that of another specialisation.
    const isOther = open !== undefined && (open.argument !== found?.argument || open.axis !== found.axis);
    if (found !== undefined && !isOther) return { first, ...found };
  }
  return undefined;
}

/**
 * The smallest extent in which arguments differ, if all others in which they do are multiples of it: else several sizes vary on their own. Sizes
 * of 0 and 1 are special: shapes mean something else there.
 */
function varying(before: readonly ArgumentGuard[], now: readonly ArgumentGuard[]): Omit<Like, 'first'> | undefined {
  let found: Omit<Like, 'first'> | undefined;
  const pairs: (readonly [number, number])[] = [];
  if (before.length !== now.length) return undefined;
  for (const [argument, { shape }] of before.entries()) {
    const other = now[argument]!.shape;
    if (shape.length !== other.length) return undefined;
    for (const [axis, size] of shape.entries()) {
      if (size === other[axis]) continue;
      pairs.push([size, other[axis]!]);
      if (found === undefined || size < found.sizes[0]) found = { argument, axis, sizes: [size, other[axis]!] };
    }
  }
  if (found === undefined || Math.min(...found.sizes) < 2) return undefined;
  const [from, to] = found.sizes;
  return pairs.every(([a, c]) => a % from === 0 && a / from === c / to) ? found : undefined;
}

/** Has the structure of a call that is being recorded run by a Program for all sizes, if it is like the one before in all but the size. */
export const shareProgram = ({ first, sizes }: Like, structure: Structure): void => void openLike(first.root.structure!, structure, sizes);

/**
 * Lets the specialisation that serves several sizes serve the size of `made` too, which was recorded for it. Gives what has to be kept: nothing
 * more, or `made`, open where it is the second of its kind. `paths`: what the arguments are called.
 */
export function join(
  { first, argument, axis, sizes }: Like,
  made: Specialisation,
  marks: Marks,
  paths: readonly string[],
): Specialisation | undefined {
  if (first.root.end.kind !== 'finish' || made.root.end.kind !== 'finish') return made;
  const [a, c] = [first.root.end.finish, made.root.end.finish];
  const why = closedBecause(first, made, sizes, a, c);
  const at = why === undefined ? lineThrough(factsOf(first, a), factsOf(made, c), sizes) : undefined;
  if (at === undefined) return { ...made, closed: why ?? 'what it returns or reads does not grow with the size' };
  const { opened } = first;
  if (opened?.open === undefined) {
    const isMarked = isMarkedAt(marks, paths[argument]!, axis);
    // The first call may have made what later ones find. What it relies on and this one does not, it keeps to itself.
    const served = isMarked || sameGuards(first, made) ? sizes : [sizes[1]];
    const open: Open = { argument, axis, sizes: new Set(served), isMarked, at, known: new Map() };
    first.opened = { ...made, open };
    return first.opened;
  }
  const { open } = opened;
  const isSame =
    open.argument === argument &&
    open.axis === axis &&
    sameGuards(opened, made) &&
    lineThrough(open.at(sizes[1]), factsOf(made, c), undefined) !== undefined;
  if (!isSame) return { ...made, closed: 'it does not grow with the size as those before do' };
  open.sizes.add(sizes[1]);
  // The Program may be one for greater sizes now.
  opened.root.plan = undefined;
  return undefined;
}

const sameGuards = (a: Specialisation, c: Specialisation): boolean => lineThrough(a.root.guards, c.root.guards, undefined) !== undefined;

/** Why two specialisations share no Program. */
function closedBecause(
  first: Specialisation,
  made: Specialisation,
  sizes: readonly [number, number],
  a: Finish,
  c: Finish,
): string | undefined {
  const forward = openLike(first.root.structure!, made.root.structure!, sizes);
  if (forward !== undefined) return forward.why;
  if ((a.backward === undefined) !== (c.backward === undefined)) return 'one of them has a backward';
  const backward: Misfit | undefined = c.backward && openLike(a.backward!.structure, c.backward.structure, sizes);
  return backward?.why ?? misfitOf(first.root.structure!);
}

/** The argument at `args[0]` is marked as 0, the one at `args[0].x` as x. */
function isMarkedAt(marks: Marks, path: string, axis: number): boolean {
  const name = /(?:\.|\[)(\w+)\]?$/.exec(path)?.[1];
  return name !== undefined && Object.hasOwn(marks, name) && marks[name]!.includes(axis);
}

/** The size of a call, if the specialisation serves it. */
function sizeIn({ argument, axis, sizes, isMarked }: Open, found: readonly (Tensor | undefined)[]): number | undefined {
  const size = found[argument]!.layout.shape[axis];
  if (size === undefined) return undefined;
  return sizes.has(size) || (isMarked && isBetween(size, sizes)) ? size : undefined;
}

function isBetween(size: number, sizes: ReadonlySet<number>): boolean {
  let [isAbove, isBelow] = [false, false];
  for (const s of sizes) {
    isAbove ||= s < size;
    isBelow ||= s > size;
  }
  return isAbove && isBelow;
}

function factsAt(open: Open, size: number): Facts {
  const known = open.known.get(size);
  if (known !== undefined) return known;
  if (open.known.size >= mostKnown) open.known.clear();
  const facts = open.at(size);
  open.known.set(size, facts);
  return facts;
}
const mostKnown = 256;

/** What the arguments of a call have to be; undefined where the size is none that is served. */
export function argumentsAt(s: Specialisation, found: readonly (Tensor | undefined)[]): readonly ArgumentGuard[] | undefined {
  if (s.open === undefined) return s.arguments;
  const size = sizeIn(s.open, found);
  return size === undefined ? undefined : factsAt(s.open, size).arguments;
}

/** How a call ends, at its size. */
export function finishAt(s: Specialisation, found: readonly (Tensor | undefined)[], finish: Finish): Finish {
  const size = s.open === undefined ? undefined : sizeIn(s.open, found);
  return size === undefined ? finish : factsAt(s.open!, size).finish;
}

/** The sizes that are served, for people. */
export function sizesText({ sizes, isMarked }: Open): string {
  const list = [...sizes].sort((x, y) => x - y);
  return isMarked ? `${list[0]} to ${list.at(-1)}` : list.join(', ');
}
