// Pointwise kernels: each element of the space on its own.
import type { Extent, Position } from '../../kernels/loop.ts';
import { add, constant, linearize, sub, zero } from '../../kernels/position.ts';
import { shapeOf, type Value } from '../ir/node.ts';
import { extentsOf } from '../ops/extent.ts';
import { expression, type Known } from './expression.ts';
import { axesFor, emit, loops, type Nest } from './nest.ts';
import { elements, type Region, store } from './region.ts';

export function lowerPointwise(nest: Nest, { graph, writes, known, space }: Region): void {
  const [only] = graph.outputs;
  if (graph.outputs.length === 1 && only!.node.op === 'concat') {
    storePieces(nest, known, only!, writes[0]!.name);
    return;
  }
  storeAligned(nest, known, graph.outputs, writes, space);
}

/** Values of one shape, computed in one nest over it. */
export function storeAligned(nest: Nest, known: Known, values: readonly Value[], writes: Region['writes'], shape: readonly Extent[]): void {
  if (elements(shape) === 0) return;
  loops(nest, axesFor(nest, shape), 'par', (at) => {
    store(
      nest,
      known,
      values.map((value, i) => ({ value, into: writes[i]!, at, shape })),
    );
  });
}

/** A concatenation is stored operand by operand, each in a nest of its own that asks nothing at each element. */
function storePieces(nest: Nest, known: Known, whole: Value, buffer: string): void {
  const shape = extentsOf(shapeOf(whole), nest.sizes);
  type Piece = { readonly value: Value; readonly start: readonly Position[] };
  const stack: Piece[] = [{ value: whole, start: shape.map(() => zero) }];
  while (stack.length > 0) {
    const { value, start } = stack.pop()!;
    const { node } = value;
    const extents = extentsOf(shapeOf(value), nest.sizes);
    if (node.op === 'concat') {
      const { axis } = node.attrs;
      let end = add(start[axis]!, constant(extents[axis]!));
      // Pushed from the last, so that the first is stored first.
      for (let i = node.inputs.length - 1; i >= 0; i--) {
        end = sub(end, constant(extentsOf(shapeOf(node.inputs[i]!), nest.sizes)[axis]!));
        const from = end;
        stack.push({ value: node.inputs[i]!, start: start.map((s, d) => (d === axis ? from : s)) });
      }
    } else if (elements(extents) > 0) {
      loops(nest, axesFor(nest, extents), 'par', (at) => {
        const place: readonly Position[] = at.map((p, d) => add(p, start[d]!));
        const stored = expression(nest, known, value, at);
        emit(nest, { kind: 'store', buffer, at: linearize(place, shape, nest.extents), value: stored });
      });
    }
  }
}
