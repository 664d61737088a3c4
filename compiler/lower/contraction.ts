// Kernels of the form `contraction`: which of the contractions it is.
import { InternalError } from '../../runtime/errors.ts';
import { nodesOf } from '../ir/node.ts';
import { rules } from '../ops/table.ts';
import { lowerConvolution } from './convolution.ts';
import { lowerDot } from './dot.ts';
import type { Nest } from './nest.ts';
import { elements, type Region } from './region.ts';

export function lowerContraction(nest: Nest, region: Region): void {
  if (elements(region.space) === 0) return;
  const node = nodesOf(region.graph).find((n) => rules[n.op].lower.kind === 'contraction');
  switch (node?.op) {
    case 'dot':
      lowerDot(nest, region, node);
      return;
    case 'conv':
    case 'convInputGrad':
    case 'convWeightGrad':
      lowerConvolution(nest, region, node);
      return;
    default:
      throw new InternalError('a kernel of the form contraction holds none', { op: 'lower' });
  }
}
