// Sizes that are open until a launch: how they are read off its inputs, and the shapes that follow from them.
import { ShapeError } from './errors.ts';
import type { Port, Program } from './program.ts';

/** The values of `program.sizes` for a launch on inputs of these lengths. Throws ShapeError where one is out of range. */
export function sizesOf(
  { name: program, sizes = [] }: Pick<Program, 'name' | 'sizes'>,
  inputs: readonly { readonly length: number }[],
): readonly number[] {
  return sizes.map(({ name, min, max, input, per }) => {
    const size = inputs[input]!.length / per;
    if (Number.isInteger(size) && size >= min && size <= max) return size;
    throw new ShapeError(`${program} is for ${min} to ${max} of '${name}', got ${size}`, { op: 'run' });
  });
}

/** The shape of a port at these sizes. */
export function shapeAt({ shape, open }: Pick<Port, 'shape' | 'open'>, sizes: readonly number[]): readonly number[] {
  if (open === undefined) return shape;
  const result = [...shape];
  for (const { axis, size, times, plus } of open) result[axis] = times * sizes[size]! + plus;
  return result;
}

/** How many elements a port has at these sizes. */
export function lengthAt(port: Pick<Port, 'shape' | 'open'>, sizes: readonly number[]): number {
  let n = 1;
  for (const d of shapeAt(port, sizes)) n *= d;
  return n;
}
