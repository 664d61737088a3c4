// What the graph of gradients looks like to those who walk it: PyTorch's name of each op, and functions that PyTorch has in between.
import { isFloat } from '../../../runtime/dtype.ts';
import type { Aval } from '../../ir/aval.ts';

/** A function as shown. `next` has, for each of its operands: the number of an operand of the op, null, or a function in between. */
export type Shown = { readonly name: string; readonly next: readonly (number | null | Shown)[] };

/** Operands and results of an op, as far as names depend on them. */
export type Signature = { readonly inputs: readonly Aval[]; readonly outputs: readonly Aval[] };

type Naming = string | ((s: Signature) => Shown | string);

const rank = (a: Aval | undefined): number => a?.shape.length ?? 0;
const operandsOf = (s: Signature): number[] => s.inputs.map((_, i) => i);
const as = (name: string, ...next: Shown['next']): Shown => ({ name, next });

/** Full reductions and those over dimensions are overloads of their own. One dimension alone is taken for all. */
const reduction =
  (full: string, over: string): Naming =>
  ({ outputs }) =>
    rank(outputs[0]) === 0 ? full : over;

/** A number in the place of the second tensor has an edge that leads nowhere. */
const binary =
  (name: string): Naming =>
  (s) =>
    as(name, 0, s.inputs.length > 1 ? 1 : null);

/** An operand of a batched product: what must be repeated over the batch is copied. */
function inBatch(x: Aval | undefined, out: Aval | undefined, at: number): Shown {
  const expanded = as('ExpandBackward0', at);
  const batch = (a: Aval | undefined): string => `${a?.shape.slice(0, -2)}`;
  return batch(x) === batch(out) ? as('ViewBackward0', expanded) : as('UnsafeViewBackward0', as('CloneBackward0', expanded));
}

const product: Naming = ({ inputs: [x, y], outputs: [out] }) => {
  const [m, n] = [rank(x), rank(y)];
  if (m === 1 && n === 1) return 'DotBackward0';
  if (m === 2 && n === 1) return 'MvBackward0';
  if (m === 2 && n === 2) return 'MmBackward0';
  if (m === 1 && n === 2) return as('SqueezeBackward4', as('MmBackward0', as('UnsqueezeBackward0', 0), 1));
  if (n <= 2) return as('UnsafeViewBackward0', as(n === 1 ? 'MvBackward0' : 'MmBackward0', as('ViewBackward0', 0), 1));
  return as('UnsafeViewBackward0', as('BmmBackward0', inBatch(x, out, 0), inBatch(y, out, 1)));
};

const linear: Naming = ({ inputs: [x, , bias] }) => {
  const transposed = as('TBackward0', 1);
  if (rank(x) === 1) {
    const row = as('SqueezeBackward4', as('MmBackward0', as('UnsqueezeBackward0', 0), transposed));
    return bias === undefined ? row : as('ViewBackward0', as('AddmmBackward0', 2, as('ViewBackward0', 0), transposed));
  }
  if (rank(x) === 2) return bias === undefined ? as('MmBackward0', 0, transposed) : as('AddmmBackward0', 2, 0, transposed);
  const rows = as('ViewBackward0', 0);
  return bias === undefined
    ? as('UnsafeViewBackward0', as('MmBackward0', rows, transposed))
    : as('ViewBackward0', as('AddmmBackward0', 2, rows, transposed));
};

/** A loss of class indices is a choice among log-probabilities; of maps it is its 2-d overload. */
const classLoss =
  (of: Shown | number): Naming =>
  ({ inputs: [x] }) =>
    rank(x) === 3 ? as('NllLoss2DBackward0', as('ViewBackward0', of)) : as(rank(x) > 3 ? 'NllLoss2DBackward0' : 'NllLossBackward0', of);

/** PyTorch runs what is one-dimensional, or has no batch, as an image with one more dimension. */
const asImage =
  (name: string, ...more: Shown['next']): Naming =>
  () =>
    as('SqueezeBackward1', as(name, as('UnsqueezeBackward0', 0), ...more));
const convolution =
  (batched: number): Naming =>
  (s) => {
    const [weight, bias] = [s.inputs.length > 1 ? 1 : null, s.inputs.length > 2 ? 2 : null];
    if (rank(s.inputs[0]) < batched) return as('SqueezeBackward1', as('ConvolutionBackward0', as('UnsqueezeBackward0', 0), weight, bias));
    return as('ConvolutionBackward0', 0, weight, bias);
  };
/** Of operands in whose middle stand indices. */
const around =
  (name: string): Naming =>
  (s) =>
    as(name, 0, s.inputs.length - 1);
const overload =
  (one: string, two: string): Naming =>
  (s) =>
    s.inputs.length > 1 ? two : one;

/** Weight and bias have an edge even where they are left out. */
const affine =
  (name: string): Naming =>
  (s) =>
    as(name, 0, s.inputs.length > 1 ? 1 : null, s.inputs.length > 2 ? 2 : null);

/** Ops whose function is not called `<Op>Backward0` with an edge per operand. */
const namings: Readonly<Record<string, Naming>> = {
  add: binary('AddBackward0'),
  sub: binary('SubBackward0'),
  mul: binary('MulBackward0'),
  div: binary('DivBackward0'),
  'sub.number': () => as('SubBackward0', null, 0),
  'div.number': () => as('DivBackward0', null, 0),
  rsub: (s) => (s.inputs.length > 1 ? as('RsubBackward0', 1, 0) : 'RsubBackward1'),
  pow: overload('PowBackward0', 'PowBackward1'),
  'pow.number': 'PowBackward2',
  remainder: overload('RemainderBackward0', 'RemainderBackward1'),
  fmod: overload('FmodBackward0', 'FmodBackward1'),
  lerp: ({ inputs }) => (inputs.length > 2 ? 'LerpBackward1' : 'LerpBackward0'),
  relu6: 'HardtanhBackward0',
  selu: 'EluBackward0',
  softsign: () => as('DivBackward0', 0, as('AddBackward0', as('AbsBackward0', 0), null)),
  tanhshrink: () => as('SubBackward0', 0, as('TanhBackward0', 0)),
  prelu: () => as('PreluKernelBackward0', 0, as('ViewBackward0', 1)),
  square: 'PowBackward0',
  clamp: ({ inputs }) => (inputs.length > 1 ? as('ClampBackward0', ...operandsOf({ inputs, outputs: [] })) : 'ClampBackward1'),
  sum: reduction('SumBackward0', 'SumBackward1'),
  mean: reduction('MeanBackward0', 'MeanBackward1'),
  prod: reduction('ProdBackward0', 'ProdBackward1'),
  max: ({ outputs }) => (outputs.length > 1 ? 'MaxBackward0' : 'MaxBackward1'),
  min: ({ outputs }) => (outputs.length > 1 ? 'MinBackward0' : 'MinBackward1'),
  log1p: 'Log1PBackward0',
  norm: 'LinalgVectorNormBackward0',
  variance: 'VarBackward0',
  matmul: product,
  mm: product,
  linear,
  t: 'TBackward0',
  reshape: 'ViewBackward0',
  flatten: 'ViewBackward0',
  unflatten: 'ViewBackward0',
  view: 'ViewBackward0',
  to: 'ToCopyBackward0',
  clone: 'CloneBackward0',
  contiguous: 'CloneBackward0',
  movedim: 'PermuteBackward0',
  narrow: 'SliceBackward0',
  pad: 'ConstantPadNdBackward0',
  outer: () => as('MulBackward0', as('ViewBackward0', 0), 1),
  'reshape.copy': () => as('UnsafeViewBackward0', as('CloneBackward0', 0)),
  'squeeze.dim': 'SqueezeBackward1',
  'squeeze.dims': 'SqueezeBackward2',
  'split.sizes': 'SplitWithSizesBackward0',
  where: (s) => as('WhereBackward0', s.inputs.length > 1 ? 1 : null, s.inputs.length > 2 ? 2 : null),
  index: () => as('IndexBackward0', 0),
  indexSelect: () => as('IndexSelectBackward0', 0),
  gather: () => as('GatherBackward0', 0),
  scatterAdd: around('ScatterAddBackward0'),
  scatter: (s) => (s.inputs.length > 2 ? as('ScatterBackward0', 0, 2) : as('ScatterBackward1', 0)),
  indexAdd: around('IndexAddBackward0'),
  indexCopy: around('IndexCopyBackward0'),
  indexPut: (s) => as('IndexPutBackward0', 0, s.inputs.length > 1 && isFloat(s.inputs.at(-1)!.dtype) ? s.inputs.length - 1 : null),
  embedding: () => as('EmbeddingBackward0', 0),
  maskedFill: (s) => as(s.inputs.length > 2 ? 'MaskedFillBackward1' : 'MaskedFillBackward0', 0, ...(s.inputs.length > 2 ? [2] : [])),
  crossEntropy: classLoss(as('LogSoftmaxBackward0', 0)),
  nllLoss: classLoss(0),
  rmsNorm: (s) => {
    const normal = as('MulBackward0', 0, as('RsqrtBackward0', as('AddBackward1', as('MeanBackward1', as('PowBackward0', 0)))));
    return s.inputs.length > 1 ? as('MulBackward0', normal, 1) : normal;
  },
  layerNorm: affine('NativeLayerNormBackward0'),
  groupNorm: affine('NativeGroupNormBackward0'),
  batchNorm: affine('NativeBatchNormBackward0'),
  conv1d: convolution(3),
  conv2d: convolution(4),
  maxPool1d: asImage('MaxPool2DWithIndicesBackward0'),
  avgPool1d: asImage('AvgPool2DBackward0'),
  adaptiveAvgPool2d: ({ outputs: [y] }) => (y?.shape.slice(-2).every((n) => n === 1) ? 'MeanBackward1' : 'AdaptiveAvgPool2DBackward0'),
  binaryCrossEntropyWithLogits: () => as('BinaryCrossEntropyWithLogitsBackward0', 0, 1),
  maxPool2d: 'MaxPool2DWithIndicesBackward0',
  avgPool2d: 'AvgPool2DBackward0',
  dropout: () => as('MulBackward0', 0, null),
  'linalg.inv': 'LinalgInvExBackward0',
  'linalg.solve': 'LinalgSolveExBackward0',
  'linalg.cholesky': 'LinalgCholeskyExBackward0',
  CopySlices: 'CopySlices',
  AccumulateGrad: 'AccumulateGrad',
};

/** How the function of an op appears. `op` ends in `Backward` where it is a name already. */
export function shownAs(op: string, s: Signature): Shown {
  const plain = op.replace(/_$/, '');
  const naming = Object.hasOwn(namings, plain) ? namings[plain]! : /Backward\d*$/.test(op) ? op : `${capitalised(plain)}Backward0`;
  const shown = typeof naming === 'string' ? naming : naming(s);
  return typeof shown === 'string' ? { name: shown, next: operandsOf(s) } : shown;
}

/** `Add` of add, `LinalgDet` of linalg.det. */
const capitalised = (op: string): string => op.replace(/(?:^|\.)(.)/g, (_, first: string) => first.toUpperCase());
