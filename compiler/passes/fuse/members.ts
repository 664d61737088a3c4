// Horizontal fusion: independent pointwise groups of any shapes become the members of one kernel, as in an optimiser's step.
import type { Target } from '../../../runtime/target.ts';
import { hashText, mix } from '../../ir/codec.ts';
import { fixed, isStatic, numel } from '../../ir/dim.ts';
import { shapeOf } from '../../ir/node.ts';
import { type Group, type Grouping, storedUnits } from './groups.ts';

/** One kernel to be: a group alone, or several as members. */
export type Bundle = { readonly groups: readonly Group[] };

/** Intermediates of this many elements may wait for a launch that they share. */
const smallElements = 1 << 14;

/**
 * Groups of the same depth do not depend on each other, and joining them leaves every edge ascending.
 * Only what lives to the end anyway or is small is joined, so that no large intermediate is kept alive by it.
 */
export function bundle(grouping: Grouping, target: Target): Bundle[] {
  const groups = grouping.all();
  const depths = depthsOf(groups, grouping);
  const openAt = new Map<number, Open>();
  const bundles: Bundle[] = [];
  for (const group of groups) {
    const depth = depths.get(group)!;
    const open = openAt.get(depth);
    const joins = joinsHorizontally(group);
    if (joins && open !== undefined && add(open, group, target)) continue;
    const fresh: Open = { groups: [group], structures: new Set([structureOf(group)]), ops: group.nodes.size };
    if (joins) openAt.set(depth, fresh);
    bundles.push(fresh);
  }
  return bundles;
}

/** A bundle that may still grow. Members with equal structure share one loop nest and find their buffers in a table, so their ops count once. */
type Open = { readonly groups: Group[]; readonly structures: Set<number>; ops: number };

/** Adds a member unless there would be too many ops. */
function add(open: Open, group: Group, target: Target): boolean {
  const structure = structureOf(group);
  const ops = open.structures.has(structure) ? open.ops : open.ops + group.nodes.size;
  if (ops > target.maxOpsPerKernel) return false;
  open.ops = ops;
  open.structures.add(structure);
  open.groups.push(group);
  return true;
}

function joinsHorizontally(group: Group): boolean {
  if (group.form !== 'pointwise') return false;
  return storedUnits(group).every((unit) => {
    if (unit.required && unit.readers.length === 0) return true;
    const shape = shapeOf(unit.root.values[0]!);
    return isStatic(shape) && fixed(numel(shape)) <= smallElements;
  });
}

/** Equal for groups that compute the same but for extents and buffers. */
function structureOf(group: Group): number {
  let hash = hashText(String(group.space.length));
  const number = new Map<unknown, number>();
  for (const unit of group.units)
    for (const node of unit.nodes) {
      if (number.has(node)) continue;
      hash = mix(hash, hashText(node.op));
      for (const { node: input } of node.inputs) {
        if (!number.has(input)) number.set(input, number.size);
        hash = mix(hash, number.get(input)!);
      }
      number.set(node, number.size);
    }
  return hash;
}

/** Longest paths from the groups that read nothing computed. */
function depthsOf(groups: readonly Group[], grouping: Grouping): Map<Group, number> {
  const waiting = new Map<Group, number>();
  const ready: Group[] = [];
  const depths = new Map<Group, number>();
  for (const group of groups) {
    const n = grouping.before(group).size;
    waiting.set(group, n);
    depths.set(group, 0);
    if (n === 0) ready.push(group);
  }
  for (let i = 0; i < ready.length; i++) {
    const group = ready[i]!;
    for (const next of grouping.after(group)) {
      depths.set(next, Math.max(depths.get(next)!, depths.get(group)! + 1));
      waiting.set(next, waiting.get(next)! - 1);
      if (waiting.get(next) === 0) ready.push(next);
    }
  }
  return depths;
}
