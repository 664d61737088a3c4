// Adam and AdamW, as torch.optim.Adam and torch.optim.AdamW. Kingma and Ba, 2015; Loshchilov and Hutter, 2019.
import { ArgumentError } from '../../../runtime/errors.ts';
import { hostCall } from '../../../runtime/host.ts';
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { axpy, type Expr, over, type Scalars, scaled, shifted } from '../hostScalars.ts';
import { applyInPlace } from '../op.ts';
import { stateZeros } from '../state.ts';
import type { Tensor } from '../tensor.ts';
import {
  demandNonNegative,
  descentOf,
  type Member,
  type NumbersOf,
  Optimizer,
  type ParamGroup,
  type ParamState,
  type Params,
} from './optimizer.ts';

export type AdamOptions = {
  /** Learning rate; 1e-3 by default. */
  lr: number;
  /** How long the averages of the gradient and of its square remember: [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Adam: L2 penalty through the gradient. AdamW (0.01 by default): shrinks the parameter itself. */
  weightDecay: number;
  /** Divides by the largest second moment so far. */
  amsgrad: boolean;
  /** Climbs instead of descending. */
  maximize: boolean;
};
type State = ParamState & { expAvg: Tensor; expAvgSq: Tensor; maxExpAvgSq?: Tensor };
/** Bias corrections depend on the step, and reach exactly 1 after some hundred steps: they stay numbers of the launch all the same. */
type Numbers = 'descent' | 'correction' | 'beta1' | 'fresh1' | 'beta2' | 'fresh2' | 'eps' | 'weightDecay' | 'shrink';

const defaults: AdamOptions = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false, maximize: false };

export class Adam extends Optimizer<AdamOptions, State, Numbers> {
  protected override get name(): string {
    return 'Adam';
  }
  /** Whether weight decay shrinks the parameter, apart from the gradient. */
  protected get decoupled(): boolean {
    return false;
  }

  constructor(params: Params<AdamOptions>, options: Partial<Readonly<AdamOptions>> = {}) {
    super(params, defaults, options);
  }

  protected override validate({ lr, betas, eps, weightDecay }: AdamOptions): void {
    demandNonNegative(this.name, 'learning rate', lr);
    demandNonNegative(this.name, 'epsilon value', eps);
    demandNonNegative(this.name, 'weightDecay value', weightDecay);
    if (!Array.isArray(betas) || betas.length !== 2) throw new ArgumentError('betas are two numbers', { op: this.name });
    betas.forEach((beta: number, i) => {
      if (!(beta >= 0 && beta < 1))
        throw new ArgumentError(`Invalid beta parameter at index ${i}: ${beta}`, { op: this.name, fix: 'betas lie in [0, 1)' });
    });
  }

  protected override newState({ shape, element }: Tensor, { amsgrad }: ParamGroup<AdamOptions>): State {
    const moments = { step: 0, expAvg: stateZeros(shape, element), expAvgSq: stateZeros(shape, element) };
    return amsgrad ? { ...moments, maxExpAvgSq: stateZeros(shape, element) } : moments;
  }

  protected override numbers(
    { betas: [beta1, beta2], eps, weightDecay }: ParamGroup<AdamOptions>,
    step: Expr,
    lr: Expr,
  ): NumbersOf<Numbers> {
    return {
      descent: hostCall('div', hostCall('neg', lr), hostCall('sub', 1, hostCall('pow', beta1, step))),
      correction: hostCall('sqrt', hostCall('sub', 1, hostCall('pow', beta2, step))),
      beta1,
      fresh1: 1 - beta1,
      beta2,
      fresh2: 1 - beta2,
      eps,
      weightDecay,
      shrink: hostCall('sub', 1, hostCall('mul', lr, weightDecay)),
    };
  }

  protected override update({ param, grad, state }: Member<State>, s: Scalars<Numbers>, group: ParamGroup<AdamOptions>): void {
    const { weightDecay, amsgrad, maximize, betas } = group;
    const { expAvg, expAvgSq } = state!;
    const penalty = weightDecay !== 0 && !this.decoupled ? s.weightDecay : undefined;
    const shrink = weightDecay !== 0 && this.decoupled ? s.shrink : undefined;
    const direction = descentOf(grad, param, maximize, penalty);
    applyInPlace('expAvg_', expAvg, [direction], (m, g) => lerp(m, g, betas[0], s));
    applyInPlace('expAvgSq_', expAvgSq, [direction], (v, g) => b.add(scaled(v, s.beta2), scaled(b.mul(g, g), s.fresh2)));
    let second = expAvgSq;
    if (amsgrad) {
      second = state!.maxExpAvgSq ??= stateZeros(param.shape, param.element);
      applyInPlace('maxExpAvgSq_', second, [expAvgSq], (largest, v) => b.max(largest, v));
    }
    applyInPlace('adam_', param, [expAvg, second], (p, m, v) => {
      const denominator = shifted(over(b.sqrt(v), s.correction), s.eps);
      return b.add(shrink === undefined ? p : scaled(p, shrink), b.div(scaled(m, s.descent), denominator));
    });
  }
}

/** From m towards g by 1 - beta1, from the nearer end, as torch.lerp: exact at both. */
const lerp = (m: Value, g: Value, beta1: number, s: Scalars<Numbers>): Value =>
  beta1 > 0.5 ? axpy(m, s.fresh1, b.sub(g, m)) : b.sub(g, scaled(b.sub(g, m), s.beta1));

/** Adam whose weight decay shrinks parameters directly, by 0.01 of the learning rate unless told otherwise. */
export class AdamW extends Adam {
  protected override get name(): string {
    return 'AdamW';
  }
  protected override get decoupled(): boolean {
    return true;
  }
  constructor(params: Params<AdamOptions>, options: Partial<Readonly<AdamOptions>> = {}) {
    super(params, { weightDecay: 1e-2, ...options });
  }
}
