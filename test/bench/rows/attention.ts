// Attention of several heads, forward and backward.
import { F } from '../../../compiler/index.ts';
import { bytesOf, type FunctionRow, normal } from '../row.ts';

const attention = (heads: number, length: number, width: number): FunctionRow => {
  const shape = [1, heads, length, width];
  const scale = width ** -0.5;
  return {
    kind: 'function',
    work: `attention ${heads}x${length}x${width}`,
    inputs: [normal(shape), normal(shape), normal(shape)],
    least: { flops: 4 * heads * length * length * width, read: bytesOf(shape, shape, shape), written: bytesOf(shape) },
    bound: 'attention',
    tolerance: 1e-4,
    fluxion: (q, k, v) => F.scaledDotProductAttention(q, k, v),
    jax:
      ({ numpy, nn }) =>
      (q, k, v) =>
        numpy.matmul(nn.softmax(numpy.matmul(q, numpy.transpose(k, [0, 1, 3, 2])).mul(scale), -1), v),
    tfjs: (tf) => (q, k, v) => tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), scale)), v),
    onnx: [
      { op: 'constant', output: 'scale', shape: [], values: [scale] },
      { op: 'Transpose', inputs: ['x1'], output: 'kt', attributes: { perm: [0, 1, 3, 2] } },
      { op: 'MatMul', inputs: ['x0', 'kt'], output: 'dots' },
      { op: 'Mul', inputs: ['dots', 'scale'], output: 'scores' },
      { op: 'Softmax', inputs: ['scores'], output: 'weights', attributes: { axis: -1 } },
      { op: 'MatMul', inputs: ['weights', 'x2'], output: 'y' },
    ],
    torch: 'lambda q, k, v: F.scaled_dot_product_attention(q, k, v)',
    xla: `lambda q, k, v: jax.nn.softmax(q @ k.swapaxes(-1, -2) * ${scale}, -1) @ v`,
  };
};

/** Five products instead of two: the scores once more, and the gradients of three operands and the weights. */
const backward = (heads: number, length: number, width: number): FunctionRow => {
  const forward = attention(heads, length, width);
  const shape = forward.inputs[0]!.shape;
  return {
    ...forward,
    work: `${forward.work}, forward and backward`,
    inputs: [...forward.inputs, normal(shape)],
    gradients: 3,
    least: {
      flops: 12 * heads * length * length * width,
      read: bytesOf(shape, shape, shape, shape),
      written: bytesOf(shape, shape, shape),
    },
  };
};

const family = (heads: number, length: number, width: number): FunctionRow[] => [
  attention(heads, length, width),
  backward(heads, length, width),
];
export const attentions = [...family(8, 256, 64), ...family(8, 1024, 64)];
export const tinyAttentions = family(2, 5, 4);
