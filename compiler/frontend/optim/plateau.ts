// Lowers the learning rate when a metric stops improving, as torch.optim.lr_scheduler.ReduceLROnPlateau.
import { ArgumentError } from '../../../runtime/errors.ts';
import type { Scheduled, SchedulerStateDict } from './scheduler.ts';

export type ReduceLROnPlateauOptions = {
  /** Whether the metric should fall or rise. */
  readonly mode?: 'min' | 'max';
  /** What the rate is multiplied by. */
  readonly factor?: number;
  /** Epochs without improvement that are let pass. */
  readonly patience?: number;
  /** What counts as an improvement, relative to the best value or absolute. */
  readonly threshold?: number;
  readonly thresholdMode?: 'rel' | 'abs';
  /** Epochs after a reduction in which nothing is counted. */
  readonly cooldown?: number;
  /** No rate goes below this; one number, or one for each group. */
  readonly minLr?: number | readonly number[];
  /** Smaller changes of a rate are not made. */
  readonly eps?: number;
};

const op = 'ReduceLROnPlateau';

export class ReduceLROnPlateau {
  readonly optimizer: Scheduled;
  lastEpoch = 0;
  best: number;
  numBadEpochs = 0;
  cooldownCounter = 0;
  readonly #options: Required<ReduceLROnPlateauOptions>;
  readonly #minLrs: readonly number[];

  constructor(optimizer: Scheduled, options: ReduceLROnPlateauOptions = {}) {
    this.optimizer = optimizer;
    this.#options = {
      mode: 'min',
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: 'rel',
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
      ...options,
    };
    const { mode, factor, thresholdMode, minLr } = this.#options;
    if (!(factor < 1)) throw new ArgumentError(`factor should be below 1, got ${factor}`, { op });
    if (mode !== 'min' && mode !== 'max') throw new ArgumentError(`mode ${String(mode)} is unknown`, { op, fix: "choose 'min' or 'max'" });
    if (thresholdMode !== 'rel' && thresholdMode !== 'abs')
      throw new ArgumentError(`thresholdMode ${String(thresholdMode)} is unknown`, { op, fix: "choose 'rel' or 'abs'" });
    const groups = optimizer.paramGroups;
    this.#minLrs = typeof minLr === 'number' ? groups.map(() => minLr) : minLr;
    if (this.#minLrs.length !== groups.length)
      throw new ArgumentError(`expected ${groups.length} values for minLr, got ${this.#minLrs.length}`, { op });
    this.best = mode === 'min' ? Infinity : -Infinity;
  }

  /** Takes note of the metric of an epoch: a number, so `step(await loss.item())`. */
  step(metric: number): void {
    if (typeof metric !== 'number') throw new ArgumentError('the metric is a number', { op, fix: 'pass await loss.item()' });
    this.lastEpoch++;
    if (this.#improved(metric)) {
      this.best = metric;
      this.numBadEpochs = 0;
    } else {
      this.numBadEpochs++;
    }
    if (this.cooldownCounter > 0) {
      this.cooldownCounter--;
      this.numBadEpochs = 0;
    }
    if (this.numBadEpochs <= this.#options.patience) return;
    this.#reduce();
    this.cooldownCounter = this.#options.cooldown;
    this.numBadEpochs = 0;
  }

  #improved(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const sign = mode === 'min' ? -1 : 1;
    return sign * metric > sign * (thresholdMode === 'rel' ? this.best * (1 + sign * threshold) : this.best + sign * threshold);
  }

  #reduce(): void {
    this.optimizer.paramGroups.forEach((group, i) => {
      const lower = Math.max(group.lr * this.#options.factor, this.#minLrs[i]!);
      if (group.lr - lower > this.#options.eps) group.lr = lower;
    });
  }

  getLastLr(): readonly number[] {
    return this.optimizer.paramGroups.map((g) => g.lr);
  }

  stateDict(): SchedulerStateDict {
    const { lastEpoch, best, numBadEpochs, cooldownCounter } = this;
    return { lastEpoch, best, numBadEpochs, cooldownCounter };
  }

  loadStateDict(state: SchedulerStateDict): void {
    const { lastEpoch, best, numBadEpochs, cooldownCounter } = state;
    if (![lastEpoch, best, numBadEpochs, cooldownCounter].every((n) => typeof n === 'number'))
      throw new ArgumentError('the state does not fit this scheduler', { op: 'loadStateDict', fix: 'pass what stateDict() returned' });
    Object.assign(this, { lastEpoch, best, numBadEpochs, cooldownCounter });
  }
}
