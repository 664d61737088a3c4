// Dropout from counter-based random bits: the mask is a function of key, stream and position, so it is drawn again and never stored.
import { aval } from '../../ir/aval.ts';
import { b, full, lit } from '../../ir/builder.ts';
import { dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { elementwise } from './rule.ts';
import { along, broadcastScalar, castTo, constant, keepIf } from './shape.ts';

/** Uniform numbers in [0, 1) with 24 random bits, which f32 holds exactly. */
export function uniform(key: Value, stream: Value, like: Value): Value {
  const shape = shapeOf(like);
  const bits = b.randomBits(key, stream, { shape });
  const high = b.bitAnd(b.shr(bits, full(8, aval('i32', shape))), full(0xffffff, aval('i32', shape)));
  return b.mul(castTo(high, dtypeOf(like)), constant(2 ** -24, like));
}

/** `t` scaled up where kept, else 0; with p = 1 nothing is kept, and the infinite scale meets no element. */
export function dropped(t: Value, keep: Value, p: Value): Value {
  const scale = b.recip(b.sub(lit(1, dtypeOf(p)), p));
  return keepIf(keep, b.mul(t, broadcastScalar(scale, t)));
}

/** True with probability 1 - p. */
export const keepMask = (key: Value, stream: Value, p: Value, like: Value): Value =>
  b.le(broadcastScalar(p, like), uniform(key, stream, like));

/** Elements along the `shared` axes are kept or dropped together. */
function maskFor(x: Value, key: Value, stream: Value, p: Value, shared: readonly number[]): Value {
  const row = full(
    0,
    aval(
      dtypeOf(x),
      shapeOf(x).filter((_, i) => !shared.includes(i)),
    ),
  );
  return along(keepMask(key, stream, p, row), x, shared);
}

const key = aval('i32', []);
export const dropout = elementwise<[x: Value, key: Value, stream: Value, p: Value], { readonly shared: readonly number[] }>({
  doc: 'Zeroes elements with probability p and scales the rest by 1 / (1 - p); along the axes `shared` all share one fate.',
  body: ([x, k, stream, p], { shared }) => dropped(x, maskFor(x, k, stream, p, shared), p),
  slope: (t, _, [x, k, stream, p], { shared }) => dropped(t, maskFor(x, k, stream, p, shared), p),
  // Examples of a batch share key and stream, and so the mask, which one wider draw would not give.
  batch: () => undefined,
  samples: [[], [1]].map((shared) => ({
    inputs: [aval('f64', [4, 5]), key, key, aval('f64', [])],
    params: { shared },
    data: [undefined, [17], [3], [0.4]],
  })),
});
