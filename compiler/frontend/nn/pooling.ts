// Pooling layers.
import {
  type AvgPoolOptions,
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  maxPool1d,
  maxPool2d,
  type PoolOptions,
  type Spatial,
} from '../functional/layers.ts';
import type { Tensor } from '../tensor.ts';
import { Module } from './module.ts';

/** A window and how it moves; by its own size unless `stride` says otherwise. */
abstract class Pool<O extends PoolOptions | AvgPoolOptions> extends Module {
  readonly kernelSize: Spatial;
  readonly options: O;
  constructor(kernelSize: Spatial, options: O) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
  abstract override forward(x: Tensor): Tensor;
  protected override extraRepr(): string {
    const { stride = this.kernelSize, padding = 0 } = this.options;
    return `kernelSize=${this.kernelSize}, stride=${stride}, padding=${padding}`;
  }
}

export class MaxPool1d extends Pool<PoolOptions> {
  constructor(kernelSize: Spatial, options: PoolOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return maxPool1d(x, this.kernelSize, this.options);
  }
}
export class MaxPool2d extends Pool<PoolOptions> {
  constructor(kernelSize: Spatial, options: PoolOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.kernelSize, this.options);
  }
}
export class AvgPool1d extends Pool<AvgPoolOptions> {
  constructor(kernelSize: Spatial, options: AvgPoolOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return avgPool1d(x, this.kernelSize, this.options);
  }
}
export class AvgPool2d extends Pool<AvgPoolOptions> {
  constructor(kernelSize: Spatial, options: AvgPoolOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.kernelSize, this.options);
  }
}

/** Windows chosen so that the result has `outputSize`. */
export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: Spatial;
  constructor(outputSize: Spatial) {
    super();
    this.outputSize = outputSize;
  }
  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }
  protected override extraRepr(): string {
    return `outputSize=${this.outputSize}`;
  }
}
