// Kernel nodes that are bound to become the same code, as those of equal layers are: each kind is lowered, scheduled and emitted once.
import { graphHash, locationText, type Node, type NodeOf, nodesOf, sameGraph } from '../ir/node.ts';

type KernelNode = NodeOf<'kernel'>;

/** For each operand of a kernel that is a slot, where it stands in the launch's block of numbers. */
export type SlotIndices = readonly (number | undefined)[];

/**
 * `make`, called for the first of alike nodes only: they have the same form and equal regions, read the same slots, and bear the same names
 * and source lines, since code shows those. Their own names may differ.
 */
export function oncePerKind<T>(make: (node: KernelNode, slots: SlotIndices) => T): (node: KernelNode, slots: SlotIndices) => T {
  const known = new Map<string, { readonly node: KernelNode; readonly made: T }[]>();
  return (node, slots) => {
    const key = keyOf(node, slots);
    const alike = known.get(key) ?? [];
    const found = alike.find((other) => sameGraph(other.node.regions[0]!, node.regions[0]!));
    if (found !== undefined) return found.made;
    const made = make(node, slots);
    known.set(key, [...alike, { node, made }]);
    return made;
  };
}

function keyOf({ attrs: { form, space, reduce }, regions: [region] }: KernelNode, slots: SlotIndices): string {
  const label = ({ name, loc }: Node): string => `${name ?? ''}@${locationText(loc) ?? ''}`;
  const inputs = region!.inputs.map((v) => label(v.node));
  return [graphHash(region!), form, space, reduce, slots, inputs, nodesOf(region!).map(label)].join(';');
}
