// The one-cycle policy: up to a high learning rate and down again within one training, momentum the other way. Smith and Topin, 2017.
import { ArgumentError } from '../../../runtime/errors.ts';
import { LRScheduler, type RateGroup, type Scheduled } from './scheduler.ts';

export type OneCycleLROptions = {
  /** All steps of the training; or give `epochs` and `stepsPerEpoch`. */
  readonly totalSteps?: number;
  readonly epochs?: number;
  readonly stepsPerEpoch?: number;
  /** Share of the steps on the way up. */
  readonly pctStart?: number;
  readonly annealStrategy?: 'cos' | 'linear';
  readonly cycleMomentum?: boolean;
  readonly baseMomentum?: number;
  readonly maxMomentum?: number;
  /** The first rate is the highest over this. */
  readonly divFactor?: number;
  /** The last rate is the first over this. */
  readonly finalDivFactor?: number;
  /** Comes down as it went up, and only then to the last rate. */
  readonly threePhase?: boolean;
};

/** Where a phase ends, and from what to what it goes. */
type Level = 'initial' | 'max' | 'min';
type Phase = { readonly end: number; readonly lr: readonly [Level, Level]; readonly momentum: readonly ['base' | 'max', 'base' | 'max'] };

const op = 'OneCycleLR';

function phasesOf(totalSteps: number, pctStart: number, threePhase: boolean): readonly Phase[] {
  const up: Phase = { end: pctStart * totalSteps - 1, lr: ['initial', 'max'], momentum: ['max', 'base'] };
  if (!threePhase) return [up, { end: totalSteps - 1, lr: ['max', 'min'], momentum: ['base', 'max'] }];
  return [
    up,
    { end: 2 * pctStart * totalSteps - 2, lr: ['max', 'initial'], momentum: ['base', 'max'] },
    { end: totalSteps - 1, lr: ['initial', 'min'], momentum: ['max', 'max'] },
  ];
}

const anneal = {
  cos: (from: number, to: number, share: number): number => to + ((from - to) / 2) * (Math.cos(Math.PI * share) + 1),
  linear: (from: number, to: number, share: number): number => (to - from) * share + from,
};

/** Call `step()` after each batch. */
export class OneCycleLR extends LRScheduler {
  readonly totalSteps: number;
  readonly #phases: readonly Phase[];
  readonly #anneal: (from: number, to: number, share: number) => number;
  readonly #rates: readonly Readonly<Record<Level, number>>[];
  readonly #momenta: { readonly base: number; readonly max: number } | undefined;

  constructor(optimizer: Scheduled, maxLr: number | readonly number[], options: OneCycleLROptions = {}) {
    super(optimizer);
    const {
      epochs,
      stepsPerEpoch,
      pctStart = 0.3,
      annealStrategy = 'cos',
      cycleMomentum = true,
      divFactor = 25,
      finalDivFactor = 1e4,
    } = options;
    const steps = options.totalSteps ?? (epochs ?? Number.NaN) * (stepsPerEpoch ?? Number.NaN);
    if (!(Number.isInteger(steps) && steps > 0))
      throw new ArgumentError('the number of steps is unknown', {
        op,
        fix: 'give totalSteps, or epochs and stepsPerEpoch, as positive integers',
      });
    if (!(pctStart >= 0 && pctStart <= 1)) throw new ArgumentError(`pctStart must lie in [0, 1], got ${pctStart}`, { op });
    if (!Object.hasOwn(anneal, annealStrategy))
      throw new ArgumentError(`annealStrategy must be 'cos' or 'linear', got '${annealStrategy}'`, { op });
    const highest = typeof maxLr === 'number' ? this.groups.map(() => maxLr) : maxLr;
    if (highest.length !== this.groups.length)
      throw new ArgumentError(`expected ${this.groups.length} values for maxLr, got ${highest.length}`, { op });
    if (cycleMomentum && this.groups.some((g) => g.momentum === undefined && g.betas === undefined))
      throw new ArgumentError('optimizer must support momentum or beta1 with cycleMomentum', { op, fix: 'give cycleMomentum: false' });
    this.totalSteps = steps;
    this.#phases = phasesOf(steps, pctStart, options.threePhase ?? false);
    this.#anneal = anneal[annealStrategy];
    this.#rates = highest.map((max) => ({ initial: max / divFactor, max, min: max / divFactor / finalDivFactor }));
    this.#momenta = cycleMomentum ? { base: options.baseMomentum ?? 0.85, max: options.maxMomentum ?? 0.95 } : undefined;
    for (const [i, group] of this.groups.entries()) group.initialLr = this.#rates[i]!.initial;
    this.start();
  }

  protected override rate(_lr: number, _base: number, index: number): number {
    if (this.lastEpoch > this.totalSteps)
      throw new ArgumentError(`tried to step ${this.lastEpoch} times; the total number of steps is ${this.totalSteps}`, { op });
    const at = this.#phases.findIndex((p, i) => this.lastEpoch <= p.end || i === this.#phases.length - 1);
    const phase = this.#phases[at]!;
    const start = at === 0 ? 0 : this.#phases[at - 1]!.end;
    const share = (this.lastEpoch - start) / (phase.end - start);
    const between = <L extends string>([from, to]: readonly [L, L], levels: Readonly<Record<L, number>>): number =>
      this.#anneal(levels[from], levels[to], share);
    if (this.#momenta !== undefined) setMomentum(this.groups[index]!, between(phase.momentum, this.#momenta));
    return between(phase.lr, this.#rates[index]!);
  }
}

/** The first beta plays the part of momentum. */
function setMomentum(group: RateGroup, value: number): void {
  if (group.betas !== undefined) group.betas = [value, group.betas[1]];
  else group.momentum = value;
}
