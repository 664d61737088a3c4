// The arguments of a call, checked by the names, dtypes and shapes that the model declares, in the order in which its Programs take them.
import type { TypedArray } from '../dtype.ts';
import { ArgumentError, ShapeError } from '../errors.ts';
import { checkArray } from '../executable.ts';
import type { ArgumentTree, Dim, Entry, InputPort } from './description.ts';

/** An array, or an array with its shape, which has to be told where more than one dimension is open. */
export type TensorArgument = TypedArray | { readonly data: TypedArray; readonly shape: readonly number[] };

export type Arguments = {
  readonly arrays: readonly TypedArray[];
  readonly numbers: readonly number[];
  /** The sizes of open dimensions by their names. */
  readonly sizes: ReadonlyMap<string, number>;
};

export function bindArguments(entry: Entry, args: readonly unknown[]): Arguments {
  const { name: op, parameters } = entry;
  if (args.length !== parameters.length)
    throw new ArgumentError(`expected ${parameters.length} arguments (${parameters.map((p) => p.name).join(', ')}), got ${args.length}`, {
      op,
    });
  const tensors: unknown[] = [];
  const numbers: number[] = [];
  parameters.forEach(({ name, tree }, i) => {
    flatten(op, name, tree, args[i], tensors, numbers);
  });
  const sizes = new Map<string, number>();
  const arrays = entry.inputs.map((port, i) => bindTensor(op, port, tensors[i], sizes));
  return { arrays, numbers, sizes };
}

function flatten(op: string, path: string, tree: ArgumentTree, given: unknown, tensors: unknown[], numbers: number[]): void {
  switch (tree.kind) {
    case 'tensor':
      tensors[tree.index] = given;
      return;
    case 'number':
      if (typeof given !== 'number') throw new ArgumentError(`${path} is a number, got ${describe(given)}`, { op });
      numbers[tree.index] = given;
      return;
    case 'list': {
      const { items } = tree;
      if (!Array.isArray(given) || given.length !== items.length)
        throw new ArgumentError(`${path} is a list of ${items.length}, got ${describe(given)}`, { op });
      items.forEach((item, i) => {
        flatten(op, `${path}[${i}]`, item, given[i], tensors, numbers);
      });
      return;
    }
    case 'record': {
      const { keys, items } = tree;
      if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given))
        throw new ArgumentError(`${path} is a record of ${keys.join(', ')}, got ${describe(given)}`, { op });
      for (const key of Object.keys(given))
        if (!keys.includes(key)) throw new ArgumentError(`${path} has no '${key}'`, { op, fix: `it has ${keys.join(', ')}` });
      keys.forEach((key, i) => {
        if (!Object.hasOwn(given, key)) throw new ArgumentError(`${path}.${key} is missing`, { op });
        flatten(op, `${path}.${key}`, items[i]!, (given as Record<string, unknown>)[key], tensors, numbers);
      });
      return;
    }
    default:
      tree satisfies never;
  }
}

function bindTensor(op: string, port: InputPort, given: unknown, sizes: Map<string, number>): TypedArray {
  const { data, shape } = ArrayBuffer.isView(given)
    ? { data: given as TypedArray, shape: undefined }
    : ((given ?? {}) as { readonly data?: TypedArray; readonly shape?: readonly number[] });
  if (!ArrayBuffer.isView(data))
    throw new ArgumentError(`${port.name} is a typed array, or { data, shape } with one, got ${describe(given)}`, { op });
  const found = shape ?? shapeOf(op, port, data.length, sizes);
  const misfit = (): ShapeError => new ShapeError(`${port.name} is [${dimsText(port.shape)}], got [${found}]`, { op });
  if (!Array.isArray(found) || found.length !== port.shape.length) throw misfit();
  port.shape.forEach((dim, i) => {
    const size: unknown = found[i];
    if (typeof dim === 'number') {
      if (size !== dim) throw misfit();
      return;
    }
    if (typeof size !== 'number' || !Number.isInteger(size) || size < dim.min || size > dim.max) throw misfit();
    const known = sizes.get(dim.dim);
    if (known !== undefined && known !== size)
      throw new ShapeError(`${port.name} has ${dim.dim} ${size}, another argument ${known}`, { op });
    sizes.set(dim.dim, size);
  });
  checkArray({ name: port.name, dtype: port.dtype, shape: found }, data, [], op);
  return data;
}

/** The shape that an array of so many elements must have, where no more than one open dimension is unknown. */
function shapeOf(op: string, { name, shape }: InputPort, length: number, sizes: ReadonlyMap<string, number>): readonly number[] {
  let known = 1;
  let unknown: string | undefined;
  let times = 0;
  for (const dim of shape) {
    const size = typeof dim === 'number' ? dim : sizes.get(dim.dim);
    if (size !== undefined) known *= size;
    else {
      const { dim: called } = dim as Exclude<Dim, number>;
      if (unknown !== undefined && unknown !== called)
        throw new ShapeError(`the shape of ${name} [${dimsText(shape)}] does not follow from ${length} elements`, {
          op,
          fix: 'give { data, shape }',
        });
      unknown = called;
      times++;
    }
  }
  const size = times === 0 ? 1 : Math.round((length / known) ** (1 / times));
  // What does not divide evenly is told as a length, which is what the caller knows.
  if (known * size ** times !== length) throw new ShapeError(`${name} is [${dimsText(shape)}], got ${length} elements`, { op });
  return shape.map((dim) => (typeof dim === 'number' ? dim : (sizes.get(dim.dim) ?? size)));
}

const dimsText = (shape: readonly Dim[]): string =>
  shape.map((dim) => (typeof dim === 'number' ? dim : `${dim.dim}: ${dim.min} to ${dim.max}`)).join(', ');

const describe = (x: unknown): string =>
  x === undefined
    ? 'nothing'
    : x === null
      ? 'null'
      : Array.isArray(x)
        ? `a list of ${x.length}`
        : typeof x === 'object'
          ? 'an object'
          : `the ${typeof x} ${String(x)}`;
