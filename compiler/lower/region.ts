// What all forms of kernels share: the region of a kernel node, its parameters, and how its outputs are stored.
import type { Expr, Extent, Param, Position } from '../../kernels/loop.ts';
import { linearize } from '../../kernels/position.ts';
import { mostOf, productOf } from '../../kernels/size.ts';
import type { Target } from '../../runtime/target.ts';
import type { Shape } from '../ir/dim.ts';
import { avalOf, dtypeOf, type Graph, type NodeOf, shapeOf, type Value } from '../ir/node.ts';
import { extentsOf, type Sizes } from '../ops/extent.ts';
import { expressions, type Known } from './expression.ts';
import { identifier, namesTaken, unique } from './names.ts';
import { emit, type Nest } from './nest.ts';

export type Region = {
  readonly graph: Graph;
  readonly space: readonly Extent[];
  /** The space as the graph writes it. */
  readonly dims: Shape;
  readonly reduce: readonly number[];
  readonly target: Target;
  /** Buffers read, then buffers written: the order of a launch's arguments. */
  readonly params: readonly Param[];
  /** The parameter of output i. */
  readonly writes: readonly Param[];
  /** Loads of parameters and slots. */
  readonly known: Known;
};

/** `slotIndex[i]` is where input i, if it is a slot, stands in the launch's block of numbers. */
export function regionOf(node: NodeOf<'kernel'>, slotIndex: readonly (number | undefined)[], target: Target, sizes: Sizes): Region {
  const graph = node.regions[0]!;
  const taken = namesTaken();
  const param = (value: Value, fallback: string, access: Param['access']): Param => {
    const name = unique(taken, identifier(value.node.name?.split(',')[value.index] || fallback));
    return { name, dtype: dtypeOf(value), access, length: productOf(extentsOf(shapeOf(value), sizes)) };
  };
  const leaves = new Map<Value, (at: readonly Position[]) => Expr>();
  const reads: Param[] = [];
  for (const [i, value] of graph.inputs.entries()) {
    const { dtype } = avalOf(value);
    const index = slotIndex[i];
    if (index !== undefined) {
      leaves.set(value, () => ({ kind: 'slot', dtype, index }));
      continue;
    }
    const { name, ...rest } = param(value, 'x', 'read');
    const shape = extentsOf(shapeOf(value), sizes);
    reads.push({ name, ...rest });
    leaves.set(value, (at) => ({ kind: 'load', dtype, buffer: name, at: linearize(at, shape) }));
  }
  const writes = graph.outputs.map((value) => param(value, 'y', 'write'));
  return {
    graph,
    space: extentsOf(node.attrs.space, sizes),
    dims: node.attrs.space,
    reduce: node.attrs.reduce,
    target,
    params: [...reads, ...writes],
    writes,
    known: (value, at) => leaves.get(value)?.(at),
  };
}

export type Store = { readonly value: Value; readonly into: Param; readonly at: readonly Position[]; readonly shape: readonly Extent[] };

/** Stores values at coordinates of buffers of these shapes. Of several, all are computed before the first is stored, so that each may overwrite what all read. */
export function store(nest: Nest, known: Known, stores: readonly Store[]): void {
  const values = expressions(
    nest,
    known,
    stores.map(({ value, at }) => ({ value, at, bind: stores.length > 1 })),
  );
  for (const [i, { into, at, shape }] of stores.entries())
    emit(nest, { kind: 'store', buffer: into.name, at: linearize(at, shape, nest.extents), value: values[i]! });
}

/** How many elements a shape has, or where that is open, how many it can have. */
export const elements = (shape: readonly Extent[]): number => shape.reduce<number>((n, d) => n * mostOf(d), 1);
