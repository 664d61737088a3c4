// Decompose: inlines the body of every composite for which the target has no template.
// Afterwards the graph holds primitives, templates, and control flow.
import type { Node } from '../ir/node.ts';
import { inline } from './inline.ts';
import type { Pass } from './pass.ts';

export const decompose: Pass = {
  name: 'decompose',
  after: { patterns: 'composites are recognised while they are whole' },
  idempotent: true,
  optional: false,
  run: (graph, { target }) => {
    const hasTemplate = (node: Node): boolean => node.op === 'composite' && target.templates.includes(node.attrs.name);
    return inline(graph, (node) => node.op === 'composite' && !hasTemplate(node));
  },
};
