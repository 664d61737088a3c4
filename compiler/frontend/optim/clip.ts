// Clipping of gradients before a step. The norm stays on the device: looking at it is the caller's choice.
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import { dtypeOf, shapeOf, type Value } from '../../ir/node.ts';
import { noGrad } from '../autograd/mode.ts';
import { tensor } from '../creation.ts';
import { add, div, minimum, mul_ } from '../functional/arithmetic.ts';
import { amax, norm } from '../functional/reductions.ts';
import { stack } from '../functional/shape.ts';
import { abs } from '../functional/unary.ts';
import { applyInPlace } from '../op.ts';
import { broadcastTo, scalarValue } from '../operands.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';

type Parameters = Tensor | Iterable<Tensor>;

function gradientsOf(op: string, parameters: Parameters): Tensor[] {
  const all = isTensor(parameters) ? [parameters] : [...parameters];
  for (const p of all) if (!isTensor(p)) throw new ArgumentError(`parameters must be tensors, one is ${typeof p}`, { op });
  return all.map((p) => p.grad).filter((g) => g !== null);
}

export type ClipNormOptions = {
  /** The p of the norm, 2 by default; Infinity takes the largest element. */
  readonly normType?: number;
  /** Looks at the norm, and throws AutogradError if it is infinite or NaN. */
  readonly errorIfNonfinite?: boolean;
};

/**
 * Scales all gradients so that their norm, taken as one vector, is at most `maxNorm`; smaller ones stay as they are.
 * Gives the norm before that, as a 0-d tensor.
 */
export function clipGradNorm_(
  parameters: Parameters,
  maxNorm: number,
  { normType = 2, errorIfNonfinite = false }: ClipNormOptions = {},
): Tensor {
  const op = 'clipGradNorm_';
  if (!(maxNorm >= 0)) throw new ArgumentError(`maxNorm must be a number of at least 0, got ${maxNorm}`, { op });
  if (!(normType > 0)) throw new ArgumentError(`normType must be positive, got ${normType}`, { op });
  return noGrad(() => {
    const grads = gradientsOf(op, parameters);
    if (grads.length === 0) return tensor(0);
    const vectorNorm = (x: Tensor): Tensor => (normType === Infinity ? amax(abs(x)) : norm(x, undefined, { p: normType }));
    const parts = grads.filter((g) => g.numel() > 0).map(vectorNorm);
    const total = parts.length === 0 ? tensor(0) : vectorNorm(stack(parts));
    if (errorIfNonfinite && !Number.isFinite(total.itemSync()))
      throw new AutogradError(`the total norm of order ${normType} of the gradients is not finite, so it cannot be clipped`, {
        op,
        fix: 'omit errorIfNonfinite to scale anyway',
      });
    // Multiplying by 1 where nothing is to be clipped costs no look at the norm; NaN goes through, as in PyTorch.
    const factor = minimum(div(maxNorm, add(total, 1e-6)), 1);
    for (const g of grads) mul_(g, factor);
    return total;
  });
}

/** Moves every element of the gradients into [-clipValue, clipValue]. */
export function clipGradValue_(parameters: Parameters, clipValue: number): void {
  const op = 'clipGradValue_';
  if (!(clipValue >= 0)) throw new ArgumentError(`clipValue must be a number of at least 0, got ${clipValue}`, { op });
  const bound = (x: Value, to: number): Value => broadcastTo(scalarValue(to, dtypeOf(x)), shapeOf(x) as readonly number[]);
  noGrad(() => {
    for (const grad of gradientsOf(op, parameters))
      applyInPlace(op, grad, [], (g) => b.min(b.max(g, bound(g, -clipValue)), bound(g, clipValue)));
  });
}
