// Reduction of huge angles by multiples of pi/2, exact whatever the size: only the bits of 2/pi that matter are multiplied (Payne and Hanek, 1983).
import type { FunctionBuilder, FunctionRef, Node } from '../function.ts';
import { shared } from '../unit.ts';
import { signBit, type VectorMath, vectorMath } from './vector-math.ts';

/** An angle as `quadrant` (in the low two bits) times pi/2, and `high + low` within pi/4 of it. */
export type Reduction = { readonly quadrant: Node; readonly high: Node; readonly low: Node };

/** 16 bits of zero, then the first 240 bits of 2/pi. */
const twoOverPi = [0x0000a2f9836e4e44n, 0x1529fc2757d1f534n, 0xddc0db6295993c43n, 0x9041fe5163abdebbn] as const;
/** Exponent field at which the window of 96 bits begins with the table. */
const firstExponent = 136;

/** Good for every lane of 2^10 and more. */
export function reduceLarge(m: VectorMath, x: Node): Reduction {
  const [quadrant, high, low] = m.f.callValues(reduction(m), [x]);
  return { quadrant: quadrant!, high: high!, low: low! };
}

const reduction = ({ unit }: VectorMath): FunctionRef =>
  shared(unit, 'reduce_large', ['v128'], ['v128', 'v128', 'v128'], (f) => {
    const m = vectorMath(unit, f);
    const x = f.param(0);
    const lane = reductionOfLane(m);
    const magnitude = m.abs(x);
    let [quadrant, high, low] = [m.bits(0), m.c(0), m.c(0)];
    for (let k = 0; k < 4; k++) {
      const [n, r] = f.callValues(lane, [f.extractLane('i32x4', k, magnitude)]);
      const rounded = f.bind(f.op('f32.demote_f64', r!));
      quadrant = f.bind(f.replaceLane('i32x4', k, quadrant, n!));
      high = f.bind(f.replaceLane('f32x4', k, high, rounded));
      low = f.bind(f.replaceLane('f32x4', k, low, f.op('f32.demote_f64', f.op('f64.sub', r!, f.op('f64.promote_f32', rounded)))));
    }
    // An angle to the other side turns everything round.
    const isNegative = m.shr(x, 31);
    const sign = m.and(x, m.bits(signBit));
    f.return_(m.subBits(m.xor(quadrant, isNegative), isNegative), m.xor(high, sign), m.xor(low, sign));
  });

/** Bits of a positive float to its quadrant and the float64 that is left. */
const reductionOfLane = ({ unit }: VectorMath): FunctionRef =>
  shared(unit, 'reduce_large_lane', ['i32'], ['i32', 'f64'], (f) => {
    const bits = f.param(0);
    const significand = f.bind(f.op('i64.extend_i32_u', f.op('i32.or', f.op('i32.and', bits, f.i32(0x7fffff)), f.i32(0x800000))));
    const position = f.bind(f.op('i32.sub', f.op('i32.shr_u', bits, f.i32(23)), f.i32(firstExponent)));
    const { head, tail } = window(f, position);
    // The product modulo 2^96 without its last 32 bits: two bits of quadrant, 62 of the fraction.
    const low32 = f.i64(0xffffffffn);
    const product = f.bind(
      f.op(
        'i64.add',
        f.op('i64.shl', f.op('i64.mul', significand, f.op('i64.shr_u', head, f.i64(32n))), f.i64(32n)),
        f.op(
          'i64.add',
          f.op('i64.mul', significand, f.op('i64.and', head, low32)),
          f.op('i64.shr_u', f.op('i64.mul', significand, f.op('i64.shr_u', tail, f.i64(32n))), f.i64(32n)),
        ),
      ),
    );
    // To the nearest quadrant; the rest is a signed fraction.
    const quadrant = f.bind(f.op('i64.shr_u', f.op('i64.add', product, f.i64(1n << 61n)), f.i64(62n)));
    const fraction = f.op('i64.sub', product, f.op('i64.shl', quadrant, f.i64(62n)));
    const angle = f.op('f64.mul', f.op('f64.convert_i64_s', fraction), f.f64(Math.PI * 2 ** -63));
    f.return_(f.op('i32.wrap_i64', quadrant), angle);
  });

/** 128 bits of the table from `position` on, which is at most 119. */
function window(f: FunctionBuilder, position: Node): { readonly head: Node; readonly tail: Node } {
  const isSecond = f.bind(f.op('i32.ge_u', position, f.i32(64)));
  const word = (k: 0 | 1 | 2): Node => f.bind(f.select(isSecond, f.i64(twoOverPi[k + 1]!), f.i64(twoOverPi[k]!)));
  const words = [word(0), word(1), word(2)] as const;
  const shift = f.bind(f.op('i64.extend_i32_u', f.op('i32.and', position, f.i32(63))));
  // Two shifts, since a shift by 64 would be one by 0.
  const joined = (a: Node, b: Node): Node =>
    f.bind(
      f.op('i64.or', f.op('i64.shl', a, shift), f.op('i64.shr_u', f.op('i64.shr_u', b, f.i64(1n)), f.op('i64.sub', f.i64(63n), shift))),
    );
  return { head: joined(words[0], words[1]), tail: joined(words[1], words[2]) };
}
