// Cross-entropy and negative log-likelihood over classes. With its gradient it is one row-resident kernel: the loss of each row and
// (softmax - one-hot), from the same maxima and sums.
import { aval } from '../../ir/aval.ts';
import { b, full } from '../../ir/builder.ts';
import { fixed } from '../../ir/dim.ts';
import { avalOf, shapeOf, type Value } from '../../ir/node.ts';
import { type Reduction, reduced, reducedByWeight, reductions, unreduced, unreducedByWeight } from './reduction.ts';
import { type Applied, composite, type Maybe } from './rule.ts';
import { along, broadcastScalar, castTo, constant, indicator, otherAxes, positions, zero, zeroIf } from './shape.ts';
import { exponentials } from './softmax.ts';

/** `axis` holds the classes. `weight` and `smoothing` say which optional operands follow the target, in this order. */
type Classes = { readonly axis: number; readonly reduction: Reduction; readonly weight: boolean };
type Smoothed = Classes & { readonly smoothing: boolean };
type Indexed = { readonly ignoreIndex: number };

/** What the labels say: rows that count, their class, and its weight (0 where ignored). All lack the axis of the classes. */
type Labels = { readonly ignored: Value; readonly label: Value; readonly weight: Value };

function labelsOf(x: Value, target: Value, classWeight: Value | undefined, ignoreIndex: number): Labels {
  const ignored = b.eq(target, full(ignoreIndex, avalOf(target)));
  const label = zeroIf(ignored, target);
  if (classWeight === undefined) return { ignored, label, weight: indicator(b.not(ignored), x) };
  const flat = b.reshape(label, { shape: [shapeOf(label).reduce<number>((n, d) => n * fixed(d), 1)] });
  const weight = b.reshape(b.gather(classWeight, flat, { axis: 0, mode: 'checked' }), { shape: shapeOf(label) });
  return { ignored, label, weight: zeroIf(ignored, weight) };
}

/** The element of each row that the label picks; a label out of range is an IndexError when this runs. */
function pick(x: Value, label: Value, axis: number): Value {
  const shape = shapeOf(x).map((d, i) => (i === axis ? 1 : d));
  const index = b.expand(label, { shape, at: [axis] });
  return b.reshape(b.gather(x, index, { axis, mode: 'checked' }), { shape: shapeOf(label) });
}

/** Where each row's class is the label, in the shape of `x`. Compared as i32: no class count exceeds it, and i64 is slow. */
const oneHot = (x: Value, label: Value, axis: number): Value => b.eq(positions(x, axis), along(castTo(label, 'i32'), x, [axis]));

const weightOf = (rest: readonly Value[], { weight }: Classes): Value | undefined => (weight ? rest[0] : undefined);
const smoothingOf = (rest: readonly Value[], { weight, smoothing }: Smoothed): Value | undefined =>
  smoothing ? rest[weight ? 1 : 0] : undefined;
const oneMinus = (x: Value): Value => b.sub(constant(1, x), x);
const classCount = (x: Value, axis: number): number => fixed(shapeOf(x)[axis]!);

/** A weight by class in the shape of `x`. */
const byClass = (weight: Value, x: Value, axis: number): Value => along(weight, x, otherAxes(x, [axis]));

const plane = aval('f64', [4, 3]);
const cube = aval('f64', [2, 3, 2]);
const labels = aval('i64', [4]);
const number = aval('f64', []);
const wanted = [2, 0, 1, 2];

export const nllLoss = composite<[input: Value, target: Value, ...weight: Value[]], Classes & Indexed>({
  doc: 'Minus the input at each label, weighted by class. Rows of `ignoreIndex` neither cost nor count.',
  body: ([x, target, ...rest], params) => {
    const { ignored, label, weight } = labelsOf(x, target, weightOf(rest, params), params.ignoreIndex);
    const each = b.mul(b.neg(zeroIf(ignored, pick(x, label, params.axis))), weight);
    return [reducedByWeight(each, weight, params.reduction)];
  },
  vjp: ([ct], { inputs: [x, target, ...rest], params }) => {
    const { label, weight } = labelsOf(x, target, weightOf(rest, params), params.ignoreIndex);
    const each = b.neg(b.mul(unreducedByWeight(ct!, weight, params.reduction), weight));
    return [b.select(oneHot(x, label, params.axis), along(each, x, [params.axis]), zero(x)), null, ...rest.map(() => null)];
  },
  samples: [
    ...reductions.map((reduction) => ({
      inputs: [plane, labels],
      params: { axis: 1, reduction, weight: false, ignoreIndex: 0 },
      data: [undefined, wanted],
    })),
    {
      inputs: [cube, aval('i64', [2, 2]), aval('f64', [3])],
      params: { axis: 1, reduction: 'mean', weight: true, ignoreIndex: -100 },
      data: [undefined, wanted, [0.5, 1, 2]],
    },
  ],
});

export const crossEntropy = composite<[logits: Value, target: Value, ...options: Value[]], Smoothed & Indexed>({
  doc: 'Cross-entropy of logits with labels: class weights, rows of `ignoreIndex` left out, labels smoothed towards uniform.',
  body: ([x, target, ...rest], params) => {
    const { axis, reduction } = params;
    const classWeight = weightOf(rest, params);
    const { ignored, label, weight } = labelsOf(x, target, classWeight, params.ignoreIndex);
    const { shifted, total, top } = exponentials(x, axis);
    const logTotal = b.log(total);
    const picked = zeroIf(ignored, b.sub(logTotal, b.sub(pick(x, label, axis), top)));
    const hard = classWeight === undefined ? picked : b.mul(picked, weight);
    const smoothing = smoothingOf(rest, params);
    if (smoothing === undefined) return [reducedByWeight(hard, weight, reduction)];
    const surprise = b.sub(along(logTotal, x, [axis]), shifted);
    const spread = b.sum(classWeight === undefined ? surprise : b.mul(surprise, byClass(classWeight, x, axis)), { axes: [axis] });
    const uniform = b.div(zeroIf(ignored, spread), constant(classCount(x, axis), spread));
    const mixed = b.add(b.mul(broadcastScalar(oneMinus(smoothing), hard), hard), b.mul(broadcastScalar(smoothing, hard), uniform));
    return [reducedByWeight(mixed, weight, reduction)];
  },
  vjp: ([ct], at) => [crossEntropyVjp(ct!, at), ...at.inputs.slice(1).map(() => null)],
  samples: [
    ...reductions.map((reduction) => ({
      inputs: [plane, labels],
      params: { axis: 1, reduction, weight: false, smoothing: false, ignoreIndex: 0 },
      data: [undefined, wanted],
    })),
    {
      inputs: [plane, labels, aval('f64', [3]), number],
      params: { axis: 1, reduction: 'mean', weight: true, smoothing: true, ignoreIndex: 0 },
      data: [undefined, wanted, [0.5, 1, 2], [0.2]],
    },
    {
      inputs: [cube, aval('i64', [2, 2]), number],
      params: { axis: 1, reduction: 'sum', weight: false, smoothing: true, ignoreIndex: -100 },
      data: [undefined, wanted, [0.2]],
    },
    {
      inputs: [aval('f64', [3]), aval('i64', [])],
      params: { axis: 0, reduction: 'mean', weight: false, smoothing: false, ignoreIndex: -100 },
      data: [undefined, [1]],
    },
  ],
});

/** c [(1-s) w (p - onehot) + s/C (p sum(W) - W)], for a row of cotangent c, weight w, smoothing s and class weights W. */
function crossEntropyVjp(
  ct: Value,
  { inputs: [x, target, ...rest], params }: Applied<[Value, Value, ...Value[]], Smoothed & Indexed>,
): Value {
  const { axis } = params;
  const classWeight = weightOf(rest, params);
  const { ignored, label, weight } = labelsOf(x, target, classWeight, params.ignoreIndex);
  const { powers, total } = exponentials(x, axis);
  const p = b.div(powers, along(total, x, [axis]));
  const each = unreducedByWeight(ct, weight, params.reduction);
  const hard = b.select(oneHot(x, label, axis), b.sub(p, constant(1, p)), p);
  const smoothing = smoothingOf(rest, params);
  let scale = classWeight === undefined ? each : b.mul(each, weight);
  if (smoothing !== undefined) scale = b.mul(scale, broadcastScalar(oneMinus(smoothing), scale));
  let dx = b.mul(hard, along(scale, x, [axis]));
  if (smoothing !== undefined) {
    const share = b.mul(each, b.div(broadcastScalar(smoothing, each), constant(classCount(x, axis), each)));
    dx = b.add(dx, b.mul(along(share, x, [axis]), uniformPull(p, classWeight, axis)));
  }
  return zeroIf(along(ignored, x, [axis]), dx);
}

/** p sum(W) - W: the derivative of a row's losses summed over all classes. */
function uniformPull(p: Value, classWeight: Value | undefined, axis: number): Value {
  if (classWeight === undefined) return b.sub(b.mul(p, constant(classCount(p, axis), p)), constant(1, p));
  return b.sub(b.mul(p, broadcastScalar(b.sum(classWeight, { axes: [0] }), p)), byClass(classWeight, p, axis));
}

export const crossEntropyOfProbabilities = composite<[logits: Value, target: Value, ...options: Value[]], Smoothed>({
  doc: 'Cross-entropy of logits with a distribution over the classes for each row; the mean is over rows.',
  body: ([x, target, ...rest], params) => {
    const { axis, reduction } = params;
    const { shifted, total } = exponentials(x, axis);
    const surprise = b.sub(along(b.log(total), x, [axis]), shifted);
    return [reduced(b.sum(b.mul(surprise, aim(x, target, rest, params)), { axes: [axis] }), reduction)];
  },
  vjp: ([ct], { inputs: [x, target, ...rest], params }, want) => {
    const { axis } = params;
    const { powers, shifted, total } = exponentials(x, axis);
    const goal = aim(x, target, rest, params);
    const row = b.sum(goal, { axes: [axis] });
    const each = along(unreduced(ct!, row, params.reduction), x, [axis]);
    const p = b.div(powers, along(total, x, [axis]));
    const cts: Maybe[] = [x, target, ...rest].map(() => null);
    if (want[0]) cts[0] = b.mul(each, b.sub(b.mul(p, along(row, x, [axis])), goal));
    if (want[1]) {
      const surprise = b.mul(each, b.sub(along(b.log(total), x, [axis]), shifted));
      const classWeight = weightOf(rest, params);
      const smoothing = smoothingOf(rest, params);
      const weighted = classWeight === undefined ? surprise : b.mul(surprise, byClass(classWeight, x, axis));
      cts[1] = smoothing === undefined ? weighted : b.mul(weighted, broadcastScalar(oneMinus(smoothing), x));
    }
    return cts;
  },
  samples: [
    ...reductions.map((reduction) => ({ inputs: [plane, plane], params: { axis: 1, reduction, weight: false, smoothing: false } })),
    {
      inputs: [plane, plane, aval('f64', [3]), number],
      params: { axis: 1, reduction: 'mean', weight: true, smoothing: true },
      data: [undefined, undefined, [0.5, 1, 2], [0.2]],
    },
  ],
});

/** The target, smoothed towards uniform and weighted by class. */
function aim(x: Value, target: Value, rest: readonly Value[], params: Smoothed): Value {
  const smoothing = smoothingOf(rest, params);
  const classWeight = weightOf(rest, params);
  let goal = target;
  if (smoothing !== undefined) {
    const uniform = b.div(smoothing, constant(classCount(x, params.axis), smoothing));
    goal = b.add(b.mul(target, broadcastScalar(oneMinus(smoothing), x)), broadcastScalar(uniform, x));
  }
  return classWeight === undefined ? goal : b.mul(goal, byClass(classWeight, x, params.axis));
}
