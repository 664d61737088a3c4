// Whole training steps, spelled as users spell them: what tests count, the bench times and replay prints.
import { gelu, relu, scaledDotProductAttention } from '../../compiler/frontend/functional/activation.ts';
import { conv2d, layerNorm, maxPool2d } from '../../compiler/frontend/functional/layers.ts';
import { linear } from '../../compiler/frontend/functional/linear.ts';
import { crossEntropy } from '../../compiler/frontend/functional/loss.ts';
import { Adam, SGD } from '../../compiler/frontend/optim/index.ts';
import { manualSeed } from '../../compiler/frontend/random.ts';
import { stateCopy } from '../../compiler/frontend/state.ts';
import { randint, randn, type Tensor } from '../../compiler/index.ts';

/** Forward, backward and update; gives the loss, which nobody has looked at. */
export type Step = () => Tensor;

const parameter = (...shape: number[]): Tensor => stateCopy(randn(shape).mul(0.1)).requiresGrad_();

type Optimiser = { zeroGrad(): void; step(): undefined };
function stepOf(optimiser: Optimiser, lossOf: () => Tensor): Step {
  return () => {
    optimiser.zeroGrad();
    const loss = lossOf();
    loss.backward();
    optimiser.step();
    return loss;
  };
}

export type MlpSizes = { readonly batch: number; readonly inputs: number; readonly hidden: number; readonly classes: number };
export const mnistSizes: MlpSizes = { batch: 128, inputs: 784, hidden: 256, classes: 10 };

/** Two layers, cross-entropy and SGD. */
export function mlpStep({ batch, inputs, hidden, classes }: MlpSizes = mnistSizes): Step {
  manualSeed(0);
  const weights = [parameter(hidden, inputs), parameter(hidden), parameter(classes, hidden), parameter(classes)] as const;
  const [w1, b1, w2, b2] = weights;
  const x = stateCopy(randn([batch, inputs]));
  const y = stateCopy(randint(0, classes, [batch]));
  return stepOf(new SGD(weights, { lr: 0.1 }), () => crossEntropy(linear(relu(linear(x, w1, b1)), w2, b2), y));
}

/** Two convolutions with pooling, and a linear layer; Adam. */
export function cnnStep(batch = 16): Step {
  manualSeed(0);
  const weights = [
    parameter(8, 1, 3, 3),
    parameter(8),
    parameter(16, 8, 3, 3),
    parameter(16),
    parameter(10, 16 * 7 * 7),
    parameter(10),
  ] as const;
  const [w1, b1, w2, b2, w3, b3] = weights;
  const x = stateCopy(randn([batch, 1, 28, 28]));
  const y = stateCopy(randint(0, 10, [batch]));
  const block = (v: Tensor, weight: Tensor, bias: Tensor): Tensor => maxPool2d(relu(conv2d(v, weight, { bias, padding: 1 })), 2);
  return stepOf(new Adam(weights), () => crossEntropy(linear(block(block(x, w1, b1), w2, b2).flatten(1), w3, b3), y));
}

/** One block of a transformer, normalised before attention and before the feed-forward part; Adam. */
export function attentionStep(batch = 4, length = 16, width = 32, heads = 4): Step {
  manualSeed(0);
  const weights = {
    norm1: parameter(width),
    qkv: parameter(3 * width, width),
    out: parameter(width, width),
    norm2: parameter(width),
    up: parameter(4 * width, width),
    down: parameter(width, 4 * width),
  };
  const x = stateCopy(randn([batch, length, width]));
  const y = stateCopy(randint(0, width, [batch * length]));
  const block = (): Tensor => {
    const split = (v: Tensor): Tensor => v.reshape([batch, length, heads, width / heads]).permute([0, 2, 1, 3]);
    const [q, k, v] = linear(layerNorm(x, [width], { weight: weights.norm1 }), weights.qkv).chunk(3, -1) as [Tensor, Tensor, Tensor];
    const mixed = scaledDotProductAttention(split(q), split(k), split(v), { isCausal: true });
    const attended = x.add(linear(mixed.permute([0, 2, 1, 3]).reshape([batch, length, width]), weights.out));
    return attended.add(linear(gelu(linear(layerNorm(attended, [width], { weight: weights.norm2 }), weights.up)), weights.down));
  };
  return stepOf(new Adam(Object.values(weights)), () => crossEntropy(block().reshape([batch * length, width]), y));
}

export const steps = { mlp: () => mlpStep(), cnn: () => cnnStep(), attention: () => attentionStep() } satisfies Record<string, () => Step>;
