// Grad modes: whether ops are recorded for differentiation. Scopes take synchronous functions, since a mode that crossed an `await` would leak.
import { AutogradError } from '../../../runtime/errors.ts';

/** A function that must not be async: its result is no promise. */
export type Sync<T> = T extends PromiseLike<unknown> ? never : T;

let enabled = true;

export const isGradEnabled = (): boolean => enabled;

function within<T>(op: string, mode: boolean, f: () => Sync<T>): T {
  const before = enabled;
  enabled = mode;
  try {
    const result = f() as T;
    if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function')
      throw new AutogradError('the function returned a promise; a grad mode does not reach across an await', {
        op,
        fix: 'open the scope inside the async function instead',
      });
    return result;
  } finally {
    enabled = before;
  }
}

/** Runs `f` without recording for differentiation, as `torch.no_grad()`. Throws AutogradError if `f` is async. */
export const noGrad = <T>(f: () => Sync<T>): T => within('noGrad', false, f);
/** Runs `f` with recording switched on, as `torch.enable_grad()`. */
export const enableGrad = <T>(f: () => Sync<T>): T => within('enableGrad', true, f);
/** Runs `f` with recording on or off, as `torch.set_grad_enabled(mode)` used as a scope. */
export const setGradEnabled = <T>(mode: boolean, f: () => Sync<T>): T => within('setGradEnabled', mode, f);
