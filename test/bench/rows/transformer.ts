// A decoder-only transformer, normalised before each part, predicting the next token: for Fluxion and for jax-js.
import { F, type Tensor } from '../../../compiler/index.ts';
import type { Jax, JaxArray } from '../peers/jax.ts';
import { filled, type Input, indices, normal } from '../row.ts';

export type TransformerSizes = {
  readonly batch: number;
  readonly length: number;
  readonly width: number;
  readonly heads: number;
  readonly layers: number;
  readonly vocabulary: number;
};

/** Tensors of a block: norm (2), query, key and value (2), output (2), norm (2), up (2), down (2). */
const perBlock = 12;

/** Parameters: token and position tables, the blocks', the last norm's (2), the head's. Data: tokens, labels. */
export function transformerInputs({ batch, length, width, layers, vocabulary }: TransformerSizes): {
  readonly parameters: readonly Input[];
  readonly data: readonly Input[];
} {
  const linear = (out: number, into: number): Input[] => [normal([out, into], into ** -0.5), filled([out], 0)];
  const norm = [filled([width], 1), filled([width], 0)];
  const block = [
    ...norm,
    ...linear(3 * width, width),
    ...linear(width, width),
    ...norm,
    ...linear(4 * width, width),
    ...linear(width, 4 * width),
  ];
  return {
    parameters: [
      normal([vocabulary, width]),
      normal([length, width]),
      ...Array.from({ length: layers }, () => block).flat(),
      ...norm,
      normal([vocabulary, width], width ** -0.5),
    ],
    data: [indices([batch, length], vocabulary), indices([batch * length], vocabulary)],
  };
}

export const transformerLoss =
  ({ batch, length, width, heads, vocabulary, layers }: TransformerSizes) =>
  (parameters: readonly Tensor[], [tokens, labels]: readonly Tensor[]): Tensor => {
    const split = (x: Tensor): Tensor => x.reshape([batch, length, heads, width / heads]).permute([0, 2, 1, 3]);
    const norm = (x: Tensor, weight: Tensor, bias: Tensor): Tensor => F.layerNorm(x, [width], { weight, bias });
    let x = F.embedding(tokens!, parameters[0]!).add(parameters[1]!);
    for (let layer = 0; layer < layers; layer++) {
      const p = parameters.slice(2 + perBlock * layer, 2 + perBlock * (layer + 1));
      const [q, k, v] = F.linear(norm(x, p[0]!, p[1]!), p[2]!, p[3]!)
        .chunk(3, -1)
        .map(split) as [Tensor, Tensor, Tensor];
      const mixed = F.scaledDotProductAttention(q, k, v, { isCausal: true });
      x = x.add(F.linear(mixed.permute([0, 2, 1, 3]).reshape([batch, length, width]), p[4]!, p[5]!));
      x = x.add(F.linear(F.gelu(F.linear(norm(x, p[6]!, p[7]!), p[8]!, p[9]!)), p[10]!, p[11]!));
    }
    const [weight, bias, head] = parameters.slice(-3) as [Tensor, Tensor, Tensor];
    return F.crossEntropy(F.linear(norm(x, weight, bias), head).reshape([batch * length, vocabulary]), labels!);
  };

/** Logits of all tokens, [batch * length, vocabulary]. */
export function transformerLogitsInJax(
  { numpy, nn }: Jax,
  { batch, length, width, heads, vocabulary, layers }: TransformerSizes,
): (parameters: readonly JaxArray[], tokens: JaxArray) => JaxArray {
  const linear = (x: JaxArray, w: JaxArray, b: JaxArray): JaxArray => numpy.matmul(x, numpy.transpose(w)).add(b);
  const norm = (x: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray => nn.standardize(x, -1, { epsilon: 1e-5 }).mul(weight).add(bias);
  const split = (x: JaxArray): JaxArray => numpy.transpose(x.reshape([batch, length, heads, width / heads]), [0, 2, 1, 3]);
  return (parameters, tokens) => {
    const mask = numpy
      .tril(numpy.ones([length, length]))
      .sub(1)
      .mul(1e9);
    let x = numpy.take(parameters[0]!, tokens, 0).add(parameters[1]!);
    for (let layer = 0; layer < layers; layer++) {
      const p = parameters.slice(2 + perBlock * layer, 2 + perBlock * (layer + 1));
      const [q, k, v] = numpy.split(linear(norm(x.ref, p[0]!, p[1]!), p[2]!, p[3]!), 3, -1).map(split) as [JaxArray, JaxArray, JaxArray];
      const scores = numpy.matmul(q, numpy.transpose(k, [0, 1, 3, 2])).mul((width / heads) ** -0.5);
      const mixed = numpy.matmul(nn.softmax(scores.add(mask.ref), -1), v);
      x = x.add(linear(numpy.transpose(mixed, [0, 2, 1, 3]).reshape([batch, length, width]), p[4]!, p[5]!));
      const up = nn.gelu(linear(norm(x.ref, p[6]!, p[7]!), p[8]!, p[9]!), { approximate: false });
      x = x.add(linear(up, p[10]!, p[11]!));
    }
    mask.dispose();
    const [weight, bias, head] = parameters.slice(-3) as [JaxArray, JaxArray, JaxArray];
    return numpy.matmul(norm(x, weight, bias), numpy.transpose(head)).reshape([batch * length, vocabulary]);
  };
}
