// Splits concats of more operands than a kernel may read into concats of concats.
import { b } from '../../ir/builder.ts';
import { type Graph, nodesOf, type Value } from '../../ir/node.ts';
import { rebuilt } from '../rebuild.ts';

/** Afterwards no concat has `most` operands or more, so that a kernel can read them all and still write its result. */
export function splitWideConcats(graph: Graph, most: number): Graph {
  const nodes = nodesOf(graph);
  if (!nodes.some((n) => n.op === 'concat' && n.inputs.length >= most)) return graph;
  const built = new Map<Value, Value>();
  const now = (v: Value): Value => built.get(v) ?? v;
  for (const node of nodes) {
    let inputs = node.inputs.map(now);
    if (node.op === 'concat') while (inputs.length >= most) inputs = inGroups(inputs, most - 1).map((group) => b.concat(group, node.attrs));
    const copy = rebuilt(node, inputs);
    for (const [i, v] of node.values.entries()) built.set(v, copy.values[i]!);
  }
  return { inputs: graph.inputs, outputs: graph.outputs.map(now) };
}

const inGroups = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
