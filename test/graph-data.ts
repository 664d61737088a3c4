// Seeded input data for a graph, with indices in range.
import { draws } from '../compiler/inspect/data.ts';
import { fixedShape } from '../compiler/ir/dim.ts';
import { literalNumber, literalOf } from '../compiler/ir/literal.ts';
import { avalOf, type Graph, nodesOf, shapeOf, type Value } from '../compiler/ir/node.ts';
import type { Reference } from '../compiler/ops/rules.ts';
import { type DType, isFloat } from '../runtime/dtype.ts';

/** One array per input of a graph of fixed sizes: moderate numbers of the input's dtype, indices within what they index. */
export function dataFor(graph: Graph, seed = 1): readonly Reference[] {
  const random = draws(seed);
  const bounds = indexBounds(graph);
  return graph.inputs.map((v) => {
    const { dtype, shape } = avalOf(v);
    const length = fixedShape(shape).reduce((n, d) => n * d, 1);
    return { dtype, shape: fixedShape(shape), data: Float64Array.from({ length }, () => draw(random(), dtype, bounds.get(v))) };
  });
}

function draw(random: number, dtype: DType, bound: number | undefined): number {
  if (bound !== undefined) return Math.floor(random * bound);
  if (isFloat(dtype)) return literalNumber(literalOf(random * 4 - 2, dtype));
  if (dtype === 'bool') return random < 0.5 ? 0 : 1;
  return dtype === 'u8' ? Math.floor(random * 9) : Math.floor(random * 9) - 4;
}

/** Below what the integers of a value must stay, because they end up as positions on an axis. From users back to inputs. */
function indexBounds(graph: Graph): ReadonlyMap<Value, number> {
  const bounds = new Map<Value, number>();
  const lower = (v: Value, bound: number | undefined): void => {
    if (bound !== undefined) bounds.set(v, Math.min(bound, bounds.get(v) ?? bound));
  };
  for (const node of nodesOf(graph).toReversed()) {
    switch (node.op) {
      case 'gather':
      case 'scatterAdd':
      case 'scatterSet':
        lower(node.inputs[1], fixedShape(shapeOf(node.inputs[0]))[node.attrs.axis]);
        break;
      case 'reshape':
      case 'permute':
      case 'expand':
      case 'slice':
      case 'flip':
      case 'concat':
      case 'cast':
        for (const v of node.inputs) lower(v, bounds.get(node.values[0]!));
        break;
      default:
    }
    for (const region of node.regions) {
      const inner = indexBounds(region);
      const first = node.inputs.length - region.inputs.length; // the condition of a cond goes into no region
      for (const [i, v] of region.inputs.entries()) lower(node.inputs[first + i]!, inner.get(v));
    }
  }
  return bounds;
}
