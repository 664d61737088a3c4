// Which axes of a shape become which under a reshape.
import { isStatic, type Shape } from '../../ir/dim.ts';

/** Axes `from` of the old shape hold the same elements as axes `to` of the new one. An axis of size 1 may meet nothing. */
export type AxisGroup = { readonly from: readonly number[]; readonly to: readonly number[] };

/** The finest grouping, from first axis to last; undefined where sizes are unknown or 0. */
export function axisGroups(from: Shape, to: Shape): AxisGroup[] | undefined {
  if (!isStatic(from) || !isStatic(to) || from.includes(0) || to.includes(0)) return undefined;
  const groups: AxisGroup[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    if (from[i] === 1) groups.push({ from: [i++], to: [] });
    else if (to[j] === 1) groups.push({ from: [], to: [j++] });
    else {
      const group = { from: [i], to: [j] };
      let [left, right] = [from[i++]!, to[j++]!];
      while (left !== right) {
        if (left < right) {
          group.from.push(i);
          left *= from[i++]!;
        } else {
          group.to.push(j);
          right *= to[j++]!;
        }
      }
      groups.push(group);
    }
  }
  return groups;
}
