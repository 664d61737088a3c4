// Rebuilding a node over other inputs, keeping where it came from.
import { build } from '../ir/builder.ts';
import type { Graph, Node, Value } from '../ir/node.ts';

/** The node itself if the inputs and regions are its own; else a copy with its location and name. */
export function rebuilt(node: Node, inputs: readonly Value[], regions: readonly Graph[] = node.regions): Node {
  if (inputs.every((v, i) => v === node.inputs[i]) && regions.every((r, i) => r === node.regions[i])) return node;
  return copied(node, inputs, regions);
}

/** A copy, whatever the inputs. */
export function copied(node: Node, inputs: readonly Value[], regions: readonly Graph[] = node.regions): Node {
  const copy = build(node.op, inputs, node.attrs, regions);
  copy.loc = node.loc;
  copy.name = node.name;
  return copy;
}
