// Tensor methods: matrix products. What each does in detail is written at its function in functional/linear.ts.
import * as f from '../functional/linear.ts';
import type { Tensor } from '../tensor.ts';
import { IndexMethods } from './index.ts';

export abstract class LinearMethods extends IndexMethods {
  /** Matrix product; leading dimensions broadcast. */
  matmul(this: Tensor, other: Tensor): Tensor {
    return f.matmul(this, other);
  }
  /** Product of two matrices. */
  mm(this: Tensor, other: Tensor): Tensor {
    return f.mm(this, other);
  }
  /** Products of two stacks of matrices. */
  bmm(this: Tensor, other: Tensor): Tensor {
    return f.bmm(this, other);
  }
  /** Matrix times vector. */
  mv(this: Tensor, other: Tensor): Tensor {
    return f.mv(this, other);
  }
  /** Inner product of two vectors. */
  dot(this: Tensor, other: Tensor): Tensor {
    return f.dot(this, other);
  }
  /** Outer product of two vectors. */
  outer(this: Tensor, other: Tensor): Tensor {
    return f.outer(this, other);
  }
}
