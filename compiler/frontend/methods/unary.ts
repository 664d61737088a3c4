// Tensor methods: functions of one tensor, element by element. What each does in detail is written at its function in functional/unary.ts.
import * as f from '../functional/unary.ts';
import type { Tensor } from '../tensor.ts';
import { ArithmeticMethods } from './arithmetic.ts';

export abstract class UnaryMethods extends ArithmeticMethods {
  /** e to the power of each element. */
  exp(this: Tensor): Tensor {
    return f.exp(this);
  }
  /** 2 to the power of each element. */
  exp2(this: Tensor): Tensor {
    return f.exp2(this);
  }
  /** exp(x) - 1, exact near 0. */
  expm1(this: Tensor): Tensor {
    return f.expm1(this);
  }
  /** Natural logarithm. */
  log(this: Tensor): Tensor {
    return f.log(this);
  }
  /** Logarithm to base 2. */
  log2(this: Tensor): Tensor {
    return f.log2(this);
  }
  /** Logarithm to base 10. */
  log10(this: Tensor): Tensor {
    return f.log10(this);
  }
  /** log(1 + x), exact near 0. */
  log1p(this: Tensor): Tensor {
    return f.log1p(this);
  }
  /** Square root; NaN of negative numbers. */
  sqrt(this: Tensor): Tensor {
    return f.sqrt(this);
  }
  /** 1 / sqrt(x). */
  rsqrt(this: Tensor): Tensor {
    return f.rsqrt(this);
  }
  /** 1 / x. */
  reciprocal(this: Tensor): Tensor {
    return f.reciprocal(this);
  }
  /** Sine. */
  sin(this: Tensor): Tensor {
    return f.sin(this);
  }
  /** Cosine. */
  cos(this: Tensor): Tensor {
    return f.cos(this);
  }
  /** Tangent. */
  tan(this: Tensor): Tensor {
    return f.tan(this);
  }
  /** Arc sine. */
  asin(this: Tensor): Tensor {
    return f.asin(this);
  }
  /** Arc cosine. */
  acos(this: Tensor): Tensor {
    return f.acos(this);
  }
  /** Arc tangent. */
  atan(this: Tensor): Tensor {
    return f.atan(this);
  }
  /** Hyperbolic sine. */
  sinh(this: Tensor): Tensor {
    return f.sinh(this);
  }
  /** Hyperbolic cosine. */
  cosh(this: Tensor): Tensor {
    return f.cosh(this);
  }
  /** Hyperbolic tangent. */
  tanh(this: Tensor): Tensor {
    return f.tanh(this);
  }
  /** Inverse hyperbolic sine. */
  asinh(this: Tensor): Tensor {
    return f.asinh(this);
  }
  /** Inverse hyperbolic cosine. */
  acosh(this: Tensor): Tensor {
    return f.acosh(this);
  }
  /** Inverse hyperbolic tangent. */
  atanh(this: Tensor): Tensor {
    return f.atanh(this);
  }
  /** Error function. */
  erf(this: Tensor): Tensor {
    return f.erf(this);
  }
  /** 1 - erf(x). */
  erfc(this: Tensor): Tensor {
    return f.erfc(this);
  }
  /** 1 / (1 + exp(-x)). */
  sigmoid(this: Tensor): Tensor {
    return f.sigmoid(this);
  }
  /** -x. */
  neg(this: Tensor): Tensor {
    return f.neg(this);
  }
  /** Absolute value; its gradient at 0 is 0. */
  abs(this: Tensor): Tensor {
    return f.abs(this);
  }
  /** -1, 0 or 1. */
  sign(this: Tensor): Tensor {
    return f.sign(this);
  }
  /** x * x. */
  square(this: Tensor): Tensor {
    return f.square(this);
  }
  /** Rounded down. */
  floor(this: Tensor): Tensor {
    return f.floor(this);
  }
  /** Rounded up. */
  ceil(this: Tensor): Tensor {
    return f.ceil(this);
  }
  /** Rounded toward 0. */
  trunc(this: Tensor): Tensor {
    return f.trunc(this);
  }
  /** Rounded to the nearest, half to even. */
  round(this: Tensor): Tensor {
    return f.round(this);
  }
  /** x - trunc(x). */
  frac(this: Tensor): Tensor {
    return f.frac(this);
  }
  /** Whether an element is NaN. */
  isnan(this: Tensor): Tensor {
    return f.isnan(this);
  }
  /** Whether an element is infinite. */
  isinf(this: Tensor): Tensor {
    return f.isinf(this);
  }
  /** Whether an element is neither infinite nor NaN. */
  isfinite(this: Tensor): Tensor {
    return f.isfinite(this);
  }
  /** `exp` in place. */
  exp_(this: Tensor): Tensor {
    return f.exp_(this);
  }
  /** `log` in place. */
  log_(this: Tensor): Tensor {
    return f.log_(this);
  }
  /** `sqrt` in place. */
  sqrt_(this: Tensor): Tensor {
    return f.sqrt_(this);
  }
  /** `rsqrt` in place. */
  rsqrt_(this: Tensor): Tensor {
    return f.rsqrt_(this);
  }
  /** `sin` in place. */
  sin_(this: Tensor): Tensor {
    return f.sin_(this);
  }
  /** `cos` in place. */
  cos_(this: Tensor): Tensor {
    return f.cos_(this);
  }
  /** `tanh` in place. */
  tanh_(this: Tensor): Tensor {
    return f.tanh_(this);
  }
  /** `sigmoid` in place. */
  sigmoid_(this: Tensor): Tensor {
    return f.sigmoid_(this);
  }
  /** `neg` in place. */
  neg_(this: Tensor): Tensor {
    return f.neg_(this);
  }
  /** `abs` in place. */
  abs_(this: Tensor): Tensor {
    return f.abs_(this);
  }
  /** NaN and infinities replaced by numbers. */
  nanToNum(this: Tensor, options?: Parameters<typeof f.nanToNum>[1]): Tensor {
    return f.nanToNum(this, options);
  }
  /** log(x / (1 - x)); with `eps` x is first held in [eps, 1 - eps]. */
  logit(this: Tensor, eps?: number): Tensor {
    return f.logit(this, eps);
  }
  /** sin(pi x) / (pi x), and 1 at 0. */
  sinc(this: Tensor): Tensor {
    return f.sinc(this);
  }
  /** Degrees to radians. */
  deg2rad(this: Tensor): Tensor {
    return f.deg2rad(this);
  }
  /** Radians to degrees. */
  rad2deg(this: Tensor): Tensor {
    return f.rad2deg(this);
  }
  /** Whether the sign bit is set. */
  signbit(this: Tensor): Tensor {
    return f.signbit(this);
  }
  /** `square` in place. */
  square_(this: Tensor): Tensor {
    return f.square_(this);
  }
  /** `reciprocal` in place. */
  reciprocal_(this: Tensor): Tensor {
    return f.reciprocal_(this);
  }
  /** `floor` in place. */
  floor_(this: Tensor): Tensor {
    return f.floor_(this);
  }
  /** `ceil` in place. */
  ceil_(this: Tensor): Tensor {
    return f.ceil_(this);
  }
  /** `trunc` in place. */
  trunc_(this: Tensor): Tensor {
    return f.trunc_(this);
  }
  /** `round` in place. */
  round_(this: Tensor): Tensor {
    return f.round_(this);
  }
}
