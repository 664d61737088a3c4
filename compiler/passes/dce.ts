// Dead code: a node that no output reaches is in no graph; what remains is to stop regions from computing results that nobody reads.
import { build } from '../ir/builder.ts';
import type { Graph, Node, Value } from '../ir/node.ts';
import { nodesOf } from '../ir/node.ts';
import type { Pass } from './pass.ts';
import { rebuilt } from './rebuild.ts';

export const dce: Pass = {
  name: 'dce',
  after: { decompose: 'what an inlined body does not use shows then' },
  idempotent: true,
  optional: true,
  run: withoutDeadResults,
};

/** Results of `cond`, and stacked results of `scan`, that nobody reads are dropped together with what only they need. */
function withoutDeadResults(graph: Graph): Graph {
  const nodes = nodesOf(graph);
  const read = new Set<Value>(graph.outputs);
  for (const node of nodes) for (const v of node.inputs) read.add(v);
  if (!nodes.some((n) => deadResults(n, read).length > 0)) return graph;

  const built = new Map<Value, Value>();
  const now = (v: Value): Value => built.get(v) ?? v;
  for (const node of nodes) {
    const inputs = node.inputs.map(now);
    const dead = deadResults(node, read);
    const live = node.values.filter((v) => !dead.includes(v));
    const copy = dead.length === 0 ? rebuilt(node, inputs) : trimmed(node, inputs, live);
    for (const [i, v] of live.entries()) built.set(v, copy.values[i]!);
  }
  return { inputs: graph.inputs, outputs: graph.outputs.map(now) };
}

/** A node keeps at least one result. */
function deadResults(node: Node, read: ReadonlySet<Value>): readonly Value[] {
  const first = node.op === 'cond' ? 0 : node.op === 'scan' ? node.attrs.carries : node.values.length;
  const dead = node.values.filter((v, i) => i >= first && !read.has(v));
  return dead.length === node.values.length ? dead.slice(1) : dead;
}

function trimmed(node: Node, inputs: readonly Value[], live: readonly Value[]): Node {
  const regions = node.regions.map((r) => ({ inputs: r.inputs, outputs: live.map((v) => r.outputs[v.index]!) }));
  const copy = build(node.op, inputs, node.attrs, regions);
  copy.loc = node.loc;
  const names = (node.name ?? '').split(',');
  copy.name = node.name === undefined ? undefined : live.map((v) => names[v.index] ?? '').join(',');
  return copy;
}
