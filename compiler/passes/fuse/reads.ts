// What a group reads from memory: values that it does not compute itself.
import type { Value } from '../../ir/node.ts';
import type { Group } from './groups.ts';
import type { Units } from './units.ts';

/** In order of first use. A reshape of something stored is read as it is, an alias made outside. */
export function readsOf(group: Group, { unitOf }: Units): Set<Value> {
  const inside = new Set(group.units);
  const reads = new Set<Value>();
  for (const unit of group.units)
    for (const read of unit.reads) {
      const producer = unitOf(read.base);
      if (producer === undefined || !inside.has(producer)) reads.add(read.value);
    }
  return reads;
}
