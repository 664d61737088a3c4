// Partial evaluation: what of a graph can be computed before some of its inputs are known, and what of that must be kept for the rest.
import { type Node, postorder, type Value } from '../ir/node.ts';
import type { OpName } from '../ir/opset.ts';

/** Cheaper to make again than to keep: constants, and other looks at a value that is kept anyway. */
const rebuilt: ReadonlySet<OpName> = new Set<OpName>(['literal', 'size', 'iota', 'reshape', 'permute', 'expand']);

/**
 * The values, independent of the inputs `late`, from which together with `late` all `outputs` can be computed. The graph with them as
 * inputs, after `late`, is the part that remains to be run.
 */
export function residualsOf(outputs: readonly Value[], late: readonly Value[], inputs: readonly Value[]): Value[] {
  const waits = new Set<Value>(late);
  const remaining = new Set<Node>();
  for (const n of postorder(outputs, [...late, ...inputs])) {
    if (!n.inputs.some((v) => waits.has(v))) continue;
    remaining.add(n);
    for (const v of n.values) waits.add(v);
  }
  const given = new Set(inputs);
  const residuals = new Set<Value>();
  const seen = new Set<Value>();
  const frontier: Value[] = [...outputs];
  for (const n of remaining) for (const v of n.inputs) frontier.push(v);
  for (let v = frontier.pop(); v !== undefined; v = frontier.pop()) {
    if (waits.has(v) || seen.has(v)) continue;
    seen.add(v);
    if (given.has(v) || !rebuilt.has(v.node.op)) residuals.add(v);
    else for (const operand of v.node.inputs) frontier.push(operand);
  }
  return [...residuals];
}
