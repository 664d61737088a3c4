// Tensor methods: comparison, logic and bits. What each does in detail is written at its function in functional/arithmetic.ts.
import * as f from '../functional/arithmetic.ts';
import type { Operand } from '../operands.ts';
import type { Tensor } from '../tensor.ts';
import { UnaryMethods } from './unary.ts';

export abstract class ComparisonMethods extends UnaryMethods {
  /** Whether elements are equal. */
  eq(this: Tensor, other: Operand): Tensor {
    return f.eq(this, other);
  }
  /** Whether elements differ. */
  ne(this: Tensor, other: Operand): Tensor {
    return f.ne(this, other);
  }
  /** this < other. */
  lt(this: Tensor, other: Operand): Tensor {
    return f.lt(this, other);
  }
  /** this <= other. */
  le(this: Tensor, other: Operand): Tensor {
    return f.le(this, other);
  }
  /** this > other. */
  gt(this: Tensor, other: Operand): Tensor {
    return f.gt(this, other);
  }
  /** this >= other. */
  ge(this: Tensor, other: Operand): Tensor {
    return f.ge(this, other);
  }
  /** The larger of each pair; NaN wins. */
  maximum(this: Tensor, other: Operand): Tensor {
    return f.maximum(this, other);
  }
  /** The smaller of each pair; NaN wins. */
  minimum(this: Tensor, other: Operand): Tensor {
    return f.minimum(this, other);
  }
  /** Angle of the point (other, this). */
  atan2(this: Tensor, other: Operand): Tensor {
    return f.atan2(this, other);
  }
  /** Whether both differ from 0. */
  logicalAnd(this: Tensor, other: Operand): Tensor {
    return f.logicalAnd(this, other);
  }
  /** Whether either differs from 0. */
  logicalOr(this: Tensor, other: Operand): Tensor {
    return f.logicalOr(this, other);
  }
  /** Whether exactly one differs from 0. */
  logicalXor(this: Tensor, other: Operand): Tensor {
    return f.logicalXor(this, other);
  }
  /** Bits set in both. */
  bitwiseAnd(this: Tensor, other: Operand): Tensor {
    return f.bitwiseAnd(this, other);
  }
  /** Bits set in either. */
  bitwiseOr(this: Tensor, other: Operand): Tensor {
    return f.bitwiseOr(this, other);
  }
  /** Bits set in exactly one. */
  bitwiseXor(this: Tensor, other: Operand): Tensor {
    return f.bitwiseXor(this, other);
  }
  /** Bits moved up. */
  bitwiseLeftShift(this: Tensor, other: Operand): Tensor {
    return f.bitwiseLeftShift(this, other);
  }
  /** Bits moved down; the sign stays. */
  bitwiseRightShift(this: Tensor, other: Operand): Tensor {
    return f.bitwiseRightShift(this, other);
  }
  /** Whether an element is 0. */
  logicalNot(this: Tensor): Tensor {
    return f.logicalNot(this);
  }
  /** All bits turned over. */
  bitwiseNot(this: Tensor): Tensor {
    return f.bitwiseNot(this);
  }
  /** The larger of each pair; a NaN gives way. */
  fmax(this: Tensor, other: Operand): Tensor {
    return f.fmax(this, other);
  }
  /** The smaller of each pair; a NaN gives way. */
  fmin(this: Tensor, other: Operand): Tensor {
    return f.fmin(this, other);
  }
  /** Whether elements differ by no more than atol + rtol |other|. */
  isclose(this: Tensor, other: Tensor, options?: f.Closeness): Tensor {
    return f.isclose(this, other, options);
  }
  /** Whether all elements are close. Observes both. */
  allclose(this: Tensor, other: Tensor, options?: f.Closeness): boolean {
    return f.allclose(this, other, options);
  }
  /** Whether shape and all elements are equal. Observes both. */
  equal(this: Tensor, other: Tensor): boolean {
    return f.equal(this, other);
  }
}
