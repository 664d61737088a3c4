// Activations and dropout as layers: each holds its options and calls the function of its name.
import { ArgumentError } from '../../../runtime/errors.ts';
import * as F from '../functional/activation.ts';
import { dropout, dropout2d } from '../functional/dropout.ts';
import { sigmoid, tanh } from '../functional/unary.ts';
import type { Tensor } from '../tensor.ts';
import { constant_ } from './init.ts';
import { blank } from './linear.ts';
import { Module } from './module.ts';
import type { Parameter } from './parameter.ts';

export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return F.relu(x);
  }
}
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return F.relu6(x);
  }
}
export class SELU extends Module {
  forward(x: Tensor): Tensor {
    return F.selu(x);
  }
}
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return F.silu(x);
  }
}
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return F.mish(x);
  }
}
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return F.logSigmoid(x);
  }
}
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return F.softsign(x);
  }
}
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return F.hardswish(x);
  }
}
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return F.hardsigmoid(x);
  }
}

export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';
  constructor({ approximate = 'none' }: { readonly approximate?: 'none' | 'tanh' } = {}) {
    super();
    this.approximate = approximate;
  }
  forward(x: Tensor): Tensor {
    return F.gelu(x, { approximate: this.approximate });
  }
  protected override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }
}

export class LeakyReLU extends Module {
  readonly negativeSlope: number;
  constructor(negativeSlope = 0.01) {
    super();
    this.negativeSlope = negativeSlope;
  }
  forward(x: Tensor): Tensor {
    return F.leakyRelu(x, this.negativeSlope);
  }
  protected override extraRepr(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

export class ELU extends Module {
  readonly alpha: number;
  constructor(alpha = 1) {
    super();
    this.alpha = alpha;
  }
  forward(x: Tensor): Tensor {
    return F.elu(x, this.alpha);
  }
  protected override extraRepr(): string {
    return `alpha=${this.alpha}`;
  }
}

export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;
  constructor(beta = 1, threshold = 20) {
    super();
    this.beta = beta;
    this.threshold = threshold;
  }
  forward(x: Tensor): Tensor {
    return F.softplus(x, this.beta, this.threshold);
  }
  protected override extraRepr(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`;
  }
}

export class Hardtanh extends Module {
  readonly minVal: number;
  readonly maxVal: number;
  constructor(minVal = -1, maxVal = 1) {
    super();
    if (!(minVal < maxVal)) throw new ArgumentError(`minVal ${minVal} must be below maxVal ${maxVal}`, { op: 'Hardtanh' });
    this.minVal = minVal;
    this.maxVal = maxVal;
  }
  forward(x: Tensor): Tensor {
    return F.hardtanh(x, this.minVal, this.maxVal);
  }
  protected override extraRepr(): string {
    return `minVal=${this.minVal}, maxVal=${this.maxVal}`;
  }
}

/** LeakyReLU with a learnt slope, one for all channels or one each. */
export class PReLU extends Module {
  weight: Parameter;
  constructor(numParameters = 1, { init = 0.25 }: { readonly init?: number } = {}) {
    super();
    this.weight = blank('PReLU', [numParameters]);
    constant_(this.weight, init);
  }
  forward(x: Tensor): Tensor {
    return F.prelu(x, this.weight);
  }
  protected override extraRepr(): string {
    return `numParameters=${this.weight.shape[0]}`;
  }
}

/** Over `dim`, which must be named: PyTorch's guess without it is deprecated. */
export class Softmax extends Module {
  readonly dim: number;
  constructor(dim: number) {
    super();
    this.dim = demandDim('Softmax', dim);
  }
  forward(x: Tensor): Tensor {
    return F.softmax(x, this.dim);
  }
  protected override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}
export class LogSoftmax extends Module {
  readonly dim: number;
  constructor(dim: number) {
    super();
    this.dim = demandDim('LogSoftmax', dim);
  }
  forward(x: Tensor): Tensor {
    return F.logSoftmax(x, this.dim);
  }
  protected override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}
function demandDim(op: string, dim: number): number {
  if (!Number.isInteger(dim)) throw new ArgumentError('the dimension must be named', { op, fix: `write new ${op}(-1) for the last` });
  return dim;
}

/** In training, zeroes elements with probability p and scales the others up; its generator is counter-based, not PyTorch's. */
export class Dropout extends Module {
  readonly p: number;
  constructor(p = 0.5) {
    super();
    this.p = demandProbability('Dropout', p);
  }
  forward(x: Tensor): Tensor {
    return dropout(x, this.p, { training: this.training });
  }
  protected override extraRepr(): string {
    return `p=${this.p}`;
  }
}
/** As Dropout, for whole channels. */
export class Dropout2d extends Module {
  readonly p: number;
  constructor(p = 0.5) {
    super();
    this.p = demandProbability('Dropout2d', p);
  }
  forward(x: Tensor): Tensor {
    return dropout2d(x, this.p, { training: this.training });
  }
  protected override extraRepr(): string {
    return `p=${this.p}`;
  }
}
function demandProbability(op: string, p: number): number {
  if (!(typeof p === 'number' && p >= 0 && p <= 1))
    throw new ArgumentError(`dropout probability has to be between 0 and 1, but got ${p}`, { op });
  return p;
}
