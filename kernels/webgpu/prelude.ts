// Functions that a shader carries with it: what WGSL lacks or leaves too free. Only those that a kernel uses are written into its source.
import { type DivisionName, division } from './math/division.ts';
import { type ExponentialName, exponential } from './math/exponential.ts';
import { type Int64Name, int64 } from './math/int64.ts';
import { type LogarithmName, logarithm } from './math/logarithm.ts';
import { type TrigonometryName, trigonometry } from './math/trigonometry.ts';

export type Helper = { readonly text: string; readonly uses?: readonly HelperName[] };
type OwnName =
  | 'is_nan'
  | 'nan'
  | 'runtime_f32'
  | 'runtime_i32'
  | 'minimum'
  | 'maximum'
  | 'sign_of'
  | 'to_i32'
  | 'divisor'
  | 'floor_divide_i32'
  | 'floor_remainder_i32'
  | 'power_i32'
  | 'threefry'
  | 'fail'
  | 'check';
export type HelperName = OwnName | DivisionName | ExponentialName | Int64Name | LogarithmName | TrigonometryName;

const own: Readonly<Record<OwnName, Helper>> = {
  // Compilers may assume that there are no NaNs, but not what bits mean.
  is_nan: { text: 'fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }' },
  nan: {
    text: `
fn nan() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}`,
  },
  // What is computed of constants alone would be refused where it overflows; a call is no constant.
  runtime_f32: {
    text: `
fn runtime_f32(bits: u32) -> f32 {
  var b = bits;
  return bitcast<f32>(b);
}`,
  },
  runtime_i32: {
    text: `
fn runtime_i32(value: i32) -> i32 {
  var v = value;
  return v;
}`,
  },
  minimum: {
    text: `
fn minimum(x: f32, y: f32) -> f32 {
  return select(select(select(y, x, x < y), y, is_nan(y)), x, is_nan(x));
}`,
    uses: ['is_nan'],
  },
  maximum: {
    text: `
fn maximum(x: f32, y: f32) -> f32 {
  return select(select(select(y, x, x > y), y, is_nan(y)), x, is_nan(x));
}`,
    uses: ['is_nan'],
  },
  sign_of: { text: 'fn sign_of(x: f32) -> f32 { return select(select(0f, -1f, x < 0f), 1f, x > 0f); }' },
  // Truncates; what is out of range wraps around, and NaN and infinities give 0.
  to_i32: {
    text: `
fn to_i32(x: f32) -> i32 {
  let bits = bitcast<u32>(x);
  let exponent = i32((bits >> 23u) & 255u) - 150;
  if (exponent < 8) { return i32(x); }
  let magnitude = select(0u, ((bits & 0x7fffffu) | 0x800000u) << (u32(exponent) & 31u), exponent < 32);
  return bitcast<i32>(select(magnitude, 0u - magnitude, (bits >> 31u) == 1u));
}`,
  },
  divisor: {
    text: `
fn divisor(y: i32, failure: u32) -> i32 {
  if (y == 0) { fail(failure, vec2(0u)); }
  return select(y, 1, y == 0);
}`,
    uses: ['fail'],
  },
  floor_divide_i32: {
    text: `
fn floor_divide_i32(x: i32, y: i32) -> i32 {
  return x / y - select(0, 1, x % y != 0 && (x < 0) != (y < 0));
}`,
  },
  floor_remainder_i32: {
    text: `
fn floor_remainder_i32(x: i32, y: i32) -> i32 {
  let r = x % y;
  return r + select(0, y, r != 0 && (r < 0) != (y < 0));
}`,
  },
  power_i32: {
    text: `
fn power_i32(x: i32, y: i32) -> i32 {
  if (y < 0) { return select(select(0, 1 - 2 * (y & 1), x == -1), 1, x == 1); }
  var result = 1;
  var base = x;
  for (var n = y; n > 0; n >>= 1u) {
    if ((n & 1) == 1) { result *= base; }
    base *= base;
  }
  return result;
}`,
  },
  // Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
  threefry: {
    text: `
fn threefry_four(state: vec2<u32>, r: vec4<u32>, k0: u32, k1: u32) -> vec2<u32> {
  var a = state.x;
  var b = state.y;
  for (var i = 0; i < 4; i++) {
    a += b;
    b = ((b << r[i]) | (b >> (32u - r[i]))) ^ a;
  }
  return vec2(a + k0, b + k1);
}
fn threefry(key: i32, stream: i32, index: i32) -> i32 {
  let k = bitcast<u32>(key);
  let s = bitcast<u32>(stream);
  let third = 0x1bd11bdau ^ k ^ s;
  let first = vec4(13u, 15u, 26u, 6u);
  let second = vec4(17u, 29u, 16u, 24u);
  var state = vec2(bitcast<u32>(index) + k, s);
  state = threefry_four(state, first, s, third + 1u);
  state = threefry_four(state, second, third, k + 2u);
  state = threefry_four(state, first, k, s + 3u);
  state = threefry_four(state, second, s, third + 4u);
  state = threefry_four(state, first, third, k + 5u);
  return bitcast<i32>(state.x);
}`,
  },
  // The first failure of all is kept, whoever comes first.
  fail: {
    text: `
fn fail(failure: u32, value: vec2<u32>) {
  if (!atomicCompareExchangeWeak(&status[0], 0u, launch.failures + failure).exchanged) { return; }
  atomicStore(&status[1], value.x);
  atomicStore(&status[2], value.y);
}`,
  },
  check: {
    text: `
fn check(value: i32, below: i32, failure: u32) {
  if (value < 0 || value >= below) { fail(failure, vec2(bitcast<u32>(value), bitcast<u32>(value >> 31u))); }
}`,
    uses: ['fail'],
  },
};

const helpers: Readonly<Record<HelperName, Helper>> = { ...own, ...division, ...exponential, ...int64, ...logarithm, ...trigonometry };
export const helperNames = Object.keys(helpers) as readonly HelperName[];

/** The functions named and what they call. WGSL does not mind the order. */
export function preludeOf(names: Iterable<HelperName>): readonly string[] {
  const wanted = new Set(names);
  for (const name of wanted) for (const used of helpers[name].uses ?? []) wanted.add(used);
  return helperNames.filter((name) => wanted.has(name)).map((name) => helpers[name].text.trim());
}
