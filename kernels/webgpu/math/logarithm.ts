// log, its relatives, the inverse hyperbolic functions and pow in WGSL, right whether or not a product and a sum are fused into one.
import type { Helper } from '../prelude.ts';
import { exp2Coefficients, f, ln2High, ln2Low, polynomial } from './coefficients.ts';

export type LogarithmName =
  | 'log_parts'
  | 'log_of'
  | 'log_special'
  | 'log_f32'
  | 'log_base'
  | 'log2_f32'
  | 'log10_f32'
  | 'log1p_split'
  | 'log1p_f32'
  | 'asinh_f32'
  | 'acosh_f32'
  | 'atanh_f32'
  | 'two_product'
  | 'pow_f32';

/** log(1+f) = f - f²/2 + f³ q(f) for sqrt(1/2) <= 1+f < sqrt(2). */
const logCoefficients = [
  0.333333135, -0.250000149, 0.200020298, -0.166678876, 0.14221473, -0.12406341, 0.118732922, -0.11672812, 0.0678212047,
];
/** log2((1+s) / (1-s)) = s (c + s² q(s²)) with c = 2 / ln 2. */
const logQuotient = [0.9617966941135083, 0.5770779423272321, 0.4122092558659273, 0.31990555833110346, 0.28290210554552003];
const twoOverLn2 = 2.885390081777927;
const twoOverLn2High = Math.fround(twoOverLn2);

export const logarithm: Readonly<Record<LogarithmName, Helper>> = {
  // A positive, finite number as 2^e (1+f); .x is e, .y is f. Subnormal numbers are read as the integers that their bits are.
  log_parts: {
    text: `
fn log_parts(x: f32) -> vec2<f32> {
  let bits = bitcast<u32>(x);
  let is_subnormal = bits < 0x00800000u;
  let normal = select(bits, bitcast<u32>(f32(bits)), is_subnormal);
  let exponent = (bitcast<i32>(normal) - 0x3f3504f3) >> 23u;
  let f = bitcast<f32>(bitcast<i32>(normal) - (exponent << 23u)) - 1f;
  return vec2(f32(exponent - select(0, 149, is_subnormal)), f);
}`,
  },
  log_of: {
    text: `
fn log_of(e: f32, f: f32, extra: f32) -> f32 {
  let f2 = f * f;
  let small = e * ${f(ln2Low)} + (f2 * f * (${polynomial('f', logCoefficients)}) + extra);
  return e * ${f(ln2High)} + (f + (f2 * -0.5f + small));
}`,
  },
  // Infinity and NaN as they are; -Infinity at 0 and NaN below it.
  log_special: {
    text: `
fn log_special(y: f32, x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if (bits - 1u < 0x7f7fffffu) { return y; }
  if ((bits & 0x7fffffffu) == 0u) { return runtime_f32(0xff800000u); }
  return select(x, nan(), (bits >> 31u) == 1u);
}`,
    uses: ['runtime_f32', 'nan'],
  },
  log_f32: {
    text: `
fn log_f32(x: f32) -> f32 {
  let p = log_parts(x);
  return log_special(log_of(p.x, p.y, 0f), x);
}`,
    uses: ['log_parts', 'log_of', 'log_special'],
  },
  // f (high + low) - f²..., where the product of \`high\`, of 11 bits, with the leading bits of f is exact.
  log_base: {
    text: `
fn log_base(f: f32, high: f32, low: f32) -> f32 {
  let leading = bitcast<f32>(bitcast<u32>(f) & 0xfffff000u);
  let tail = (${polynomial('f', [-0.5, ...logCoefficients])}) * (high + low);
  return leading * high + (f * low + ((f - leading) * high + f * f * tail));
}`,
  },
  log2_f32: {
    text: `
fn log2_f32(x: f32) -> f32 {
  let p = log_parts(x);
  return log_special(p.x + log_base(p.y, 1.4423828125f, ${f(Math.LOG2E - 1.4423828125)}), x);
}`,
    uses: ['log_parts', 'log_base', 'log_special'],
  },
  log10_f32: {
    text: `
fn log10_f32(x: f32) -> f32 {
  let p = log_parts(x);
  let fraction = log_base(p.y, 0.43408203125f, ${f(Math.LOG10E - 0.43408203125)}) + p.x * ${f(0.3010299956639812 - 0.301025390625)};
  return log_special(p.x * 0.301025390625f + fraction, x);
}`,
    uses: ['log_parts', 'log_base', 'log_special'],
  },
  // log(1 + x + low), where \`low\` is below the last bit of x.
  log1p_split: {
    text: `
fn log1p_split(x: f32, low: f32) -> f32 {
  let u = x + 1f;
  let exponent = (bitcast<i32>(u) - 0x3f3504f3) & -8388608;
  // 4 2^-e, which is normal up to e = 128. x 2^-e is exact, so f is rounded once.
  let quadruple = bitcast<f32>(0x40800000 - exponent);
  let f = x * quadruple * 0.25f + (quadruple * 0.25f - 1f);
  return log_special(log_of(f32(exponent >> 23u), f, low / u), u);
}`,
    uses: ['log_of', 'log_special'],
  },
  log1p_f32: {
    text: `
fn log1p_f32(x: f32) -> f32 { return select(with_sign(log1p_split(x, 0f), x), x, is_nan(x)); }`,
    uses: ['log1p_split', 'with_sign', 'is_nan'],
  },
  asinh_f32: {
    text: `
fn asinh_f32(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x) || a < 2.44140625e-4f) { return x - x * x * x * ${f(1 / 6)}; }
  if (a > 1e9f) { return with_sign(log_f32(a) + ${f(Math.LN2)}, x); }
  let square = a * a;
  return with_sign(log1p_split(a + square / (1f + sqrt(1f + square)), 0f), x);
}`,
    uses: ['is_nan', 'log_f32', 'log1p_split', 'with_sign'],
  },
  acosh_f32: {
    text: `
fn acosh_f32(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  if (x < 1f) { return nan(); }
  if (x > 1e9f) { return log_f32(x) + ${f(Math.LN2)}; }
  let t = x - 1f;
  return log1p_split(t + sqrt(t * (x + 1f)), 0f);
}`,
    uses: ['is_nan', 'nan', 'log_f32', 'log1p_split'],
  },
  atanh_f32: {
    text: `
fn atanh_f32(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x)) { return x; }
  let twice = a + a;
  let argument = select(twice / (1f - a), twice + twice * a / (1f - a), a < 0.5f);
  return with_sign(0.5f * log1p_f32(argument), x);
}`,
    uses: ['is_nan', 'log1p_f32', 'with_sign'],
  },
  // x y as a float and what that lacks (Dekker 1971).
  two_product: {
    text: `
fn two_product(x: f32, y: f32) -> vec2<f32> {
  let p = x * y;
  let xh = bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
  let yh = bitcast<f32>(bitcast<u32>(y) & 0xfffff000u);
  let xl = x - xh;
  let yl = y - yh;
  return vec2(p, ((xh * yh - p) + xh * yl + xl * yh) + xl * yl);
}`,
  },
  // 2 to the power of y log2(x), with the logarithm in two floats. As IEEE 754 has it: 1 ** y and x ** 0 are 1, even for NaN.
  pow_f32: {
    text: `
fn pow_f32(x: f32, y: f32) -> f32 {
  if (x == 1f || y == 0f) { return 1f; }
  if (is_nan(x) || is_nan(y)) { return nan(); }
  let a = abs(x);
  // From 2^24 on every float is an even integer.
  let is_integer = trunc(y) == y;
  let is_odd = is_integer && abs(y) < 16777216f && (i32(y) & 1) == 1;
  let bits = bitcast<u32>(a);
  var magnitude = 0f;
  if (a == 1f) {
    magnitude = 1f;
  } else if (bits == 0u || bits == 0x7f800000u) {
    magnitude = select(0f, runtime_f32(0x7f800000u), (bits == 0u) == (y < 0f));
  } else {
    let p = log_parts(a);
    let s = p.y / (p.y + 2f);
    let d = p.y + 2f;
    let back = two_product(s, d);
    let s_low = (((p.y - back.x) - back.y) - s * (p.y - (d - 2f))) / d;
    let square = s * s;
    let main = two_product(s, ${f(twoOverLn2High)});
    let small = main.y + (s * ${f(twoOverLn2 - twoOverLn2High)} + (s_low * ${f(twoOverLn2High)} + s * square * (${polynomial('square', logQuotient)})));
    // The exponent is 0, or larger than the rest.
    let log_high = p.x + main.x;
    let log_low = ((p.x - log_high) + main.x) + small;
    let rounded = y * log_high;
    if (abs(rounded) > 160f) {
      magnitude = select(0f, runtime_f32(0x7f800000u), rounded > 0f);
    } else {
      let z = two_product(y, log_high);
      let n = round(z.x);
      let r = (z.x - n) + (z.y + y * log_low);
      magnitude = scale((${polynomial('r', exp2Coefficients)}) * r + 1f, i32(n));
    }
  }
  if (x < 0f && !is_integer && bits != 0x7f800000u) { return nan(); }
  return select(magnitude, with_sign(magnitude, x), is_odd);
}`,
    uses: ['is_nan', 'nan', 'runtime_f32', 'log_parts', 'two_product', 'scale', 'with_sign'],
  },
};
