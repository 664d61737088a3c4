// Tensor methods: activations. What each does in detail is written at its function in functional/activation.ts.
import * as f from '../functional/activation.ts';
import type { Operand } from '../operands.ts';
import type { Tensor } from '../tensor.ts';
import { LinearMethods } from './linear.ts';

export abstract class ActivationMethods extends LinearMethods {
  /** max(x, 0). */
  relu(this: Tensor): Tensor {
    return f.relu(this);
  }
  /** `relu` in place. */
  relu_(this: Tensor): Tensor {
    return f.relu_(this);
  }
  /** Exponentials scaled to sum to 1 along `dim`. */
  softmax(this: Tensor, dim: number, options?: Parameters<typeof f.softmax>[2]): Tensor {
    return f.softmax(this, dim, options);
  }
  /** Logarithm of softmax along `dim`. */
  logSoftmax(this: Tensor, dim: number, options?: Parameters<typeof f.logSoftmax>[2]): Tensor {
    return f.logSoftmax(this, dim, options);
  }
  /** Held between bounds; the gradient at a bound is 0. */
  clamp(this: Tensor, low?: Operand | null, high?: Operand | null): Tensor {
    return f.clamp(this, low, high);
  }
  /** `clamp` in place. */
  clamp_(this: Tensor, low?: Operand | null, high?: Operand | null): Tensor {
    return f.clamp_(this, low, high);
  }
}
