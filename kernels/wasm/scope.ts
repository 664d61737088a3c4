// What is known where a statement is written: names and what holds them, addresses of buffers, loops around, and the lanes of a vector loop.
import type { DType } from '../../runtime/dtype.ts';
import { InternalError } from '../../runtime/errors.ts';
import type { Expr, Extent, Kernel, Position, Stmt } from '../loop.ts';
import type { Local, Node } from './function.ts';
import type { Lanes } from './lanes.ts';
import type { Site } from './unit.ts';

/** A name of the nest: a value, a variable, or four of either side by side. */
export type Binding =
  | { readonly kind: 'value'; readonly dtype: DType; readonly node: Node }
  | { readonly kind: 'variable'; readonly dtype: DType; readonly local: Local }
  | { readonly kind: 'lanes'; readonly dtype: DType; readonly lanes: Lanes }
  | { readonly kind: 'laneVariables'; readonly dtype: DType; readonly locals: readonly Local[] };

export type Buffer = { readonly dtype: DType; readonly address: Node };

/** An address as far as it is known before a loop: `base`, in bytes, and the elements that are still to be added. */
export type Access = {
  readonly base: Node;
  readonly rest: Position;
  /** Whether `base` lies at or behind the start of the buffer, so that a constant may be added by the instruction. */
  readonly isBehindStart: boolean;
};

/** A vector loop that is being written: element `axis + ahead` stands in lane 0, and the first `count` lanes are in use. */
export type VectorLoop = {
  readonly axis: string;
  readonly count: number;
  /** Names that differ from lane to lane: the axis and what is computed from it. */
  readonly varying: Set<string>;
  /** The element in lane 0, where it is known: turns of short loops are written out. */
  readonly start: number | undefined;
  /** Elements of this round that the turns before had. */
  ahead: number;
  /** Set while something is computed for one lane alone. */
  lane: number | undefined;
};

/** Where scratch lies: shared by all threads at the top of a kernel, a thread's own inside of its loops. */
export type ScratchPlan = {
  readonly place: (name: string, bytes: number) => Node;
  /** What `inner` places is free again afterwards. */
  readonly within: (inner: () => void) => void;
};

export type Scope = Site & {
  readonly scratch: ScratchPlan;
  readonly names: Map<string, Binding>;
  readonly buffers: Map<string, Buffer>;
  /** Values of the axes of open loops. */
  readonly axes: Map<string, Node>;
  readonly ranges: Map<string, Extent>;
  /** Sizes of the launch or of a member, and what was computed from them. */
  readonly sizes: Map<string, Node>;
  /** Numbers of the launch, by index, as scalars of their dtype. */
  readonly slots: Map<number, Node>;
  /** By load, store or update: its address, computed before the loop. */
  readonly accesses: Map<Expr | Stmt, Access>;
  /** By expression that is the same in all lanes: its lanes, made before the loop. */
  readonly splats: Map<Expr, Lanes>;
  vector: VectorLoop | undefined;
};

export function bindingOf(s: Scope, name: string): Binding {
  const found = s.names.get(name);
  if (found === undefined) throw new InternalError(`${name} is not in scope`, { op: 'emit' });
  return found;
}

export function bufferOf(s: Scope, name: string): Buffer {
  const found = s.buffers.get(name);
  if (found === undefined) throw new InternalError(`buffer ${name} is not in scope`, { op: 'emit' });
  return found;
}

/** A scope in which nothing is declared yet. */
export const emptyScope = (site: Site, scratch: ScratchPlan): Scope => ({
  ...site,
  scratch,
  names: new Map(),
  buffers: new Map(),
  axes: new Map(),
  ranges: new Map(),
  sizes: new Map(),
  slots: new Map(),
  accesses: new Map(),
  splats: new Map(),
  vector: undefined,
});

/** Reads the sizes of the launch, which stand behind the slots in the argument block. */
export function bindSizes({ f, args, sizes }: Scope, { slots, sizes: bound = [] }: Pick<Kernel, 'slots' | 'sizes'>, slotsAt: number): void {
  for (const [i, { size }] of bound.entries())
    sizes.set(size, f.bind(f.op('i32.trunc_f64_s', f.load('f64.load', args, slotsAt + 8 * (slots.length + i))), size));
}

/** A size that the launch or a table of members binds. */
export function boundSize(s: Scope, name: string): Node {
  const found = s.sizes.get(name);
  if (found === undefined) throw new InternalError(`size ${name} is not bound`, { op: 'emit' });
  return found;
}
