// Inlining: replaces nodes that have a body by the body, however deep such bodies are nested.
import { InternalError } from '../../runtime/errors.ts';
import { type Graph, isLeaf, type Node, nodesOf, type Value } from '../ir/node.ts';
import { copied, rebuilt } from './rebuild.ts';

/** A walk through one graph: the caller's, or a body that takes the place of a node. */
type Frame = {
  readonly graph: Graph;
  readonly nodes: readonly Node[];
  next: number;
  /** What stands for the values of this graph in the new one. */
  readonly built: Map<Value, Value>;
  /** Nodes made in this walk, which may still be named. */
  readonly made: Set<Node>;
  /** The node that this body replaces. */
  readonly replaces: Node | undefined;
};

/** Inlines the first region of every node that `isInlined` accepts; bodies are walked on a stack, not by recursion. */
export function inline(graph: Graph, isInlined: (node: Node) => boolean): Graph {
  const enter = (g: Graph, operands: readonly Value[], replaces: Node | undefined): Frame => ({
    graph: g,
    nodes: nodesOf(g),
    next: 0,
    built: new Map(g.inputs.map((v, i) => [v, operands[i]!] as const)),
    made: new Set(),
    replaces,
  });
  const whole = enter(graph, graph.inputs, undefined);
  const stack = [whole];
  while (stack.length > 0) {
    const frame = stack.at(-1)!;
    const node = frame.nodes[frame.next++];
    if (node === undefined) {
      stack.pop();
      const { replaces } = frame;
      const outer = stack.at(-1);
      if (replaces !== undefined && outer !== undefined)
        frame.graph.outputs.forEach((v, i) => {
          const value = frame.built.get(v)!;
          if (frame.made.has(value.node)) {
            nameAfter(value, replaces, i);
            outer.made.add(value.node);
          }
          outer.built.set(replaces.values[i]!, value);
        });
      continue;
    }
    if (isLeaf(node.op)) {
      if (frame.replaces !== undefined)
        throw new InternalError(`inline: the body of ${frame.replaces.op} reaches a leaf that is none of its inputs`);
      for (const v of node.values) frame.built.set(v, v);
      continue;
    }
    const inputs = node.inputs.map((v) => frame.built.get(v)!);
    if (isInlined(node)) {
      stack.push(enter(node.regions[0]!, inputs, node));
      continue;
    }
    const copy = frame.replaces === undefined ? rebuilt(node, inputs) : copied(node, inputs);
    if (frame.replaces !== undefined) {
      frame.made.add(copy);
      copy.loc ??= stack.find((f) => f.replaces?.loc !== undefined)?.replaces?.loc;
    }
    for (const [i, v] of node.values.entries()) frame.built.set(v, copy.values[i]!);
  }
  return graph.outputs.every((v) => whole.built.get(v) === v)
    ? graph
    : { inputs: graph.inputs, outputs: graph.outputs.map((v) => whole.built.get(v)!) };
}

/** The result of a body bears the name of what it replaces. */
function nameAfter(value: Value, replaces: Node, index: number): void {
  const hint = replaces.values.length === 1 ? replaces.name : (replaces.name ?? '').split(',')[index];
  if (hint !== undefined && hint !== '') value.node.name ??= hint;
}
