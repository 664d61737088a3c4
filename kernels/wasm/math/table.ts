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
  /**
   * Most units in the last place, fused and mul+add, rounded up. Measured over every float32 where a function is neither constant nor its
   * operand (`test/kernels/wasm/ulp.ts`), but for log, log1p, sigmoid, rsqrt and angles beyond 10^6: every 37th; and functions of two
   * operands: millions. Sigmoid exceeds 2 at some thousand x < 0, where the quotient falls below a power of two and exp's error doubles.
   */
  readonly ulp: readonly [number, number];
};

const unary = (compute: (m: VectorMath, x: Node) => Node, inline: boolean, ulp: Computed['ulp']): Computed => ({
  arity: 1,
  compute: (m, x) => m.f.scope(() => compute(m, m.bind(x!))),
  inline,
  ulp,
});
const binary = (compute: (m: VectorMath, x: Node, y: Node) => Node, inline: boolean, ulp: Computed['ulp']): Computed => ({
  arity: 2,
  compute: (m, x, y) => m.f.scope(() => compute(m, m.bind(x!), m.bind(y!))),
  inline,
  ulp,
});

export const float32 = {
  exp: unary(exp, true, [1.02, 1]),
  exp2: unary(exp2, true, [0.92, 1.2]),
  expm1: unary(expm1, true, [1.48, 1.59]),
  log: unary(log, true, [0.83, 0.83]),
  log2: unary(log2, true, [1.04, 1.2]),
  log10: unary(log10, true, [1, 1.1]),
  log1p: unary(log1p, true, [1.39, 1.39]),
  sin: unary(sin, true, [1.6, 1.6]),
  cos: unary(cos, true, [1.6, 1.6]),
  tan: unary(tan, true, [1.6, 1.5]),
  asin: unary(asin, true, [1.2, 1.2]),
  acos: unary(acos, true, [1.15, 1.15]),
  atan: unary(atan, true, [1.45, 1.52]),
  atan2: binary(atan2, true, [1.7, 1.7]),
  sinh: unary(sinh, true, [1.3, 1.3]),
  cosh: unary(cosh, true, [1.3, 1.3]),
  tanh: unary(tanh, true, [1.85, 1.78]),
  asinh: unary(asinh, false, [1.4, 1.4]),
  acosh: unary(acosh, false, [1.4, 1.4]),
  atanh: unary(atanh, false, [1.4, 1.4]),
  erf: unary(erf, true, [1.14, 1.32]),
  sigmoid: unary(sigmoid, true, [2.41, 2.41]),
  softplus: unary(softplus, false, [1.5, 1.52]),
  pow: binary(pow, false, [0.51, 0.51]),
  rsqrt: unary(rsqrt, true, [1.5, 1.5]),
} as const satisfies { readonly [K in ScalarName]?: Computed };

export type Float32Function = keyof typeof float32;
