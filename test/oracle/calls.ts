// How each function of the oracle is called here: its inputs in PyTorch's order, everything else by name in `args`.
import * as fx from '../../compiler/index.ts';

type T = fx.Tensor;
export type Args = Readonly<Record<string, unknown>>;
export type Call = (inputs: readonly T[], args: Args) => T | readonly T[];
const { F } = fx;

const num = (v: unknown): number => (typeof v === 'string' ? Number(v) : (v as number));
const dims = (v: unknown): number | number[] | undefined => v as number | number[] | undefined;
/** The options among `args`, without those that are positions. */
const rest = (args: Args, ...positional: readonly string[]): never =>
  Object.fromEntries(
    Object.entries(args).filter(([k]) => !positional.includes(k) && k !== 'order' && k !== 'stable' && k !== 'operands'),
  ) as never;

/** f(x), options by position in the order of `names`. */
const unary =
  (f: (x: T, ...more: never[]) => T, ...names: readonly string[]): Call =>
  ([x], args) =>
    f(x!, ...(names.map((n) => args[n]) as never[]));
/** f(x, y), or f(x, number). */
const binary =
  (f: (x: T, y: fx.Operand, options?: never) => T): Call =>
  ([x, y], args) =>
    f(x!, y ?? (args.other === 'self' ? x!.detach().clone() : (args.other as number)), rest(args, 'other'));
/** f(x, dim, options). */
const overDim =
  (f: (x: T, dim: never, options?: never) => T | readonly T[] | fx.WithIndices): Call =>
  ([x], args) =>
    listed(f(x!, args.dim as never, rest(args, 'dim')));
const listed = (r: T | readonly T[] | fx.WithIndices): T | readonly T[] =>
  'values' in r && 'indices' in r ? [(r as fx.WithIndices).values, (r as fx.WithIndices).indices] : (r as T | readonly T[]);
const loss =
  (f: (x: T, y: T, options?: never) => T): Call =>
  ([x, y, extra], args) => {
    const name = (args.order as string | undefined)?.split(' ')[2];
    return f(x!, y!, { ...(rest(args) as object), ...(name === undefined ? {} : { [name]: extra }) } as never);
  };
const list =
  (f: (xs: readonly T[], dim?: never) => T): Call =>
  (xs, args) =>
    f(xs, args.dim as never);
const pool =
  (f: (x: T, kernel: never, options?: never) => T): Call =>
  ([x], args) =>
    f(x!, args.kernelSize as never, rest(args, 'kernelSize'));
const norm =
  (f: (x: T, over: never, options?: never) => T, over: string): Call =>
  ([x, weight, bias], args) =>
    f(x!, args[over] as never, { ...(rest(args, over) as object), weight, bias } as never);
const conv =
  (f: (x: T, w: T, options?: never) => T): Call =>
  ([x, w, bias], args) =>
    f(x!, w!, { ...(rest(args) as object), ...(bias === undefined ? {} : { bias }) } as never);

/** An index as the oracle stores it: ranges as objects, tensors by the number of the input. */
type StoredIndex =
  | number
  | boolean
  | null
  | '...'
  | { readonly start: number | null; readonly stop: number | null; readonly step: number | null }
  | { readonly input: number };
const indexOf = (inputs: readonly T[], args: Args): fx.Index[] =>
  (args.index as StoredIndex[]).map((i) => {
    if (typeof i !== 'object' || i === null) return i as fx.Index;
    if ('input' in i) return inputs[i.input]!;
    return fx.range(i.start ?? undefined, i.stop ?? undefined, i.step ?? undefined);
  });

const sameName = {
  abs: fx.abs, neg: fx.neg, sign: fx.sign, floor: fx.floor, ceil: fx.ceil, trunc: fx.trunc, round: fx.round, frac: fx.frac, reciprocal: fx.reciprocal,
  square: fx.square, sqrt: fx.sqrt, rsqrt: fx.rsqrt, exp: fx.exp, exp2: fx.exp2, expm1: fx.expm1, log: fx.log, log2: fx.log2, log10: fx.log10,
  log1p: fx.log1p, sin: fx.sin, cos: fx.cos, tan: fx.tan, asin: fx.asin, acos: fx.acos, atan: fx.atan, sinh: fx.sinh, cosh: fx.cosh, tanh: fx.tanh,
  asinh: fx.asinh, acosh: fx.acosh, atanh: fx.atanh, erf: fx.erf, erfc: fx.erfc, sigmoid: fx.sigmoid, relu: F.relu, relu6: F.relu6, selu: F.selu,
  celu: F.celu, silu: F.silu, mish: F.mish, softsign: F.softsign, hardtanh: F.hardtanh, hardsigmoid: F.hardsigmoid, hardswish: F.hardswish,
  hardshrink: F.hardshrink, softshrink: F.softshrink, tanhshrink: F.tanhshrink, logsigmoid: F.logsigmoid, isnan: fx.isnan, isinf: fx.isinf,
  isfinite: fx.isfinite, logicalNot: fx.logicalNot, bitwiseNot: fx.bitwiseNot, nonzero: fx.nonzero,
} as const; // biome-ignore format: a list of names

const binaryNames = {
  add: fx.add, sub: fx.sub, mul: fx.mul, div: fx.div, floorDivide: fx.floorDivide, remainder: fx.remainder, fmod: fx.fmod, atan2: fx.atan2,
  maximum: fx.maximum, minimum: fx.minimum, fmax: fx.fmax, fmin: fx.fmin, hypot: fx.hypot, logaddexp: fx.logaddexp, xlogy: fx.xlogy,
  copysign: fx.copysign, heaviside: fx.heaviside, eq: fx.eq, ne: fx.ne, lt: fx.lt, le: fx.le, gt: fx.gt, ge: fx.ge, logicalAnd: fx.logicalAnd,
  logicalOr: fx.logicalOr, logicalXor: fx.logicalXor, bitwiseAnd: fx.bitwiseAnd, bitwiseOr: fx.bitwiseOr, bitwiseXor: fx.bitwiseXor,
  bitwiseLeftShift: fx.bitwiseLeftShift, bitwiseRightShift: fx.bitwiseRightShift, rsub: fx.rsub,
} as const; // biome-ignore format: a list of names

const dimNames = {
  sum: fx.sum, mean: fx.mean, prod: fx.prod, amax: fx.amax, amin: fx.amin, var: fx.var, std: fx.std, varMean: fx.varMean, stdMean: fx.stdMean,
  max: fx.max, min: fx.min, argmax: fx.argmax, argmin: fx.argmin, all: fx.all, any: fx.any, countNonzero: fx.countNonzero, logsumexp: fx.logsumexp,
  cumsum: fx.cumsum, cumprod: fx.cumprod, sort: fx.sort, argsort: fx.argsort, softmax: F.softmax, logSoftmax: F.logSoftmax, softmin: F.softmin,
} as const; // biome-ignore format: a list of names

const each = <V>(table: Readonly<Record<string, V>>, make: (f: V) => Call): Record<string, Call> =>
  Object.fromEntries(Object.entries(table).map(([k, f]) => [k, make(f)]));

export const calls: Readonly<Record<string, Call>> = {
  ...each(sameName, (f) => unary(f as never)),
  ...each(binaryNames, (f) => binary(f as never)),
  ...each(dimNames, (f) => overDim(f as never)),

  // elementwise
  elu: unary(F.elu, 'alpha'),
  leakyRelu: unary(F.leakyRelu, 'negativeSlope'),
  softplus: unary(F.softplus, 'beta', 'threshold'),
  threshold: unary(F.threshold, 'threshold', 'value'),
  gelu: ([x], args) => F.gelu(x!, rest(args)),
  nanToNum: ([x], args) => fx.nanToNum(x!, rest(args)),
  clamp: ([x, low, high], args) => fx.clamp(x!, low ?? (args.min as number | undefined), high ?? (args.max as number | undefined)),
  pow: ([x, y], args) => fx.pow(x!, y ?? (args.exponent as number)),
  rpow: ([x], args) => fx.pow(args.base as number, x!),
  rdiv: ([x], args) => fx.div(args.other as number, x!),
  where: ([c, x, y]) => fx.where(c!, x!, y!),
  whereLog: ([x]) => fx.where(x!.gt(0), x!.log(), fx.zeros([])),
  lerp: ([x, y, w], args) => fx.lerp(x!, y!, w ?? (args.weight as number)),
  addcmul: ([x, y, z], args) => fx.addcmul(x!, y!, z!, rest(args)),
  addcdiv: ([x, y, z], args) => fx.addcdiv(x!, y!, z!, rest(args)),
  to: unary(fx.to as never, 'dtype'),

  // reductions
  norm: ([x], args) => fx.norm(x!, dims(args.dim), { ...(rest(args, 'dim') as object), p: num(args.p) }),
  topk: ([x], args) => listed(fx.topk(x!, args.k as number, args.dim as number | undefined, rest(args, 'k', 'dim'))),

  // networks
  glu: unary(F.glu, 'dim'),
  normalize: ([x], args) => F.normalize(x!, rest(args)),
  cosineSimilarity: ([x, y], args) => F.cosineSimilarity(x!, y!, rest(args)),
  prelu: ([x, w]) => F.prelu(x!, w!),
  layerNorm: norm(F.layerNorm, 'normalizedShape'),
  rmsNorm: norm(F.rmsNorm, 'normalizedShape'),
  groupNorm: norm(F.groupNorm, 'numGroups'),
  instanceNorm: ([x]) => F.instanceNorm(x!),
  batchNorm: ([x, weight, bias, mean, variance], args) => {
    // The statistics are results as well: they are written in place.
    const [m, v] = [mean?.clone(), variance?.clone()];
    const y = F.batchNorm(x!, m, v, { ...(rest(args) as object), weight, bias });
    return m === undefined || v === undefined ? y : [y, m, v];
  },
  matmul: ([x, y]) => fx.matmul(x!, y!),
  mm: ([x, y]) => fx.mm(x!, y!),
  bmm: ([x, y]) => fx.bmm(x!, y!),
  mv: ([x, y]) => fx.mv(x!, y!),
  dot: ([x, y]) => fx.dot(x!, y!),
  outer: ([x, y]) => fx.outer(x!, y!),
  addmm: ([x, y, z], args) => fx.addmm(x!, y!, z!, rest(args)),
  linear: ([x, w, c]) => F.linear(x!, w!, c),
  einsum: (xs, args) => fx.einsum(args.equation as string, ...xs),
  conv1d: conv(F.conv1d),
  conv2d: conv(F.conv2d),
  maxPool1d: pool(F.maxPool1d),
  maxPool2d: pool(F.maxPool2d),
  avgPool1d: pool(F.avgPool1d),
  avgPool2d: pool(F.avgPool2d),
  adaptiveAvgPool2d: unary(F.adaptiveAvgPool2d as never, 'outputSize'),
  embedding: ([i, w], args) => F.embedding(i!, w!, rest(args)),
  oneHot: unary(F.oneHot, 'numClasses'),
  crossEntropy: loss(F.crossEntropy),
  nllLoss: loss(F.nllLoss),
  mseLoss: loss(F.mseLoss),
  l1Loss: loss(F.l1Loss),
  smoothL1Loss: loss(F.smoothL1Loss),
  huberLoss: loss(F.huberLoss),
  binaryCrossEntropy: loss(F.binaryCrossEntropy),
  binaryCrossEntropyWithLogits: loss(F.binaryCrossEntropyWithLogits),
  klDiv: loss(F.klDiv),
  scaledDotProductAttention: ([q, k, v, mask], args) =>
    F.scaledDotProductAttention(q!, k!, v!, { ...(rest(args) as object), ...(mask === undefined ? {} : { attnMask: mask }) }),

  // indexing
  index: (inputs, args) => fx.index(inputs[0]!, ...indexOf(inputs, args)).mul(1),
  setIndex: (inputs, args) => {
    const at = indexOf(inputs, args);
    const value = args.value === undefined ? inputs.at(-1)! : num(args.value);
    return inputs[0]!.mul(1).indexPut_(at, value);
  },
  gather: ([x, i], args) => fx.gather(x!, args.dim as number, i!),
  takeAlongDim: ([x, i], args) => fx.takeAlongDim(x!, i!, args.dim as number),
  scatter: ([x, i, src], args) => fx.scatter(x!, args.dim as number, i!, src ?? (args.value as number)),
  scatterAdd: ([x, i, src], args) => fx.scatterAdd(x!, args.dim as number, i!, src!),
  indexSelect: ([x, i], args) => fx.indexSelect(x!, args.dim as number, i!),
  indexAdd: ([x, i, src], args) => fx.indexAdd(x!, args.dim as number, i!, src!),
  maskedFill: ([x, mask], args) => fx.maskedFill(x!, mask!, num(args.value)),
  maskedSelect: ([x, mask]) => fx.maskedSelect(x!, mask!),
  take: ([x, i]) => fx.take(x!, i!),

  // shapes
  cat: list(fx.cat),
  stack: list(fx.stack),
  hstack: list(fx.hstack),
  vstack: list(fx.vstack),
  split: ([x], args) => fx.split(x!, args.splitSizeOrSections as number, args.dim as number | undefined),
  chunk: ([x], args) => fx.chunk(x!, args.chunks as number, args.dim as number | undefined),
  unbind: ([x], args) => fx.unbind(x!, args.dim as number),
  reshape: unary(fx.reshape as never, 'shape'),
  transpose: unary(fx.transpose, 'dim0', 'dim1'),
  swapaxes: unary(fx.swapaxes, 'axis0', 'axis1'),
  permute: unary(fx.permute as never, 'dims'),
  movedim: unary(fx.movedim, 'source', 'destination'),
  squeeze: unary(fx.squeeze as never, 'dim'),
  unsqueeze: unary(fx.unsqueeze, 'dim'),
  flatten: unary(fx.flatten, 'startDim', 'endDim'),
  unflatten: unary(fx.unflatten as never, 'dim', 'sizes'),
  expand: unary(fx.expand as never, 'sizes'),
  broadcastTo: unary(fx.broadcastTo as never, 'size'),
  repeat: unary(fx.repeat as never, 'repeats'),
  repeatInterleave: unary(fx.repeatInterleave, 'repeats', 'dim'),
  tile: unary(fx.tile as never, 'dims'),
  flip: unary(fx.flip as never, 'dims'),
  roll: unary(fx.roll as never, 'shifts', 'dims'),
  tril: unary(fx.tril, 'diagonal'),
  triu: unary(fx.triu, 'diagonal'),
  diagonal: unary(fx.diagonal, 'offset'),
  diag: unary(fx.diag),
  narrow: unary(fx.narrow, 'dim', 'start', 'length'),
  pad: unary(F.pad as never, 'pad', 'value'),
  unfold: unary(fx.unfold, 'dimension', 'size', 'step'),

  // creation
  arange: (_, args) =>
    fx.arange(
      (args.start as number | undefined) ?? 0,
      args.end as number,
      (args.step as number | undefined) ?? 1,
      rest(args, 'start', 'end', 'step'),
    ),
  linspace: (_, args) => fx.linspace(args.start as number, args.end as number, args.steps as number),
  eye: (_, args) => fx.eye(args.n as number, (args.m as number | undefined) ?? (args.n as number)),
  full: (_, args) => fx.full(args.size as number[], args.fillValue as number),
  zeros: (_, args) => fx.zeros(args.size as number[]),
  ones: (_, args) => fx.ones(args.size as number[], rest(args, 'size')),
};
