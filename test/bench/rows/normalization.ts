// Softmax and layer norm by rows, forward and backward, and softmax down the columns.
import { F } from '../../../compiler/index.ts';
import { bytesOf, type FunctionRow, normal } from '../row.ts';

const softmax = (rows: number, columns: number, axis: 0 | 1): FunctionRow => ({
  kind: 'function',
  work: `softmax ${rows}x${columns}${axis === 0 ? ' over axis 0' : ''}`,
  inputs: [normal([rows, columns])],
  least: { read: bytesOf([rows, columns]), written: bytesOf([rows, columns]) },
  bound: 'memory',
  ...(axis === 1 && { against512: 0.8 }),
  fluxion: (x) => F.softmax(x, axis),
  jax:
    ({ nn }) =>
    (x) =>
      nn.softmax(x, axis),
  // TensorFlow.js has it over the last axis only.
  ...(axis === 1 && { tfjs: (tf) => (x) => tf.softmax(x) }),
  onnx: [{ op: 'Softmax', inputs: ['x0'], output: 'y', attributes: { axis } }],
  torch: `lambda x: torch.softmax(x, ${axis})`,
  out: `lambda o, x: torch.softmax(x, ${axis}, out=o)`,
  xla: `lambda x: jax.nn.softmax(x, ${axis})`,
});

const layerNorm = (rows: number, columns: number): FunctionRow => ({
  kind: 'function',
  work: `layer norm ${rows}x${columns}`,
  inputs: [normal([rows, columns]), normal([columns]), normal([columns])],
  least: { read: bytesOf([rows, columns], [columns], [columns]), written: bytesOf([rows, columns]) },
  bound: 'memory',
  fluxion: (x, weight, bias) => F.layerNorm(x, [columns], { weight, bias }),
  jax:
    ({ nn }) =>
    (x, weight, bias) =>
      nn.standardize(x, -1, { epsilon: 1e-5 }).mul(weight).add(bias),
  tfjs: (tf) => (x, weight, bias) => {
    const centred = tf.sub(x, tf.mean(x, 1, true));
    return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), 1e-5))), weight), bias);
  },
  onnx: [{ op: 'LayerNormalization', inputs: ['x0', 'x1', 'x2'], output: 'y', attributes: { axis: -1, epsilon: { float: 1e-5 } } }],
  torch: `lambda x, w, b: F.layer_norm(x, (${columns},), w, b)`,
  xla: 'lambda x, w, b: (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * w + b',
});

/** The row with its backward pass: one more input as the cotangent, one more matrix to write. */
function withBackward(row: FunctionRow, gradients: number): FunctionRow {
  const { shape } = row.inputs[0]!;
  const { read = 0, written = 0 } = row.least;
  return {
    ...row,
    work: `${row.work}, forward and backward`,
    inputs: [...row.inputs, normal(shape)],
    gradients,
    tolerance: 1e-4,
    least: { read: read + bytesOf(shape), written },
  };
}

const family = (rows: number, columns: number): FunctionRow[] => [
  softmax(rows, columns, 1),
  withBackward(softmax(rows, columns, 1), 1),
  softmax(rows, columns, 0),
  layerNorm(rows, columns),
  withBackward(layerNorm(rows, columns), 3),
];
export const normalizations = family(4096, 1024);
export const tinyNormalizations = family(4, 6);
