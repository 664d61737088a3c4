// Control flow as passes see it: the regions of branches and loops are graphs of their own, and nothing moves across their borders.
import { type Graph, type Node, type NodeOf, nodesOf, type Value } from '../ir/node.ts';
import type { Pass } from './pass.ts';
import { rebuilt } from './rebuild.ts';

export type Control = NodeOf<'cond'> | NodeOf<'whileLoop'> | NodeOf<'scan'>;
export const isControl = (node: Node): node is Control => node.op === 'cond' || node.op === 'whileLoop' || node.op === 'scan';

/** The pass, run over each region of control flow, the innermost first, before the graph that it stands in. */
export function throughRegions(pass: Pass): Pass {
  const run: Pass['run'] = (graph, context) =>
    pass.run(
      withRegions(graph, (region) => run(region, context)),
      context,
    );
  return { ...pass, run };
}

function withRegions(graph: Graph, change: (region: Graph) => Graph): Graph {
  const nodes = nodesOf(graph);
  if (!nodes.some(isControl)) return graph;
  const built = new Map<Value, Value>();
  const now = (v: Value): Value => built.get(v) ?? v;
  for (const node of nodes) {
    const regions = isControl(node) ? node.regions.map(change) : node.regions;
    const copy = rebuilt(node, node.inputs.map(now), regions);
    for (const [i, v] of node.values.entries()) built.set(v, copy.values[i]!);
  }
  return { inputs: graph.inputs, outputs: graph.outputs.map(now) };
}
