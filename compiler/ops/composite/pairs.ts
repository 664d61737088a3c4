// Functions of two operands that need care at infinities, NaN or ties, with PyTorch's gradients there.
import { aval } from '../../ir/aval.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { type CompositeRule, composite } from './rule.ts';
import { constant, keepIf, square, zero, zeroIf } from './shape.ts';

type Pair = [x: Value, y: Value];
const plane = aval('f64', [3, 4]);
const samples = [{ inputs: [plane, plane], params: {} }] as const;

const isUndefined = (x: Value): Value => b.ne(x, x);
const isEqual = (x: Value, y: Value): Value => b.eq(x, y);

/** fmax and fmin: as max and min, but a NaN gives way to the other operand. Ties share the gradient. */
function unlessNaN(
  doc: string,
  pick: (x: Value, y: Value) => Value,
  wins: (x: Value, y: Value) => Value,
): CompositeRule<Pair, Record<never, never>> {
  return composite<Pair>({
    doc,
    body: ([x, y]) => [b.select(isUndefined(x), y, b.select(isUndefined(y), x, pick(x, y)))],
    // Beside a NaN both operands get the gradient, as in PyTorch.
    vjp: ([ct], { inputs: [x, y] }, wanted) => {
      const half = keepIf(isEqual(x, y), b.mul(ct!, constant(0.5, ct!)));
      const either = b.or(isUndefined(x), isUndefined(y));
      return [
        wanted[0] ? b.select(b.or(wins(x, y), either), ct!, half) : null,
        wanted[1] ? b.select(b.or(wins(y, x), either), ct!, half) : null,
      ];
    },
    samples,
  });
}
export const fmax = unlessNaN('The larger of each pair; a NaN gives way.', b.max, (x, y) => b.lt(y, x));
export const fmin = unlessNaN('The smaller of each pair; a NaN gives way.', b.min, b.lt);

const infinite = (x: Value): Value => b.eq(b.abs(x), constant(Number.POSITIVE_INFINITY, x));
export const hypot = composite<Pair>({
  doc: 'Length of the vector (x, y), scaled by the larger so that no square overflows; infinite where either is.',
  body: ([x, y]) => {
    const [p, q] = [b.abs(x), b.abs(y)];
    const [long, short] = [b.max(p, q), b.min(p, q)];
    const ratio = b.div(short, b.select(b.eq(long, zero(long)), constant(1, long), long));
    const length = b.mul(long, b.sqrt(b.add(constant(1, x), square(ratio))));
    return [b.select(b.or(infinite(x), infinite(y)), constant(Number.POSITIVE_INFINITY, x), length)];
  },
  vjp: ([ct], { inputs: [x, y], results: [r] }, wanted) => [
    wanted[0] ? b.mul(ct!, b.div(x, r!)) : null,
    wanted[1] ? b.mul(ct!, b.div(y, r!)) : null,
  ],
  samples,
});

export const logaddexp = composite<Pair>({
  doc: 'log(exp(x) + exp(y)) without overflow.',
  body: ([x, y]) => {
    const soft = b.add(b.max(x, y), b.log1p(b.exp(b.neg(b.abs(b.sub(x, y))))));
    // Two equal infinities would subtract to NaN.
    return [b.select(b.and(isEqual(x, y), infinite(x)), x, soft)];
  },
  vjp: ([ct], { inputs: [x, y] }, wanted) => [
    wanted[0] ? b.mul(ct!, b.sigmoid(b.sub(x, y))) : null,
    wanted[1] ? b.mul(ct!, b.sigmoid(b.sub(y, x))) : null,
  ],
  samples,
});

export const copysign = composite<Pair>({
  doc: 'The size of x with the sign of y, that of a zero included.',
  body: ([x, y]) => {
    const one = constant(1, y);
    // sign() is 0 at both zeros; there the reciprocal tells them apart.
    const atZero = b.select(b.lt(b.recip(y), zero(y)), b.neg(one), one);
    return [b.mul(b.abs(x), b.select(b.lt(zero(y), b.abs(y)), b.sign(y), atZero))];
  },
  vjp: ([ct], { inputs: [x], results: [r] }) => [b.mul(ct!, zeroIf(b.eq(x, zero(x)), b.div(r!, x))), zero(ct!)],
  samples,
});

export const truncDiv = composite<Pair>({
  doc: 'Quotient rounded toward 0. It is flat: its gradient is 0 even where the quotient is infinite or undefined.',
  body: ([x, y]) => [b.trunc(b.div(x, y))],
  vjp: ([ct]) => [zero(ct!), zero(ct!)],
  samples: [{ inputs: [plane, plane], params: {}, range: [1, 7] }],
});
