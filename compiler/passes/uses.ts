// How many uses each node has, kept right while a graph is rewritten: what dies gives its uses back.
import { type Graph, isLeaf, type Node, nodesOf, type Value } from '../ir/node.ts';

export type Uses = {
  readonly isOnce: (value: Value) => boolean;
  /** New nodes use their inputs. */
  readonly add: (nodes: Iterable<Node>) => void;
  /** All that used `from` uses `to` now. */
  readonly move: (from: Node, to: Node) => void;
  /** The node is dead, and with it whatever only it used. */
  readonly release: (node: Node) => void;
};

export function countUses(graph: Graph): Uses {
  const counts = new Map<Node, number>();
  const change = (node: Node, by: number): number => {
    const count = (counts.get(node) ?? 0) + by;
    counts.set(node, count);
    return count;
  };
  const add = (nodes: Iterable<Node>): void => {
    for (const node of nodes) for (const v of node.inputs) change(v.node, 1);
  };
  add(nodesOf(graph));
  for (const v of graph.outputs) change(v.node, 1);
  return {
    isOnce: (v) => (counts.get(v.node) ?? 0) <= 1,
    add,
    move: (from, to) => {
      change(to, counts.get(from) ?? 0);
    },
    release: (dead) => {
      const stack = [dead];
      for (let node = stack.pop(); node !== undefined; node = stack.pop())
        for (const v of node.inputs) if (change(v.node, -1) === 0 && !isLeaf(v.node.op)) stack.push(v.node);
    },
  };
}
