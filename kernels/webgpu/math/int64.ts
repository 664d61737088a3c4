// 64-bit integers in WGSL, which has none: two words, the low one first, in two's complement, as memory has them.
import type { Helper } from '../prelude.ts';

export type Int64Name =
  | 'to_i64'
  | 'f32_to_i64'
  | 'i64_to_f32'
  | 'add_i64'
  | 'sub_i64'
  | 'neg_i64'
  | 'wide_product'
  | 'mul_i64'
  | 'shl_i64'
  | 'shr_i64'
  | 'lt_i64'
  | 'min_i64'
  | 'max_i64'
  | 'abs_i64'
  | 'sign_i64'
  | 'pow_i64'
  | 'less_u64'
  | 'divide_u64'
  | 'fmod_i64'
  | 'floor_divide_i64'
  | 'floor_remainder_i64'
  | 'divisor_i64'
  | 'check_i64';

export const int64: Readonly<Record<Int64Name, Helper>> = {
  to_i64: { text: 'fn to_i64(x: i32) -> vec2<u32> { return vec2(bitcast<u32>(x), bitcast<u32>(x >> 31u)); }' },
  // Truncates; what is out of range wraps around, and NaN and infinities give 0.
  f32_to_i64: {
    text: `
fn f32_to_i64(x: f32) -> vec2<u32> {
  let bits = bitcast<u32>(x);
  let exponent = i32((bits >> 23u) & 255u) - 150;
  if (exponent < 8) { return to_i64(i32(x)); }
  if (exponent > 63) { return vec2(0u); }
  let magnitude = shl_i64(vec2((bits & 0x7fffffu) | 0x800000u, 0u), vec2(u32(exponent), 0u));
  return select(magnitude, neg_i64(magnitude), (bits >> 31u) == 1u);
}`,
    uses: ['to_i64', 'shl_i64', 'neg_i64'],
  },
  // To the nearest: what is shifted out below the first 32 bits only matters where it breaks a tie, which the last bit then tells.
  i64_to_f32: {
    text: `
fn i64_to_f32(x: vec2<u32>) -> f32 {
  let is_negative = (x.y >> 31u) == 1u;
  let magnitude = select(x, neg_i64(x), is_negative);
  var result = f32(magnitude.x);
  if (magnitude.y != 0u) {
    let room = countLeadingZeros(magnitude.y);
    let shifted = shl_i64(magnitude, vec2(room, 0u));
    result = scale(f32(shifted.y | select(0u, 1u, shifted.x != 0u)), 32 - i32(room));
  }
  return select(result, -result, is_negative);
}`,
    uses: ['neg_i64', 'shl_i64', 'scale'],
  },
  add_i64: {
    text: `
fn add_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> {
  let low = x.x + y.x;
  return vec2(low, x.y + y.y + select(0u, 1u, low < x.x));
}`,
  },
  sub_i64: {
    text: 'fn sub_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> { return vec2(x.x - y.x, x.y - y.y - select(0u, 1u, x.x < y.x)); }',
  },
  neg_i64: { text: 'fn neg_i64(x: vec2<u32>) -> vec2<u32> { return vec2(0u - x.x, ~x.y + select(0u, 1u, x.x == 0u)); }' },
  wide_product: {
    text: `
fn wide_product(x: u32, y: u32) -> vec2<u32> {
  let low = (x & 0xffffu) * (y & 0xffffu);
  let one = (x & 0xffffu) * (y >> 16u);
  let other = (x >> 16u) * (y & 0xffffu);
  let middle = (low >> 16u) + (one & 0xffffu) + (other & 0xffffu);
  return vec2((low & 0xffffu) | (middle << 16u), (x >> 16u) * (y >> 16u) + (one >> 16u) + (other >> 16u) + (middle >> 16u));
}`,
  },
  mul_i64: {
    text: `
fn mul_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> {
  let low = wide_product(x.x, y.x);
  return vec2(low.x, low.y + x.x * y.y + x.y * y.x);
}`,
    uses: ['wide_product'],
  },
  // Counts are taken modulo 64.
  shl_i64: {
    text: `
fn shl_i64(x: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
  let n = by.x & 63u;
  if (n >= 32u) { return vec2(0u, x.x << (n - 32u)); }
  return vec2(x.x << n, select((x.y << n) | (x.x >> ((32u - n) & 31u)), x.y, n == 0u));
}`,
  },
  shr_i64: {
    text: `
fn shr_i64(x: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
  let n = by.x & 63u;
  let high = bitcast<i32>(x.y);
  if (n >= 32u) { return vec2(bitcast<u32>(high >> (n - 32u)), bitcast<u32>(high >> 31u)); }
  return vec2(select((x.x >> n) | (x.y << ((32u - n) & 31u)), x.x, n == 0u), bitcast<u32>(high >> n));
}`,
  },
  lt_i64: {
    text: `
fn lt_i64(x: vec2<u32>, y: vec2<u32>) -> bool {
  if (x.y == y.y) { return x.x < y.x; }
  return bitcast<i32>(x.y) < bitcast<i32>(y.y);
}`,
  },
  min_i64: { text: 'fn min_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> { return select(x, y, lt_i64(y, x)); }', uses: ['lt_i64'] },
  max_i64: { text: 'fn max_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> { return select(x, y, lt_i64(x, y)); }', uses: ['lt_i64'] },
  abs_i64: { text: 'fn abs_i64(x: vec2<u32>) -> vec2<u32> { return select(x, neg_i64(x), (x.y >> 31u) == 1u); }', uses: ['neg_i64'] },
  sign_i64: {
    text: `
fn sign_i64(x: vec2<u32>) -> vec2<u32> {
  if ((x.y >> 31u) == 1u) { return vec2(0xffffffffu); }
  return vec2(select(0u, 1u, any(x != vec2(0u))), 0u);
}`,
  },
  pow_i64: {
    text: `
fn pow_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> {
  let one = vec2(1u, 0u);
  if ((y.y >> 31u) == 1u) {
    if (all(x == one)) { return one; }
    let is_minus_one = all(x == vec2(0xffffffffu));
    return select(vec2(0u), select(one, x, (y.x & 1u) == 1u), is_minus_one);
  }
  var result = one;
  var base = x;
  for (var n = y; any(n != vec2(0u)); n = shr_i64(n, one)) {
    if ((n.x & 1u) == 1u) { result = mul_i64(result, base); }
    base = mul_i64(base, base);
  }
  return result;
}`,
    uses: ['mul_i64', 'shr_i64'],
  },
  less_u64: {
    text: 'fn less_u64(x: vec2<u32>, y: vec2<u32>) -> bool { return x.y < y.y || (x.y == y.y && x.x < y.x); }',
  },
  // Quotient, then rest. Long division, a bit a step; no divisor is above 2^63, so the rest never loses a bit when it is shifted.
  divide_u64: {
    text: `
fn divide_u64(x: vec2<u32>, y: vec2<u32>) -> vec4<u32> {
  if (x.y == 0u && y.y == 0u) { return vec4(x.x / y.x, 0u, x.x % y.x, 0u); }
  var rest = vec2(0u);
  var quotient = vec2(0u);
  for (var i = 63u; i < 64u; i--) {
    let word = select(x.x, x.y, i >= 32u);
    let bit = i & 31u;
    rest = vec2((rest.x << 1u) | ((word >> bit) & 1u), (rest.y << 1u) | (rest.x >> 31u));
    if (!less_u64(rest, y)) {
      rest = sub_i64(rest, y);
      if (i >= 32u) { quotient.y |= 1u << bit; } else { quotient.x |= 1u << bit; }
    }
  }
  return vec4(quotient, rest);
}`,
    uses: ['less_u64', 'sub_i64'],
  },
  fmod_i64: {
    text: `
fn fmod_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> {
  let rest = divide_u64(abs_i64(x), abs_i64(y)).zw;
  return select(rest, neg_i64(rest), (x.y >> 31u) == 1u);
}`,
    uses: ['divide_u64', 'abs_i64', 'neg_i64'],
  },
  floor_divide_i64: {
    text: `
fn floor_divide_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> {
  let parts = divide_u64(abs_i64(x), abs_i64(y));
  if (((x.y ^ y.y) >> 31u) == 0u) { return parts.xy; }
  let quotient = neg_i64(parts.xy);
  return select(quotient, sub_i64(quotient, vec2(1u, 0u)), any(parts.zw != vec2(0u)));
}`,
    uses: ['divide_u64', 'abs_i64', 'neg_i64', 'sub_i64'],
  },
  floor_remainder_i64: {
    text: `
fn floor_remainder_i64(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> {
  let rest = fmod_i64(x, y);
  return select(rest, add_i64(rest, y), any(rest != vec2(0u)) && ((rest.y ^ y.y) >> 31u) == 1u);
}`,
    uses: ['fmod_i64', 'add_i64'],
  },
  divisor_i64: {
    text: `
fn divisor_i64(y: vec2<u32>, failure: u32) -> vec2<u32> {
  let is_zero = all(y == vec2(0u));
  if (is_zero) { fail(failure, y); }
  return select(y, vec2(1u, 0u), is_zero);
}`,
    uses: ['fail'],
  },
  check_i64: {
    text: `
fn check_i64(value: vec2<u32>, below: u32, failure: u32) {
  if (value.y != 0u || value.x >= below) { fail(failure, value); }
}`,
    uses: ['fail'],
  },
};
