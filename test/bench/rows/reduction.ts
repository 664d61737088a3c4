// Sums, maxima and their positions over each axis and over all, and cross-entropy.
import { F, type Tensor } from '../../../compiler/index.ts';
import { bytesOf, type FunctionRow, indices, normal } from '../row.ts';

type Over = 0 | 1 | 'all';
const axisOf = (over: Over): number | undefined => (over === 'all' ? undefined : over);
const whichOf = (over: Over): string => (over === 'all' ? 'all' : `axis ${over}`);
/** A last argument for the axis, where there is one. */
const listed = (over: Over): readonly number[] => (over === 'all' ? [] : [over]);

const described = (name: string, n: number, over: Over) =>
  ({
    kind: 'function',
    work: `${name} over ${whichOf(over)} of ${n}x${n}`,
    least: { read: bytesOf([n, n]), ...(over !== 'all' && { written: bytesOf([n]) }) },
    bound: 'memory',
  }) as const;

/** Numbers around 1 to sum: around 0 the sum would be what rounding left. */
const sum = (n: number, over: Over): FunctionRow => ({
  ...described('sum', n, over),
  inputs: [{ shape: [n, n], fill: { scale: 1, around: 1 } }],
  fluxion: (x) => x.sum(axisOf(over)),
  jax:
    ({ numpy }) =>
    (x) =>
      numpy.sum(x, ...listed(over)),
  tfjs: (tf) => (x) => tf.sum(x, ...listed(over)),
  onnx: [
    ...(over === 'all' ? [] : [{ op: 'constant', output: 'axes', shape: [1], values: [over], integer: true } as const]),
    { op: 'ReduceSum', inputs: over === 'all' ? ['x0'] : ['x0', 'axes'], output: 'y', attributes: { keepdims: 0 } },
  ],
  torch: `lambda x: torch.sum(x${over === 'all' ? '' : `, ${over}`})`,
  ...(over !== 'all' && { out: `lambda o, x: torch.sum(x, ${over}, out=o)` }),
  xla: `lambda x: jnp.sum(x, ${axisOf(over) ?? 'None'})`,
});

const max = (n: number, over: Over): FunctionRow => ({
  ...described('max', n, over),
  inputs: [normal([n, n])],
  tolerance: 0,
  fluxion: (x): Tensor => (over === 'all' ? x.max() : x.amax(over)),
  jax:
    ({ numpy }) =>
    (x) =>
      numpy.max(x, ...listed(over)),
  tfjs: (tf) => (x) => tf.max(x, ...listed(over)),
  onnx: [
    ...(over === 'all' ? [] : [{ op: 'constant', output: 'axes', shape: [1], values: [over], integer: true } as const]),
    { op: 'ReduceMax', inputs: over === 'all' ? ['x0'] : ['x0', 'axes'], output: 'y', attributes: { keepdims: 0 } },
  ],
  torch: `lambda x: torch.amax(x${over === 'all' ? '' : `, ${over}`})`,
  ...(over !== 'all' && { out: `lambda o, x: torch.amax(x, ${over}, out=o)` }),
  xla: `lambda x: jnp.max(x, ${axisOf(over) ?? 'None'})`,
});

const argmax = (n: number, over: Over): FunctionRow => ({
  ...described('argmax', n, over),
  inputs: [normal([n, n])],
  tolerance: 0,
  fluxion: (x) => x.argmax(axisOf(over)),
  jax:
    ({ numpy }) =>
    (x) =>
      over === 'all' ? numpy.argmax(x.reshape([n * n])) : numpy.argmax(x, over),
  tfjs: (tf) => (x) => (over === 'all' ? tf.argMax(tf.reshape(x, [n * n])) : tf.argMax(x, over)),
  onnx:
    over === 'all'
      ? [
          { op: 'constant', output: 'shape', shape: [1], values: [n * n], integer: true },
          { op: 'Reshape', inputs: ['x0', 'shape'], output: 'flat' },
          { op: 'ArgMax', inputs: ['flat'], output: 'y', attributes: { keepdims: 0 } },
        ]
      : [{ op: 'ArgMax', inputs: ['x0'], output: 'y', attributes: { axis: over, keepdims: 0 } }],
  torch: `lambda x: torch.argmax(x${over === 'all' ? '' : `, ${over}`})`,
  xla: `lambda x: jnp.argmax(x, ${axisOf(over) ?? 'None'})`,
});

const crossEntropy = (rows: number, classes: number): FunctionRow => ({
  kind: 'function',
  work: `cross-entropy ${rows}x${classes}`,
  inputs: [normal([rows, classes]), indices([rows], classes)],
  least: { read: bytesOf([rows, classes], [rows]) },
  bound: 'memory',
  fluxion: (x, labels) => F.crossEntropy(x, labels),
  jax:
    ({ numpy, nn }) =>
    (x, labels) =>
      numpy.sum(nn.logSoftmax(x).mul(nn.oneHot(labels, classes))).mul(-1 / rows),
  tfjs: (tf) => (x, labels) => tf.losses.softmaxCrossEntropy(tf.oneHot(labels, classes), x),
  torch: 'lambda x, labels: F.cross_entropy(x, labels.long())',
  xla: 'lambda x, labels: -jnp.take_along_axis(jax.nn.log_softmax(x), labels[:, None], 1).mean()',
});
const crossEntropyBackward = (rows: number, classes: number): FunctionRow => {
  const forward = crossEntropy(rows, classes);
  return {
    ...forward,
    work: `${forward.work}, forward and backward`,
    inputs: [...forward.inputs, { shape: [], fill: { value: 1 } }],
    gradients: 1,
    least: { read: bytesOf([rows, classes], [rows]), written: bytesOf([rows, classes]) },
  };
};

const overs = [0, 1, 'all'] as const;
const family = (n: number): FunctionRow[] => [sum, max, argmax].flatMap((row) => overs.map((over) => row(n, over)));
export const reductions = [...family(4096), crossEntropy(4096, 1000), crossEntropyBackward(4096, 1000)];
export const tinyReductions = [...family(5), crossEntropy(4, 6), crossEntropyBackward(4, 6)];
