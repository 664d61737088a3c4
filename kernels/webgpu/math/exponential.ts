// exp, its relatives and erf in WGSL: the polynomials of the WebAssembly target, with reductions that stay right whether or not a product
// and a sum are fused into one. The built-in ones promise too little, tanh of large values and exp near overflow above all.
import type { Helper } from '../prelude.ts';
import { exp2Coefficients, f, ln2High, ln2Low, polynomial } from './coefficients.ts';

export type ExponentialName =
  | 'scale'
  | 'with_sign'
  | 'expm1_reduced'
  | 'exp_reduced'
  | 'exp_f32'
  | 'exp2_f32'
  | 'expm1_f32'
  | 'sinh_f32'
  | 'cosh_f32'
  | 'tanh_f32'
  | 'sigmoid_f32'
  | 'softplus_f32'
  | 'erf_f32';

/** exp(r) = 1 + r + r² q(r) for |r| <= ln2 / 2. */
const expCoefficients = [0.49999994, 0.16666517, 0.0416681021, 0.00836916547, 0.00138380029];
const sinhCoefficients = [0.16666667, 0.00833331514, 0.000198416645, 2.7899996e-6];
const tanhCoefficients = [-0.333332807, 0.133314058, -0.0537365153, 0.0206281673, -0.00569229666];
const erfNearZero = [0.128379166, -0.37612626, 0.112835787, -0.0268533472, 0.0051871622, -0.00079978531, 7.80690389e-5];
const erfTail = [-4.62492317e-4, -1.62616491, -0.920457184, -0.148912206, 0.0315799379, -0.004270487, 2.70647957e-4];

export const exponential: Readonly<Record<ExponentialName, Helper>> = {
  // y 2^n in two steps, so that subnormal and infinite results come of themselves.
  scale: {
    text: `
fn scale(y: f32, n: i32) -> f32 {
  let half = n >> 1u;
  return y * bitcast<f32>((half + 127) << 23u) * bitcast<f32>((n - half + 127) << 23u);
}`,
  },
  with_sign: {
    text: `
fn with_sign(magnitude: f32, x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(magnitude) | (bitcast<u32>(x) & 0x80000000u));
}`,
  },
  // exp(r) - 1 on the reduced range.
  expm1_reduced: {
    text: `
fn expm1_reduced(r: f32) -> f32 {
  return r * r * (${polynomial('r', expCoefficients)}) + r;
}`,
  },
  // x = n ln2 + r; .x is n, .y is r.
  exp_reduced: {
    text: `
fn exp_reduced(x: f32) -> vec2<f32> {
  let n = round(x * ${f(Math.LOG2E)});
  return vec2(n, (x - n * ${f(ln2High)}) - n * ${f(ln2Low)});
}`,
  },
  exp_f32: {
    text: `
fn exp_f32(x: f32) -> f32 {
  let p = exp_reduced(clamp(x, -104.5f, 89.5f));
  return select(scale(expm1_reduced(p.y) + 1f, i32(p.x)), x, is_nan(x));
}`,
    uses: ['exp_reduced', 'expm1_reduced', 'scale', 'is_nan'],
  },
  exp2_f32: {
    text: `
fn exp2_f32(x: f32) -> f32 {
  let z = clamp(x, -151f, 129f);
  let n = round(z);
  let r = z - n;
  return select(scale((${polynomial('r', exp2Coefficients)}) * r + 1f, i32(n)), x, is_nan(x));
}`,
    uses: ['scale', 'is_nan'],
  },
  expm1_f32: {
    text: `
fn expm1_f32(x: f32) -> f32 {
  let p = exp_reduced(clamp(x, -20f, 89f));
  // Half the power and half the result, so that n = 128 stays finite.
  let half = bitcast<f32>((i32(p.x) + 126) << 23u);
  let y = expm1_reduced(p.y) * half + (half - 0.5f);
  // Of tiny numbers the half may be lost, where subnormal numbers count as zeros.
  return select(with_sign(y + y, x), x, is_nan(x) || abs(x) < 1e-10f);
}`,
    uses: ['exp_reduced', 'expm1_reduced', 'with_sign', 'is_nan'],
  },
  sinh_f32: {
    text: `
fn sinh_f32(x: f32) -> f32 {
  let a = abs(x);
  let square = a * a;
  if (a < 1f) { return with_sign(a * square * (${polynomial('square', sinhCoefficients)}) + a, x); }
  let p = exp_reduced(min(a, 89.5f));
  let power = bitcast<f32>((i32(p.x) + 125) << 23u);
  let rest = power * expm1_reduced(p.y);
  let half = power + (rest - 0.0625f / (power + rest));
  return select(with_sign(half + half, x), x, is_nan(x));
}`,
    uses: ['exp_reduced', 'expm1_reduced', 'with_sign', 'is_nan'],
  },
  cosh_f32: {
    text: `
fn cosh_f32(x: f32) -> f32 {
  let p = exp_reduced(min(abs(x), 89.5f));
  let power = bitcast<f32>((i32(p.x) + 125) << 23u);
  let rest = power * expm1_reduced(p.y);
  let half = power + (rest + 0.0625f / (power + rest));
  return select(half + half, x, is_nan(x));
}`,
    uses: ['exp_reduced', 'expm1_reduced', 'is_nan'],
  },
  tanh_f32: {
    text: `
fn tanh_f32(x: f32) -> f32 {
  let a = abs(x);
  let square = x * x;
  let small = a * square * (${polynomial('square', tanhCoefficients)}) + a;
  // From 10.4 on the result is 1.
  let large = 1f - 2f / (exp2_f32(min(a * ${f(2 * Math.LOG2E)}, 30f)) + 1f);
  return select(with_sign(select(large, small, a < 0.55f), x), x, is_nan(x));
}`,
    uses: ['exp2_f32', 'with_sign', 'is_nan'],
  },
  sigmoid_f32: {
    text: `
fn sigmoid_f32(x: f32) -> f32 {
  let e = exp_f32(-abs(x));
  return select(1f, e, x < 0f) / (e + 1f);
}`,
    uses: ['exp_f32'],
  },
  // log(1 + exp x) = max(x, 0) + log1p(exp(-|x|)); what rounding takes from the power is given to log1p as well.
  softplus_f32: {
    text: `
fn softplus_f32(x: f32) -> f32 {
  let p = exp_reduced(max(-abs(x), -104.5f));
  let tail = expm1_reduced(p.y);
  let sum = tail + 1f;
  let n = i32(p.x);
  let y = max(x, 0f) + log1p_split(scale(sum, n), scale(tail + (1f - sum), n));
  return select(y, x, is_nan(x));
}`,
    uses: ['exp_reduced', 'expm1_reduced', 'scale', 'log1p_split', 'is_nan'],
  },
  erf_f32: {
    text: `
fn erf_f32(x: f32) -> f32 {
  let a = min(abs(x), 4f);
  let square = a * a;
  // Of tiny numbers an eighth may be lost, where subnormal numbers count as zeros.
  let small = select((${polynomial('square', erfNearZero)}) * a + a, a * ${f(2 / Math.sqrt(Math.PI))}, a < 1e-10f);
  let large = 1f - exp2_f32(${polynomial('a', erfTail)});
  return select(with_sign(select(large, small, a < 1f), x), x, is_nan(x));
}`,
    uses: ['exp2_f32', 'with_sign', 'is_nan'],
  },
};
