// What a custom function is made of, and what it may give back as gradients.
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import type { Aval } from '../../ir/aval.ts';
import { full } from '../../ir/builder.ts';
import { newTensor } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { recording } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import type { Context } from './functionContext.ts';

/** What a rule for batches is told: how many examples there are, and what random functions shall do. */
export type VmapInfo = { readonly batchSize: number; readonly randomness: 'error' | 'same' | 'different' };

type AnyArgs = readonly never[];
/** What a subclass has: a forward with the context in front, or one without it and `setupContext`. */
export type Definition = {
  readonly name: string;
  forward(...args: AnyArgs): unknown;
  setupContext?(ctx: Context, inputs: never, output: never): void;
  backward?(ctx: Context, ...gradOutputs: AnyArgs): unknown;
  /** Another name of backward. */
  vjp?(ctx: Context, ...gradOutputs: AnyArgs): unknown;
  jvp?(ctx: Context, ...tangents: AnyArgs): unknown;
  vmap?(info: VmapInfo, inDims: readonly (number | null)[], ...args: AnyArgs): unknown;
  readonly generateVmapRule?: boolean;
};
export const zerosOf = (aval: Aval): Tensor => newTensor(storageOf(recording(() => full(0, aval))));

/** Gradients of the arguments that are tensors. Throws AutogradError for a wrong number or shape, ArgumentError for what is no tensor. */
export function checked(name: string, args: readonly unknown[], returned: readonly unknown[]): (Tensor | null)[] {
  if (returned.length < args.length || returned.slice(args.length).some((g) => g != null))
    throw new AutogradError(`returned an incorrect number of gradients (expected ${args.length}, got ${returned.length})`, { op: name });
  return args.flatMap((arg, i) => {
    const g = returned[i];
    if (!isTensor(arg)) {
      if (g != null) throw new AutogradError(`returned a gradient at index ${i}, where the argument is no tensor`, { op: name });
      return [];
    }
    if (g == null) return [null];
    if (!isTensor(g)) throw new ArgumentError(`expected a tensor or null as the gradient at index ${i}, got ${typeof g}`, { op: name });
    return [fitted(name, g, arg, i)];
  });
}

/** A gradient of a shape that the argument's was expanded to is summed; its dtype is cast. */
function fitted(name: string, g: Tensor, like: Tensor, i: number): Tensor {
  let t = g;
  if (t.shape.join() !== like.shape.join()) {
    const lead = t.ndim - like.ndim;
    if (lead < 0 || like.shape.some((n, d) => n !== 1 && n !== t.shape[d + lead]))
      throw new AutogradError(
        `returned an invalid gradient at index ${i} - got [${t.shape}] but expected shape compatible with [${like.shape}]`,
        {
          op: name,
        },
      );
    t = t.sum(t.shape.map((_, d) => d).filter((d) => d < lead || like.shape[d - lead] === 1)).reshape(like.shape);
  }
  return t.element === like.element ? t : t.to(like.dtype);
}
