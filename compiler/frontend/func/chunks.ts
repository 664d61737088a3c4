// A batch computed in pieces, one after another, and put together again.
import { ArgumentError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';

/**
 * What `compute` gives for pieces of at most `chunkSize` of `size` members; values for which `isBatched` holds are joined along their
 * first axis, others are the same for every piece.
 */
export function inChunks(
  op: string,
  size: number,
  chunkSize: number | undefined,
  compute: (start: number, size: number) => readonly Value[],
  isBatched: (output: number) => boolean,
): readonly Value[] {
  if (chunkSize !== undefined && !(Number.isInteger(chunkSize) && chunkSize > 0))
    throw new ArgumentError(`chunkSize is a positive integer, got ${String(chunkSize)}`, { op });
  const step = chunkSize ?? size;
  if (step >= size) return compute(0, size);
  const pieces: (readonly Value[])[] = [];
  for (let start = 0; start < size; start += step) pieces.push(compute(start, Math.min(step, size - start)));
  return pieces[0]!.map((v, i) =>
    isBatched(i)
      ? b.concat(
          pieces.map((piece) => piece[i]!),
          { axis: 0 },
        )
      : v,
  );
}
