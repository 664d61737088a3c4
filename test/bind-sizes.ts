// Replaces the symbolic sizes of a graph by numbers, so that it can be evaluated.
import { build } from '../compiler/ir/builder.ts';
import { dim, dims } from '../compiler/ir/codec.ts';
import { bindDim, type Dim, isStatic, type Shape } from '../compiler/ir/dim.ts';
import { codecsOf, type Graph, type Node, nodesOf, shapeOf, type Value } from '../compiler/ir/node.ts';

export type Sizes = ReadonlyMap<string, number>;

/** Names of the sizes that stand in the graph's inputs. */
export function sizeNames(graph: Graph): readonly string[] {
  const names = new Set<string>();
  for (const v of graph.inputs) {
    for (const d of shapeOf(v)) if (typeof d !== 'number') for (const t of d.terms) for (const n of t.names) names.add(n);
  }
  return [...names];
}

/** The same graph where it has no symbolic sizes. */
export function bindSizes(graph: Graph, sizes: Sizes): Graph {
  const isBound = graph.inputs.every((v) => isStatic(shapeOf(v)));
  return isBound ? graph : rebuild(graph, sizes);
}

function rebuild(graph: Graph, sizes: Sizes): Graph {
  const twins = new Map<Node, Node>();
  const twinOf = (v: Value): Value => twins.get(v.node)!.values[v.index]!;
  for (const node of [...graph.inputs.map((v) => v.node), ...nodesOf(graph)]) {
    const regions = node.regions.map((r) => rebuild(r, sizes));
    const twin = build(node.op, node.inputs.map(twinOf), bindAttrs(node, sizes), regions);
    twin.name = node.name;
    twins.set(node, twin);
  }
  return { inputs: graph.inputs.map(twinOf), outputs: graph.outputs.map(twinOf) };
}

function bindAttrs(node: Node, sizes: Sizes): object {
  const attrs: Record<string, unknown> = { ...node.attrs };
  for (const [name, codec] of Object.entries(codecsOf(node.op))) {
    if (codec === (dims as unknown)) attrs[name] = (attrs[name] as Shape).map((d) => bindDim(d, sizes));
    if (codec === (dim as unknown)) attrs[name] = bindDim(attrs[name] as Dim, sizes);
  }
  return attrs;
}
