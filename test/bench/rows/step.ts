// Whole training steps of small networks, as users run them: forward, backward and update. Parameters come as inputs, so that all begin alike.
import { F, nn, optim, type Tensor } from '../../../compiler/index.ts';
import type { Jax, JaxArray } from '../peers/jax.ts';
import { adamOf } from '../peers/jax-adam.ts';
import type { Tf, TfTensor } from '../peers/tfjs.ts';
import { bytesOf, elements, filled, type Input, indices, normal, type StepRow } from '../row.ts';
import { type TransformerSizes, transformerInputs, transformerLogitsInJax, transformerLoss } from './transformer.ts';

type Method = 'SGD' | 'Adam';
const sgdRate = 0.1;

/** A loss as a function of parameters and, after them, data. */
type Loss<T> = (parameters: readonly T[], data: readonly T[]) => T;

type Network = {
  readonly work: string;
  readonly parameters: readonly Input[];
  readonly data: readonly Input[];
  readonly method: Method;
  readonly flops: number;
  readonly loss: Loss<Tensor>;
  readonly jaxLoss: (jax: Jax) => Loss<JaxArray>;
  readonly tfLoss?: (tf: Tf) => Loss<TfTensor>;
  /** Name of the loss in peers/models.py. */
  readonly python: string;
} & Partial<Pick<StepRow, 'bound' | 'atMost' | 'tolerance'>>;

/** State: parameters; for Adam also both moments of each, and the number of steps. Fluxion, PyTorch and TensorFlow.js keep those themselves. */
function step({ work, parameters, data, method, flops, loss, jaxLoss, tfLoss, python, ...rest }: Network): StepRow {
  const count = parameters.length;
  const zeros = parameters.map(({ shape }) => filled(shape, 0));
  const state = method === 'SGD' ? parameters : [...parameters, ...zeros, ...zeros, filled([], 0)];
  const total = parameters.reduce((n, { shape }) => n + elements(shape), 0);
  return {
    kind: 'step',
    work,
    inputs: [...state, ...data],
    state: state.length,
    least: {
      flops,
      read: bytesOf(...data.map((d) => d.shape), [method === 'SGD' ? 1 : 3, total]),
      written: bytesOf([method === 'SGD' ? 1 : 3, total]),
      ...(method === 'Adam' && { divided: total }),
    },
    bound: 'step',
    tolerance: 1e-3,
    ...rest,
    fluxion: (...xs) => {
      const owned = xs.slice(0, count).map((x) => new nn.Parameter(x));
      const optimiser = method === 'SGD' ? new optim.SGD(owned, { lr: sgdRate }) : new optim.Adam(owned);
      const inputs = xs.slice(state.length);
      return () => {
        optimiser.zeroGrad();
        const value = loss(owned, inputs);
        value.backward();
        optimiser.step();
        return [value.detach()];
      };
    },
    jax: (j) => (method === 'SGD' ? sgdInJax(j, jaxLoss(j), count) : adamInJax(j, jaxLoss(j), count)),
    ...(tfLoss !== undefined && {
      tfjs:
        (tf) =>
        (...xs) => {
          const owned = xs.slice(0, count).map((x) => tf.variable(x));
          const optimiser = method === 'SGD' ? tf.train.sgd(sgdRate) : tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
          const value = tfLoss(tf);
          return () => [optimiser.minimize(() => value(owned, xs.slice(state.length)), true, owned)];
        },
    }),
    torch: `${python} ${method}`,
    xla: `${python} ${method}`,
  };
}

const gradientsOf = (j: Jax, loss: Loss<JaxArray>, count: number): ((...xs: JaxArray[]) => [JaxArray, JaxArray[]]) =>
  j.valueAndGrad((...xs) => loss(xs.slice(0, count), xs.slice(count)), { argnums: Array.from({ length: count }, (_, i) => i) });

const sgdInJax =
  (j: Jax, loss: Loss<JaxArray>, count: number) =>
  (...xs: JaxArray[]): JaxArray[] => {
    const [value, gradients] = gradientsOf(j, loss, count)(...xs.slice(0, count).map((p) => p.ref), ...xs.slice(count));
    return [...gradients.map((g, i) => xs[i]!.sub(g.mul(sgdRate))), value];
  };

const adamInJax =
  (j: Jax, loss: Loss<JaxArray>, count: number) =>
  (...xs: JaxArray[]): JaxArray[] => {
    const [p, m, v] = [0, 1, 2].map((part) => xs.slice(part * count, (part + 1) * count)) as [JaxArray[], JaxArray[], JaxArray[]];
    const t = xs[3 * count]!.add(1);
    const [value, gradients] = gradientsOf(j, loss, count)(...p.map((x) => x.ref), ...xs.slice(3 * count + 1));
    const correction = (beta: number): JaxArray =>
      j.numpy
        .exp(t.ref.mul(Math.log(beta)))
        .mul(-1)
        .add(1);
    const [first, second] = [correction(0.9), correction(0.999)];
    const updated = gradients.map((g, i) => adamOf(j, [p[i]!, m[i]!, v[i]!, g], first.ref, second.ref));
    first.dispose();
    second.dispose();
    return [...[0, 1, 2].flatMap((part) => updated.map((u) => u[part]!)), t, value];
  };

/** Weights and biases of dense layers, [out, in] and [out]. */
const dense = (sizes: readonly number[]): Input[] =>
  sizes.slice(1).flatMap((out, i) => [normal([out, sizes[i]!], sizes[i]! ** -0.5), filled([out], 0)]);

const layers = <T>(parameters: readonly T[]): [T, T][] =>
  Array.from({ length: parameters.length / 2 }, (_, i) => [parameters[2 * i]!, parameters[2 * i + 1]!]);

/** Dense layers with relu between them, for each contender. */
function denseForward(x: Tensor, parameters: readonly Tensor[]): Tensor {
  return layers(parameters).reduce((y, [w, b], i) => F.linear(i === 0 ? y : y.relu(), w, b), x);
}
function denseInJax({ numpy, nn: n }: Jax, x: JaxArray, parameters: readonly JaxArray[]): JaxArray {
  return layers(parameters).reduce((y, [w, b], i) => numpy.matmul(i === 0 ? y : n.relu(y), numpy.transpose(w)).add(b), x);
}
function denseInTf(tf: Tf, x: TfTensor, parameters: readonly TfTensor[]): TfTensor {
  return layers(parameters).reduce((y, [w, b], i) => tf.add(tf.matMul(i === 0 ? y : tf.relu(y), w, false, true), b), x);
}

const crossEntropyInJax = (
  { numpy, nn: n }: Jax,
  logits: JaxArray,
  labels: JaxArray,
  [rows, classes]: readonly [number, number],
): JaxArray => numpy.sum(n.logSoftmax(logits, -1).mul(n.oneHot(labels, classes))).mul(-1 / rows);

/** Of products in dense layers: forward and both gradients, but for that of the first layer's input. */
const denseFlops = (batch: number, sizes: readonly number[], first = 2): number =>
  sizes.slice(1).reduce((n, out, i) => n + 2 * (i === 0 ? first : 3) * batch * sizes[i]! * out, 0);

const classifier = (sizes: readonly number[], batch: number, method: Method): StepRow => {
  const classes = sizes.at(-1)!;
  return step({
    work: `MLP ${sizes.join('-')}, batch ${batch}, ${method}`,
    parameters: dense(sizes),
    data: [normal([batch, sizes[0]!]), indices([batch], classes)],
    method,
    flops: denseFlops(batch, sizes),
    loss: (p, [x, y]) => F.crossEntropy(denseForward(x!, p), y!),
    jaxLoss:
      (j) =>
      (p, [x, y]) =>
        crossEntropyInJax(j, denseInJax(j, x!, p), y!, [batch, classes]),
    tfLoss:
      (tf) =>
      (p, [x, y]) =>
        tf.losses.softmaxCrossEntropy(tf.oneHot(y!, classes), denseInTf(tf, x!, p)),
    python: 'classifier',
  });
};

/** So little arithmetic that what a step costs beside it is all there is. */
const regression = (sizes: readonly number[], batch: number, atMost: number): StepRow =>
  step({
    work: `MLP ${sizes.join('-')}, batch ${batch}, SGD`,
    parameters: dense(sizes),
    data: [normal([batch, sizes[0]!]), normal([batch, sizes.at(-1)!])],
    method: 'SGD',
    flops: denseFlops(batch, sizes),
    bound: 'overhead',
    atMost,
    loss: (p, [x, y]) => F.mseLoss(denseForward(x!, p), y!),
    jaxLoss:
      (j) =>
      (p, [x, y]) =>
        j.numpy.mean(j.numpy.square(denseInJax(j, x!, p).sub(y!))),
    tfLoss:
      (tf) =>
      (p, [x, y]) =>
        tf.mean(tf.square(tf.sub(denseInTf(tf, x!, p), y!))),
    python: 'regression',
  });

/** Two convolutions of 5x5 with pooling and three dense layers, on square images. */
const lenet = (batch: number, size: number, [c1, c2]: readonly [number, number], hidden: readonly number[]): StepRow => {
  const [after1, after2] = [size / 2, (size / 2 - 4) / 2];
  const sizes = [c2 * after2 * after2, ...hidden, 10];
  const conv = (out: number, into: number): Input[] => [normal([out, into, 5, 5], (25 * into) ** -0.5), filled([out], 0)];
  const windows: readonly unknown[] = [
    [1, 1, 2, 2],
    [1, 1, 2, 2],
  ];
  return step({
    work: `LeNet-like CNN ${size}x${size}, batch ${batch}, SGD`,
    parameters: [...conv(c1, 1), ...conv(c2, c1), ...dense(sizes)],
    data: [normal([batch, 1, size, size]), indices([batch], 10)],
    method: 'SGD',
    flops: 2 * 2 * batch * size * size * 25 * c1 + 3 * 2 * batch * (after1 - 4) ** 2 * 25 * c1 * c2 + denseFlops(batch, sizes, 3),
    loss: ([w1, b1, w2, b2, ...rest], [x, y]) => {
      const one = F.maxPool2d(F.conv2d(x!, w1!, { bias: b1!, padding: 2 }).relu(), 2);
      const two = F.maxPool2d(F.conv2d(one, w2!, { bias: b2! }).relu(), 2);
      return F.crossEntropy(denseForward(two.flatten(1), rest), y!);
    },
    jaxLoss: (j) => {
      const block = (x: JaxArray, w: JaxArray, b: JaxArray, padding: number): JaxArray => {
        const pads = [
          [padding, padding],
          [padding, padding],
        ];
        const y = j.lax.convGeneralDilated(x, w, [1, 1], pads).add(b.reshape([1, b.shape[0]!, 1, 1]));
        return j.lax.reduceWindow(j.nn.relu(y), (z: JaxArray) => j.numpy.max(z), ...windows);
      };
      return ([w1, b1, w2, b2, ...rest], [x, y]) => {
        const images = block(block(x!, w1!, b1!, 2), w2!, b2!, 0);
        return crossEntropyInJax(j, denseInJax(j, images.reshape([batch, sizes[0]!]), rest), y!, [batch, 10]);
      };
    },
    python: 'lenet',
  });
};

const transformer = (sizes: TransformerSizes): StepRow => {
  const { batch, length, width, layers: depth, vocabulary } = sizes;
  const tokens = batch * length;
  return step({
    work: `transformer, ${depth} layers of ${width}, ${batch}x${length} tokens, Adam`,
    ...transformerInputs(sizes),
    method: 'Adam',
    flops: 3 * (depth * (2 * tokens * 12 * width ** 2 + 4 * tokens * length * width) + 2 * tokens * width * vocabulary),
    loss: transformerLoss(sizes),
    jaxLoss: (j) => {
      const logits = transformerLogitsInJax(j, sizes);
      return (p, [x, y]) => crossEntropyInJax(j, logits(p, x!), y!, [tokens, vocabulary]);
    },
    python: `transformer(${sizes.heads}, ${depth})`,
  });
};

export const steps = {
  sgd: classifier([784, 256, 10], 128, 'SGD'),
  adam: classifier([784, 256, 128, 10], 64, 'Adam'),
  cnn: lenet(64, 28, [6, 16], [120, 84]),
  transformer: transformer({ batch: 8, length: 128, width: 128, heads: 4, layers: 4, vocabulary: 512 }),
  overhead: regression([2, 16, 1], 8, 0.015),
};
export const tinySteps = [
  classifier([5, 4, 3], 6, 'SGD'),
  classifier([5, 4, 4, 3], 6, 'Adam'),
  lenet(2, 12, [2, 3], [5, 4]),
  transformer({ batch: 2, length: 4, width: 8, heads: 2, layers: 2, vocabulary: 7 }),
  regression([2, 4, 1], 8, Infinity),
];
