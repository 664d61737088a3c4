// Names of kernels: their principal ops and the shape that they iterate, `dot_add_max_128x256`.
import type { Shape } from '../../ir/dim.ts';
import { shapeOf, type Value } from '../../ir/node.ts';
import type { Group } from './groups.ts';
import { costOf } from './cost.ts';
import { roleOf } from './role.ts';

const mostOps = 5;

/** Names unique within one graph, made of op names and numbers only. */
export function namer(): (groups: readonly Group[], results: readonly Value[]) => string {
  const taken = new Map<string, number>();
  return (groups, results) => {
    const parts = [...principalOps(groups[0]!), groups.length > 1 ? String(groups.length) : sizesOf(results)];
    const name = parts.join('_');
    const n = (taken.get(name) ?? 0) + 1;
    taken.set(name, n);
    return n === 1 ? name : `${name}_${n}`;
  };
}

/** Ops that compute, each once, in order; of a long list the first and the last. A kernel that only moves is named by how. */
function principalOps(group: Group): string[] {
  const all = new Set<string>();
  const moving = new Set<string>();
  for (const unit of group.units)
    for (const node of unit.nodes) {
      const role = roleOf(node);
      if (role !== 'elementwise' && role !== 'leaf' && role !== 'constant') all.add(node.op);
      else if (costOf(node.op) > 0) all.add(node.op);
      else moving.add(node.op);
    }
  const names = [...(all.size > 0 ? all : moving)];
  return names.length <= mostOps ? names : [...names.slice(0, mostOps - 1), names.at(-1)!];
}

function sizesOf(results: readonly Value[]): string {
  const [first] = results;
  const shape: Shape = first === undefined ? [] : shapeOf(results.reduce((a, v) => (shapeOf(v).length > shapeOf(a).length ? v : a), first));
  return shape.length === 0 ? '1' : shape.map((d) => (typeof d === 'number' ? d : 'n')).join('x');
}
