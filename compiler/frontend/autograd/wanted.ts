// Whether a tensor's gradient is wanted: outside of transforms by its edge, inside by what its value was recorded from.
import { isFloat } from '../../../runtime/dtype.ts';
import { isLeaf, type Node } from '../../ir/node.ts';
import { requiresGradOf } from '../handle.ts';
import { leafRecordOf } from '../record.ts';
import type { Tensor } from '../tensor.ts';

/** As `requiresGrad`, and inside of a transform: whether the tensor depends on an argument that some transform around differentiates by. */
export function wantsGradient(t: Tensor): boolean {
  if (!isFloat(t.element) || t.stop !== undefined) return false;
  return t.storage.born.trace === undefined ? requiresGradOf(t) : reached(t.storage.value.node);
}

/** Recorded nodes do not change, so each is looked at once. */
const known = new WeakMap<Node, boolean>();

function reached(root: Node): boolean {
  const stack = [root];
  for (let n = stack.at(-1); n !== undefined; n = stack.at(-1)) {
    const unknown = n.inputs.filter((v) => !known.has(v.node));
    if (unknown.length > 0) for (const v of unknown) stack.push(v.node);
    else {
      stack.pop();
      if (!known.has(n)) known.set(n, isLeaf(n.op) ? leafIsWanted(n) : !stops(n) && n.inputs.some((v) => known.get(v.node)));
    }
  }
  return known.get(root)!;
}

const stops = (n: Node): boolean => n.op === 'composite' && n.attrs.name === 'stopGradient';

function leafIsWanted(n: Node): boolean {
  const { placeholder } = n.op === 'input' ? leafRecordOf(n) : { placeholder: undefined };
  if (placeholder === undefined) return false;
  return placeholder.of === undefined ? placeholder.wanted : wantsGradient(placeholder.of as Tensor);
}
