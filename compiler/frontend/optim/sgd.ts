// Stochastic gradient descent, as torch.optim.SGD.
import { ArgumentError } from '../../../runtime/errors.ts';
import { hostCall } from '../../../runtime/host.ts';
import { b } from '../../ir/builder.ts';
import { axpy, type Expr, type Scalars, scaled } from '../hostScalars.ts';
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

export type SGDOptions = {
  /** Learning rate; 1e-3 by default. */
  lr: number;
  /** Share of the last step's direction that is kept. */
  momentum: number;
  /** What the gradient's share in the direction is lessened by, from the second update on. */
  dampening: number;
  /** L2 penalty: this much of the parameter is added to its gradient. */
  weightDecay: number;
  /** Looks ahead by the momentum. */
  nesterov: boolean;
  /** Climbs instead of descending. */
  maximize: boolean;
};
type State = ParamState & { momentumBuffer: Tensor };
type Numbers = 'descent' | 'momentum' | 'fresh' | 'weightDecay';

export class SGD extends Optimizer<SGDOptions, State, Numbers> {
  protected override get name(): string {
    return 'SGD';
  }

  constructor(params: Params<SGDOptions>, options: Partial<Readonly<SGDOptions>> = {}) {
    super(params, { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false }, options);
  }

  protected override validate({ lr, momentum, dampening, weightDecay, nesterov }: SGDOptions): void {
    demandNonNegative('SGD', 'learning rate', lr);
    demandNonNegative('SGD', 'momentum value', momentum);
    demandNonNegative('SGD', 'weightDecay value', weightDecay);
    if (nesterov && (momentum <= 0 || dampening !== 0))
      throw new ArgumentError('Nesterov momentum requires a momentum and zero dampening', { op: 'SGD' });
  }

  protected override newState(param: Tensor, { momentum }: ParamGroup<SGDOptions>): State | undefined {
    return momentum === 0 ? undefined : { step: 0, momentumBuffer: stateZeros(param.shape, param.element) };
  }

  protected override numbers({ momentum, dampening, weightDecay }: ParamGroup<SGDOptions>, step: Expr, lr: Expr): NumbersOf<Numbers> {
    // The first direction is the gradient itself.
    return { descent: hostCall('neg', lr), momentum, fresh: hostCall('select', hostCall('equal', step, 1), 1, 1 - dampening), weightDecay };
  }

  protected override update({ param, grad, state }: Member<State>, s: Scalars<Numbers>, group: ParamGroup<SGDOptions>): void {
    const { momentum, weightDecay, nesterov, maximize } = group;
    const direction = descentOf(grad, param, maximize, weightDecay === 0 ? undefined : s.weightDecay);
    if (momentum === 0 || state === undefined) {
      applyInPlace('sgd_', param, [direction], (p, g) => axpy(p, s.descent, g));
      return;
    }
    const { momentumBuffer } = state;
    applyInPlace('momentum_', momentumBuffer, [direction], (m, g) => b.add(scaled(m, s.momentum), scaled(g, s.fresh)));
    applyInPlace('sgd_', param, [direction, momentumBuffer], (p, g, m) => axpy(p, s.descent, nesterov ? axpy(g, s.momentum, m) : m));
  }
}
