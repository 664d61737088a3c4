// Long runs of elementwise ops, for which XLA's CPU compiler takes more than linear time: 2 000 in a row 1 s, 10 000 18 s, 50 000 kill it.
import { type Graph, type Node, nodesOf } from '../ir/node.ts';
import { isScalarName } from '../ir/opset.ts';

/** From here on the exporter warns. */
export const longChain = 3000;

/** The most elementwise ops that follow one on the other. */
export function longestChain(graph: Graph): number {
  const lengths = new Map<Node, number>();
  let longest = 0;
  for (const node of nodesOf(graph)) {
    if (!isScalarName(node.op)) continue;
    let before = 0;
    for (const v of node.inputs) before = Math.max(before, lengths.get(v.node) ?? 0);
    lengths.set(node, before + 1);
    longest = Math.max(longest, before + 1);
  }
  return longest;
}
