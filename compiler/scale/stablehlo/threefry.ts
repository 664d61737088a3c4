// Threefry-2x32 with 20 rounds in integer ops: the same bits as everywhere else, where XLA's own generators depend on the platform.
import { type Emitter, filled, same, type Typed } from './emitter.ts';

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** First word under key (key, stream) at counter (index, 0), as kernels/scalar.ts has it. */
export function threefry(e: Emitter, key: Typed, stream: Typed, index: Typed): Typed {
  const number = (value: number): Typed => filled(e, value, index);
  const add = (x: Typed, y: Typed): Typed => same(e, 'stablehlo.add', x, y);
  const xor = (x: Typed, y: Typed): Typed => same(e, 'stablehlo.xor', x, y);
  const keys = [key, stream, xor(xor(number(0x1bd11bda), key), stream)] as const;
  let a = add(index, key);
  let b = stream;
  for (let round = 0; round < 20; round++) {
    a = add(a, b);
    const r = rotations[round % 8]!;
    const high = same(e, 'stablehlo.shift_left', b, number(r));
    b = xor(same(e, 'stablehlo.or', high, same(e, 'stablehlo.shift_right_logical', b, number(32 - r))), a);
    if (round % 4 === 3) {
      const j = (round + 1) / 4;
      a = add(a, keys[j % 3]!);
      b = add(add(b, keys[(j + 1) % 3]!), number(j));
    }
  }
  return a;
}
