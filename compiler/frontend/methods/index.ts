// Tensor methods: indexing. What each does in detail is written at its function in functional/indexing.ts and scatter.ts.
import * as f from '../functional/indexing.ts';
import * as s from '../functional/scatter.ts';
import type { Operand, Scalar } from '../operands.ts';
import type { Tensor } from '../tensor.ts';
import { ShapeMethods } from './shape.ts';

export abstract class IndexMethods extends ShapeMethods {
  /** The part that an index picks, as `x[i, j]` in Python: numbers, range(), null and '...' give a view, tensors and masks a copy. */
  index(this: Tensor, ...at: readonly f.Index[]): Tensor {
    return f.index(this, ...at);
  }
  /** Writes where an index points, as `x[i, j] = value` in Python. */
  indexPut_(this: Tensor, at: readonly f.Index[], value: Operand, options?: Parameters<typeof f.indexPut_>[3]): Tensor {
    return f.indexPut_(this, at, value, options);
  }
  /** One position along `dim`; a view. */
  select(this: Tensor, dim: number, position: number): Tensor {
    return f.select(this, dim, position);
  }
  /** out[i][j] = this[index[i][j]][j] for dim 0. */
  gather(this: Tensor, dim: number, index: Tensor): Tensor {
    return s.gather(this, dim, index);
  }
  /** Slices along `dim` by number. */
  indexSelect(this: Tensor, dim: number, index: Tensor): Tensor {
    return s.indexSelect(this, dim, index);
  }
  /** With `src` written at the positions of `index` along `dim`. */
  scatter(this: Tensor, dim: number, index: Tensor, src: Operand): Tensor {
    return s.scatter(this, dim, index, src);
  }
  /** `scatter` in place. */
  scatter_(this: Tensor, dim: number, index: Tensor, src: Operand): Tensor {
    return s.scatter_(this, dim, index, src);
  }
  /** With `src` added at the positions of `index` along `dim`. */
  scatterAdd(this: Tensor, dim: number, index: Tensor, src: Operand): Tensor {
    return s.scatterAdd(this, dim, index, src);
  }
  /** `scatterAdd` in place. */
  scatterAdd_(this: Tensor, dim: number, index: Tensor, src: Operand): Tensor {
    return s.scatterAdd_(this, dim, index, src);
  }
  /** With `value` where the mask holds. */
  maskedFill(this: Tensor, mask: Tensor, value: Operand): Tensor {
    return f.maskedFill(this, mask, value);
  }
  /** `maskedFill` in place. */
  maskedFill_(this: Tensor, mask: Tensor, value: Operand): Tensor {
    return f.maskedFill_(this, mask, value);
  }
  /** The elements where the mask holds, in order. Observes the mask. */
  maskedSelect(this: Tensor, mask: Tensor): Tensor {
    return f.maskedSelect(this, mask);
  }
  /** Positions of elements that differ from 0. Observes the tensor. */
  nonzero(this: Tensor): Tensor {
    return f.nonzero(this);
  }
  /** Every element set to a number, in place. */
  fill_(this: Tensor, value: Operand): Tensor {
    return f.fill_(this, value);
  }
  /** Every element set to 0, in place. */
  zero_(this: Tensor): Tensor {
    return f.zero_(this);
  }
  /** This where `condition` holds, else `other`. */
  where(this: Tensor, condition: Tensor, other: Operand): Tensor {
    return f.where(condition, this, other);
  }
  /** Along `dim`, the elements at the positions of `index`; both broadcast elsewhere. */
  takeAlongDim(this: Tensor, index: Tensor, dim?: number): Tensor {
    return s.takeAlongDim(this, index, dim);
  }
  /** Elements by position in the flattened tensor. */
  take(this: Tensor, index: Tensor): Tensor {
    return s.take(this, index);
  }
  /** With slices of `source` added along `dim` at the positions of `index`. */
  indexAdd(this: Tensor, dim: number, index: Tensor, source: Tensor, options?: Parameters<typeof s.indexAdd>[4]): Tensor {
    return s.indexAdd(this, dim, index, source, options);
  }
  /** `indexAdd` in place. */
  indexAdd_(this: Tensor, dim: number, index: Tensor, source: Tensor, options?: Parameters<typeof s.indexAdd>[4]): Tensor {
    return s.indexAdd_(this, dim, index, source, options);
  }
  /** With slices of `source` written along `dim` at the positions of `index`. */
  indexCopy(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return s.indexCopy(this, dim, index, source);
  }
  /** `indexCopy` in place. */
  indexCopy_(this: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
    return s.indexCopy_(this, dim, index, source);
  }
  /** With `value` in slices along `dim`. */
  indexFill(this: Tensor, dim: number, index: Tensor, value: Scalar): Tensor {
    return s.indexFill(this, dim, index, value);
  }
  /** `indexFill` in place. */
  indexFill_(this: Tensor, dim: number, index: Tensor, value: Scalar): Tensor {
    return s.indexFill_(this, dim, index, value);
  }
  /** `nonzero`, one row for each position. */
  argwhere(this: Tensor): Tensor {
    return f.nonzero(this);
  }
}
