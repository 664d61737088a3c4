// Layers around matrix products: Linear, Embedding, and the shape layers that stand beside them.
import { ArgumentError } from '../../../runtime/errors.ts';
import { noGrad } from '../autograd/mode.ts';
import { checkedShape } from '../creation.ts';
import { type DTypeName, elementOf } from '../dtypes.ts';
import { select } from '../functional/indexing.ts';
import { embedding } from '../functional/layers.ts';
import { linear } from '../functional/linear.ts';
import { flatten, unflatten } from '../functional/shape.ts';
import { stateZeros } from '../state.ts';
import type { Tensor } from '../tensor.ts';
import { calculateFanInAndFanOut, kaimingUniform_, normal_, uniform_, zeros_ } from './init.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

export type LayerOptions = {
  /** Add a learnt bias; true by default. */
  readonly bias?: boolean;
  readonly dtype?: DTypeName;
};

/** A parameter that awaits its initialisation. */
export function blank(op: string, shape: readonly number[], dtype: DTypeName = 'float32'): Parameter {
  const element = elementOf(dtype, op);
  return new Parameter(stateZeros(checkedShape(op, shape, element), element));
}

/** PyTorch's start for linear layers and convolutions: both uniform within 1 / sqrt(fan in), the weight drawn first. */
export function resetWeightAndBias(weight: Parameter, bias: Parameter | null): void {
  // a = sqrt(5) makes the gain sqrt(1 / 3), and so the bound 1 / sqrt(fan in).
  kaimingUniform_(weight, { a: Math.sqrt(5) });
  if (bias === null) return;
  const [fanIn] = calculateFanInAndFanOut(weight);
  if (fanIn > 0) uniform_(bias, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));
}

/** x W^T + b over the last dimension. weight: [out, in]. */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, { bias = true, dtype }: LayerOptions = {}) {
    super();
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = blank('Linear', [outFeatures, inFeatures], dtype);
    this.bias = bias ? blank('Linear', [outFeatures], dtype) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    resetWeightAndBias(this.weight, this.bias);
  }
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias ?? undefined);
  }
  protected override extraRepr(): string {
    return `inFeatures=${this.inFeatures}, outFeatures=${this.outFeatures}, bias=${this.bias !== null}`;
  }
}

/** Rows of a learnt table [numEmbeddings, embeddingDim] by number. */
export class Embedding extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | undefined;
  weight: Parameter;

  /** The row `paddingIdx` starts as zeros and gets no gradient. */
  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    { paddingIdx, dtype }: { readonly paddingIdx?: number; readonly dtype?: DTypeName } = {},
  ) {
    super();
    if (paddingIdx !== undefined && !(Number.isInteger(paddingIdx) && paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings))
      throw new ArgumentError(`paddingIdx ${paddingIdx} must be within ${numEmbeddings} embeddings`, { op: 'Embedding' });
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = paddingIdx === undefined || paddingIdx >= 0 ? paddingIdx : numEmbeddings + paddingIdx;
    this.weight = blank('Embedding', [numEmbeddings, embeddingDim], dtype);
    this.resetParameters();
  }

  resetParameters(): void {
    normal_(this.weight);
    const row = this.paddingIdx;
    if (row !== undefined) noGrad(() => void zeros_(select(this.weight, 0, row)));
  }
  forward(indices: Tensor): Tensor {
    return embedding(indices, this.weight, this.paddingIdx === undefined ? {} : { paddingIdx: this.paddingIdx });
  }
  protected override extraRepr(): string {
    return `${this.numEmbeddings}, ${this.embeddingDim}${this.paddingIdx === undefined ? '' : `, paddingIdx=${this.paddingIdx}`}`;
  }
}

/** Gives back what it gets. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** Merges dimensions; all but the first by default. */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;
  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }
  forward(x: Tensor): Tensor {
    return flatten(x, this.startDim, this.endDim);
  }
  protected override extraRepr(): string {
    return `startDim=${this.startDim}, endDim=${this.endDim}`;
  }
}

/** Splits one dimension into several. */
export class Unflatten extends Module {
  readonly dim: number;
  readonly sizes: readonly number[];
  constructor(dim: number, sizes: readonly number[]) {
    super();
    this.dim = dim;
    this.sizes = [...sizes];
  }
  forward(x: Tensor): Tensor {
    return unflatten(x, this.dim, this.sizes);
  }
  protected override extraRepr(): string {
    return `dim=${this.dim}, sizes=[${this.sizes}]`;
  }
}
