// How a value lies on a mesh of devices, for steps that are exported to many of them; it changes nothing here.
import { ArgumentError } from '../../../runtime/errors.ts';
import { type Mesh, placementOf } from '../../ops/composite/constrain.ts';
import { composite } from '../../ops/composite/table.ts';
import { demandTensors } from '../arguments.ts';
import { apply } from '../op.ts';
import type { Tensor } from '../tensor.ts';

/**
 * x itself, and so are its gradients; in an exported step each axis of it is cut along the named axis of the mesh, or whole where it is null.
 * Throws ArgumentError for an axis that the mesh does not have.
 */
export function constrain(x: Tensor, mesh: Mesh, axes: readonly (string | null)[]): Tensor {
  const op = 'constrain';
  demandTensors(op, x);
  if (!Array.isArray(mesh?.axes)) throw new ArgumentError('expected a mesh', { op, fix: 'make one with mesh() of fluxion/scale' });
  if (!Array.isArray(axes))
    throw new ArgumentError('expected a list of axes', { op, fix: 'name one of the mesh for each dimension, or null' });
  const names = mesh.axes.map(([name]) => name);
  if (axes.length !== x.shape.length)
    throw new ArgumentError(`${axes.length} axes are placed, the tensor has ${x.shape.length}`, { op, fix: 'name one for each, or null' });
  for (const axis of axes)
    if (axis !== null && !names.includes(axis))
      throw new ArgumentError(`the mesh has no axis ${axis}`, { op, fix: `it has ${names.join(', ')}` });
  return apply(op, [x], (v) => composite('constrain', [v], placementOf(axes))[0]!);
}
