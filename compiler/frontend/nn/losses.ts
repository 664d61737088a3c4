// Losses as modules: each holds its options and calls the function of its name.
import * as F from '../functional/loss.ts';
import type { Tensor } from '../tensor.ts';
import { Module } from './module.ts';

abstract class Loss<O extends object> extends Module {
  readonly options: O;
  constructor(options: O) {
    super();
    this.options = options;
  }
  abstract override forward(input: Tensor, target: Tensor): Tensor;
}

/** Options with tensors in them: those are buffers, so that `to()` and state dicts reach them. */
abstract class WeightedLoss<O extends { readonly weight?: Tensor }> extends Loss<Omit<O, 'weight'>> {
  declare weight: Tensor | null;
  constructor({ weight, ...options }: O) {
    super(options);
    this.registerBuffer('weight', weight ?? null);
  }
  protected weighted(): Omit<O, 'weight'> & { readonly weight?: Tensor } {
    return this.weight === null ? this.options : { ...this.options, weight: this.weight };
  }
}

/** Of logits [N, C, ...] with int64 labels [N, ...] or with probabilities of the same shape. */
export class CrossEntropyLoss extends WeightedLoss<F.CrossEntropyOptions> {
  constructor(options: F.CrossEntropyOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(input, target, this.weighted());
  }
}
/** Of log-probabilities with labels. */
export class NLLLoss extends WeightedLoss<F.ClassOptions> {
  constructor(options: F.ClassOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.nllLoss(input, target, this.weighted());
  }
}
/** Of probabilities with targets in [0, 1]. */
export class BCELoss extends WeightedLoss<F.BinaryOptions> {
  constructor(options: F.BinaryOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, this.weighted());
  }
}
/** Of logits with targets in [0, 1]. */
export class BCEWithLogitsLoss extends WeightedLoss<F.BinaryOptions> {
  declare posWeight: Tensor | null;
  constructor({ posWeight, ...options }: F.BinaryOptions & { readonly posWeight?: Tensor } = {}) {
    super(options);
    this.registerBuffer('posWeight', posWeight ?? null);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    const options = this.weighted();
    return F.binaryCrossEntropyWithLogits(input, target, this.posWeight === null ? options : { ...options, posWeight: this.posWeight });
  }
}

export class MSELoss extends Loss<F.LossOptions> {
  constructor(options: F.LossOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, this.options);
  }
}
export class L1Loss extends Loss<F.LossOptions> {
  constructor(options: F.LossOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, this.options);
  }
}
type SmoothL1Options = F.LossOptions & { readonly beta?: number };
export class SmoothL1Loss extends Loss<SmoothL1Options> {
  constructor(options: SmoothL1Options = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, this.options);
  }
}
type HuberOptions = F.LossOptions & { readonly delta?: number };
export class HuberLoss extends Loss<HuberOptions> {
  constructor(options: HuberOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.options);
  }
}
type KLDivOptions = { readonly reduction?: F.Reduction | 'batchmean'; readonly logTarget?: boolean };
export class KLDivLoss extends Loss<KLDivOptions> {
  constructor(options: KLDivOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return F.klDivLoss(input, target, this.options);
  }
}
