// Patterns: what users spell by hand and a composite computes better. Only where the composite equals the formula for all numbers
// but for rounding and overflow, and where no other user needs what the formula computes on its way.
import { b } from '../ir/builder.ts';
import { shapeOf } from '../ir/node.ts';
import { composite } from '../ops/composite/table.ts';
import type { Pass } from './pass.ts';
import { bind, ignore, once, p, value } from './pattern.ts';
import { index, type Rule, rewrite, rule, ruleOn } from './rewrite.ts';

const x = value('x');

/** A log of probabilities that underflowed is -inf, and of a sum that overflowed inf; written as composites they are finite. */
export const patternRules: readonly Rule[] = [
  ruleOn('log(softmax x) = logSoftmax x', ['log'], ({ inputs: [v] }, _result, { isOnce }) => {
    if (v.node.op !== 'composite' || v.node.attrs.name !== 'softmax' || !isOnce(v)) return undefined;
    const { axis } = v.node.attrs.params;
    return typeof axis === 'number' ? composite('logSoftmax', [v.node.inputs[0]!], { axis })[0] : undefined;
  }),
  rule(
    'log(exp x / sum(exp x)) = logSoftmax x',
    p.log(once(p.div(p.exp(x), once(p.expand(once(p.sum(p.exp(x), { axes: bind('axes') })), { shape: ignore, at: bind('axes') }))))),
    ({ x, axes }) =>
      axes.length === 1 && isInhabited(axes.map((a) => shapeOf(x)[a]!)) ? composite('logSoftmax', [x], { axis: axes[0]! })[0] : undefined,
  ),
  rule('log(sum(exp x)) = logsumexp x', p.log(once(p.sum(once(p.exp(x)), { axes: bind('axes') }))), ({ x, axes }) =>
    isInhabited(axes.map((a) => shapeOf(x)[a]!)) ? composite('logsumexp', [x], { axes })[0] : undefined,
  ),
  rule('log(sigmoid x) = -softplus(-x)', p.log(once(p.sigmoid(x))), ({ x }) => b.neg(b.softplus(b.neg(x)))),
  rule('1 / sqrt x = rsqrt x', p.recip(once(p.sqrt(x))), ({ x }) => b.rsqrt(x)),
];

/** A maximum is only taken over something. */
const isInhabited = (sizes: readonly unknown[]): boolean => sizes.every((n) => typeof n === 'number' && n > 0);
const rules = index(patternRules);

export const patterns: Pass = {
  name: 'patterns',
  after: { simplify: 'each formula has one spelling then' },
  idempotent: true,
  optional: true,
  run: (graph, context) => rewrite(graph, rules, context),
};
