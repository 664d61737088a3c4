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
  /** beta * this + alpha * (x @ y). */
  addmm(this: Tensor, x: Tensor, y: Tensor, options?: Parameters<typeof f.addmm>[3]): Tensor {
    return f.addmm(this, x, y, options);
  }
  /** `addmm` for stacks of matrices. */
  baddbmm(this: Tensor, x: Tensor, y: Tensor, options?: Parameters<typeof f.baddbmm>[3]): Tensor {
    return f.baddbmm(this, x, y, options);
  }
  /** Products summed over the last dimensions of both. */
  inner(this: Tensor, other: Tensor): Tensor {
    return f.inner(this, other);
  }
  /** Kronecker product. */
  kron(this: Tensor, other: Tensor): Tensor {
    return f.kron(this, other);
  }
  /** Cross product of vectors of three elements. */
  cross(this: Tensor, other: Tensor, dim?: number): Tensor {
    return f.cross(this, other, dim);
  }
  /** The p-norm of the difference. */
  dist(this: Tensor, other: Tensor, p?: number): Tensor {
    return f.dist(this, other, p);
  }
}
