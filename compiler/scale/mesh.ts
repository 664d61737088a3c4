// Meshes of devices and rules of how state lies on them: plain data, which the runner hands to JAX.
import { ArgumentError } from '../../runtime/errors.ts';
import type { Mesh } from '../ops/composite/constrain.ts';

export type { Mesh } from '../ops/composite/constrain.ts';

/** Devices in a grid with named axes: `mesh({ data: 4, model: 2 })`. Throws ArgumentError where an axis is no name or no positive size. */
export function mesh(axes: Readonly<Record<string, number>>): Mesh {
  const entries = Object.entries(axes);
  if (entries.length === 0) throw new ArgumentError('a mesh has at least one axis', { op: 'mesh', fix: 'write mesh({ data: 8 })' });
  for (const [name, size] of entries) {
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw new ArgumentError(`'${name}' is no name of an axis`, { op: 'mesh', fix: 'letters, digits and _ make one' });
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`the axis ${name} has ${size} devices`, { op: 'mesh', fix: 'give a positive integer' });
  }
  return { axes: entries };
}

/** How each axis of a tensor lies: split along an axis of the mesh, or whole. */
export type Placement = readonly (string | null)[];

/** Which tensors a placement is for: a pattern over names, in which `*` stands for any characters. */
export type Rule = { readonly pattern: string; readonly axes: Placement };

/**
 * How the tensors whose names match lie on the mesh; moments of the optimiser follow their parameter. The first rule that matches counts.
 * Names are those of `stateDict()`; `batch:x` names an argument.
 */
export function shard(pattern: string, axes: Placement): Rule {
  if (typeof pattern !== 'string' || pattern === '')
    throw new ArgumentError('the pattern is a name, with * for what may vary', { op: 'shard' });
  const used = axes.filter((axis) => axis !== null);
  if (new Set(used).size < used.length) throw new ArgumentError(`'${pattern}' is split twice along one axis of the mesh`, { op: 'shard' });
  return { pattern, axes };
}

/** The pattern as a test of names. */
export function matcher(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const whole = new RegExp(`^${parts.join('.*')}$`, 's');
  return (name) => whole.test(name);
}
