// Layer, group, batch and RMS normalisation. Forward is one row-resident kernel; the gradient by x is one over the normalised axes,
// those by scale and shift one over the others.
import { aval } from '../../ir/aval.ts';
import { b } from '../../ir/builder.ts';
import { fixed, type Shape } from '../../ir/dim.ts';
import { shapeOf, type Value } from '../../ir/node.ts';
import { type Applied, composite, leading, type Maybe } from './rule.ts';
import { along, broadcastScalar, constant, countIn, meanOver, otherAxes, square, sumOver } from './shape.ts';

/** Which of the optional operands follow x and eps. */
type Affine = { readonly weight: boolean; readonly bias: boolean };

type Standard = { readonly unit: Value; readonly rstd: Value; readonly mean: Value; readonly variance: Value };

/** x with mean 0 and variance 1 over `axes`. Forward and backward write these same nodes, so CSE keeps one copy. */
function standardised(x: Value, eps: Value, axes: readonly number[]): Standard {
  const mean = meanOver(x, axes);
  const distance = b.sub(x, along(mean, x, axes));
  const variance = meanOver(square(distance), axes);
  const rstd = b.rsqrt(b.add(variance, broadcastScalar(eps, variance)));
  return { unit: b.mul(distance, along(rstd, x, axes)), rstd, mean, variance };
}

/** Cotangent of x from that of the standardised x: what `ct` has along the mean and along x itself is taken away. */
function throughStandard(ct: Value, { unit, rstd }: Standard, axes: readonly number[]): Value {
  const shift = meanOver(ct, axes);
  const tilt = meanOver(b.mul(ct, unit), axes);
  const rest = b.sub(b.sub(ct, along(shift, ct, axes)), b.mul(unit, along(tilt, ct, axes)));
  return b.mul(rest, along(rstd, ct, axes));
}

/** The optional operands, `weight` first, from what follows the fixed ones. */
const affineOf = (rest: readonly Value[], has: Affine): { weight: Value | undefined; bias: Value | undefined } => ({
  weight: has.weight ? rest[0] : undefined,
  bias: has.bias ? rest[has.weight ? 1 : 0] : undefined,
});

/** unit * weight + bias, both of which lack `axes` of it. */
function scaleAndShift(unit: Value, rest: readonly Value[], has: Affine, axes: readonly number[]): Value {
  const { weight, bias } = affineOf(rest, has);
  const scaled = weight === undefined ? unit : b.mul(unit, along(weight, unit, axes));
  return bias === undefined ? scaled : b.add(scaled, along(bias, unit, axes));
}

/** Cotangents of the optional operands; `wanted` starts at the first of them. */
function affineVjp(ct: Value, unit: Value, has: Affine, axes: readonly number[], wanted: readonly boolean[]): Maybe[] {
  const cts: Maybe[] = [];
  if (has.weight) cts.push(wanted[0] ? sumOver(b.mul(ct, unit), axes) : null);
  if (has.bias) cts.push(wanted[cts.length] ? sumOver(ct, axes) : null);
  return cts;
}

const scaledCotangent = (ct: Value, rest: readonly Value[], has: Affine, axes: readonly number[]): Value =>
  has.weight ? b.mul(ct, along(rest[0]!, ct, axes)) : ct;

const withAffine = (x: Shape, affine: Shape) => {
  const [input, parameter, eps] = [aval('f64', x), aval('f64', affine), aval('f64', [])];
  const sample = (weight: boolean, bias: boolean) => ({
    inputs: [input, eps, ...(weight ? [parameter] : []), ...(bias ? [parameter] : [])],
    has: { weight, bias },
    data: [undefined, [0.1]] as const,
  });
  return [sample(true, true), sample(true, false), sample(false, true), sample(false, false)];
};

type LayerNorm = Affine & { readonly rank: number };
const lastAxes = (x: Value, rank: number): readonly number[] =>
  shapeOf(x)
    .map((_, i) => i)
    .slice(shapeOf(x).length - rank);

export const layerNorm = composite<[x: Value, eps: Value, ...affine: Value[]], LayerNorm>({
  doc: 'Mean 0 and variance 1 over the last `rank` axes, then scale and shift of their shape.',
  body: ([x, eps, ...rest], params) => {
    const axes = lastAxes(x, params.rank);
    return [scaleAndShift(standardised(x, eps, axes).unit, rest, params, otherAxes(x, axes))];
  },
  vjp: ([ct], { inputs: [x, eps, ...rest], params }, wanted) => {
    const axes = lastAxes(x, params.rank);
    const others = otherAxes(x, axes);
    const standard = standardised(x, eps, axes);
    const dx = wanted[0] ? throughStandard(scaledCotangent(ct!, rest, params, others), standard, axes) : null;
    return [dx, null, ...affineVjp(ct!, standard.unit, params, others, wanted.slice(2))];
  },
  batch: leading(1),
  samples: [
    ...withAffine([3, 5], [5]).map(({ inputs, has, data }) => ({ inputs, params: { ...has, rank: 1 }, data })),
    ...withAffine([3, 2, 4], [2, 4])
      .slice(0, 1)
      .map(({ inputs, has, data }) => ({ inputs, params: { ...has, rank: 2 }, data })),
  ],
});

export const rmsNorm = composite<[x: Value, eps: Value, ...affine: Value[]], { readonly rank: number; readonly weight: boolean }>({
  doc: 'x over its root mean square over the last `rank` axes, then a scale of their shape.',
  body: ([x, eps, ...rest], { rank, weight }) => {
    const axes = lastAxes(x, rank);
    const power = meanOver(square(x), axes);
    const rrms = b.rsqrt(b.add(power, broadcastScalar(eps, power)));
    return [scaleAndShift(b.mul(x, along(rrms, x, axes)), rest, { weight, bias: false }, otherAxes(x, axes))];
  },
  batch: leading(1),
  samples: withAffine([3, 5], [5])
    .slice(1, 2)
    .map(({ inputs, data }) => ({ inputs, params: { rank: 1, weight: true }, data })),
});

/** All axes but that of the channels, the second. */
const perChannel = (x: Value): readonly number[] => otherAxes(x, [1]);

export const batchNorm = composite<[x: Value, eps: Value, ...affine: Value[]], Affine>({
  doc: 'Mean 0 and variance 1 for each channel (axis 1) of the batch, then scale and shift by channel. Also gives the mean and the biased variance.',
  body: ([x, eps, ...rest], has) => {
    const axes = perChannel(x);
    const { unit, mean, variance } = standardised(x, eps, axes);
    return [scaleAndShift(unit, rest, has, axes), mean, variance];
  },
  vjp: (cts, at, wanted) => batchNormVjp(cts, at, wanted),
  samples: [
    ...withAffine([4, 3], [3]).map(({ inputs, has, data }) => ({ inputs, params: has, data })),
    ...withAffine([2, 3, 2, 2], [3])
      .slice(0, 1)
      .map(({ inputs, has, data }) => ({ inputs, params: has, data })),
  ],
});

/** dx reduces over the same axes as scale and shift, so all of it is one kernel: the factor of dx by channel is taken out of the sums. */
function batchNormVjp(
  [ct, ctMean, ctVariance]: readonly Maybe[],
  { inputs: [x, eps, ...rest], params }: Applied<[Value, Value, ...Value[]], Affine>,
  wanted: readonly boolean[],
): Maybe[] {
  const axes = perChannel(x);
  const standard = standardised(x, eps, axes);
  const parts: Value[] = [];
  if (wanted[0] && ct != null) {
    const direct = throughStandard(ct, standard, axes);
    parts.push(params.weight ? b.mul(direct, along(rest[0]!, x, axes)) : direct);
  }
  if (wanted[0] && ctMean != null) parts.push(along(meanShare(ctMean, x, axes), x, axes));
  if (wanted[0] && ctVariance != null) {
    const distance = b.sub(x, along(standard.mean, x, axes));
    parts.push(b.mul(along(b.mul(constant(2, ctVariance), meanShare(ctVariance, x, axes)), x, axes), distance));
  }
  const dx = parts.length === 0 ? null : parts.reduce((a, p) => b.add(a, p));
  const affine = ct == null ? rest.map(() => null) : affineVjp(ct, standard.unit, params, axes, wanted.slice(2));
  return [dx, null, ...affine];
}

/** What each element gets of the cotangent of a mean. */
const meanShare = (ct: Value, x: Value, axes: readonly number[]): Value => b.div(ct, constant(countIn(shapeOf(x), axes), ct));

export const batchNormEval = composite<[x: Value, eps: Value, mean: Value, variance: Value, ...affine: Value[]], Affine>({
  doc: 'Each channel (axis 1) by given statistics, then scale and shift by channel.',
  body: ([x, eps, mean, variance, ...rest], has) => {
    const axes = perChannel(x);
    const rstd = b.rsqrt(b.add(variance, broadcastScalar(eps, variance)));
    const unit = b.mul(b.sub(x, along(mean, x, axes)), along(rstd, x, axes));
    return [scaleAndShift(unit, rest, has, axes)];
  },
  samples: [
    {
      inputs: [aval('f64', [2, 3, 2]), aval('f64', []), ...[1, 2, 3, 4].map(() => aval('f64', [3]))],
      params: { weight: true, bias: true },
      data: [undefined, [0.1], undefined, [0.5, 1, 2]],
    },
  ],
});

type GroupNorm = Affine & { readonly groups: number };

/** [N, C, ...] as [N, groups, C / groups, ...], and the axes within a group. */
function grouped(x: Value, groups: number): { parts: Value; axes: readonly number[]; split: (perChannel: Value) => Value } {
  const [batch, channels, ...spatial] = shapeOf(x);
  const size = fixed(channels!) / groups;
  const parts = b.reshape(x, { shape: [batch!, groups, size, ...spatial] });
  return { parts, axes: otherAxes(parts, [0, 1]), split: (c) => b.reshape(c, { shape: [groups, size] }) };
}

export const groupNorm = composite<[x: Value, eps: Value, ...affine: Value[]], GroupNorm>({
  doc: 'Mean 0 and variance 1 within each of `groups` groups of channels of each example, then scale and shift by channel.',
  body: ([x, eps, ...rest], params) => {
    const { parts, axes, split } = grouped(x, params.groups);
    const y = scaleAndShift(standardised(parts, eps, axes).unit, rest.map(split), params, otherAxes(parts, [1, 2]));
    return [b.reshape(y, { shape: shapeOf(x) })];
  },
  vjp: ([ct], { inputs: [x, eps, ...rest], params }, wanted) => {
    const { parts, axes, split } = grouped(x, params.groups);
    const others = otherAxes(parts, [1, 2]);
    const standard = standardised(parts, eps, axes);
    const upstream = b.reshape(ct!, { shape: shapeOf(parts) });
    const back = wanted[0] ? throughStandard(scaledCotangent(upstream, rest.map(split), params, others), standard, axes) : null;
    const dx = back === null ? null : b.reshape(back, { shape: shapeOf(x) });
    const affine = affineVjp(upstream, standard.unit, params, others, wanted.slice(2));
    return [dx, null, ...affine.map((c) => (c === null ? null : b.reshape(c, { shape: [shapeOf(x)[1]!] })))];
  },
  samples: withAffine([2, 4, 3], [4])
    .slice(0, 2)
    .map(({ inputs, has, data }) => ({ inputs, params: { ...has, groups: 2 }, data })),
});
