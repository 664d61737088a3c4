// Simplify: constant folding, algebra, merging of views, all exact in IEEE arithmetic and keeping dtypes.
// Afterwards no rule fits anywhere, and equal nodes are one.
import type { Pass } from '../pass.ts';
import { index, type Rule, rewrite } from '../rewrite.ts';
import { algebra } from './algebra.ts';
import { barriers } from './barriers.ts';
import { casts } from './casts.ts';
import { contractions } from './contractions.ts';
import { folding } from './fold.ts';
import { logic } from './logic.ts';
import { reductions } from './reductions.ts';
import { views } from './views.ts';

/**
 * Termination: folding and algebra lower the cost or the number of nodes, or bring a constant to the right; views merge, move towards inputs
 * through expands (permute, reshape), or towards outputs through reductions and elementwise ops (reshape), never back.
 */
export const simplifyRules: readonly Rule[] = [
  ...folding,
  ...algebra,
  ...logic,
  ...casts,
  ...views,
  ...reductions,
  ...contractions,
  ...barriers,
];
const rules = index(simplifyRules);

export const simplify: Pass = {
  name: 'simplify',
  after: {},
  idempotent: true,
  optional: true,
  run: (graph, context) => rewrite(graph, rules, context),
};
