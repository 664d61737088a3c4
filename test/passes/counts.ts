// What tests of fusion count: kernels launched, and elements read and written by them.
import { fixed, numel } from '../../compiler/ir/dim.ts';
import { type Graph, type Node, nodesOf, shapeOf, type Value } from '../../compiler/ir/node.ts';

export const kernelsOf = (graph: Graph): readonly Node[] => nodesOf(graph).filter((n) => n.op === 'kernel');

/** Distinct elements that all kernels read and write; numbers (0-d slots) do not count, and a reshape is the buffer it reshapes. */
export function elementsMoved(graph: Graph): number {
  let moved = 0;
  for (const kernel of kernelsOf(graph)) {
    const read = new Set(kernel.inputs.map(bufferOf).filter((v) => v.node.op !== 'slot'));
    for (const v of [...read, ...kernel.values]) moved += fixed(numel(shapeOf(v)));
  }
  return moved;
}

function bufferOf(value: Value): Value {
  let v = value;
  while (v.node.op === 'reshape') v = v.node.inputs[0]!;
  return v;
}
