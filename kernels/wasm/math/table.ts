// The float32 functions by name, and whether each is better written out in a loop or called.

import type { ScalarName } from '../../scalar.ts';
import type { Node } from '../function.ts';
import { erf } from './error-function.ts';
import { exp, exp2, expm1 } from './exponential.ts';
import { cosh, sigmoid, sinh, softplus, tanh } from './hyperbolic.ts';
import { acos, asin, atan, atan2 } from './inverse-trigonometric.ts';
import { acosh, asinh, atanh, log, log1p, log2, log10 } from './logarithm.ts';
import { pow, rsqrt } from './power.ts';
import { cos, sin, tan } from './trigonometric.ts';
import type { VectorMath } from './vector-math.ts';

export type Computed = {
  readonly arity: 1 | 2;
  /** Takes operands as they come, and gives a value that is bound. */
  readonly compute: (m: VectorMath, ...x: Node[]) => Node;
  /**
   * Whether it is written out where it is used. A call costs 0.7 to 1 ns an element, most of it for constants that every call sets anew:
   * as much as exp itself, but a tenth to a fifth of the dear ones, whose code is long.
   */
  readonly inline: boolean;
};

const unary = (compute: (m: VectorMath, x: Node) => Node, inline: boolean): Computed => ({
  arity: 1,
  compute: (m, x) => m.f.scope(() => compute(m, m.bind(x!))),
  inline,
});
const binary = (compute: (m: VectorMath, x: Node, y: Node) => Node, inline: boolean): Computed => ({
  arity: 2,
  compute: (m, x, y) => m.f.scope(() => compute(m, m.bind(x!), m.bind(y!))),
  inline,
});

export const float32 = {
  exp: unary(exp, true),
  exp2: unary(exp2, true),
  expm1: unary(expm1, true),
  log: unary(log, true),
  log2: unary(log2, true),
  log10: unary(log10, true),
  log1p: unary(log1p, true),
  sin: unary(sin, true),
  cos: unary(cos, true),
  tan: unary(tan, true),
  asin: unary(asin, true),
  acos: unary(acos, true),
  atan: unary(atan, true),
  atan2: binary(atan2, true),
  sinh: unary(sinh, true),
  cosh: unary(cosh, true),
  tanh: unary(tanh, true),
  asinh: unary(asinh, false),
  acosh: unary(acosh, false),
  atanh: unary(atanh, false),
  erf: unary(erf, true),
  sigmoid: unary(sigmoid, true),
  softplus: unary(softplus, false),
  pow: binary(pow, false),
  rsqrt: unary(rsqrt, true),
} as const satisfies { readonly [K in ScalarName]?: Computed };

export type Float32Function = keyof typeof float32;
