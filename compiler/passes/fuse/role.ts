// How fusion sees a node: what it may be joined with follows from this alone.

import type { Node } from '../../ir/node.ts';
import { isScalarName } from '../../ir/opset.ts';
import { rules } from '../../ops/table.ts';

/**
 * leaf: exists before the launch. constant: made anywhere at no cost. elementwise: one value per element (pointwise, view or indexed).
 * barrier: stays outside kernels, reads and leaves stored values.
 */
export type Role = 'leaf' | 'constant' | 'elementwise' | 'reduction' | 'contraction' | 'library' | 'barrier';

export function roleOf({ op }: Node): Role {
  if (op === 'input' || op === 'slot') return 'leaf';
  if (op === 'literal' || op === 'iota' || op === 'size') return 'constant';
  const { kind } = rules[op].lower;
  switch (kind) {
    case 'pointwise':
    case 'view':
    case 'indexed':
      return 'elementwise';
    case 'reduction':
    case 'argReduction':
      return 'reduction';
    case 'contraction':
    case 'library':
      return kind;
    case 'barrier':
    case 'region':
      return 'barrier';
    default:
      return kind satisfies never;
  }
}

/** Computes at each element from the operands at the same element. */
export const isPointwise = (node: Node): boolean => isScalarName(node.op) || node.op === 'cast' || node.op === 'bitcast';
