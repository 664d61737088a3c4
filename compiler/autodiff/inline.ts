// A graph applied to values: its nodes built again with other operands in place of its inputs.
import { InternalError } from '../../runtime/errors.ts';
import { sameAval } from '../ir/aval.ts';
import { build } from '../ir/builder.ts';
import { avalOf, type Graph, nodesOf, type Value } from '../ir/node.ts';

/** Literals are built again too: a recorder must see every node of what it records, and regions are made unseen. */
export function inline(g: Graph, args: readonly Value[]): readonly Value[] {
  if (args.length !== g.inputs.length) throw new InternalError(`a graph of ${g.inputs.length} inputs got ${args.length} values`);
  const image = new Map<Value, Value>();
  for (let i = 0; i < args.length; i++) {
    if (!sameAval(avalOf(args[i]!), avalOf(g.inputs[i]!))) throw new InternalError(`value ${i} does not fit the input of the graph`);
    image.set(g.inputs[i]!, args[i]!);
  }
  for (const n of nodesOf(g)) {
    const operands = n.inputs.map((v) => image.get(v)!);
    const values = build(n.op, operands, n.attrs, n.regions).values;
    for (let i = 0; i < values.length; i++) image.set(n.values[i]!, values[i]!);
  }
  return g.outputs.map((v) => image.get(v)!);
}
