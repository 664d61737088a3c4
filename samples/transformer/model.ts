// A small transformer over characters, of the kind that GPT-2 is: normalisation before each part, attention only to what came before.
import { arange, F, nn, type Tensor } from 'fluxion';

export type Sizes = {
  /** Characters that it tells apart. */
  readonly vocabulary: number;
  /** Characters that it looks back on. */
  readonly context: number;
  readonly width: number;
  readonly heads: number;
  readonly layers: number;
};

class Attention extends nn.Module {
  heads: number;
  project: nn.Linear;
  output: nn.Linear;

  constructor(width: number, heads: number) {
    super();
    this.heads = heads;
    this.project = new nn.Linear(width, 3 * width);
    this.output = new nn.Linear(width, width);
  }

  forward(x: Tensor): Tensor {
    const [batch, length, width] = x.shape as [number, number, number];
    const [q, k, v] = this.project
      .forward(x)
      .reshape([batch, length, 3, this.heads, width / this.heads])
      .permute([2, 0, 3, 1, 4])
      .unbind(0) as [Tensor, Tensor, Tensor];
    const heard = F.scaledDotProductAttention(q, k, v, { isCausal: true });
    return this.output.forward(heard.transpose(1, 2).reshape([batch, length, width]));
  }
}

class Block extends nn.Module {
  normAttention: nn.LayerNorm;
  attention: Attention;
  normMlp: nn.LayerNorm;
  mlp: nn.Sequential;

  constructor(width: number, heads: number) {
    super();
    this.normAttention = new nn.LayerNorm(width);
    this.attention = new Attention(width, heads);
    this.normMlp = new nn.LayerNorm(width);
    this.mlp = new nn.Sequential(new nn.Linear(width, 4 * width), new nn.GELU(), new nn.Linear(4 * width, width));
  }

  forward(x: Tensor): Tensor {
    const y = x.add(this.attention.forward(this.normAttention.forward(x)));
    return y.add(this.mlp.forward(this.normMlp.forward(y)) as Tensor);
  }
}

export class CharTransformer extends nn.Module {
  sizes: Sizes;
  characters: nn.Embedding;
  positions: nn.Embedding;
  blocks: nn.ModuleList<Block>;
  norm: nn.LayerNorm;
  output: nn.Linear;

  constructor(sizes: Sizes) {
    super();
    const { vocabulary, context, width, heads, layers } = sizes;
    this.sizes = sizes;
    this.characters = new nn.Embedding(vocabulary, width);
    this.positions = new nn.Embedding(context, width);
    this.blocks = new nn.ModuleList(Array.from({ length: layers }, () => new Block(width, heads)));
    this.norm = new nn.LayerNorm(width);
    this.output = new nn.Linear(width, vocabulary);
  }

  /** For codes of shape [batch, length], the logits of the character after each: [batch, length, vocabulary]. */
  forward(codes: Tensor): Tensor {
    const place = this.positions.forward(arange(codes.size(1), { dtype: 'int32' }));
    let x = this.characters.forward(codes).add(place);
    for (const block of this.blocks) x = block.forward(x);
    return this.output.forward(this.norm.forward(x));
  }
}
