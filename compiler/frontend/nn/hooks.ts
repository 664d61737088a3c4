// Hooks of modules: lists of what users registered, per module and for all modules, and a module's call with them, in PyTorch's order.
import { ArgumentError } from '../../../runtime/errors.ts';
import { type HookHandle, type Hooks, register } from '../autograd/graph.ts';
import { currentCall, guarded } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { aroundBackward, type BackwardHook, type BackwardPreHook } from './backwardHooks.ts';

/** Called before `forward` with its arguments; a list that it returns replaces them, anything else becomes the only one. */
export type ForwardPreHook<M = unknown, A = readonly unknown[]> = (module: M, args: A) => unknown;
/** Called after `forward`; what it returns replaces the result, unless that is undefined or null. */
export type ForwardHook<M = unknown, A = readonly unknown[], R = unknown> = (module: M, args: A, result: R) => unknown;
/** Called before the module's part of a state dict is written. */
export type StateDictPreHook<M = unknown> = (module: M, prefix: string) => void;
/** Called with the state dict once the module's part, which begins with `prefix`, is in it. */
export type StateDictPostHook<M = unknown> = (module: M, dict: { [name: string]: Tensor }, prefix: string) => void;
/** Called with a copy of the state dict, which it may change, before the module's part is taken over. */
export type LoadStateDictPreHook<M = unknown> = (module: M, dict: { [name: string]: Tensor }, prefix: string) => void;
/** Called once everything is taken over, with the names that did not fit, which it may change before `strict` refuses them. */
export type LoadStateDictPostHook<M = unknown> = (module: M, names: { missingKeys: string[]; unexpectedKeys: string[] }) => void;

type CallHooks = {
  readonly forwardPre: Hooks<ForwardPreHook>;
  readonly forward: Hooks<{ readonly call: ForwardHook; readonly always: boolean }>;
  readonly backwardPre: Hooks<BackwardPreHook>;
  readonly backward: Hooks<BackwardHook>;
};
export type ModuleHooks = CallHooks & {
  readonly stateDictPre: Hooks<StateDictPreHook>;
  readonly stateDictPost: Hooks<StateDictPostHook>;
  readonly loadPre: Hooks<LoadStateDictPreHook>;
  readonly loadPost: Hooks<LoadStateDictPostHook>;
  /** Counts registrations and removals: compiled code is replayed only while it is the same. */
  version: number;
};

/** A module as its hooks see it. */
export type Hooked = { [hooksOf]: ModuleHooks | undefined; forward(...args: never[]): unknown };
/** Where a module keeps its hooks; undefined until the first. */
export const hooksOf = Symbol('hooks');

const noHooks = (): ModuleHooks => ({
  forwardPre: [],
  forward: [],
  backwardPre: [],
  backward: [],
  stateDictPre: [],
  stateDictPost: [],
  loadPre: [],
  loadPost: [],
  version: 0,
});

/** Hooks of all modules. */
const everywhere = noHooks();

/** The lists of one module, to add to. */
export function hooksIn(module: Hooked): ModuleHooks {
  module[hooksOf] ??= noHooks();
  return module[hooksOf];
}

export type HookOptions = {
  /** Before the hooks that are there, instead of after them. */
  readonly prepend?: boolean;
};
export type ForwardHookOptions = HookOptions & {
  /** Also when `forward` or another hook throws. */
  readonly alwaysCall?: boolean;
};

/** Adds a hook to one of the lists of `hooks`. Throws ArgumentError for what is no function. */
export function addHook<K extends Exclude<keyof ModuleHooks, 'version'>>(
  op: string,
  hooks: ModuleHooks,
  kind: K,
  hook: ModuleHooks[K] extends Hooks<infer H> ? H : never,
  { prepend = false }: HookOptions = {},
): HookHandle {
  const given: unknown = hook;
  const called = typeof given === 'object' && given !== null ? (given as { readonly call: unknown }).call : given;
  if (typeof called !== 'function')
    throw new ArgumentError(`a hook is a function, not ${called === null ? 'null' : typeof called}`, { op });
  const list = hooks[kind] as Hooks<unknown>;
  const handle = register(list, hook);
  if (prepend) list.unshift(list.pop()!);
  hooks.version++;
  return {
    remove: () => {
      handle.remove();
      hooks.version++;
    },
  };
}

/** Calls `hook` before every call of any module; these hooks come before those of the module. */
export const registerModuleForwardPreHook = (hook: ForwardPreHook): HookHandle =>
  addHook('registerModuleForwardPreHook', everywhere, 'forwardPre', hook);
/** Calls `hook` after every call of any module. */
export const registerModuleForwardHook = (
  hook: ForwardHook,
  { alwaysCall = false }: Pick<ForwardHookOptions, 'alwaysCall'> = {},
): HookHandle => addHook('registerModuleForwardHook', everywhere, 'forward', { call: hook, always: alwaysCall });
/** Calls `hook` before backward goes through any module. */
export const registerModuleFullBackwardPreHook = (hook: BackwardPreHook): HookHandle =>
  addHook('registerModuleFullBackwardPreHook', everywhere, 'backwardPre', hook);
/** Calls `hook` after backward went through any module. */
export const registerModuleFullBackwardHook = (hook: BackwardHook): HookHandle =>
  addHook('registerModuleFullBackwardHook', everywhere, 'backward', hook);

/** Hooks as they are now: one that is added or removed by another counts from the next call on. */
const together = (module: Hooked): CallHooks | undefined => {
  const own = module[hooksOf];
  if (guarded(module, 'hooks', () => everywhere.version + (module[hooksOf]?.version ?? 0)) === 0) return undefined;
  const all = <K extends keyof CallHooks>(kind: K): CallHooks[K] =>
    [...everywhere[kind], ...(own?.[kind] ?? [])] as unknown as CallHooks[K];
  return { forwardPre: all('forwardPre'), forward: all('forward'), backwardPre: all('backwardPre'), backward: all('backward') };
};

/** `module.forward(...args)` with the hooks around it. */
export function callHooked(module: Hooked, args: readonly unknown[]): unknown {
  const modules = currentCall()?.modules;
  if (modules !== undefined && !modules.has(module)) modules.set(module, Object.entries(module));
  const hooks = together(module);
  if (hooks === undefined) return module.forward(...(args as never[]));
  // What a failing call got to, for the hooks that are called in any case.
  const call = { args, result: undefined as unknown, done: new Set<object>() };
  try {
    return callWith(hooks, module, call);
  } catch (error) {
    for (const own of hooks.forward) if (own.hook.always && !call.done.has(own)) callAnyway(own.hook.call, module, call);
    throw error;
  }
}

type Call = { args: readonly unknown[]; result: unknown; readonly done: Set<object> };

function callWith(hooks: CallHooks, module: Hooked, call: Call): unknown {
  for (const { hook } of hooks.forwardPre) {
    const given = hook(module, call.args);
    if (given != null) call.args = Array.isArray(given) ? given : [given];
  }
  const around = aroundBackward(module, hooks.backwardPre, hooks.backward);
  if (around !== undefined) call.args = around.enter(call.args);
  call.result = module.forward(...(call.args as never[]));
  for (const own of hooks.forward) {
    call.done.add(own);
    call.result = own.hook.call(module, call.args, call.result) ?? call.result;
  }
  return around === undefined ? call.result : around.leave(call.result);
}

/** After an error: what the hook throws in turn is only told of, so that the error stays the one that is seen. */
function callAnyway(hook: ForwardHook, module: Hooked, call: Call): void {
  try {
    call.result = hook(module, call.args, call.result) ?? call.result;
  } catch (error) {
    console.warn(
      `a forward hook with alwaysCall raised an exception that was silenced as another error was raised in forward: ${String(error)}`,
    );
  }
}
