// Softmax, its logarithm, and log-sum-exp; each fits one row-resident kernel, and differentiates from its result.
import { aval } from '../../ir/aval.ts';
import { b, full } from '../../ir/builder.ts';
import { dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { composite, leading } from './rule.ts';
import { along, constant, sumOver, zeroIf } from './shape.ts';

type Axis = { readonly axis: number };
type Axes = { readonly axes: readonly number[] };
const batchAxis = leading<Axis>(1, ({ axis }) => ({ axis: axis + 1 }));

/** The largest over `axes`; where there is nothing it is not looked at. */
function topOf(x: Value, axes: readonly number[]): Value {
  const shape = shapeOf(x);
  if (axes.every((a) => shape[a] !== 0)) return b.amax(x, { axes });
  return full(0, { dtype: dtypeOf(x), shape: shape.filter((_, i) => !axes.includes(i)) });
}

/** The pieces that softmax, its logarithm and cross-entropy share, written once so that equal ones are one node after CSE. */
export function exponentials(x: Value, axis: number): { shifted: Value; powers: Value; total: Value; top: Value } {
  const top = topOf(x, [axis]);
  const shifted = b.sub(x, along(top, x, [axis]));
  const powers = b.exp(shifted);
  return { shifted, powers, total: b.sum(powers, { axes: [axis] }), top };
}

function softmaxOf(x: Value, axis: number): Value {
  const { powers, total } = exponentials(x, axis);
  return b.div(powers, along(total, x, [axis]));
}

/** The derivative of softmax at result `y`; symmetric, so it carries tangents as well as cotangents. */
export function throughSoftmax(t: Value, y: Value, axis: number): Value {
  const weighted = b.mul(t, y);
  return b.sub(weighted, b.mul(y, along(b.sum(weighted, { axes: [axis] }), y, [axis])));
}

const samples = [
  { inputs: [aval('f64', [3, 5])], params: { axis: 1 } },
  { inputs: [aval('f64', [3, 5])], params: { axis: 0 } },
  { inputs: [aval('f64', [2, 3, 4])], params: { axis: 1 }, range: [-600, 600] },
] as const;

export const softmax = composite<[Value], Axis>({
  doc: 'Exponentials along `axis`, scaled to sum to one. All -inf gives NaN.',
  body: ([x], { axis }) => [softmaxOf(x, axis)],
  vjp: ([ct], { results: [y], params: { axis } }) => [throughSoftmax(ct!, y!, axis)],
  jvp: ([t], { results: [y], params: { axis } }) => [throughSoftmax(t!, y!, axis)],
  batch: batchAxis,
  samples,
});

export const logSoftmax = composite<[Value], Axis>({
  doc: 'Logarithm of softmax along `axis`, without forming the quotient.',
  body: ([x], { axis }) => {
    const { shifted, total } = exponentials(x, axis);
    return [b.sub(shifted, along(b.log(total), x, [axis]))];
  },
  vjp: ([ct], { results: [y], params: { axis } }) => [b.sub(ct!, b.mul(b.exp(y!), along(b.sum(ct!, { axes: [axis] }), y!, [axis])))],
  jvp: ([t], { results: [y], params: { axis } }) => [b.sub(t!, along(b.sum(b.mul(b.exp(y!), t!), { axes: [axis] }), y!, [axis]))],
  batch: batchAxis,
  samples,
});

export const logsumexp = composite<[Value], Axes>({
  doc: 'Logarithm of the sum of exponentials over `axes`. Infinite maxima are not subtracted, so inf and -inf come out as themselves.',
  body: ([x], { axes }) => {
    if (axes.length === 0) return [x];
    const top = topOf(x, axes);
    const shift = zeroIf(b.eq(b.abs(top), constant(Number.POSITIVE_INFINITY, top)), top);
    const total = b.sum(b.exp(b.sub(x, along(shift, x, axes))), { axes });
    return [b.add(b.log(total), shift)];
  },
  vjp: ([ct], { inputs: [x], results: [y], params: { axes } }) => [b.mul(along(ct!, x, axes), b.exp(b.sub(x, along(y!, x, axes))))],
  jvp: ([t], { inputs: [x], results: [y], params: { axes } }) => [sumOver(b.mul(t!, b.exp(b.sub(x, along(y!, x, axes)))), axes)],
  batch: leading(1, ({ axes }) => ({ axes: axes.map((a) => a + 1) })),
  samples: [
    { inputs: [aval('f64', [3, 5])], params: { axes: [1] } },
    { inputs: [aval('f64', [3, 5])], params: { axes: [0, 1] } },
    { inputs: [aval('f64', [3, 5])], params: { axes: [0] }, range: [-600, 600] },
  ],
});
