// Names of kernels: their principal ops and the shape that they iterate, `dot_add_max_128x256`.
import type { Shape } from '../../ir/dim.ts';
import { shapeOf, type Value } from '../../ir/node.ts';
import { costOf } from './cost.ts';
import type { Group } from './groups.ts';
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

/** Ops that compute, each once, in order; of a long list the dearest. A kernel that only moves is named by how. */
function principalOps(group: Group): string[] {
  const weight = new Map<string, number>();
  const moving = new Set<string>();
  for (const unit of group.units)
    for (const node of unit.nodes) {
      const role = roleOf(node);
      const isHeavy = role === 'reduction' || role === 'contraction' || role === 'library';
      if (isHeavy || costOf(node.op) > 0) weight.set(node.op, isHeavy ? Number.POSITIVE_INFINITY : costOf(node.op));
      else moving.add(node.op);
    }
  if (weight.size === 0) return [...moving].slice(-mostOps);
  const names = [...weight.keys()];
  const dearest = new Set(
    names.toSorted((x, y) => (weight.get(x) === weight.get(y) ? 0 : weight.get(y)! - weight.get(x)!)).slice(0, mostOps),
  );
  return names.filter((name) => dearest.has(name));
}

function sizesOf(results: readonly Value[]): string {
  const [first] = results;
  const shape: Shape = first === undefined ? [] : shapeOf(results.reduce((a, v) => (shapeOf(v).length > shapeOf(a).length ? v : a), first));
  return shape.length === 0 ? '1' : shape.map((d) => (typeof d === 'number' ? d : 'n')).join('x');
}
