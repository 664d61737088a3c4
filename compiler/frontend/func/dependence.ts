// Which results of a function depend on which arguments, for transforms that must refuse where they do not.
import { inline } from '../../autodiff/inline.ts';
import { pullback } from '../../autodiff/reverse.ts';
import { full, region } from '../../ir/builder.ts';
import { avalOf } from '../../ir/node.ts';
import type { Traced } from './trace.ts';

/** For each result and each argument, whether a gradient flows from the one to the other. */
export function dependence(traced: Traced): readonly (readonly boolean[])[] {
  const found: (readonly boolean[])[] = [];
  region(traced.graph.inputs.map(avalOf), (inputs) => {
    const by = inputs.slice(0, traced.args.length);
    for (const y of inline(traced.graph, inputs).slice(0, traced.count))
      found.push(pullback([y], [full(1, avalOf(y))], by, inputs.slice(by.length)).map((ct) => ct !== null));
    return [];
  });
  return found;
}
