// Fusion: cuts the graph into units, joins them into groups, and makes each group a `kernel` node with a region.
// Afterwards every node that computes lies in exactly one kernel, but for control flow, and for barriers and reshapes of stored values, which are aliases.
import { build } from '../../ir/builder.ts';
import { idsOf } from '../../ir/names.ts';
import type { Graph, Node, Value } from '../../ir/node.ts';
import type { Pass, PassContext } from '../pass.ts';
import { splitWideConcats } from './concats.ts';
import { withCopies } from './copies.ts';
import { type Group, joinConsumers, joinNeighbours, type Refusal, startGrouping } from './groups.ts';
import { type Bundle, bundle } from './members.ts';
import { namer } from './names.ts';
import { regionOf } from './region.ts';
import { cutIntoUnits, type Unit, type Units } from './units.ts';

export const fuse: Pass = {
  name: 'fuse',
  after: {
    decompose: 'a composite without a template is nothing that a kernel can hold',
    simplify: 'a value is seen to lie at the place of iteration only where views are merged',
  },
  idempotent: true,
  optional: false,
  run: (whole, context) => {
    const graph = splitWideConcats(whole, context.target.maxBuffersPerKernel);
    const units = cutIntoUnits(graph, context.target);
    const grouping = startGrouping(units, context.target);
    const refusals = new Map<string, [Unit, Unit, string]>();
    const refused: Refusal = (producer, consumer, reason) =>
      refusals.set(`${producer.index},${consumer.index}`, [producer, consumer, reason]);
    joinConsumers(units, grouping, refused);
    joinNeighbours(units, grouping, refused);
    const bundles = bundle(grouping, context.target);
    explain(graph, refusals.values(), grouping.of, context);
    return withCopies(rebuild(graph, units, bundles));
  },
};

/** Notes every refusal that still stands at the end. */
function explain(graph: Graph, refusals: Iterable<[Unit, Unit, string]>, of: (unit: Unit) => Group, { note }: PassContext): void {
  let ids: ReturnType<typeof idsOf> | undefined;
  for (const [producer, consumer, reason] of refusals) {
    if (of(producer) === of(consumer)) continue;
    ids ??= idsOf(graph);
    const text = ({ root }: Unit): string => `%${ids!.get(root.values[0]!)} (${root.op})`;
    note(`${text(producer)} and ${text(consumer)}: ${reason}`);
  }
}

/** The graph of kernels. */
function rebuild(graph: Graph, units: Units, bundles: readonly Bundle[]): Graph {
  const built = new Map<Value, Value>();
  for (const value of graph.inputs) built.set(value, value);
  const nameOf = namer();
  const wanted = new Set(graph.outputs.filter((v) => units.baseOf(v).node.op === 'slot').map((v) => units.baseOf(v)));

  /** The value in the new graph; reshapes of stored values are made anew. */
  const outer = (value: Value): Value => {
    const chain: Node[] = [];
    let v = value;
    while (!built.has(v)) {
      chain.push(v.node);
      v = v.node.inputs[0]!;
    }
    let result = built.get(v)!;
    for (const node of chain.reverse()) {
      const copy = build(node.op, [result], node.attrs);
      copy.name = node.name;
      copy.loc = node.loc;
      result = copy.values[0]!;
      built.set(node.values[0]!, result);
    }
    return result;
  };

  const copied = new Map<Value, Value>();
  for (const { groups } of inOrder(bundles, units)) {
    const [{ form, space, reduce, units: own }] = groups as [Group];
    const [{ root }] = own as [Unit];
    if (form === 'barrier') {
      const copy = build(root.op, root.inputs.map(outer), root.attrs, root.regions);
      copy.name = root.name;
      copy.loc = root.loc;
      for (const [i, value] of root.values.entries()) built.set(value, copy.values[i]!);
      continue;
    }
    const region = regionOf(groups, units);
    const members = groups.length > 1;
    const kernel = build(
      'kernel',
      region.operands.map(outer),
      {
        name: nameOf(groups, region.results),
        form: members ? 'members' : form,
        space: members ? [] : space,
        reduce: members ? [] : reduce,
      },
      [region.graph],
    );
    kernel.loc = region.results[0]?.node.loc;
    const hints = region.results.map((v) => v.node.name ?? '');
    if (hints.some((hint) => hint !== '')) kernel.name = hints.join(',');
    for (const [i, value] of region.results.entries()) (value.node.op === 'slot' ? copied : built).set(value, kernel.values[i]!);
  }
  for (const slot of wanted) built.set(slot, copied.get(slot)!);
  return { inputs: graph.inputs, outputs: graph.outputs.map(outer) };
}

/** Bundles after all bundles that they read from; of those that are ready, the one with the first unit. */
function inOrder(bundles: readonly Bundle[], units: Units): Bundle[] {
  const bundleOf = new Map<Unit, Bundle>();
  for (const b of bundles) for (const g of b.groups) for (const unit of g.units) bundleOf.set(unit, b);
  const waiting = new Map<Bundle, Set<Bundle>>();
  const after = new Map<Bundle, Bundle[]>();
  for (const b of bundles) {
    const producers = new Set<Bundle>();
    for (const g of b.groups)
      for (const unit of g.units)
        for (const read of unit.reads) {
          const producer = units.unitOf(read.base);
          if (producer !== undefined) producers.add(bundleOf.get(producer)!);
        }
    producers.delete(b);
    waiting.set(b, producers);
    for (const p of producers) {
      const list = after.get(p);
      if (list === undefined) after.set(p, [b]);
      else list.push(b);
    }
  }
  const order = bundles.filter((b) => waiting.get(b)!.size === 0);
  for (let i = 0; i < order.length; i++) {
    for (const next of after.get(order[i]!) ?? []) {
      const rest = waiting.get(next)!;
      rest.delete(order[i]!);
      if (rest.size === 0) order.push(next);
    }
  }
  return order;
}
