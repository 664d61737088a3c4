// Remainders and floored quotients of floats in WGSL, where the built-in `%` loses all precision for large quotients.
import type { Helper } from '../prelude.ts';

export type DivisionName = 'fmod_f32' | 'floor_divide_f32' | 'floor_remainder_f32';

export const division: Readonly<Record<DivisionName, Helper>> = {
  // By long division, eight bits a step.
  fmod_f32: {
    text: `
fn fmod_f32(x: f32, y: f32) -> f32 {
  let ax = bitcast<u32>(x) & 0x7fffffffu;
  let ay = bitcast<u32>(y) & 0x7fffffffu;
  if (ax >= 0x7f800000u || ay > 0x7f800000u || ay == 0u) { return nan(); }
  if (ax < ay) { return x; }
  var exponent = i32(max(ax >> 23u, 1u));
  let last = i32(max(ay >> 23u, 1u));
  let divisor = (ay & 0x7fffffu) | select(0u, 0x800000u, ay >= 0x800000u);
  var rest = ((ax & 0x7fffffu) | select(0u, 0x800000u, ax >= 0x800000u)) % divisor;
  while (exponent > last) {
    let step = min(exponent - last, 8);
    rest = (rest << u32(step)) % divisor;
    exponent -= step;
  }
  return with_sign(scale(f32(rest), last - 150), x);
}`,
    uses: ['nan', 'scale', 'with_sign'],
  },
  floor_divide_f32: {
    text: `
fn floor_divide_f32(x: f32, y: f32) -> f32 {
  if (y == 0f) { return x / y; }
  let r = fmod_f32(x, y);
  return round((x - r) / y - select(0f, 1f, r != 0f && (r < 0f) != (y < 0f)));
}`,
    uses: ['fmod_f32'],
  },
  floor_remainder_f32: {
    text: `
fn floor_remainder_f32(x: f32, y: f32) -> f32 {
  let r = fmod_f32(x, y);
  return select(r, r + y, r != 0f && (r < 0f) != (y < 0f));
}`,
    uses: ['fmod_f32'],
  },
};
