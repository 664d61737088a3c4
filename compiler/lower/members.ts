// Kernels of the form `members`: the same kind of update for many tensors of different shapes, one nest for each.
import { fixedShape, type Shape, sameShape } from '../ir/dim.ts';
import { type Graph, type Node, postorder, shapeOf, type Value } from '../ir/node.ts';
import type { Nest } from './nest.ts';
import { storeAligned } from './pointwise.ts';
import type { Region } from './region.ts';

export function lowerMembers(nest: Nest, { graph, writes, known }: Region): void {
  for (const { first, values, shape } of membersOf(graph)) {
    storeAligned(nest, known, values, writes.slice(first, first + values.length), fixedShape(shape));
  }
}

type Member = { readonly first: number; readonly values: Value[]; readonly shape: Shape; readonly nodes: Set<Node> };

/** Outputs that stand together and share what is computed for them; numbers, which have no axes, are shared by all. */
function membersOf(graph: Graph): Member[] {
  const members: Member[] = [];
  graph.outputs.forEach((value, i) => {
    const shape = shapeOf(value);
    const nodes = postorder([value], graph.inputs).filter((n) => n.outputs[0]!.shape.length > 0);
    const last = members.at(-1);
    const joins = last !== undefined && sameShape(last.shape, shape) && (shape.length === 0 || nodes.some((n) => last.nodes.has(n)));
    if (joins) {
      last.values.push(value);
      for (const n of nodes) last.nodes.add(n);
    } else members.push({ first: i, values: [value], shape, nodes: new Set(nodes) });
  });
  return members;
}
