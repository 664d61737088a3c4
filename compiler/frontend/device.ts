// Which target the default device records for.
import { jsTarget, type Target } from '../../runtime/target.ts';

/** The target that graphs are compiled for. */
export const defaultTarget = (): Target => jsTarget;
