// Tensor methods that fill a tensor from a random generator, in place: PyTorch's numbers for a seed.
import { allocate, type TypedArray } from '../../../runtime/dtype.ts';
import { ArgumentError } from '../../../runtime/errors.ts';
import { drawn } from '../drawTape.ts';
import { applyInPlace } from '../op.ts';
import { defaultGenerator, fillBernoulli, fillExponential, fillNormal, fillRandint, fillUniform, type Generator } from '../random.ts';
import { drawnLeaf } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { ActivationMethods } from './activation.ts';

export type DrawOptions = { readonly generator?: Generator };

/** The new value is a leaf filled on the host; a replay of compiled code draws anew. */
function drawInto(
  op: string,
  t: Tensor,
  { generator = defaultGenerator }: DrawOptions,
  fill: (out: TypedArray, g: Generator) => void,
): Tensor {
  const draw = (): TypedArray => {
    const out = allocate(t.element, t.numel());
    fill(out, generator);
    return out;
  };
  return applyInPlace(op, t, [], () => drawn(() => drawnLeaf({ dtype: t.element, shape: t.shape }, generator, draw)));
}

export abstract class DrawMethods extends ActivationMethods {
  /** Uniform numbers in [low, high). */
  uniform_(this: Tensor, low = 0, high = 1, options: DrawOptions = {}): Tensor {
    if (!(low <= high)) throw new ArgumentError(`no number lies in [${low}, ${high})`, { op: 'uniform_' });
    return drawInto('uniform_', this, options, (out, g) => fillUniform(out, low, high, g));
  }
  /** Normally distributed numbers. */
  normal_(this: Tensor, mean = 0, std = 1, options: DrawOptions = {}): Tensor {
    if (!(std >= 0)) throw new ArgumentError(`standard deviation ${std} must not be negative`, { op: 'normal_' });
    return drawInto('normal_', this, options, (out, g) => fillNormal(out, mean, std, g));
  }
  /** Exponentially distributed numbers of rate `lambda`. */
  exponential_(this: Tensor, lambda = 1, options: DrawOptions = {}): Tensor {
    if (!(lambda > 0)) throw new ArgumentError(`rate ${lambda} must be positive`, { op: 'exponential_' });
    return drawInto('exponential_', this, options, (out, g) => fillExponential(out, lambda, g));
  }
  /** 1 with probability p, else 0. */
  bernoulli_(this: Tensor, p = 0.5, options: DrawOptions = {}): Tensor {
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`probability ${p} lies outside of [0, 1]`, { op: 'bernoulli_' });
    return drawInto('bernoulli_', this, options, (out, g) => fillBernoulli(out, p, g));
  }
  /** Integers in [low, high). */
  random_(this: Tensor, low: number, high: number, options: DrawOptions = {}): Tensor {
    if (!Number.isInteger(low) || !Number.isInteger(high) || low >= high)
      throw new ArgumentError(`no integer lies in [${low}, ${high})`, { op: 'random_' });
    return drawInto('random_', this, options, (out, g) => fillRandint(out, low, high, g));
  }
}
