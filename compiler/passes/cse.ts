// Common subexpressions: of equal nodes one remains. Random bits are a function of key, stream and position, so they are no exception.
import type { Pass } from './pass.ts';
import { index, rewrite } from './rewrite.ts';

const noRules = index([]);

export const cse: Pass = {
  name: 'cse',
  after: { mergeScans: 'bodies that were joined hold equal nodes' },
  idempotent: true,
  optional: true,
  run: (graph, context) => rewrite(graph, noRules, context),
};
