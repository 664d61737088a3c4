// What the graph of gradients looks like to those who walk it: PyTorch's name of each op, and functions that PyTorch has in between.
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

const product: Naming = ({ inputs: [x, y] }) => {
  const [m, n] = [rank(x), rank(y)];
  if (m === 1 && n === 1) return 'DotBackward0';
  if (m === 2 && n === 1) return 'MvBackward0';
  if (m === 2 && n === 2) return 'MmBackward0';
  if (m === 1 && n === 2) return as('SqueezeBackward4', as('MmBackward0', as('UnsqueezeBackward0', 0), 1));
  if (m === 3 && n === 3) return 'BmmBackward0';
  const flat =
    n <= 2
      ? as(n === 1 ? 'MvBackward0' : 'MmBackward0', as('ViewBackward0', 0), 1)
      : as('BmmBackward0', as('ViewBackward0', 0), as('ViewBackward0', 1));
  return as('UnsafeViewBackward0', flat);
};

const linear: Naming = ({ inputs: [x, , bias] }) => {
  const transposed = as('TBackward0', 1);
  if (rank(x) === 1) {
    const row = as('SqueezeBackward4', as('MmBackward0', as('UnsqueezeBackward0', 0), transposed));
    return bias === undefined ? row : as('AddBackward0', row, 2);
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
    as(rank(x) > 2 ? 'NllLoss2DBackward0' : 'NllLossBackward0', of);

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
  rsub: 'RsubBackward1',
  pow: ({ inputs }) => (inputs.length > 1 ? 'PowBackward1' : 'PowBackward0'),
  square: 'PowBackward0',
  clamp: ({ inputs }) => (inputs.length > 1 ? as('ClampBackward0', ...operandsOf({ inputs, outputs: [] })) : 'ClampBackward1'),
  sum: reduction('SumBackward0', 'SumBackward1'),
  mean: reduction('MeanBackward0', 'MeanBackward1'),
  prod: reduction('ProdBackward0', 'ProdBackward1'),
  max: ({ outputs }) => (outputs.length > 1 ? 'MaxBackward0' : 'MaxBackward1'),
  min: ({ outputs }) => (outputs.length > 1 ? 'MinBackward0' : 'MinBackward1'),
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
  where: (s) => as('WhereBackward0', s.inputs.length > 1 ? 1 : null, s.inputs.length > 2 ? 2 : null),
  index: (s) => as('IndexBackward0', 0, ...s.inputs.slice(1).map(() => null)),
  indexSelect: () => as('IndexSelectBackward0', 0),
  gather: () => as('GatherBackward0', 0),
  embedding: () => as('EmbeddingBackward0', 0),
  maskedFill: (s) => as(s.inputs.length > 2 ? 'MaskedFillBackward1' : 'MaskedFillBackward0', 0, ...(s.inputs.length > 2 ? [2] : [])),
  crossEntropy: classLoss(as('LogSoftmaxBackward0', 0)),
  nllLoss: classLoss(0),
  layerNorm: affine('NativeLayerNormBackward0'),
  groupNorm: affine('NativeGroupNormBackward0'),
  batchNorm: affine('NativeBatchNormBackward0'),
  conv1d: affine('ConvolutionBackward0'),
  conv2d: affine('ConvolutionBackward0'),
  maxPool2d: 'MaxPool2DWithIndicesBackward0',
  avgPool2d: 'AvgPool2DBackward0',
  dropout: () => as('MulBackward0', 0, null),
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
