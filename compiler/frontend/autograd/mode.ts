// Grad modes: whether ops are recorded for differentiation. Scopes take synchronous functions, since a mode that crossed an `await` would leak.
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';

/** A function that must not be async: its result is no promise. */
export type Sync<T> = T extends PromiseLike<unknown> ? never : T;

let enabled = true;
let inference = false;
let inferenceUsed = false;

/** Whether ops are recorded; inference mode rules out that they are. */
export const isGradEnabled = (): boolean => enabled && !inference;
/** What users see of it: the grad mode that was set last, though inference mode may overrule it. */
export const gradMode = (): boolean => enabled;
export const isInferenceModeEnabled = (): boolean => inference;
/** Whether there may be inference tensors at all. */
export const mayMeetInference = (): boolean => inferenceUsed;

/** Runs `f`, undoes what was set for it, and refuses promises: what is set would not hold across an `await`. */
export function scoped<T>(op: string, f: () => Sync<T>, undo: () => void): T {
  try {
    if (typeof f !== 'function')
      throw new ArgumentError(`a scope takes a function, not ${typeof f}`, { op, fix: `write ${op}(() => ...)` });
    const result = f() as T;
    if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function')
      throw new AutogradError('the function returned a promise; a mode does not reach across an await', {
        op,
        fix: 'open the scope inside the async function instead',
      });
    return result;
  } finally {
    undo();
  }
}

function within<T>(op: string, mode: boolean, f: () => Sync<T>): T {
  const before = enabled;
  enabled = mode;
  return scoped(op, f, () => {
    enabled = before;
  });
}

/** Runs `f` without recording for differentiation, as `torch.no_grad()`. Throws AutogradError if `f` is async. */
export const noGrad = <T>(f: () => Sync<T>): T => within('noGrad', false, f);
/** Runs `f` with recording switched on, as `torch.enable_grad()`; inside of inference mode it has no effect. */
export const enableGrad = <T>(f: () => Sync<T>): T => within('enableGrad', true, f);
/** Runs `f` with recording on or off, as `torch.set_grad_enabled(mode)` used as a scope. */
export const setGradEnabled = <T>(mode: boolean, f: () => Sync<T>): T => within('setGradEnabled', mode, f);

/**
 * Runs `f` in inference mode, as `torch.inference_mode()`: nothing is recorded, and tensors made inside can take no part in gradients
 * later. With `false`, leaves the mode of an outer scope and records, under `noGrad` too. Throws AutogradError if `f` is async.
 */
export function inferenceMode<T>(f: () => Sync<T>, mode = true): T {
  const before = { enabled, inference };
  inference = mode;
  enabled = !mode;
  inferenceUsed ||= mode;
  return scoped('inferenceMode', f, () => {
    ({ enabled, inference } = before);
  });
}
