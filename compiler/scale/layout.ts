// How arguments of a step lie on a mesh, checked before anything is written: the runner would find the same mistakes, hours later.
import { ArgumentError } from '../../runtime/errors.ts';
import type { Mesh, Placement, Rule } from './mesh.ts';
import { matcher } from './mesh.ts';

/** An argument as rules see it. */
export type Laid = { readonly role: string; readonly shape: readonly number[] };

const refuse = (what: string, fix: string): never => {
  throw new ArgumentError(what, { op: 'exportStep', fix });
};
const nameOf = (role: string): string => role.slice(role.indexOf(':') + 1);
const isBatch = (role: string): boolean => role.startsWith('batch:');

/** Batches are known by their role only, all else by its name as well, so that moments follow their parameter. */
const matches = ({ pattern }: Rule, role: string): boolean => {
  const fits = matcher(pattern);
  return fits(role) || (!isBatch(role) && fits(nameOf(role)));
};

/** Throws ArgumentError where a rule matches nothing, two of one pattern disagree, an axis is unknown, or a size is not divided. */
export function checkLayout(mesh: Mesh, rules: readonly Rule[], state: readonly Laid[]): void {
  const sizes = new Map(mesh.axes);
  const known = state.map(({ role }) => (isBatch(role) ? role : nameOf(role)));
  for (const [i, rule] of rules.entries()) {
    for (const axis of rule.axes)
      if (axis !== null && !sizes.has(axis))
        refuse(
          `the rule for '${rule.pattern}' cuts along ${axis}, the mesh has ${[...sizes.keys()].join(', ')}`,
          'name an axis of the mesh',
        );
    if (!state.some(({ role }) => matches(rule, role)))
      refuse(
        `the rule for '${rule.pattern}' matches nothing`,
        `names are ${[...new Set(known)].slice(0, 8).join(', ')}${known.length > 8 ? ', ...' : ''}`,
      );
    const other = rules.slice(0, i).find((r) => r.pattern === rule.pattern && r.axes.join() !== rule.axes.join());
    if (other !== undefined)
      refuse(`two rules for '${rule.pattern}' disagree: [${axesText(other.axes)}] and [${axesText(rule.axes)}]`, 'keep one of them');
    if (state.every(({ role }) => !matches(rule, role) || rules.slice(0, i).some((r) => matches(r, role))))
      refuse(`the rule for '${rule.pattern}' never applies: rules before it match all that it does`, 'put it before them');
  }
  for (const { role, shape } of state) checkSizes(role, shape, placementOf(role, rules, sizes), sizes);
}

const axesText = (axes: Placement): string => axes.map((axis) => axis ?? 'whole').join(', ');

/** What the first rule that matches says; a batch is cut along `data` unless told otherwise. */
function placementOf(role: string, rules: readonly Rule[], sizes: ReadonlyMap<string, number>): Placement {
  const rule = rules.find((r) => matches(r, role));
  return rule?.axes ?? (isBatch(role) && sizes.has('data') ? ['data'] : []);
}

function checkSizes(role: string, shape: readonly number[], axes: Placement, sizes: ReadonlyMap<string, number>): void {
  if (shape.length === 0) return;
  if (axes.length > shape.length) refuse(`${nameOf(role)} has ${shape.length} axes, its rule ${axes.length}`, 'leave some out');
  for (const [i, axis] of axes.entries()) {
    if (axis === null || shape[i]! % sizes.get(axis)! === 0) continue;
    const what = isBatch(role) ? `a batch of ${shape[i]} rows of ${nameOf(role)}` : `axis ${i} of ${nameOf(role)}, of ${shape[i]},`;
    refuse(
      `${what} is not divided by the ${sizes.get(axis)} devices of the mesh's axis ${axis}`,
      `use a multiple of ${sizes.get(axis)}, or another mesh`,
    );
  }
}
