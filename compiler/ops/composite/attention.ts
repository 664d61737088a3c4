// Scaled dot-product attention.
import { aval } from '../../ir/aval.ts';
import { b } from '../../ir/builder.ts';
import type { Pairs } from '../../ir/codec.ts';
import { dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { dropped, keepMask } from './dropout.ts';
import { type Applied, composite, type Maybe } from './rule.ts';
import { along, broadcastScalar, constant, positions, zeroIf } from './shape.ts';
import { exponentials, throughSoftmax } from './softmax.ts';

/** `mask` and `dropout` say which optional operands follow the scale, in this order: the mask; key, stream and p of the dropout. */
type Attention = { readonly causal: boolean; readonly mask: boolean; readonly dropout: boolean };
type Operands = [query: Value, key: Value, value: Value, scale: Value, ...options: Value[]];

const last = (x: Value): number => shapeOf(x).length - 1;
/** Product over the leading axes as batch, contracting axis `i` of x with axis `j` of y, counted from the end. */
function multiply(x: Value, y: Value, i: -1 | -2, j: -1 | -2): Value {
  const rank = shapeOf(x).length;
  const batch: Pairs = shapeOf(x)
    .slice(0, -2)
    .map((_, a) => [a, a]);
  return b.dot(x, y, { batch, contract: [[rank + i, rank + j]] });
}

function maskedScores(q: Value, k: Value, scale: Value, mask: Value | undefined, causal: boolean): Value {
  const product = multiply(q, k, -1, -1);
  let scores = b.mul(product, broadcastScalar(scale, product));
  const never = constant(Number.NEGATIVE_INFINITY, scores);
  if (causal) scores = b.select(b.le(positions(scores, last(scores)), positions(scores, last(scores) - 1)), scores, never);
  if (mask === undefined) return scores;
  return dtypeOf(mask) === 'bool' ? b.select(mask, scores, never) : b.add(scores, mask);
}

/** Softmax over the keys. A query that may see nothing attends to nothing: zeros, as PyTorch since 2.5. */
function weightsOf(scores: Value, mayBeEmpty: boolean): Value {
  const axis = last(scores);
  const { powers, total, top } = exponentials(scores, axis);
  const weights = b.div(powers, along(total, scores, [axis]));
  return mayBeEmpty ? zeroIf(along(b.eq(top, constant(Number.NEGATIVE_INFINITY, top)), scores, [axis]), weights) : weights;
}

/** What the options ask for: the mask, and how weights (or their cotangents) are dropped. */
function optionsOf(options: readonly Value[], params: Attention): { mask: Value | undefined; drop: (w: Value) => Value } {
  const mask = params.mask ? options[0]! : undefined;
  const [key, stream, p] = options.slice(params.mask ? 1 : 0);
  return { mask, drop: (w) => (params.dropout ? dropped(w, keepMask(key!, stream!, p!, w), p!) : w) };
}

const query = aval('f64', [2, 3, 4]);
const keys = aval('f64', [2, 5, 4]);
const values = aval('f64', [2, 5, 2]);
const number = aval('f64', []);
const sees = [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1];

export const scaledDotProductAttention = composite<Operands, Attention>({
  doc: 'softmax(scale q k^T + mask) v over the last two axes; a bool mask says what may be seen, `causal` hides later keys.',
  body: ([q, k, v, scale, ...options], params) => {
    const { mask, drop } = optionsOf(options, params);
    return [multiply(drop(weightsOf(maskedScores(q, k, scale, mask, params.causal), params.mask)), v, -1, -2)];
  },
  vjp: ([ct], at, wanted) => attentionVjp(ct!, at, wanted),
  batch: (isBatched, params) => {
    const carry = isBatched.map((_, i) => i < 3 || (params.mask && i === 4));
    return params.dropout || isBatched.some((batched, i) => batched && !carry[i]) ? undefined : { params, carry };
  },
  samples: [
    { inputs: [query, keys, values, number], params: { causal: false, mask: false, dropout: false } },
    { inputs: [query, keys, values, number], params: { causal: true, mask: false, dropout: false } },
    { inputs: [query, keys, values, number, aval('f64', [2, 3, 5])], params: { causal: false, mask: true, dropout: false } },
    {
      inputs: [query, keys, values, number, aval('bool', [2, 3, 5])],
      params: { causal: false, mask: true, dropout: false },
      data: [undefined, undefined, undefined, [0.5], [...sees, ...sees]],
    },
    {
      inputs: [query, keys, values, number, aval('i32', []), aval('i32', []), number],
      params: { causal: false, mask: false, dropout: true },
      data: [undefined, undefined, undefined, [0.5], [5], [1], [0.3]],
    },
  ],
});

function attentionVjp(
  ct: Value,
  { inputs: [q, k, v, scale, ...options], params }: Applied<Operands, Attention>,
  wanted: readonly boolean[],
): Maybe[] {
  const { mask, drop } = optionsOf(options, params);
  const weights = weightsOf(maskedScores(q, k, scale, mask, params.causal), params.mask);
  const cts: Maybe[] = [q, k, v, scale, ...options].map(() => null);
  if (wanted[2]) cts[2] = multiply(drop(weights), ct, -2, -2);
  const byMask = params.mask && wanted[4];
  if (!(wanted[0] || wanted[1] || wanted[3] || byMask)) return cts;
  const scores = throughSoftmax(drop(multiply(ct, v, -1, -1)), weights, last(weights));
  if (byMask) cts[4] = scores;
  const product = b.mul(scores, broadcastScalar(scale, scores));
  if (wanted[0]) cts[0] = multiply(product, k, -1, -2);
  if (wanted[1]) cts[1] = multiply(product, q, -2, -2);
  if (wanted[3]) cts[3] = b.sum(b.mul(scores, multiply(q, k, -1, -1)), { axes: shapeOf(scores).map((_, i) => i) });
  return cts;
}
