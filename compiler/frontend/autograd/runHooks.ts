// Calls hooks in PyTorch's order: on tensors, `retainGrad`, before the function; then after accumulation, and after the function.
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import { sameShape, shapeText } from '../../ir/dim.ts';
import { avalOf } from '../../ir/node.ts';
import { edgeOf } from '../handle.ts';
import { isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { type Cotangent, gradientTensor, keepGradient } from './accumulate.ts';
import type { GradFn } from './graph.ts';
import { postAccumulateHooks } from './hooks.ts';

type Gradients = readonly (Cotangent | null)[];

/** Hooks on the gradients of the outputs, in order of registration, each of which sees what those before it returned; then `retainGrad`. */
export function runTensorHooks(fn: GradFn, cts: Gradients): Gradients {
  const { hooks, retained } = fn;
  if (hooks === undefined && retained === undefined) return cts;
  return Array.from(cts, (ct, i) => {
    if (ct == null) return null;
    let now = ct;
    for (const { hook } of [...(hooks?.get(i) ?? [])]) now = replaced(fn, hook(gradientTensor(now)), now)!;
    const keeper = retained?.get(i);
    if (keeper !== undefined) keepGradient(keeper, now);
    return now;
  });
}

/** Hooks before the function. */
export function runPreHooks(fn: GradFn, cts: Gradients): Gradients {
  let now = cts;
  for (const { hook } of [...(fn.preHooks ?? [])]) now = allReplaced(fn, hook(tensorsOf(now)), now);
  return now;
}

/** Hooks after the function. */
export function runPostHooks(fn: GradFn, grads: Gradients, cts: Gradients): Gradients {
  let now = grads;
  for (const { hook } of [...(fn.postHooks ?? [])]) now = allReplaced(fn, hook(tensorsOf(now), tensorsOf(cts)), now);
  return now;
}

/** Hooks of a leaf whose gradient has come. */
export function runPostAccumulate(leaf: Tensor): void {
  for (const { hook } of [...(postAccumulateHooks(leaf) ?? [])]) hook(leaf);
}

const tensorsOf = (cts: Gradients): (Tensor | null)[] => Array.from(cts, (ct) => (ct == null ? null : gradientTensor(ct)));

function allReplaced(fn: GradFn, given: unknown, before: Gradients): Gradients {
  if (given === undefined || given === null) return before;
  const list = isTensor(given) ? [given] : given;
  if (!Array.isArray(list)) throw new ArgumentError(`a hook returned ${typeof given} where gradients were expected`, { op: fn.name });
  if (list.length !== before.length)
    throw new AutogradError(`hook returned an incorrect number of gradients: ${list.length} instead of ${before.length}`, { op: fn.name });
  return Array.from(before, (ct, i) => (list[i] == null ? null : replaced(fn, list[i], ct ?? null)));
}

/** What a hook made of one gradient. Throws ArgumentError if that is no tensor, AutogradError if its size or dtype differs. */
function replaced(fn: GradFn, given: unknown, before: Cotangent | null): Cotangent | null {
  if (given === undefined || given === null) return before;
  if (!isTensor(given)) throw new ArgumentError(`expected a tensor, but a hook returned ${typeof given}`, { op: fn.name });
  const value = given.value();
  if (before !== null) {
    const [old, now] = [avalOf(before.value), avalOf(value)];
    if (!sameShape(old.shape, now.shape))
      throw new AutogradError(`a hook has changed the size of the gradient from ${shapeText(old.shape)} to ${shapeText(now.shape)}`, {
        op: fn.name,
      });
    if (old.dtype !== now.dtype)
      throw new AutogradError(`a hook has changed the dtype of the gradient from ${old.dtype} to ${now.dtype}`, { op: fn.name });
  }
  return { value, edge: edgeOf(given) };
}
