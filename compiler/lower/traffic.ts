// What a kernel node does, counted on its region: operations, and distinct bytes read and written.
import { mostOf } from '../../kernels/size.ts';
import { bytesPerElement } from '../../runtime/dtype.ts';
import { fixed } from '../ir/dim.ts';
import { dtypeOf, type Node, type NodeOf, nodesOf, shapeOf, type Value } from '../ir/node.ts';
import { extentOf, extentsOf, type Sizes } from '../ops/extent.ts';
import { rules } from '../ops/table.ts';
import { costOf } from '../passes/fuse/cost.ts';
import { elements } from './region.ts';

export type Traffic = { readonly flops: number; readonly bytesRead: number; readonly bytesWritten: number };

/** Elements of a value: the most, where that is open. */
type SizeOf = (value: Value) => number;

/**
 * Each operand counts once, by the elements of it that views leave: a slice reads its own elements, a gather at most as many as it gives.
 * Values that are used at several places count by the sum of them, at most whole. Work that lowering repeats is counted once.
 */
export function trafficOf(node: NodeOf<'kernel'>, sizes: Sizes): Traffic {
  const size: SizeOf = (value) => elements(extentsOf(shapeOf(value), sizes));
  const region = node.regions[0]!;
  const touched = new Map<Value, number>();
  const touch = (value: Value, count: number): void => void touched.set(value, Math.min(size(value), (touched.get(value) ?? 0) + count));
  for (const value of region.outputs) touch(value, size(value));
  let flops = 0;
  const nodes = nodesOf(region);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const n = nodes[i]!;
    const count = Math.max(0, ...n.values.map((v) => touched.get(v) ?? 0));
    flops += operations(n, count, size, sizes);
    // Reductions, contractions and routines read whole operands, the rest no more of them than is wanted of the result.
    const whole = ['reduction', 'argReduction', 'contraction', 'library'].includes(rules[n.op].lower.kind);
    for (const v of n.inputs as readonly Value[]) touch(v, whole ? size(v) : count);
  }
  let bytesRead = 0;
  for (const value of region.inputs) if (value.node.op !== 'slot') bytesRead += (touched.get(value) ?? 0) * bytesPerElement[dtypeOf(value)];
  let bytesWritten = 0;
  for (const value of region.outputs) bytesWritten += size(value) * bytesPerElement[dtypeOf(value)];
  return { flops, bytesRead, bytesWritten };
}

/** One for each scalar function and element; a product and a sum for each term of a contraction. */
function operations(node: Node, count: number, size: SizeOf, sizes: Sizes): number {
  switch (node.op) {
    case 'sum':
    case 'prod':
    case 'amax':
    case 'amin':
    case 'argmax':
    case 'argmin':
    case 'cumsum':
    case 'cumprod':
      return size(node.inputs[0]);
    case 'dot': {
      const [x] = node.inputs;
      return 2 * size(node.values[0]!) * node.attrs.contract.reduce((n, [l]) => n * mostOf(extentOf(shapeOf(x)[l]!, sizes)), 1);
    }
    case 'conv':
      return 2 * size(node.values[0]!) * (size(node.inputs[1]) / (fixed(shapeOf(node.inputs[1])[0]!) || 1));
    case 'convInputGrad':
      return 2 * size(node.inputs[0]) * (size(node.inputs[1]) / (fixed(shapeOf(node.inputs[1])[0]!) || 1));
    case 'convWeightGrad':
      return 2 * size(node.inputs[1]) * (size(node.values[0]!) / (fixed(shapeOf(node.values[0]!)[0]!) || 1));
    case 'scatterAdd':
      return size(node.inputs[2]);
    case 'sort':
    case 'topk':
      return 0;
    case 'cholesky':
    case 'lu':
    case 'eigh':
    case 'qr':
    case 'svd': {
      // Leading terms; those that iterate are counted as one sweep of rotations.
      const [rows, columns] = shapeOf(node.inputs[0]).slice(-2).map(fixed) as [number, number];
      const short = Math.min(rows, columns);
      const perElement = { cholesky: short / 3, lu: (2 * short) / 3, qr: 4 * short, eigh: 6 * short, svd: 6 * short }[node.op];
      return Math.round(size(node.inputs[0]) * perElement);
    }
    case 'triangularSolve':
      return size(node.values[0]!) * fixed(shapeOf(node.inputs[0]).at(-1)!);
    default:
      return costOf(node.op) > 0 && rules[node.op].lower.kind === 'pointwise' ? count : 0;
  }
}
