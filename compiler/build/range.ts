// One Program for a range of sizes: an entry is recorded at several, and what they have in common is one graph with an open size.
import { dimText, type OpenDim } from '../frontend/aot.ts';
import { generalise, isInstance, Misfit } from '../ir/generalise.ts';
import { avalOf } from '../ir/node.ts';
import type { BuildError } from './diagnostic.ts';
import type { Recorded } from './entry.ts';
import { type Sample, sameExpr, sameInput } from './sample.ts';
import type { Sizes } from './shapes.ts';

/** Records an entry at sizes of all its open dimensions. */
export type SampleAt = (sizes: Sizes) => Sample;

/** A recording as it is. */
export const fixed = ({ sizes, call, sources }: Sample): Recorded => ({ sizes, call, sources, graph: call.graph, open: undefined });

/** What a dimension of 0 or 1 means differs from what larger ones do: an empty sum, broadcasting. Those have Programs of their own. */
const leastOpen = 2;

/** Programs for a range of sizes of one dimension, at given sizes of all others. */
export function overRange(dim: OpenDim, others: Sizes, sampleAt: SampleAt, refuse: (message: string) => BuildError): Recorded[] {
  if ('sizes' in dim) return dim.sizes.map((size) => fixed(sampleAt({ ...others, [dim.name]: size })));
  const { name, min, max } = dim;
  const at = (size: number): Sample => sampleAt({ ...others, [name]: size });
  const small: Recorded[] = [];
  for (let size = min; size < leastOpen && size <= max; size++) small.push(fixed(at(size)));
  const least = Math.max(min, leastOpen);
  if (least > max) return small;
  if (least === max) return [...small, fixed(at(max))];
  const [one, other] = [at(max), at(max - 1)];
  const wayOut = `list the sizes that are needed: dim('${name}', { sizes: [1, 8] })`;
  const graph = generalise([one.call.graph, other.call.graph], name, [max, max - 1]);
  if (graph instanceof Misfit) throw refuse(`it is not the same for every size of ${dimText(dim)}: ${graph.why}; ${wayOut}`);
  if (least < max - 1) {
    const third = at(least);
    if (!isInstance(graph, name, least, third.call.graph) || !sameSources(one, third))
      throw refuse(`it is not the same for every size of ${dimText(dim)}: at ${least} it does something else; ${wayOut}`);
  }
  const grows = one.sources.some((s, i) => s.kind === 'constant' && avalOf(graph.inputs[i]!).shape.some((d) => typeof d !== 'number'));
  if (grows || !sameSources(one, other)) throw refuse(`it computes numbers on the host from a size of ${dimText(dim)}; ${wayOut}`);
  const open = { sizes: [{ name, min: least, max }] };
  return [...small, { sizes: { ...others, [name]: { min: least, max } }, call: one.call, sources: one.sources, graph, open }];
}

const sameSources = (a: Sample, b: Sample): boolean =>
  a.sources.length === b.sources.length &&
  a.sources.every((source, i) => {
    const other = b.sources[i]!;
    if (source.kind === 'host') return other.kind === 'host' && sameExpr(source.expr, other.expr);
    if (source.kind === 'number') return other.kind === 'number' && source.index === other.index;
    return sameInput(source, other);
  });
