// Anomaly detection: backward() names the function, and the line of the forward pass, that made a gradient NaN.
import { AutogradError, deepStack } from '../../../runtime/errors.ts';
import { type Location, locationText } from '../../ir/node.ts';
import { observe } from '../boundary.ts';
import { currentInterval, currentTrace } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import type { GradFn } from './graph.ts';
import { type Sync, scoped } from './mode.ts';

type Mode = { readonly on: boolean; readonly checkNaN: boolean };
let mode: Mode = { on: false, checkNaN: true };

export type AnomalyOptions = {
  /** Look for NaN in the gradients; default true. Without it only lines are kept. */
  readonly checkNaN?: boolean;
};

export const isAnomalyEnabled = (): boolean => mode.on;
export const isAnomalyCheckNaNEnabled = (): boolean => mode.checkNaN;

/** Switches anomaly detection on or off, as `torch.autograd.set_detect_anomaly`. Each function of backward() is then run and looked at by itself. */
export function setDetectAnomaly(on: boolean, { checkNaN = true }: AnomalyOptions = {}): void {
  mode = { on, checkNaN };
}

/** The same for the time that `f` runs. Throws AutogradError if `f` is async. */
export function detectAnomaly<T>(f: () => Sync<T>, options: AnomalyOptions = {}): T {
  const before = mode;
  setDetectAnomaly(true, options);
  return scoped('detectAnomaly', f, () => {
    mode = before;
  });
}

/** Where the op that is being recorded was called. Nothing unless detection is on. */
export const siteNow = (): Location | undefined => (mode.on ? { site: deepStack() } : undefined);

/** Throws AutogradError if a gradient that `fn` made has NaN in it. Inside functions under a transform gradients have no values yet. */
export function demandNoNaN(fn: GradFn, gradients: readonly (Tensor | null)[]): void {
  if (!mode.on || !mode.checkNaN || currentTrace() !== undefined || currentInterval().call !== undefined) return;
  gradients.forEach((g, i) => {
    if (g === null || !hasNaN(g)) return;
    const line = locationText(fn.site);
    const where = line === undefined ? 'it was called while anomaly detection was off' : `it was called at ${line}`;
    throw new AutogradError(`function '${fn.name}' returned nan values in its ${i}th output; ${where}`, {
      op: fn.name,
      ...(line === undefined ? {} : { at: line }),
    });
  });
}

function hasNaN(t: Tensor): boolean {
  for (const x of observe(t.value())) if (Number.isNaN(x)) return true;
  return false;
}
