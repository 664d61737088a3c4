// What inference tensors may not do outside of inference mode: be changed, require gradients, or be saved for backward.
import { AutogradError } from '../../../runtime/errors.ts';
import type { Tensor } from '../tensor.ts';
import type { GradFn } from './graph.ts';
import { isInferenceModeEnabled } from './mode.ts';
import { residualsOf } from './residuals.ts';

/** Throws AutogradError where `fn` would save one of its operands that was made in inference mode. */
export function demandSavable(fn: GradFn, inputs: readonly Tensor[]): void {
  if (!inputs.some((t) => t.inference)) return;
  const read = residualsOf(
    fn.saved!,
    fn.next.map((e) => e !== null),
  );
  if (inputs.some((t, i) => t.inference && read.inputs[i]))
    throw new AutogradError('inference tensors cannot be saved for backward', {
      op: fn.op,
      fix: 'do not compute with tensors of inference mode where gradients are recorded, or clone() them first',
    });
}

/** Throws AutogradError for a change in place of a tensor that was made in inference mode. */
export function demandNoInference(op: string, t: Tensor): void {
  if (t.inference && !isInferenceModeEnabled())
    throw new AutogradError('in-place update of an inference tensor outside of inference mode is not allowed', {
      op,
      fix: 'clone() it first',
    });
}
