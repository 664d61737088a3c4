// Losses that compare input and target element by element. Kinks and limits are PyTorch's.
import { aval } from '../../ir/aval.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { type Reduction, reduced, reductions, unreduced } from './reduction.ts';
import { type CompositeRule, composite, type Maybe } from './rule.ts';
import { broadcastScalar, constant, keepIf, square, zero, zeroIf } from './shape.ts';

type Reduced = { readonly reduction: Reduction };
const plane = aval('f64', [3, 4]);

/** A loss whose body is a formula by element and which is differentiated through it. */
const formula = <I extends readonly Value[]>(
  doc: string,
  each: (...inputs: I) => Value,
  extra: readonly number[] = [],
): CompositeRule<I, Reduced> =>
  composite<I, Reduced>({
    doc,
    body: (inputs, { reduction }) => [reduced(each(...inputs), reduction)],
    samples: reductions.map((reduction) => ({
      inputs: [plane, plane, ...extra.map(() => aval('f64', []))],
      params: { reduction },
      data: [undefined, undefined, ...extra.map((n) => [n])],
    })),
  });

export const mseLoss = formula<[Value, Value]>('Squared difference.', (x, y) => square(b.sub(x, y)));
export const l1Loss = formula<[Value, Value]>('Absolute difference; gradient 0 where they are equal.', (x, y) => b.abs(b.sub(x, y)));

/** The part of `size` below `limit`, so that the square of the rest can neither overflow nor poison the gradient. */
const below = (size: Value, limit: Value): Value => keepIf(b.lt(size, limit), size);

export const smoothL1Loss = formula<[Value, Value, beta: Value]>(
  'Absolute difference less beta / 2, or a parabola below beta.',
  (x, y, beta) => {
    const size = b.abs(b.sub(x, y));
    const limit = broadcastScalar(beta, size);
    const half = constant(0.5, size);
    const parabola = b.div(b.mul(half, square(below(size, limit))), limit);
    return b.select(b.lt(size, limit), parabola, b.sub(size, b.mul(half, limit)));
  },
  [0.8],
);

export const huberLoss = formula<[Value, Value, delta: Value]>(
  'Half the squared difference up to delta, a line beyond.',
  (x, y, delta) => {
    const size = b.abs(b.sub(x, y));
    const limit = broadcastScalar(delta, size);
    const half = constant(0.5, size);
    const parabola = b.mul(half, square(below(size, limit)));
    return b.select(b.lt(size, limit), parabola, b.mul(limit, b.sub(size, b.mul(half, limit))));
  },
  [0.8],
);

export const klDivLoss = composite<[input: Value, target: Value], Reduced & { readonly logTarget: boolean }>({
  doc: 'Divergence of the distribution `target` from exp(input); `logTarget` says that the target is a logarithm, too.',
  body: ([x, y], { reduction, logTarget }) => {
    if (logTarget) return [reduced(b.mul(b.exp(y), b.sub(y, x)), reduction)];
    const isZero = b.eq(y, zero(y));
    const logY = b.log(b.select(isZero, constant(1, y), y));
    return [reduced(b.sub(b.mul(y, logY), b.mul(y, x)), reduction)];
  },
  samples: [true, false].flatMap((logTarget) =>
    (['none', 'mean', 'sum', 'batchmean'] as const).map((reduction) => ({
      inputs: [plane, plane],
      params: { reduction, logTarget },
      range: [0.1, 2] as const,
    })),
  ),
});

type Weighted = Reduced & { readonly weight: boolean };
const timesWeight = (each: Value, rest: readonly Value[], { weight }: Weighted): Value => (weight ? b.mul(each, rest[0]!) : each);

/** PyTorch bounds the logarithms from below, so that a certain miss costs 100 and not infinity. */
const boundedLog = (log: Value): Value => b.max(log, constant(-100, log));

export const binaryCrossEntropy = composite<[input: Value, target: Value, ...weight: Value[]], Weighted>({
  doc: 'Cross-entropy of probabilities with targets from 0 to 1, by a weight of their shape.',
  body: ([x, y, ...rest], params) => {
    const hit = b.mul(y, boundedLog(b.log(x)));
    const miss = b.mul(b.sub(y, constant(1, y)), boundedLog(b.log1p(b.neg(x))));
    return [reduced(timesWeight(b.sub(miss, hit), rest, params), params.reduction)];
  },
  vjp: ([ct], { inputs: [x, y, ...rest], params }, wanted) => {
    const each = timesWeight(unreduced(ct!, x, params.reduction), rest, params);
    const spread = b.max(b.mul(b.sub(constant(1, x), x), x), constant(1e-12, x));
    const byInput = (): Value => b.mul(each, b.div(b.sub(x, y), spread));
    const byTarget = (): Value => b.mul(each, b.sub(boundedLog(b.log1p(b.neg(x))), boundedLog(b.log(x))));
    return [wanted[0] ? byInput() : null, wanted[1] ? byTarget() : null, ...rest.map(() => null)];
  },
  samples: [
    ...reductions.map((reduction) => ({ inputs: [plane, plane], params: { reduction, weight: false }, range: [0.1, 0.9] as const })),
    { inputs: [plane, plane, plane], params: { reduction: 'mean', weight: true }, range: [0.1, 0.9] },
  ],
});

type Logits = Weighted & { readonly posWeight: boolean };
const posWeightOf = (rest: readonly Value[], { weight, posWeight }: Logits): Value | undefined =>
  posWeight ? rest[weight ? 1 : 0] : undefined;

export const binaryCrossEntropyWithLogits = composite<[input: Value, target: Value, ...weights: Value[]], Logits>({
  doc: 'Cross-entropy of sigmoid(input) with targets from 0 to 1; `posWeight` multiplies the loss of positives.',
  body: ([x, y, ...rest], params) => {
    const posWeight = posWeightOf(rest, params);
    const negative = b.mul(b.sub(constant(1, y), y), x);
    const tail = b.softplus(b.neg(x));
    const factor = posWeight === undefined ? undefined : b.add(b.mul(b.sub(posWeight, constant(1, y)), y), constant(1, y));
    return [reduced(timesWeight(b.add(negative, factor === undefined ? tail : b.mul(factor, tail)), rest, params), params.reduction)];
  },
  vjp: ([ct], { inputs: [x, y, ...rest], params }, wanted) => {
    const each = timesWeight(unreduced(ct!, x, params.reduction), rest, params);
    const posWeight = posWeightOf(rest, params);
    const cts: Maybe[] = [x, y, ...rest].map(() => null);
    if (wanted[0]) cts[0] = b.mul(each, logitSlope(x, y, posWeight));
    if (wanted[1]) {
      // -log sigmoid(x) is softplus(-x), and softplus(x) = x + softplus(-x).
      const byTarget = posWeight === undefined ? b.neg(x) : b.sub(b.mul(posWeight, b.softplus(b.neg(x))), b.softplus(x));
      cts[1] = b.mul(each, byTarget);
    }
    return cts;
  },
  samples: [
    ...reductions.map((reduction) => ({ inputs: [plane, plane], params: { reduction, weight: false, posWeight: false } })),
    { inputs: [plane, plane, plane], params: { reduction: 'mean', weight: false, posWeight: true } },
    { inputs: [plane, plane, plane, plane], params: { reduction: 'sum', weight: true, posWeight: true } },
  ],
});

function logitSlope(x: Value, y: Value, posWeight: Value | undefined): Value {
  if (posWeight === undefined) return b.sub(b.sigmoid(x), y);
  const positives = b.mul(posWeight, y);
  return b.sub(b.mul(b.sub(b.add(positives, constant(1, y)), y), b.sigmoid(x)), positives);
}

export const hingeEmbeddingLoss = composite<[input: Value, target: Value, margin: Value], Reduced>({
  doc: 'x where the target is 1, max(0, margin - x) where it is -1.',
  body: ([x, y, margin], { reduction }) => {
    const gap = b.sub(broadcastScalar(margin, x), x);
    const push = zeroIf(b.le(gap, zero(gap)), gap);
    const one = constant(1, y);
    return [reduced(b.add(keepIf(b.ne(y, b.neg(one)), x), keepIf(b.ne(y, one), push)), reduction)];
  },
  samples: [
    {
      inputs: [aval('f64', [4]), aval('f64', [4]), aval('f64', [])],
      params: { reduction: 'mean' },
      data: [undefined, [1, -1, -1, 1], [1.5]],
    },
  ],
});
