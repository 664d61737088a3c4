// Backward hooks of modules: identities around a module, through which gradients pass on their way out of it and into it.
import { AutogradError } from '../../../runtime/errors.ts';
import { GradFn, type Hooks } from '../autograd/graph.ts';
import { isGradEnabled } from '../autograd/mode.ts';
import { edgeOf } from '../handle.ts';
import { isTensor } from '../pytree.ts';
import { currentTrace } from '../record.ts';
import type { Tensor } from '../tensor.ts';

/** Gradients in the places of arguments or results; null for what has none. */
export type Gradients = readonly (Tensor | null)[];
/** Called with the gradients of the results before backward goes through the module; what it returns replaces them. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
export type BackwardPreHook<M = unknown> = (module: M, gradOutput: Gradients) => Tensor | Gradients | null | undefined | void;
/** Called with the gradients of arguments and results once backward went through the module; what it returns replaces those of the arguments. */
export type BackwardHook<M = unknown> = (module: M, gradInput: Gradients, gradOutput: Gradients) => ReturnType<BackwardPreHook>;

/** What stands before and behind `forward`. */
export type Around = {
  readonly enter: (args: readonly unknown[]) => readonly unknown[];
  readonly leave: (result: unknown) => unknown;
};

/** The identities for one call of a module; undefined where no hook asks for them. */
export function aroundBackward(module: unknown, pre: Hooks<BackwardPreHook>, post: Hooks<BackwardHook>): Around | undefined {
  if (pre.length + post.length === 0) return undefined;
  const op = 'registerFullBackwardHook';
  if (currentTrace() !== undefined)
    throw new AutogradError(`backward hooks of modules are not called under ${currentTrace()!.op}`, {
      op,
      fix: 'remove them, or use backward() or autograd.grad()',
    });
  /** The gradients of the results, while backward is inside of the module. */
  let gradOutput: Gradients | undefined;
  let inputs = 0;
  let entered = false;
  const afterwards = (gradInput: Gradients): Gradients => {
    let now = gradInput;
    for (const { hook } of post) now = replaced('backward hook', hook(module, now, gradOutput!), now);
    gradOutput = undefined;
    return now;
  };
  return {
    enter: (args) => {
      inputs = args.length;
      const through = identity(args, (gradInput) => (gradOutput === undefined ? gradInput : afterwards(gradInput)));
      entered = through !== undefined;
      return through ?? args;
    },
    leave: (result) => {
      const several = Array.isArray(result);
      const outputs = several ? (result as unknown[]) : [result];
      if (!several && !isTensor(result))
        console.warn(`for backward hooks to be called, a module's result should be a tensor or a list of tensors, not ${typeof result}`);
      const through = identity(outputs, (gradients) => {
        let now = gradients;
        for (const { hook } of pre) now = replaced('backward pre-hook', hook(module, now), now);
        gradOutput = now;
        // No gradient will come to the arguments, so this is the last that backward sees of the module.
        if (!entered) {
          if (afterwards(new Array<null>(inputs).fill(null)).some((g) => g !== null))
            throw new AutogradError('a backward hook of a module whose arguments require no gradient must not return gradients', { op });
        }
        return now;
      });
      if (through === undefined) return result;
      return several ? through : through[0];
    },
  };
}

/**
 * The list with its tensors replaced by others of the same values, whose gradients, in the list's places, go through `pass`.
 * Undefined where none of them requires gradients.
 */
function identity(list: readonly unknown[], pass: (gradients: Gradients) => Gradients): unknown[] | undefined {
  const tensors = list.filter(isTensor);
  const edges = tensors.map(edgeOf);
  if (!isGradEnabled() || edges.every((e) => e === null)) return undefined;
  const fn = new GradFn('BackwardHookFunctionBackward', edges, undefined);
  fn.custom = { run: (gradients) => edges.map((_, i) => gradients[i] ?? null), release: () => {}, saved: () => [] };
  fn.registerHook((gradients) => {
    let at = 0;
    const placed = list.map((x) => (isTensor(x) ? (gradients[at++] ?? null) : null));
    const passed = pass(placed);
    return passed.filter((_, i) => isTensor(list[i]));
  });
  let index = 0;
  return list.map((x) => {
    if (!isTensor(x)) return x;
    const own = x.detach();
    const at = index++;
    if (edges[at] !== null) {
      own.edge = { fn, index: at };
      own.edgeAt = own.via?.base.edgeSerial ?? 0;
    }
    return own;
  });
}

function replaced(what: string, given: unknown, before: Gradients): Gradients {
  if (given === undefined || given === null) return before;
  const list = isTensor(given) ? [given] : given;
  if (!Array.isArray(list) || list.length !== before.length)
    throw new AutogradError(
      `a ${what} returned an invalid number of gradients: got ${Array.isArray(list) ? list.length : typeof list}, but expected ${before.length}`,
      { op: 'registerFullBackwardHook' },
    );
  return list as Gradients;
}
