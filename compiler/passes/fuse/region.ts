// Builds the region of a kernel: the cones of its units over fresh inputs.
import { build } from '../../ir/builder.ts';
import { avalOf, type Graph, type Node, type Value } from '../../ir/node.ts';
import type { Group } from './groups.ts';
import { storedUnits } from './groups.ts';
import { readsOf } from './reads.ts';
import type { Units } from './units.ts';

export type Region = {
  readonly graph: Graph;
  /** Outer values for the region's inputs: stored values and slots. */
  readonly operands: readonly Value[];
  /** Outer values that the region's outputs stand for. */
  readonly results: readonly Value[];
};

/** `groups` are independent; each gets nodes of its own, and they share inputs. */
export function regionOf(groups: readonly Group[], units: Units): Region {
  const inputs = new Map<Value, Value>();
  const outputs: Value[] = [];
  const results: Value[] = [];
  const inputFor = (value: Value): Value => {
    const known = inputs.get(value);
    if (known !== undefined) return known;
    const { node } = value;
    const aval = avalOf(value);
    const leaf = node.op === 'slot' ? build('slot', [], node.attrs) : build('input', [], { dtype: aval.dtype, shape: aval.shape });
    leaf.name = node.name;
    leaf.loc = node.loc;
    inputs.set(value, leaf.values[0]!);
    return leaf.values[0]!;
  };
  for (const group of groups) {
    const reads = readsOf(group, units);
    const copies = new Map<Node, Node>();
    const copyOf = (value: Value): Value => {
      if (reads.has(value) || value.node.op === 'slot') return inputFor(value);
      return copies.get(value.node)!.values[value.index]!;
    };
    for (const unit of group.units)
      for (const node of unit.nodes) {
        if (copies.has(node) || node.op === 'slot') continue;
        const copy = build(node.op, node.inputs.map(copyOf), node.attrs, node.regions);
        copy.name = node.name;
        copy.loc = node.loc;
        copies.set(node, copy);
      }
    for (const unit of storedUnits(group))
      for (const value of unit.root.values) {
        outputs.push(copyOf(value));
        results.push(value);
      }
  }
  return { graph: { inputs: [...inputs.values()], outputs }, operands: [...inputs.keys()], results };
}
