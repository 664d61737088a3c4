// Memory of the values of a Program: how long each lives in the order of its steps, which share bytes, and where they end up.
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import type { BufferRef, Row } from '../../runtime/program.ts';
import { dtypeOf, shapeOf, type Value } from '../ir/node.ts';
import { extentsOf, type Sizes } from '../ops/extent.ts';
import { type ArenaPlan, planArena } from './arena.ts';
import { elements } from './region.ts';

/** Where a value is kept that the caller gave or wants; all others lie in the arena. */
export type Home = { readonly space: 'input' | 'output'; readonly index: number };

/** `first` and `last` are moments: steps are numbered as they stand in the Program. What loops repeat is stretched over the whole loop. */
export type Buffer = {
  readonly dtype: DType;
  /** In elements: the greatest, where that is open until the launch. */
  readonly length: number;
  home: Home | undefined;
  first: number;
  last: number;
  /** The moments at which it is read. */
  readonly reads: number[];
  /** Loops around the step that makes it. */
  readonly depth: number;
  /** The buffer whose bytes it takes over. */
  into: Buffer | undefined;
};

/** A value in its buffer: the whole of it, or the part for the turn of a loop. */
export type Place = { readonly buffer: Buffer; readonly rows: readonly Row[] };

export function newBuffer(value: Value, sizes: Sizes, now: number, depth: number, home?: Home): Buffer {
  const length = elements(extentsOf(shapeOf(value), sizes));
  return { dtype: dtypeOf(value), length, home, first: now, last: now, reads: [], depth, into: undefined };
}

/** What holds the bytes of a buffer in the end. */
export function holderOf(buffer: Buffer): Buffer {
  let b = buffer;
  while (b.into !== undefined) b = b.into;
  return b;
}

/** Lets `taker` lie in the bytes of `giver`, of the same size, from now on. */
export function takeOver(taker: Buffer, giver: Buffer): void {
  const holder = holderOf(giver);
  taker.into = holder;
  holder.first = Math.min(holder.first, taker.first);
  holder.last = Math.max(holder.last, taker.last);
}

/** Gives the buffers that have no home their places in the arena. */
export function placeBuffers(buffers: readonly Buffer[]): { readonly plan: ArenaPlan; readonly refOf: (place: Place) => BufferRef } {
  const kept = buffers.filter((b) => b.into === undefined && b.home === undefined);
  const indexOf = new Map(kept.map((b, i) => [b, i]));
  const plan = planArena(kept.map(({ length, dtype, first, last }) => ({ bytes: length * bytesPerElement[dtype], first, last })));
  const refOf = ({ buffer, rows }: Place): BufferRef => {
    const holder = holderOf(buffer);
    const parts = rows.length === 0 ? {} : { rows };
    if (holder.home !== undefined) return { ...holder.home, ...parts };
    const { dtype, length } = buffer;
    return { space: 'arena', offset: plan.offsets[indexOf.get(holder)!]!, length, dtype, ...parts };
  };
  return { plan, refOf };
}
