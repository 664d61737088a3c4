// Tensor methods of arithmetic, comparison and logic. What each does is written at its function in functional/arithmetic.ts.
import * as f from '../functional/arithmetic.ts';
import type { Operand } from '../operands.ts';
import type { Tensor } from '../tensor.ts';
import { ObserveMethods } from './observe.ts';

type Alpha = { readonly alpha?: number };

export abstract class ArithmeticMethods extends ObserveMethods {
  /** this + alpha * other, broadcast and promoted. */
  add(this: Tensor, other: Operand, options?: Alpha): Tensor {
    return f.add(this, other, options);
  }
  /** `add` in place. Throws AutogradError on a leaf that requires grad, ShapeError if the result is larger. */
  add_(this: Tensor, other: Operand, options?: Alpha): Tensor {
    return f.add_(this, other, options);
  }
  /** this - alpha * other. */
  sub(this: Tensor, other: Operand, options?: Alpha): Tensor {
    return f.sub(this, other, options);
  }
  /** `sub` in place. */
  sub_(this: Tensor, other: Operand, options?: Alpha): Tensor {
    return f.sub_(this, other, options);
  }
  /** this * other. */
  mul(this: Tensor, other: Operand): Tensor {
    return f.mul(this, other);
  }
  /** `mul` in place. */
  mul_(this: Tensor, other: Operand): Tensor {
    return f.mul_(this, other);
  }
  /** this / other; integers give float32 unless `roundingMode` is 'floor' or 'trunc'. */
  div(this: Tensor, other: Operand, options?: f.DivOptions): Tensor {
    return f.div(this, other, options);
  }
  /** `div` in place. Throws DTypeError for true division of an integer tensor. */
  div_(this: Tensor, other: Operand, options?: f.DivOptions): Tensor {
    return f.div_(this, other, options);
  }
  /** Quotient rounded to minus infinity, as Python's `//`. */
  floorDivide(this: Tensor, other: Operand): Tensor {
    return f.floorDivide(this, other);
  }
  /** Remainder with the divisor's sign, as Python's `%`. */
  remainder(this: Tensor, other: Operand): Tensor {
    return f.remainder(this, other);
  }
  /** Remainder with the dividend's sign, as C's fmod. */
  fmod(this: Tensor, other: Operand): Tensor {
    return f.fmod(this, other);
  }
  /** this ** exponent. */
  pow(this: Tensor, exponent: Operand): Tensor {
    return f.pow(this, exponent);
  }
  /** `pow` in place. */
  pow_(this: Tensor, exponent: Operand): Tensor {
    return f.pow_(this, exponent);
  }
  /** `floorDivide` in place. */
  floorDivide_(this: Tensor, other: Operand): Tensor {
    return f.floorDivide_(this, other);
  }
  /** `remainder` in place. */
  remainder_(this: Tensor, other: Operand): Tensor {
    return f.remainder_(this, other);
  }
  /** `fmod` in place. */
  fmod_(this: Tensor, other: Operand): Tensor {
    return f.fmod_(this, other);
  }
  /** sqrt(this^2 + other^2), without overflow on the way. */
  hypot(this: Tensor, other: Operand): Tensor {
    return f.hypot(this, other);
  }
  /** log(exp(this) + exp(other)), without overflow. */
  logaddexp(this: Tensor, other: Operand): Tensor {
    return f.logaddexp(this, other);
  }
  /** The size of this with the sign of other. */
  copysign(this: Tensor, other: Operand): Tensor {
    return f.copysign(this, other);
  }
  /** this * log(other), and 0 where this is 0. */
  xlogy(this: Tensor, other: Operand): Tensor {
    return f.xlogy(this, other);
  }
  /** 0, `values` or 1 where this is negative, 0 or positive; no derivative. */
  heaviside(this: Tensor, values: Operand): Tensor {
    return f.heaviside(this, values);
  }
  /** this + weight * (end - this). */
  lerp(this: Tensor, end: Tensor, weight: Operand): Tensor {
    return f.lerp(this, end, weight);
  }
  /** `lerp` in place. */
  lerp_(this: Tensor, end: Tensor, weight: Operand): Tensor {
    return f.lerp_(this, end, weight);
  }
  /** this + value * x * y. */
  addcmul(this: Tensor, x: Tensor, y: Tensor, options?: Parameters<typeof f.addcmul>[3]): Tensor {
    return f.addcmul(this, x, y, options);
  }
  /** `addcmul` in place. */
  addcmul_(this: Tensor, x: Tensor, y: Tensor, options?: Parameters<typeof f.addcmul>[3]): Tensor {
    return f.addcmul_(this, x, y, options);
  }
  /** this + value * x / y. */
  addcdiv(this: Tensor, x: Tensor, y: Tensor, options?: Parameters<typeof f.addcdiv>[3]): Tensor {
    return f.addcdiv(this, x, y, options);
  }
  /** `addcdiv` in place. */
  addcdiv_(this: Tensor, x: Tensor, y: Tensor, options?: Parameters<typeof f.addcdiv>[3]): Tensor {
    return f.addcdiv_(this, x, y, options);
  }
}
