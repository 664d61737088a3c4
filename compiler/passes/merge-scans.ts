// Scans that carry the same things over the same slices become one: what backward keeps of every turn is kept by the forward pass itself.
import { inline } from '../autodiff/inline.ts';
import { build } from '../ir/builder.ts';
import { type Graph, graphHash, type Node, type NodeOf, nodesOf, sameGraph, type Value } from '../ir/node.ts';
import type { Pass } from './pass.ts';
import { rebuilt } from './rebuild.ts';

export const mergeScans: Pass = {
  name: 'mergeScans',
  after: { simplifyBodies: 'equal bodies look alike once they are simple' },
  idempotent: true,
  optional: true,
  run: merged,
};

type Scan = NodeOf<'scan'>;

/** Afterwards no two scans have equal operands, attributes and carries. */
function merged(graph: Graph): Graph {
  const nodes = nodesOf(graph);
  const alike = groupsOf(nodes);
  if (alike.every((group) => group.length === 1)) return graph;
  const groupOf = new Map<Node, readonly Scan[]>(alike.flatMap((group) => group.map((n) => [n, group] as const)));
  const built = new Map<Value, Value>();
  const now = (v: Value): Value => built.get(v) ?? v;
  for (const node of nodes) {
    const group = groupOf.get(node);
    if (group === undefined || group.length === 1) {
      const copy = rebuilt(node, node.inputs.map(now));
      for (const [i, v] of node.values.entries()) built.set(v, copy.values[i]!);
    } else if (node === group[0]) {
      const values = together(group, node.inputs.map(now));
      const { carries } = group[0].attrs;
      let at = carries;
      for (const scan of group) for (const [i, v] of scan.values.entries()) built.set(v, values[i < carries ? i : at++]!);
    }
  }
  return { inputs: graph.inputs, outputs: graph.outputs.map(now) };
}

/** Scans that can be one, in order; those of a group have the same operands, so the first stands where all can. */
function groupsOf(nodes: readonly Node[]): Scan[][] {
  const groups: Scan[][] = [];
  const known = new Map<number, Scan[][]>();
  for (const node of nodes) {
    if (node.op !== 'scan') continue;
    const hash = graphHash(carriesOf(node));
    const list = known.get(hash) ?? [];
    known.set(hash, list);
    const group = list.find(([first]) => isAlike(first!, node));
    if (group !== undefined) group.push(node);
    else {
      list.push([node]);
      groups.push(list.at(-1)!);
    }
  }
  return groups;
}

const carriesOf = ({ regions, attrs }: Scan): Graph => ({
  inputs: regions[0]!.inputs,
  outputs: regions[0]!.outputs.slice(0, attrs.carries),
});

function isAlike(a: Scan, b: Scan): boolean {
  const { carries, length, reverse } = a.attrs;
  if (carries !== b.attrs.carries || length !== b.attrs.length || reverse !== b.attrs.reverse) return false;
  if (a.inputs.length !== b.inputs.length || a.inputs.some((v, i) => v !== b.inputs[i])) return false;
  return sameGraph(carriesOf(a), carriesOf(b));
}

/** The carries once, then the stacked results of all. */
function together(group: readonly Scan[], inputs: readonly Value[]): readonly Value[] {
  const [first] = group as readonly [Scan];
  const { carries } = first.attrs;
  const body = first.regions[0]!;
  const stacked = group.slice(1).flatMap((scan) => {
    const { inputs: own, outputs } = scan.regions[0]!;
    return inline({ inputs: own, outputs: outputs.slice(carries) }, body.inputs);
  });
  const node = build('scan', inputs, first.attrs, [{ inputs: body.inputs, outputs: [...body.outputs, ...stacked] }]);
  node.loc = first.loc;
  return node.values;
}
