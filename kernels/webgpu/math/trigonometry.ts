// sin, cos, tan and their inverses in WGSL, of any argument.
import type { Helper } from '../prelude.ts';
import { f, polynomial } from './coefficients.ts';

export type TrigonometryName =
  | 'asin_f32'
  | 'acos_f32'
  | 'atan_turned'
  | 'atan_f32'
  | 'atan2_f32'
  | 'reduce_angle'
  | 'sine'
  | 'sin_f32'
  | 'cos_f32'
  | 'tan_f32';

const asinCoefficients = [0.166667521, 0.0749531016, 0.0454690233, 0.0241854675, 0.0421570949];
const atanCoefficients = [
  -0.333332986, 0.199985355, -0.142641246, 0.109516382, -0.0840198547, 0.0579342469, -0.0311559234, 0.0109034106, -0.00179122353,
];
const sinCoefficients = [-0.166666552, 0.00833218731, -1.95178975e-4];
const cosCoefficients = [0.0416666642, -0.00138880732, 2.45080846e-5];
const tanCoefficients = [0.333333492, 0.133326754, 0.0540589131, 0.0212862082, 0.0108274445, 9.82424972e-5, 0.0043727006];
const halfPi = 1.5707963705062866;
const halfPiLow = -4.37113882867379e-8;
/** pi/2: leading bits, whose products with small integers are exact, and what they leave out. */
const halfPiParts = ((): readonly number[] => {
  const short = (x: number): number =>
    new Float32Array(Uint32Array.of(new Uint32Array(Float32Array.of(x).buffer)[0]! & 0xffffe000).buffer)[0]!;
  const parts: number[] = [];
  let rest = Math.PI / 2;
  for (let k = 0; k < 3; k++) {
    parts.push(short(rest));
    rest -= parts[k]!;
  }
  return [...parts, rest];
})();

export const trigonometry: Readonly<Record<TrigonometryName, Helper>> = {
  asin_f32: {
    text: `
fn asin_f32(x: f32) -> f32 {
  let a = abs(x);
  if (!(a <= 1f)) { return nan(); }
  // asin(a) = pi/2 - 2 asin(sqrt((1-a)/2)); (1-a)/2 is exact.
  let is_large = a > 0.5f;
  let reflected = 0.5f - a * 0.5f;
  let z = select(a * a, reflected, is_large);
  let s = select(a, sqrt(reflected), is_large);
  let cubic = s * z * (${polynomial('z', asinCoefficients)});
  let twice = s + s;
  let first = ${f(halfPi)} - twice;
  let lost = (${f(halfPi)} - first) - twice;
  return with_sign(select(s + cubic, first + ((lost + ${f(halfPiLow)}) - (cubic + cubic)), is_large), x);
}`,
    uses: ['nan', 'with_sign'],
  },
  acos_f32: {
    text: `
fn acos_f32(x: f32) -> f32 {
  let a = abs(x);
  if (!(a <= 1f)) { return nan(); }
  let is_large = a > 0.5f;
  let reflected = 0.5f - a * 0.5f;
  let z = select(x * x, reflected, is_large);
  let s = select(x, sqrt(reflected), is_large);
  let cubic = s * z * (${polynomial('z', asinCoefficients)});
  let above = 2f * (s + cubic);
  let below = ${f(2 * halfPi)} - (above - ${f(2 * halfPiLow)});
  return select(${f(halfPi)} - (s + (cubic - ${f(halfPiLow)})), select(above, below, x < 0f), is_large);
}`,
    uses: ['nan'],
  },
  // base + low, with the arc tangent of t added or taken away.
  atan_turned: {
    text: `
fn atan_turned(t: f32, is_flipped: bool, base: f32, low: f32) -> f32 {
  let square = t * t;
  let angle = t + t * square * (${polynomial('square', atanCoefficients)});
  return base + (select(angle, -angle, is_flipped) + low);
}`,
  },
  atan_f32: {
    text: `
fn atan_f32(x: f32) -> f32 {
  let a = abs(x);
  let is_large = a > 1f;
  let t = select(a, 1f / a, is_large);
  let angle = atan_turned(t, is_large, select(0f, ${f(halfPi)}, is_large), select(0f, ${f(halfPiLow)}, is_large));
  return select(with_sign(angle, x), x, is_nan(x));
}`,
    uses: ['atan_turned', 'with_sign', 'is_nan'],
  },
  atan2_f32: {
    text: `
fn atan2_f32(y: f32, x: f32) -> f32 {
  if (is_nan(x) || is_nan(y)) { return nan(); }
  let ay = abs(y);
  let ax = abs(x);
  let is_steep = ay > ax;
  let least = min(ax, ay);
  let most = max(ax, ay);
  // 0/0 stands for 0 and Infinity/Infinity for 1.
  let is_infinite = bitcast<u32>(least) == 0x7f800000u;
  let t = select(select(least / most, 0f, most == 0f), 1f, is_infinite);
  let is_left = (bitcast<u32>(x) >> 31u) == 1u;
  let base = select(select(0f, ${f(2 * halfPi)}, is_left), ${f(halfPi)}, is_steep);
  let low = select(select(0f, ${f(2 * halfPiLow)}, is_left), ${f(halfPiLow)}, is_steep);
  return with_sign(atan_turned(t, is_steep != is_left, base, low), y);
}`,
    uses: ['is_nan', 'nan', 'atan_turned', 'with_sign'],
  },
  // x = quadrant pi/2 + r. Of huge angles only those bits of 2/pi that matter are multiplied (Payne and Hanek, 1983).
  reduce_angle: {
    text: `
struct Angle { quadrant: i32, r: f32 }
fn high_product(x: u32, y: u32) -> u32 {
  let low = (x & 0xffffu) * (y & 0xffffu);
  let first = (x >> 16u) * (y & 0xffffu) + (low >> 16u);
  let second = (x & 0xffffu) * (y >> 16u) + (first & 0xffffu);
  return (x >> 16u) * (y >> 16u) + (first >> 16u) + (second >> 16u);
}
fn reduce_angle(x: f32) -> Angle {
  let a = abs(x);
  if (!(a <= 3.4028234663852886e38f)) { return Angle(0, nan()); }
  if (a < 100f) {
    let n = round(x * ${f(2 / Math.PI)});
    let r = ((x - n * ${f(halfPiParts[0]!)}) - n * ${f(halfPiParts[1]!)}) - n * ${f(halfPiParts[2]!)};
    return Angle(i32(n), r - n * ${f(halfPiParts[3]!)});
  }
  var bits = array(0u, 0x28be60dbu, 0x9391054au, 0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u, 0x4f10e410u);
  let position = (bitcast<u32>(a) >> 23u) - 126u;
  let significand = (bitcast<u32>(a) << 8u) | 0x80000000u;
  let word = position >> 5u;
  let shift = position & 31u;
  // Two shifts, since one by 32 would be one by 0.
  let high = (bits[word] << shift) | ((bits[word + 1u] >> 1u) >> (31u - shift));
  let middle = (bits[word + 1u] << shift) | ((bits[word + 2u] >> 1u) >> (31u - shift));
  let low = (bits[word + 2u] << shift) | ((bits[word + 3u] >> 1u) >> (31u - shift));
  // The product modulo 2^96 without its last 32 bits: two bits of quadrant, 62 of the fraction.
  let carry = high_product(significand, low);
  var fraction_low = significand * middle + carry;
  var fraction_high = significand * high + high_product(significand, middle) + select(0u, 1u, fraction_low < carry);
  var quadrant = i32(fraction_high >> 30u);
  fraction_high &= 0x3fffffffu;
  // To the nearest quadrant; the rest is a signed fraction.
  let is_above = fraction_high >= 0x20000000u;
  if (is_above) {
    quadrant += 1;
    fraction_low = 0u - fraction_low;
    fraction_high = 0x40000000u - fraction_high - select(0u, 1u, fraction_low != 0u);
  }
  let zeros = select(countLeadingZeros(fraction_high), 32u + countLeadingZeros(fraction_low), fraction_high == 0u);
  if (zeros >= 32u) {
    fraction_high = fraction_low;
    fraction_low = 0u;
  }
  let left = zeros & 31u;
  let top = (fraction_high << left) | ((fraction_low >> 1u) >> (31u - left));
  let rest = f32(top & 255u);
  // 32 bits as two floats, times pi/2 2^-30.
  let leading = f32(top & 0xffffff00u);
  let r = (leading * ${f(halfPi)} + (leading * ${f(halfPiLow)} + rest * ${f(halfPi)})) * bitcast<f32>((127u - 30u - zeros) << 23u);
  let is_negative = x < 0f;
  return Angle(select(quadrant, -quadrant, is_negative), select(r, -r, is_above != is_negative));
}`,
    uses: ['nan'],
  },
  // sin of the angle, some quadrants further.
  sine: {
    text: `
fn sine(x: f32, quadrants: i32) -> f32 {
  let angle = reduce_angle(x);
  let r = angle.r;
  let square = r * r;
  let sin = r * square * (${polynomial('square', sinCoefficients)}) + r;
  let cos = square * square * (${polynomial('square', cosCoefficients)}) + (square * -0.5f + 1f);
  let q = angle.quadrant + quadrants;
  let y = select(cos, sin, (q & 1) == 0);
  return select(y, -y, (q & 2) != 0);
}`,
    uses: ['reduce_angle'],
  },
  sin_f32: { text: 'fn sin_f32(x: f32) -> f32 { return select(sine(x, 0), x, x == 0f); }', uses: ['sine'] },
  cos_f32: { text: 'fn cos_f32(x: f32) -> f32 { return sine(x, 1); }', uses: ['sine'] },
  tan_f32: {
    text: `
fn tan_f32(x: f32) -> f32 {
  let angle = reduce_angle(x);
  let r = angle.r;
  let square = r * r;
  let y = r * square * (${polynomial('square', tanCoefficients)}) + r;
  return select(select(-1f / y, y, (angle.quadrant & 1) == 0), x, x == 0f);
}`,
    uses: ['reduce_angle'],
  },
};
