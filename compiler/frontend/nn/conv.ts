// Convolution layers.
import { ArgumentError } from '../../../runtime/errors.ts';
import { type ConvOptions, conv1d, conv2d, type Spatial } from '../functional/layers.ts';
import type { Tensor } from '../tensor.ts';
import { blank, type LayerOptions, resetWeightAndBias } from './linear.ts';
import { Module } from './module.ts';
import type { Parameter } from './parameter.ts';

export type ConvLayerOptions = LayerOptions & Omit<ConvOptions, 'bias'>;

/** What convolutions of any number of spatial dimensions share. weight: [out, in / groups, ...kernel]. */
abstract class Conv extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: Spatial;
  readonly padding: Spatial | 'same' | 'valid';
  readonly dilation: Spatial;
  readonly groups: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(op: string, rank: number, inChannels: number, outChannels: number, kernelSize: Spatial, options: ConvLayerOptions) {
    super();
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, dtype } = options;
    if (!(Number.isInteger(groups) && groups > 0)) throw new ArgumentError(`groups must be a positive integer, got ${groups}`, { op });
    if (inChannels % groups !== 0) throw new ArgumentError(`inChannels ${inChannels} must be divisible by groups ${groups}`, { op });
    if (outChannels % groups !== 0) throw new ArgumentError(`outChannels ${outChannels} must be divisible by groups ${groups}`, { op });
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = typeof kernelSize === 'number' ? new Array<number>(rank).fill(kernelSize) : [...kernelSize];
    if (this.kernelSize.length !== rank) throw new ArgumentError(`kernelSize [${this.kernelSize}] must have ${rank} entries`, { op });
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
    this.weight = blank(op, [outChannels, inChannels / groups, ...this.kernelSize], dtype);
    this.bias = bias ? blank(op, [outChannels], dtype) : null;
    this.resetParameters();
  }

  abstract override forward(x: Tensor): Tensor;

  resetParameters(): void {
    resetWeightAndBias(this.weight, this.bias);
  }

  protected options(): ConvOptions {
    const { stride, padding, dilation, groups, bias } = this;
    return bias === null ? { stride, padding, dilation, groups } : { stride, padding, dilation, groups, bias };
  }

  protected override extraRepr(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, bias } = this;
    const rest = [
      padding === 0 ? [] : `padding=${padding}`,
      dilation === 1 ? [] : `dilation=${dilation}`,
      groups === 1 ? [] : `groups=${groups}`,
      bias === null ? 'bias=false' : [],
    ];
    return [inChannels, outChannels, `kernelSize=[${kernelSize}]`, `stride=${stride}`, ...rest.flat()].join(', ');
  }
}

/** Cross-correlation over [N, C, L]. */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Spatial, options: ConvLayerOptions = {}) {
    super('Conv1d', 1, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return conv1d(x, this.weight, this.options());
  }
}

/** Cross-correlation over [N, C, H, W]. */
export class Conv2d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Spatial, options: ConvLayerOptions = {}) {
    super('Conv2d', 2, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.options());
  }
}
