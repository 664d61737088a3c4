// Normalisation layers: LayerNorm, RMSNorm, GroupNorm, BatchNorm1d and 2d.
import { ArgumentError, ShapeError } from '../../../runtime/errors.ts';
import { hostCall } from '../../../runtime/host.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { noGrad } from '../autograd/mode.ts';
import type { DTypeName } from '../dtypes.ts';
import { batchNorm, batchNormInTraining, groupNorm, layerNorm, rmsNorm } from '../functional/layers.ts';
import { hostScalars, scaled } from '../hostScalars.ts';
import { applyInPlace } from '../op.ts';
import { stateZeros } from '../state.ts';
import type { Tensor } from '../tensor.ts';
import { ones_, zeros_ } from './init.ts';
import { blank } from './linear.ts';
import { Module } from './module.ts';
import { Counter, type Parameter } from './parameter.ts';

export type NormLayerOptions = {
  /** Added to the variance. */
  readonly eps?: number;
  /** Learn a scale and a shift; true by default. */
  readonly affine?: boolean;
  /** Learn a shift beside the scale. */
  readonly bias?: boolean;
  readonly dtype?: DTypeName;
};

/** Scale and shift, beginning as 1 and 0. */
abstract class Affine extends Module {
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(op: string, shape: readonly number[], { eps = 1e-5, affine = true, bias = true, dtype }: NormLayerOptions) {
    super();
    this.eps = eps;
    this.weight = affine ? blank(op, shape, dtype) : null;
    this.bias = affine && bias ? blank(op, shape, dtype) : null;
    if (this.weight !== null) ones_(this.weight);
  }

  resetParameters(): void {
    if (this.weight !== null) ones_(this.weight);
    if (this.bias !== null) zeros_(this.bias);
  }

  protected get affine(): { readonly weight: Tensor | undefined; readonly bias: Tensor | undefined; readonly eps: number } {
    return { weight: this.weight ?? undefined, bias: this.bias ?? undefined, eps: this.eps };
  }
}

const shapeOf = (shape: number | readonly number[]): readonly number[] => (typeof shape === 'number' ? [shape] : [...shape]);

export type LayerNormOptions = Omit<NormLayerOptions, 'affine'> & { readonly elementwiseAffine?: boolean };

/** Over the last dimensions, which must be `normalizedShape`. */
export class LayerNorm extends Affine {
  readonly normalizedShape: readonly number[];
  constructor(normalizedShape: number | readonly number[], { elementwiseAffine = true, ...options }: LayerNormOptions = {}) {
    super('LayerNorm', shapeOf(normalizedShape), { ...options, affine: elementwiseAffine });
    this.normalizedShape = shapeOf(normalizedShape);
  }
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this.affine);
  }
  protected override extraRepr(): string {
    return `[${this.normalizedShape}], eps=${this.eps}, elementwiseAffine=${this.weight !== null}`;
  }
}

/** By the root mean square over the last dimensions. */
export class RMSNorm extends Module {
  readonly normalizedShape: readonly number[];
  readonly eps: number | undefined;
  weight: Parameter | null;
  constructor(normalizedShape: number | readonly number[], { eps, elementwiseAffine = true, dtype }: Omit<LayerNormOptions, 'bias'> = {}) {
    super();
    this.normalizedShape = shapeOf(normalizedShape);
    this.eps = eps;
    this.weight = elementwiseAffine ? blank('RMSNorm', this.normalizedShape, dtype) : null;
    if (this.weight !== null) ones_(this.weight);
  }
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.normalizedShape, {
      ...(this.weight !== null && { weight: this.weight }),
      ...(this.eps !== undefined && { eps: this.eps }),
    });
  }
  protected override extraRepr(): string {
    return `[${this.normalizedShape}], eps=${this.eps}, elementwiseAffine=${this.weight !== null}`;
  }
}

/** Within groups of channels of each example. */
export class GroupNorm extends Affine {
  readonly numGroups: number;
  readonly numChannels: number;
  constructor(numGroups: number, numChannels: number, options: NormLayerOptions = {}) {
    super('GroupNorm', [numChannels], options);
    if (!(Number.isInteger(numGroups) && numGroups > 0) || numChannels % numGroups !== 0)
      throw new ArgumentError(`numChannels ${numChannels} must be divisible by numGroups ${numGroups}`, { op: 'GroupNorm' });
    this.numGroups = numGroups;
    this.numChannels = numChannels;
  }
  forward(x: Tensor): Tensor {
    return groupNorm(x, this.numGroups, this.affine);
  }
  protected override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}, affine=${this.weight !== null}`;
  }
}

export type BatchNormOptions = NormLayerOptions & {
  /** Share of a new batch in the running statistics; null takes the mean over all batches so far. */
  readonly momentum?: number | null;
  /** Keep running statistics, which evaluation then uses; true by default. */
  readonly trackRunningStats?: boolean;
};

/** Per channel (dimension 1), over everything else. */
abstract class BatchNorm extends Affine {
  readonly numFeatures: number;
  momentum: number | null;
  runningMean: Tensor | null;
  runningVar: Tensor | null;
  /** Batches seen in training; counted on the host, so that a step does not depend on it. */
  numBatchesTracked: Counter | null;
  /** Allowed numbers of dimensions. */
  protected abstract readonly ranks: readonly number[];

  constructor(op: string, numFeatures: number, { momentum = 0.1, trackRunningStats = true, ...options }: BatchNormOptions) {
    super(op, [numFeatures], options);
    this.numFeatures = numFeatures;
    this.momentum = momentum;
    const { element } = blank(op, [0], options.dtype);
    this.runningMean = this.registerBuffer('runningMean', trackRunningStats ? stateZeros([numFeatures], element) : null);
    this.runningVar = this.registerBuffer('runningVar', trackRunningStats ? stateZeros([numFeatures], element) : null);
    this.numBatchesTracked = trackRunningStats ? new Counter() : null;
    if (this.runningVar !== null) ones_(this.runningVar);
  }

  resetRunningStats(): void {
    if (this.runningMean !== null) zeros_(this.runningMean);
    if (this.runningVar !== null) ones_(this.runningVar);
    if (this.numBatchesTracked !== null) this.numBatchesTracked.value = 0;
  }

  forward(x: Tensor): Tensor {
    const { ranks, runningMean, runningVar } = this;
    if (!ranks.includes(x.ndim))
      throw new ShapeError(`expected ${ranks.map((n) => `${n}D`).join(' or ')} input, got [${x.shape}]`, {
        op: Object.getPrototypeOf(this).constructor.name as string,
      });
    if (!this.training && runningMean !== null && runningVar !== null) return batchNorm(x, runningMean, runningVar, this.affine);
    const { output, mean, variance, count } = batchNormInTraining(x, this.affine);
    if (this.training && runningMean !== null && runningVar !== null) this.track(runningMean, mean, runningVar, variance, count);
    return output;
  }

  /** Moves the running statistics towards those of the batch, the variance being that of a sample of `count`. */
  private track(runningMean: Tensor, mean: Tensor, runningVar: Tensor, variance: Tensor, count: number): void {
    const counter = this.numBatchesTracked!;
    const scalars = hostScalars(
      {
        owner: counter,
        name: 'numBatchesTracked',
        value: () => counter.value,
        advance: () => void counter.value++,
        retreat: () => void counter.value--,
      },
      (batches) => {
        const fresh = this.momentum ?? hostCall('div', 1, batches);
        const freshVariance = hostCall('div', hostCall('mul', fresh, count), count - 1);
        return { kept: hostCall('sub', 1, fresh), fresh, freshVariance };
      },
    )(runningMean.element);
    const towards = (running: Value, kept: Value, batch: Value, fresh: Value): Value => b.add(scaled(running, kept), scaled(batch, fresh));
    noGrad(() => {
      applyInPlace('runningMean_', runningMean, [mean.detach()], (r, m) => towards(r, scalars.kept, m, scalars.fresh));
      applyInPlace('runningVar_', runningVar, [variance.detach()], (r, v) => towards(r, scalars.kept, v, scalars.freshVariance));
    });
  }

  protected override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}, affine=${this.weight !== null}, trackRunningStats=${this.runningMean !== null}`;
  }
}

/** Over [N, C] or [N, C, L]. */
export class BatchNorm1d extends BatchNorm {
  protected get ranks(): readonly number[] {
    return [2, 3];
  }
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super('BatchNorm1d', numFeatures, options);
  }
}

/** Over [N, C, H, W]. */
export class BatchNorm2d extends BatchNorm {
  protected get ranks(): readonly number[] {
    return [4];
  }
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super('BatchNorm2d', numFeatures, options);
  }
}
