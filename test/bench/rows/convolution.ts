// Convolutions of images, forward and backward: 3x3, 5x5, depthwise, and 1x1.
import { F } from '../../../compiler/index.ts';
import { bytesOf, type FunctionRow, normal } from '../row.ts';

type Geometry = {
  readonly batch: number;
  readonly channels: number;
  readonly size: number;
  readonly filters: number;
  readonly kernel: number;
  readonly depthwise?: boolean;
};

/** Stride 1, and padding that keeps the size. */
const convolution = ({ batch, channels, size, filters, kernel, depthwise = false }: Geometry): FunctionRow => {
  const padding = (kernel - 1) / 2;
  const groups = depthwise ? channels : 1;
  const x = [batch, channels, size, size];
  const w = [filters, channels / groups, kernel, kernel];
  const y = [batch, filters, size, size];
  const pads = [
    [padding, padding],
    [padding, padding],
  ];
  return {
    kind: 'function',
    work: `conv ${kernel}x${kernel}${depthwise ? ' depthwise' : ''} ${x.join('x')}->${filters}`,
    inputs: [normal(x), normal(w, (w[1]! * kernel * kernel) ** -0.5)],
    least: { flops: (2 * batch * filters * size * size * kernel * kernel * channels) / groups, read: bytesOf(x, w), written: bytesOf(y) },
    bound: depthwise ? 'memory' : 'convolution',
    tolerance: 1e-4,
    fluxion: (image, weight) => F.conv2d(image, weight, { padding, groups }),
    jax:
      ({ lax }) =>
      (image, weight) =>
        lax.convGeneralDilated(image, weight, [1, 1], pads, { featureGroupCount: groups }),
    // TensorFlow.js wants channels last: its row is timed with both transpositions, since the data are the same for all.
    tfjs: (tf) => (image, weight) => {
      const last = tf.transpose(image, [0, 2, 3, 1]);
      const filter = tf.transpose(weight, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
      return tf.transpose((depthwise ? tf.depthwiseConv2d : tf.conv2d)(last, filter, 1, 'same'), [0, 3, 1, 2]);
    },
    onnx: [{ op: 'Conv', inputs: ['x0', 'x1'], output: 'y', attributes: { pads: [padding, padding, padding, padding], group: groups } }],
    torch: `lambda x, w: F.conv2d(x, w, padding=${padding}, groups=${groups})`,
    xla: `lambda x, w: jax.lax.conv_general_dilated(x, w, (1, 1), [(${padding}, ${padding})] * 2, feature_group_count=${groups})`,
  };
};

/** The result, which nobody asked for, need not be computed: the gradients of image and weight are two products of its size. */
const backward = (geometry: Geometry): FunctionRow => {
  const forward = convolution(geometry);
  const { batch, filters, size } = geometry;
  const y = [batch, filters, size, size];
  const [x, w] = forward.inputs.map((i) => i.shape) as [number[], number[]];
  return {
    ...forward,
    work: `${forward.work}, backward`,
    inputs: [...forward.inputs, normal(y)],
    gradients: 2,
    least: { flops: 2 * forward.least.flops!, read: bytesOf(x, w, y), written: bytesOf(x, w) },
  };
};

const large: Geometry = { batch: 8, channels: 32, size: 56, filters: 64, kernel: 3 };
export const convolutions = [
  convolution(large),
  backward(large),
  convolution({ batch: 8, channels: 16, size: 28, filters: 32, kernel: 5 }),
  convolution({ batch: 8, channels: 32, size: 56, filters: 32, kernel: 3, depthwise: true }),
  convolution({ ...large, kernel: 1 }),
];
const small: Geometry = { batch: 2, channels: 3, size: 5, filters: 4, kernel: 3 };
export const tinyConvolutions = [
  convolution(small),
  backward(small),
  convolution({ ...small, kernel: 5 }),
  convolution({ ...small, filters: 3, depthwise: true }),
  convolution({ ...small, kernel: 1 }),
];
