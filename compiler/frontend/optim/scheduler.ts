// Learning-rate schedulers, as torch.optim.lr_scheduler: each step assigns new rates to the groups of an optimiser.
import { ArgumentError } from '../../../runtime/errors.ts';
import { hostAction } from '../record.ts';

/** What a scheduler needs of a group. */
export type RateGroup = { lr: number; initialLr?: number; momentum?: number; betas?: readonly [number, number] };
export type Scheduled = { readonly paramGroups: readonly RateGroup[] };
/** What a scheduler goes on from: its own numbers; a rule's constants are not part of it. */
export type SchedulerStateDict = { readonly [name: string]: number | readonly number[] | null };

function demandPositive(op: string, name: string, value: number): number {
  if (!(Number.isInteger(value) && value > 0)) throw new ArgumentError(`${name} must be a positive integer, got ${value}`, { op });
  return value;
}

/** Rates from the number of steps so far. PyTorch's formulas go from rate to rate, so that several schedulers may act on one optimiser. */
export abstract class LRScheduler {
  readonly optimizer: Scheduled;
  /** The rates that the groups began with. */
  baseLrs: readonly number[] = [];
  lastEpoch = -1;
  private lastLrs: readonly number[] = [];

  constructor(optimizer: Scheduled) {
    if (!Array.isArray((optimizer as Partial<Scheduled> | null)?.paramGroups))
      throw new ArgumentError('a scheduler wants an optimizer', { op: this.constructor.name });
    this.optimizer = optimizer;
  }

  /** Sets the first rates; the last thing that constructors do. */
  protected start(): this {
    for (const group of this.groups) group.initialLr ??= group.lr;
    this.baseLrs = this.groups.map((g) => g.initialLr!);
    this.advance();
    return this;
  }

  protected get groups(): readonly RateGroup[] {
    return this.optimizer.paramGroups;
  }

  /** The rate of group `index` for `lastEpoch`, when the group has `lr` and began with `base`. */
  protected abstract rate(lr: number, base: number, index: number): number;

  /** Moves on: once an epoch, or once a step where the rule counts steps. In compiled code each replay moves on. */
  step(): void {
    hostAction(() => void this.advance());
  }

  private advance(): void {
    this.lastEpoch++;
    const rates = this.groups.map((group, i) => this.rate(group.lr, this.baseLrs[i]!, i));
    for (const [i, group] of this.groups.entries()) group.lr = rates[i]!;
    this.lastLrs = rates;
  }

  /** The rates that the last step set. */
  getLastLr(): readonly number[] {
    return this.lastLrs;
  }

  stateDict(): SchedulerStateDict {
    return { lastEpoch: this.lastEpoch, baseLrs: this.baseLrs, lastLrs: this.lastLrs };
  }

  /** Goes on from a state; the optimiser's rates come with its own state. */
  loadStateDict(state: SchedulerStateDict): void {
    const { lastEpoch, baseLrs, lastLrs } = state;
    if (typeof lastEpoch !== 'number' || !Array.isArray(baseLrs) || baseLrs.length !== this.groups.length || !Array.isArray(lastLrs))
      throw new ArgumentError('the state does not fit this scheduler', { op: 'loadStateDict', fix: 'pass what stateDict() returned' });
    this.lastEpoch = lastEpoch;
    this.baseLrs = [...(baseLrs as number[])];
    this.lastLrs = [...(lastLrs as number[])];
  }
}

/** Times `gamma` every `stepSize` epochs. */
export class StepLR extends LRScheduler {
  readonly stepSize: number;
  readonly gamma: number;
  constructor(optimizer: Scheduled, stepSize: number, { gamma = 0.1 }: { readonly gamma?: number } = {}) {
    super(optimizer);
    this.stepSize = demandPositive('StepLR', 'stepSize', stepSize);
    this.gamma = gamma;
    this.start();
  }
  protected override rate(lr: number): number {
    return this.lastEpoch === 0 || this.lastEpoch % this.stepSize !== 0 ? lr : lr * this.gamma;
  }
}

/** Times `gamma` at each milestone; one named twice counts twice. */
export class MultiStepLR extends LRScheduler {
  readonly milestones: readonly number[];
  readonly gamma: number;
  constructor(optimizer: Scheduled, milestones: readonly number[], { gamma = 0.1 }: { readonly gamma?: number } = {}) {
    super(optimizer);
    this.milestones = [...milestones];
    this.gamma = gamma;
    this.start();
  }
  protected override rate(lr: number): number {
    return lr * this.gamma ** this.milestones.filter((m) => m === this.lastEpoch).length;
  }
}

/** Times `gamma` every epoch. */
export class ExponentialLR extends LRScheduler {
  readonly gamma: number;
  constructor(optimizer: Scheduled, gamma: number) {
    super(optimizer);
    this.gamma = gamma;
    this.start();
  }
  protected override rate(lr: number): number {
    return this.lastEpoch === 0 ? lr : lr * this.gamma;
  }
}

/** Half a cosine from the first rate down to `etaMin` in `tMax` epochs, and back up. */
export class CosineAnnealingLR extends LRScheduler {
  readonly tMax: number;
  readonly etaMin: number;
  constructor(optimizer: Scheduled, tMax: number, { etaMin = 0 }: { readonly etaMin?: number } = {}) {
    super(optimizer);
    this.tMax = demandPositive('CosineAnnealingLR', 'tMax', tMax);
    this.etaMin = etaMin;
    this.start();
  }
  protected override rate(lr: number, base: number): number {
    const { lastEpoch: t, tMax, etaMin } = this;
    if (t === 0) return lr;
    // From the very bottom the ratio below would be 0/0.
    if ((t - 1 - tMax) % (2 * tMax) === 0) return lr + ((base - etaMin) * (1 - Math.cos(Math.PI / tMax))) / 2;
    return ((1 + Math.cos((Math.PI * t) / tMax)) / (1 + Math.cos((Math.PI * (t - 1)) / tMax))) * (lr - etaMin) + etaMin;
  }
}

/** The first rate times a function of the epoch; one function, or one for each group. */
export class LambdaLR extends LRScheduler {
  readonly lambdas: readonly ((epoch: number) => number)[];
  constructor(optimizer: Scheduled, lambda: ((epoch: number) => number) | readonly ((epoch: number) => number)[]) {
    super(optimizer);
    this.lambdas = typeof lambda === 'function' ? this.groups.map(() => lambda) : [...lambda];
    if (this.lambdas.length !== this.groups.length)
      throw new ArgumentError(`expected ${this.groups.length} functions, one for each group, but got ${this.lambdas.length}`, {
        op: 'LambdaLR',
      });
    this.start();
  }
  protected override rate(_lr: number, base: number, index: number): number {
    return base * this.lambdas[index]!(this.lastEpoch);
  }
}

export type LinearLROptions = { readonly startFactor?: number; readonly endFactor?: number; readonly totalIters?: number };

/** The first rate times a factor that goes in a straight line from `startFactor` to `endFactor` in `totalIters` epochs. */
export class LinearLR extends LRScheduler {
  readonly startFactor: number;
  readonly endFactor: number;
  readonly totalIters: number;
  constructor(optimizer: Scheduled, { startFactor = 1 / 3, endFactor = 1, totalIters = 5 }: LinearLROptions = {}) {
    super(optimizer);
    if (!(startFactor > 0 && startFactor <= 1))
      throw new ArgumentError(`startFactor must lie in (0, 1], got ${startFactor}`, { op: 'LinearLR' });
    if (!(endFactor >= 0 && endFactor <= 1)) throw new ArgumentError(`endFactor must lie in [0, 1], got ${endFactor}`, { op: 'LinearLR' });
    this.startFactor = startFactor;
    this.endFactor = endFactor;
    this.totalIters = totalIters;
    this.start();
  }
  protected override rate(lr: number): number {
    const { lastEpoch: t, startFactor, endFactor, totalIters } = this;
    if (t === 0) return lr * startFactor;
    if (t > totalIters) return lr;
    return lr * (1 + (endFactor - startFactor) / (totalIters * startFactor + (t - 1) * (endFactor - startFactor)));
  }
}
