// Whole training steps, spelled as users spell them: replay prints their kernels, tests count them, the bench times them.
import { F, manualSeed, nn, optim, randint, randn, type Tensor } from '../../compiler/index.ts';

/** Forward, backward and update; gives the loss, which nobody has looked at. */
export type Step = () => Tensor;

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
  const model = new nn.Sequential(new nn.Linear(inputs, hidden), new nn.ReLU(), new nn.Linear(hidden, classes));
  const x = randn([batch, inputs]);
  const y = randint(0, classes, [batch]);
  return stepOf(new optim.SGD(model.parameters(), { lr: 0.1 }), () => F.crossEntropy(model.forward(x), y));
}

/** Two convolutions with pooling, and a linear layer; Adam. */
export function cnnStep(batch = 16): Step {
  manualSeed(0);
  const model = new nn.Sequential(
    new nn.Conv2d(1, 8, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(8, 16, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(16 * 7 * 7, 10),
  );
  const x = randn([batch, 1, 28, 28]);
  const y = randint(0, 10, [batch]);
  return stepOf(new optim.Adam(model.parameters()), () => F.crossEntropy(model.forward(x), y));
}

/** A block of a transformer, normalised before attention and before the feed-forward part. */
class Block extends nn.Module {
  readonly norm1: nn.LayerNorm;
  readonly qkv: nn.Linear;
  readonly out: nn.Linear;
  readonly norm2: nn.LayerNorm;
  readonly up: nn.Linear;
  readonly down: nn.Linear;
  readonly heads: number;

  constructor(width: number, heads: number) {
    super();
    this.heads = heads;
    this.norm1 = new nn.LayerNorm(width);
    this.qkv = new nn.Linear(width, 3 * width);
    this.out = new nn.Linear(width, width);
    this.norm2 = new nn.LayerNorm(width);
    this.up = new nn.Linear(width, 4 * width);
    this.down = new nn.Linear(4 * width, width);
  }

  forward(x: Tensor): Tensor {
    const attended = x.add(this.out.forward(this.attention(this.norm1.forward(x))));
    return attended.add(this.down.forward(F.gelu(this.up.forward(this.norm2.forward(attended)))));
  }

  private attention(x: Tensor): Tensor {
    const [batch, length, width] = x.shape as [number, number, number];
    const split = (v: Tensor): Tensor => v.reshape([batch, length, this.heads, width / this.heads]).permute([0, 2, 1, 3]);
    const [q, k, v] = this.qkv.forward(x).chunk(3, -1) as [Tensor, Tensor, Tensor];
    const mixed = F.scaledDotProductAttention(split(q), split(k), split(v), { isCausal: true });
    return mixed.permute([0, 2, 1, 3]).reshape([batch, length, width]);
  }
}

/** Next-token prediction with one block; Adam. */
export function attentionStep(batch = 4, length = 16, width = 32, heads = 4): Step {
  manualSeed(0);
  const block = new Block(width, heads);
  const x = randn([batch, length, width]);
  const y = randint(0, width, [batch * length]);
  const loss = (): Tensor => F.crossEntropy(block.forward(x).reshape([batch * length, width]), y);
  return stepOf(new optim.Adam(block.parameters()), loss);
}

export const steps = {
  mlp: () => mlpStep(),
  cnn: () => cnnStep(),
  attention: () => attentionStep(),
} satisfies Record<string, () => Step>;
