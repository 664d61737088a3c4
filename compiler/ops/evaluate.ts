// Runs a graph in float64 by the meaning of its ops: what every backend is compared with. Slow and simple.
import { InternalError } from '../../runtime/errors.ts';
import { avalText, sameAval } from '../ir/aval.ts';
import { avalOf, type Graph, type Node, nodesOf, type Value } from '../ir/node.ts';
import type { Reference } from './rules.ts';
import { meaningOf } from './table.ts';

export { referenceOf } from './reference.ts';

/** The outputs of `graph` for these inputs, one for each of `graph.inputs`. Regions are run by nested calls, nodes by a loop. */
export function evaluate(graph: Graph, inputs: readonly Reference[]): readonly Reference[] {
  const known = new Map<Node, readonly Reference[]>();
  if (inputs.length !== graph.inputs.length)
    throw new InternalError(`a graph of ${graph.inputs.length} inputs was given ${inputs.length}`, { op: 'evaluate' });
  for (const [i, v] of graph.inputs.entries()) known.set(v.node, [fitting(v, inputs[i]!)]);
  const lookUp = (v: Value): Reference => known.get(v.node)![v.index]!;
  for (const n of nodesOf(graph)) known.set(n, meaningOf(n, n.inputs.map(lookUp), evaluate));
  return graph.outputs.map(lookUp);
}

function fitting(v: Value, given: Reference): Reference {
  if (sameAval(avalOf(v), given)) return given;
  throw new InternalError(`an input ${avalText(avalOf(v))} was given ${avalText(given)}`, { op: 'evaluate' });
}
