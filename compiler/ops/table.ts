// Every op's rules, complete by type.
import type { Node, NodeOf } from '../ir/node.ts';
import type { OpName } from '../ir/opset.ts';
import { barrierRules } from './barrier.ts';
import { contractionRules } from './contraction.ts';
import { conversionRules } from './conversion.ts';
import { cumulativeRules } from './cumulative.ts';
import { elementwiseRules } from './elementwise.ts';
import { indexingRules } from './indexing.ts';
import { leafRules } from './leaves.ts';
import { linalgRules } from './linalg.ts';
import { movementRules } from './movement.ts';
import { reduceRules } from './reduce.ts';
import { regionRules } from './regions.ts';
import type { Evaluate, Reference, Rules, RulesFor } from './rules.ts';
import { sortingRules } from './sorting.ts';

/** Annotated, not `satisfies`: the mapped type is what ties `rules[n.op]` to `n` in a generic function. */
export const rules: RulesFor<OpName> = {
  ...elementwiseRules,
  ...conversionRules,
  ...leafRules,
  ...reduceRules,
  ...movementRules,
  ...contractionRules,
  ...indexingRules,
  ...cumulativeRules,
  ...sortingRules,
  ...linalgRules,
  ...barrierRules,
  ...regionRules,
};

/** The rules of a node's op, with the node that they are for. */
function ruled<K extends OpName, T>(n: NodeOf<K>, use: (rule: Rules<K>, n: NodeOf<K>) => T): T {
  const rule: Rules<K> = rules[n.op];
  return use(rule, n);
}

/** A node's results by the meaning of its op. */
export const meaningOf = (n: Node, inputs: readonly Reference[], evaluate: Evaluate): readonly Reference[] =>
  ruled(n as NodeOf<OpName>, (rule, same) => rule.reference(inputs, same, evaluate));
