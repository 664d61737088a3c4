// Where a replay gets values from: arguments, captured storages, random draws, numbers, and what its segments have computed so far.
import { type Buffer, hostBuffer, readSync } from '../../../runtime/buffer.ts';
import { realise } from '../boundary.ts';
import { convert } from '../creation.ts';
import { placeNow } from '../device.ts';
import { bufferOf, recording } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { isContiguous } from '../view.ts';
import type { Owner, Segment, Source } from './tree.ts';

/** A segment that ran in this call. */
export type Walked = {
  readonly segment: Segment;
  readonly outputs: readonly Buffer[];
  readonly numbers: Float64Array;
  /** The number that fn looked at in the end. */
  value: number;
};
/** A call on its way through a tree. */
export type Walk = {
  readonly found: readonly Tensor[];
  readonly walked: Walked[];
  /** Takes back what the host did. */
  readonly undo: (() => void)[];
};

export const tensorOf = (of: Owner, found: readonly Tensor[]): Tensor => ('found' in of ? found[of.found]! : of.tensor);

export function numberOf({ walked }: Walk, source: Source & { readonly kind: 'number' | 'slot' }): number {
  if (source.kind === 'slot') return walked[source.depth]!.numbers[source.ordinal]!;
  return typeof source.number === 'number' ? source.number : source.number();
}

export function bufferAt(walk: Walk, source: Source): Buffer {
  switch (source.kind) {
    case 'found':
      return realise(walk.found[source.index]!.storage.value);
    case 'view':
      return shownBy(walk.found[source.index]!);
    case 'capture':
      return realise(source.storage.value);
    case 'draw':
      return hostBuffer(source.dtype, source.draw(), placeNow());
    case 'constant':
      return source.buffer;
    case 'number':
    case 'slot':
      return hostBuffer(source.dtype, convert([numberOf(walk, source)], source.dtype), placeNow());
    case 'computed': {
      const { segment, outputs } = walk.walked[source.depth]!;
      return outputs[segment.plan!.roots.indexOf(source.id)]!;
    }
  }
}

/** The elements that a view shows: cut out where they lie together, else computed. */
export function shownBy(t: Tensor): Buffer {
  const stored = bufferOf(t.storage.value);
  if (stored === undefined || stored.place === 'webgpu' || !isContiguous(t.layout)) return realise(recording(() => t.value()));
  const { offset } = t.layout;
  return hostBuffer(t.element, readSync(stored).slice(offset, offset + t.numel()));
}
