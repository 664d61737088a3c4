// A loop nest while it is written: the open loops, what each of them has bound, and names that stay unique.
import { keyOfPosition } from '../../kernels/keys.ts';
import type { Expr, Extent, Param, Position, Stmt } from '../../kernels/loop.ts';
import { axis, constant, mul, zero } from '../../kernels/position.ts';
import { mostOf, restOf, times, wholeParts } from '../../kernels/size.ts';
import type { Value } from '../ir/node.ts';
import type { Sizes } from '../ops/extent.ts';
import { type Names, namesTaken, unique } from './names.ts';

/** Coordinates of an element, one position an axis. Interned per nest, so that equal coordinates are the same object. */
export type Place = readonly Position[];

/** The body of an open loop (of the kernel, for the first), and the values that are already bound to a name in it. */
export type Level = { readonly body: Stmt[]; readonly bound: Map<Place, Map<Value, Expr>> };

export type Nest = {
  /** The kernel's body, then that of each open loop, outermost first. */
  readonly levels: Level[];
  /** Extents of axes, of the latest loop where loops that follow each other share a name. */
  readonly extents: Map<string, Extent>;
  /** Bounds of the sizes that are open until the launch. */
  readonly sizes: Sizes;
  /** By name of an axis, a binding or scratch: the level whose body it belongs to. */
  readonly depth: Map<string, number>;
  readonly names: Names;
  readonly places: Map<string, Place>;
  readonly interned: Set<Place>;
};

/** A nest whose body may use the parameters. */
export function nestOver(params: readonly Param[], sizes: Sizes = new Map()): Nest {
  const names = namesTaken(params.map((p) => p.name));
  const levels = [{ body: [], bound: new Map() }];
  return { levels, extents: new Map(), sizes, depth: new Map(), names, places: new Map(), interned: new Set() };
}

export const bodyOf = (nest: Nest): readonly Stmt[] => nest.levels[0]!.body;
export const innermost = (nest: Nest): number => nest.levels.length - 1;
export const emit = (nest: Nest, stmt: Stmt): void => void nest.levels[innermost(nest)]!.body.push(stmt);

/** A name like `base` that nothing else in the kernel has. */
export function fresh(nest: Nest, base: string): string {
  return unique(nest.names, base);
}

/** A fresh name that belongs to the innermost open body. */
export function declare(nest: Nest, base: string): string {
  const name = fresh(nest, base);
  nest.depth.set(name, innermost(nest));
  return name;
}

export type Axis = { readonly name: string; readonly extent: Extent };
export type Mode = 'par' | 'serial' | 'unroll';

/** One loop around what `body` emits. An axis of one element needs none: its position is zero. */
export function loop(nest: Nest, { name, extent }: Axis, mode: Mode, body: (at: Position) => void): void {
  if (extent === 1) {
    body(zero);
    nest.depth.delete(name);
    return;
  }
  nest.extents.set(name, extent);
  nest.names.taken.add(name);
  nest.levels.push({ body: [], bound: new Map() });
  nest.depth.set(name, innermost(nest));
  body(axis(name));
  const { body: inner } = nest.levels.pop()!;
  nest.depth.delete(name);
  if (inner.length > 0) emit(nest, { kind: 'loop', axis: name, extent, mode, body: inner });
}

/** Loops over `axes`, the first outermost. */
export function loops(nest: Nest, axes: readonly Axis[], mode: Mode, body: (at: readonly Position[]) => void): void {
  const at: Position[] = [];
  const open = (i: number): void => {
    if (i === axes.length) {
      body([...at]);
      return;
    }
    loop(nest, axes[i]!, mode, (position) => {
      at.push(position);
      open(i + 1);
      at.pop();
    });
  };
  open(0);
}

/**
 * An axis cut into blocks of `size` and a rest. `body` gets the axis within a block, whose loop it opens, and where the block starts;
 * an axis that is no longer than a block stays whole.
 */
export function blocks(nest: Nest, { name, extent }: Axis, size: number, mode: Mode, body: (within: Axis, start: Position) => void): void {
  if (mostOf(extent) <= size) {
    body({ name, extent }, zero);
    return;
  }
  const whole = wholeParts(extent, size);
  loop(nest, { name: `${name}_block`, extent: whole }, mode, (block) => body({ name: `${name}_in`, extent: size }, mul(block, size)));
  const rest = restOf(extent, size);
  if (rest !== 0) body({ name: `${name}_rest`, extent: rest }, constant(times(whole, size)));
}

const letters = 'ijklmnpqrstuvw';

/** Axes named i, j, k ... for the dimensions of a shape. Names of loops that are closed are used again. */
export function axesFor(nest: Nest, shape: readonly Extent[]): Axis[] {
  return shape.map((extent, d) => axisFor(nest, letters[d] ?? `i${d}`, extent));
}

/** An axis whose name is that of a closed loop or of nothing yet. */
export function axisFor(nest: Nest, base: string, extent: Extent): Axis {
  const isClosedLoop = nest.extents.has(base) && !nest.depth.has(base);
  const name = isClosedLoop ? base : fresh(nest, base);
  nest.extents.set(name, extent);
  nest.depth.set(name, innermost(nest));
  return { name, extent };
}

/** The one object for these coordinates. */
export function placeOf(nest: Nest, at: readonly Position[]): Place {
  if (nest.interned.has(at)) return at;
  const key = at.map(keyOfPosition).join(';');
  const known = nest.places.get(key);
  if (known !== undefined) return known;
  nest.places.set(key, at);
  nest.interned.add(at);
  return at;
}
