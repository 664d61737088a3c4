// Kernels of the form `members`: the same kind of update for many tensors of different shapes, one nest for each.
import { type Shape, sameShape } from '../ir/dim.ts';
import { type Graph, type Node, nodesOf, shapeOf, type Value } from '../ir/node.ts';
import { extentsOf } from '../ops/extent.ts';
import type { Nest } from './nest.ts';
import { storeAligned } from './pointwise.ts';
import type { Region } from './region.ts';

export function lowerMembers(nest: Nest, { graph, writes, known }: Region): void {
  for (const { first, values, shape } of membersOf(graph)) {
    storeAligned(nest, known, values, writes.slice(first, first + values.length), extentsOf(shape, nest.sizes));
  }
}

type Member = { readonly first: number; readonly values: Value[]; readonly shape: Shape; readonly root: Node };

/** Outputs that stand together and share what is computed for them. Numbers, which have no axes, are shared by all and tell nothing. */
function membersOf(graph: Graph): Member[] {
  const rootOf = componentsOf(graph);
  const members: Member[] = [];
  for (const [i, value] of graph.outputs.entries()) {
    const shape = shapeOf(value);
    const root = rootOf(value.node);
    const last = members.at(-1);
    if (last !== undefined && sameShape(last.shape, shape) && (shape.length === 0 || last.root === root)) last.values.push(value);
    else members.push({ first: i, values: [value], shape, root });
  }
  return members;
}

/** Union-find over the nodes of a graph that have axes. */
function componentsOf(graph: Graph): (node: Node) => Node {
  const parent = new Map<Node, Node>();
  const find = (node: Node): Node => {
    let root = node;
    for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) {
      parent.set(root, parent.get(up) ?? up);
      root = up;
    }
    return root;
  };
  for (const node of nodesOf(graph)) {
    if (node.outputs[0]!.shape.length === 0) continue;
    parent.set(node, node);
    for (const v of node.inputs as readonly Value[]) if (parent.has(v.node)) parent.set(find(v.node), node);
  }
  return find;
}
