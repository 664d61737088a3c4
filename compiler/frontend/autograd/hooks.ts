// Hooks that stand beside the graph: after accumulation into a leaf, and on several gradients at once.
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import { edgeOf, placeOf } from '../handle.ts';
import type { Tensor } from '../tensor.ts';
import { type Edge, type HookHandle, type Hooks, register, type TensorHook } from './graph.ts';
import { currentBackward } from './running.ts';

export type PostAccumulateHook = (leaf: Tensor) => void;

const afterAccumulation = new WeakMap<Tensor, Hooks<PostAccumulateHook>>();
export const postAccumulateHooks = (leaf: Tensor): Hooks<PostAccumulateHook> | undefined => afterAccumulation.get(leaf);

/** Calls `hook` with each gradient that reaches `t`; what it returns replaces the gradient. */
export function registerTensorHook(t: Tensor, hook: TensorHook): HookHandle {
  demandHook('registerHook', hook);
  const edge = placeOf(t);
  if (edge === null) throw new AutogradError("cannot register a hook on a tensor that doesn't require gradient", { op: 'registerHook' });
  return onGradient(edge, hook);
}

function onGradient({ fn, index }: Edge, hook: TensorHook): HookHandle {
  fn.hooks ??= new Map();
  const hooks = fn.hooks.get(index) ?? [];
  fn.hooks.set(index, hooks);
  return register(hooks, hook);
}

/** Calls `hook` with the leaf once its `.grad` was added to; grad() does not. */
export function registerPostAccumulateGradHook(t: Tensor, hook: PostAccumulateHook): HookHandle {
  const op = 'registerPostAccumulateGradHook';
  demandHook(op, hook);
  const edge = edgeOf(t);
  if (edge === null) throw new AutogradError("cannot register a hook on a tensor that doesn't require gradient", { op });
  if (edge.fn.variable === undefined)
    throw new AutogradError('post accumulate grad hooks cannot be registered on non-leaf tensors', { op });
  const hooks = afterAccumulation.get(t) ?? [];
  afterAccumulation.set(t, hooks);
  return register(hooks, hook);
}

/**
 * Calls `hook` once per backward(): with 'all' when the gradients of all tensors that take part have come (null for those that take
 * none), with 'any' at the first, with that gradient. As `torch.autograd.graph.register_multi_grad_hook`.
 */
export function registerMultiGradHook(
  tensors: readonly Tensor[],
  hook: (gradients: readonly (Tensor | null)[]) => void,
  mode?: 'all',
): HookHandle;
export function registerMultiGradHook(tensors: readonly Tensor[], hook: (gradient: Tensor) => void, mode: 'any'): HookHandle;
export function registerMultiGradHook(tensors: readonly Tensor[], hook: (given: never) => void, mode: 'all' | 'any' = 'all'): HookHandle {
  const op = 'registerMultiGradHook';
  demandHook(op, hook);
  if (mode !== 'all' && mode !== 'any') throw new ArgumentError(`expects mode to be 'all' or 'any', got ${String(mode)}`, { op });
  const edges = tensors.map((t) => {
    const edge = placeOf(t);
    if (edge === null) throw new AutogradError("cannot register a hook on a tensor that doesn't require gradient", { op });
    return edge;
  });
  let run: object | undefined;
  let came: (Tensor | null)[] = [];
  let left = 0;
  const handles = edges.map((edge, i) =>
    onGradient(edge, (gradient) => {
      const now = currentBackward();
      if (now === undefined) return;
      if (run !== now.token) {
        run = now.token;
        came = edges.map(() => null);
        left = mode === 'any' ? 1 : edges.filter((e) => now.reaches(e.fn)).length;
      }
      came[i] = gradient;
      if (--left === 0) hook((mode === 'any' ? gradient : came) as never);
    }),
  );
  return { remove: () => handles.forEach((h) => void h.remove()) };
}

function demandHook(op: string, hook: unknown): void {
  if (typeof hook !== 'function') throw new ArgumentError(`a hook is a function, not ${hook === null ? 'null' : typeof hook}`, { op });
}
