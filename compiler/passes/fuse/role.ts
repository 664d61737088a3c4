// How fusion sees a node: what it may be joined with follows from this alone.
import type { Node } from '../../ir/node.ts';
import { isScalarName, type StructuralName } from '../../ir/opset.ts';

/**
 * leaf: exists before the launch. constant: made anywhere at no cost. elementwise: one value per element (pointwise, view or indexed).
 * barrier: stays outside kernels, reads and leaves stored values.
 */
export type Role = 'leaf' | 'constant' | 'elementwise' | 'reduction' | 'contraction' | 'library' | 'barrier';

const roles: Readonly<Record<StructuralName, Role>> = {
  ...{ input: 'leaf', slot: 'leaf', literal: 'constant', iota: 'constant', randomBits: 'elementwise' },
  ...{ sum: 'reduction', prod: 'reduction', amax: 'reduction', amin: 'reduction', argmax: 'reduction', argmin: 'reduction' },
  ...{ reshape: 'elementwise', permute: 'elementwise', expand: 'elementwise', pad: 'elementwise', slice: 'elementwise' },
  ...{ flip: 'elementwise', concat: 'elementwise', cast: 'elementwise', bitcast: 'elementwise', gather: 'elementwise' },
  ...{ dot: 'contraction', conv: 'contraction', convInputGrad: 'contraction', convWeightGrad: 'contraction' },
  ...{ scatterAdd: 'library', scatterSet: 'library', cumsum: 'library', cumprod: 'library', sort: 'library', topk: 'library' },
  ...{ cond: 'barrier', whileLoop: 'barrier', scan: 'barrier', composite: 'barrier', kernel: 'barrier' },
};

export const roleOf = (node: Node): Role => (isScalarName(node.op) ? 'elementwise' : roles[node.op]);

/** Computes at each element from the operands at the same element. */
export const isPointwise = (node: Node): boolean => isScalarName(node.op) || node.op === 'cast' || node.op === 'bitcast';
