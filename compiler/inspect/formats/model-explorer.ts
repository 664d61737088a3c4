// Drawings as JSON of Model Explorer (github.com/google-ai-edge/model-explorer): kernels are namespaces, costs are attributes and node data.
import type { Box, Drawing } from '../drawing.ts';

type Attribute = { readonly key: string; readonly value: string };
type ExplorerNode = {
  readonly id: string;
  readonly label: string;
  readonly namespace: string;
  readonly attrs: readonly Attribute[];
  readonly incomingEdges: readonly {
    readonly sourceNodeId: string;
    readonly sourceNodeOutputId: string;
    readonly targetNodeInputId: string;
  }[];
  readonly outputsMetadata: readonly { readonly id: string; readonly attrs: readonly Attribute[] }[];
};
export type GraphCollection = {
  readonly label: string;
  readonly graphs: readonly {
    readonly id: string;
    readonly nodes: readonly ExplorerNode[];
    readonly groupNodeAttributes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  }[];
};

/** What a kernel costs, by its name in the drawing; `ms` where it was measured. */
export type GroupCost = { readonly flops: number; readonly bytes: number; readonly ms?: number };

export function modelExplorerOf(
  label: string,
  drawings: readonly Drawing[],
  costs: readonly ReadonlyMap<string, GroupCost>[] = [],
): GraphCollection {
  return {
    label,
    graphs: drawings.map((drawing, i) => ({
      id: drawing.name,
      nodes: nodesOf(drawing),
      groupNodeAttributes: attributesOf(drawing, costs[i]),
    })),
  };
}

function nodesOf({ boxes, arrows, groups }: Drawing): ExplorerNode[] {
  const labels = new Map(groups.map(({ id, label }) => [id, label]));
  const incoming = new Map<string, ExplorerNode['incomingEdges'][number][]>();
  for (const { from, output, to, input } of arrows) {
    const edges = incoming.get(to) ?? [];
    edges.push({ sourceNodeId: from, sourceNodeOutputId: String(output), targetNodeInputId: String(input) });
    incoming.set(to, edges);
  }
  return boxes.map((box) => ({
    id: box.id,
    label: box.op,
    namespace: box.group === undefined ? '' : labels.get(box.group)!,
    attrs: attrsOf(box),
    incomingEdges: incoming.get(box.id) ?? [],
    outputsMetadata: box.types.map((type, i) => ({ id: String(i), attrs: [{ key: 'tensor', value: type }] })),
  }));
}

const attrsOf = ({ attributes, line }: Box): Attribute[] => [
  ...attributes.map(([key, value]) => ({ key, value })),
  ...(line === undefined ? [] : [{ key: 'line', value: line }]),
];

function attributesOf({ groups }: Drawing, costs: ReadonlyMap<string, GroupCost> | undefined): Record<string, Record<string, string>> {
  const result: Record<string, Record<string, string>> = {};
  for (const { label, line } of groups) {
    const cost = costs?.get(label);
    result[label] = {
      ...(line === undefined ? {} : { line }),
      ...(cost === undefined ? {} : { flops: String(cost.flops), bytes: String(cost.bytes) }),
      ...(cost?.ms === undefined ? {} : { ms: cost.ms.toFixed(4) }),
    };
  }
  return result;
}

/** Node data that Model Explorer lays over the graph of a drawing: the bytes, or the milliseconds, of the kernel that each box is in. */
export function nodeDataOf({ name, boxes, groups }: Drawing, what: 'bytes' | 'ms', costs: ReadonlyMap<string, GroupCost>): object {
  const labels = new Map(groups.map(({ id, label }) => [id, label]));
  const results: Record<string, { value: number }> = {};
  for (const { id, group } of boxes) {
    const value = group === undefined ? undefined : costs.get(labels.get(group)!)?.[what];
    if (value !== undefined) results[id] = { value };
  }
  return {
    [name]: {
      results,
      gradient: [
        { stop: 0, bgColor: '#ffffff' },
        { stop: 1, bgColor: '#e66101' },
      ],
    },
  };
}
