// Custom functions: a forward and a backward of the user's own, as `torch.autograd.Function`.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import type { Aval } from '../../ir/aval.ts';
import { full } from '../../ir/builder.ts';
import { edgeOf, requiresGradOf } from '../handle.ts';
import { newTensor, rebase } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { beginOp, currentTrace, recording } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { siteNow } from './anomaly.ts';
import { type Custom, type Edge, GradFn, type Handed } from './graph.ts';
import { isGradEnabled, noGrad } from './mode.ts';
import { freed } from './residuals.ts';
import { packOne, savedHooks, unpackOne } from './savedHooks.ts';

/** What a custom function passes from forward to backward. Anything may be kept on it; tensors go through `saveForBackward`. */
export interface Context {
  /** Keeps operands or results of the function for backward, where `savedTensors` gives them. */
  saveForBackward(...tensors: (Tensor | null)[]): void;
  readonly savedTensors: readonly Tensor[];
  /** For each argument, whether its gradient is wanted. */
  readonly needsInputGrad: readonly boolean[];
  /** Says that forward changed these arguments in place. */
  markDirty(...tensors: Tensor[]): void;
  /** Says that no gradient flows through these results. */
  markNonDifferentiable(...tensors: Tensor[]): void;
  /** Whether missing gradients reach backward as zeros (true, as at first) or as null. */
  setMaterializeGrads(on: boolean): void;
  [kept: string]: unknown;
}

type AnyArgs = readonly never[];
/** What a subclass has: a forward with the context in front, or one without it and `setupContext`. */
type Definition = {
  readonly name: string;
  forward(...args: AnyArgs): unknown;
  setupContext?(ctx: Context, inputs: never, output: never): void;
  backward?(ctx: Context, ...gradOutputs: AnyArgs): unknown;
  jvp?(ctx: Context, ...tangents: AnyArgs): unknown;
  vmap?(info: { readonly batchSize: number; readonly randomness: string }, inDims: readonly (number | null)[], ...args: AnyArgs): unknown;
};
type ArgsOf<D> = D extends { forward: infer F; setupContext: unknown }
  ? F extends (...args: infer A) => unknown
    ? A
    : never
  : D extends { forward: (ctx: Context, ...args: infer A) => unknown }
    ? A
    : never;
type ResultOf<D> = D extends { forward: (...args: never[]) => infer R } ? R : never;

/**
 * Subclass it with static methods and call `apply`:
 *
 *     class Square extends Function {
 *       static forward(ctx: Context, x: Tensor) { ctx.saveForBackward(x); return x.mul(x); }
 *       static backward(ctx: Context, g: Tensor) { return g.mul(2).mul(ctx.savedTensors[0]); }
 *     }
 *     Square.apply(x);
 *
 * Or with `forward(x)` and `setupContext(ctx, inputs, output)`. Backward gives a gradient, or null, for each argument.
 */
// biome-ignore lint/complexity/noStaticOnlyClass: users subclass it, as in PyTorch
// biome-ignore lint/suspicious/noShadowRestrictedNames: PyTorch's name
export class Function {
  /** Runs forward, and records the function for backward if an argument requires gradients. */
  static apply<D extends Definition>(this: D, ...args: ArgsOf<D>): ResultOf<D> {
    // biome-ignore lint/complexity/noThisInStatic: the subclass that it was called on
    return applyFunction(this, args as readonly unknown[]) as ResultOf<D>;
  }
}

type Saved = {
  readonly tensor: Tensor | null;
  readonly edge: Edge | null;
  readonly handed: Handed | undefined;
  readonly unpack: ((packed: unknown) => Tensor) | undefined;
};

class FunctionContext {
  [kept: string]: unknown;
  readonly needsInputGrad: readonly boolean[];
  readonly #name: string;
  #toSave: readonly (Tensor | null)[] = [];
  #saved: readonly Saved[] | undefined = [];
  #dirty = new Set<Tensor>();
  #constant = new Set<Tensor>();
  #materialize = true;

  constructor(name: string, needsInputGrad: readonly boolean[]) {
    this.#name = name;
    this.needsInputGrad = needsInputGrad;
  }
  saveForBackward(...tensors: (Tensor | null)[]): void {
    tensors.forEach((t, i) => {
      if (t !== null && !isTensor(t))
        throw new ArgumentError(`saveForBackward can only save tensors, but argument ${i} is ${typeof t}`, { op: this.#name });
    });
    this.#toSave = tensors;
  }
  get savedTensors(): readonly Tensor[] {
    if (this.#saved === undefined) throw freed(this.#name);
    if (this.#toSave.length > 0) return this.#toSave as readonly Tensor[];
    return this.#saved.map((s) => this.#open(s) as Tensor);
  }
  markDirty(...tensors: Tensor[]): void {
    this.#dirty = new Set(tensors);
  }
  markNonDifferentiable(...tensors: Tensor[]): void {
    this.#constant = new Set(tensors);
  }
  setMaterializeGrads(on: boolean): void {
    this.#materialize = on;
  }

  /** What the class itself reads; users see the methods above. */
  static facts(ctx: FunctionContext): { dirty: ReadonlySet<Tensor>; constant: ReadonlySet<Tensor>; materialize: boolean } {
    return { dirty: ctx.#dirty, constant: ctx.#constant, materialize: ctx.#materialize };
  }
  /** Takes what is to be saved as it is now; results are functions of `fn`. */
  static seal(ctx: FunctionContext): void {
    const hooks = savedHooks();
    ctx.#saved = ctx.#toSave.map((t): Saved => {
      if (t === null) return { tensor: null, edge: null, handed: undefined, unpack: undefined };
      const edge = edgeOf(t);
      const still = snapshot(t);
      if (hooks === undefined) return { tensor: still, edge, handed: undefined, unpack: undefined };
      return { tensor: still, edge, handed: packOne(hooks, still, ctx.#name, edge?.fn.op), unpack: hooks.unpack };
    });
    ctx.#toSave = [];
  }
  static release(ctx: FunctionContext): void {
    if (ctx.#saved!.length > 0) ctx.#saved = undefined;
  }
  static isFreed(ctx: FunctionContext): boolean {
    return ctx.#saved === undefined;
  }
  #open(s: Saved): Tensor | null {
    if (s.tensor === null) return null;
    const from =
      s.handed === undefined
        ? s.tensor
        : unpackOne({ name: this.#name }, s.unpack!, s.handed, { dtype: s.tensor.element, shape: s.tensor.shape });
    const t = snapshot(from);
    t.edge = s.edge ?? undefined;
    return t;
  }
}

/** The tensor's value as it is now, apart from its storage and history. */
const snapshot = (t: Tensor): Tensor => newTensor(storageOf(t.value()));

function applyFunction(definition: Definition, args: readonly unknown[]): unknown {
  const name = `${definition.name}Backward`;
  beginOp();
  if (typeof definition.forward !== 'function') throw new AutogradError('you must implement the forward function', { op: definition.name });
  refuseTransforms(definition);
  const edges = args.map((a) => (isTensor(a) ? edgeOf(a) : null));
  const wanted = args.map((a) => isTensor(a) && requiresGradOf(a));
  const records = isGradEnabled() && wanted.includes(true);
  const ctx = new FunctionContext(name, wanted);
  const context = ctx as unknown as Context;
  const output = noGrad(() => {
    if (definition.setupContext === undefined) return definition.forward(...([context, ...args] as never[])) as object;
    const made = definition.forward(...(args as never[])) as object;
    definition.setupContext(context, args as never, made as never);
    return made;
  }) as unknown;
  const several = Array.isArray(output);
  const outputs = several ? (output as unknown[]) : [output];
  const { dirty, constant, materialize } = FunctionContext.facts(ctx);
  demandDirty(name, dirty);
  if (!records) {
    FunctionContext.seal(ctx);
    return output;
  }
  const fn = new GradFn(
    name,
    args.flatMap((a, i) => (isTensor(a) ? [edges[i]!] : [])),
    undefined,
  );
  fn.site = siteNow();
  const results = outputs.map((t, index) => {
    if (!isTensor(t) || !isFloat(t.element) || constant.has(t)) return t;
    const edge = { fn, index };
    if (dirty.has(t)) {
      rebase(t, edge);
      return t;
    }
    // An operand that comes back as it is becomes another tensor, so that its own history stays.
    const own = args.includes(t) ? t.detach() : t;
    own.edge = edge;
    own.edgeAt = own.via?.base.edgeSerial ?? 0;
    return own;
  });
  // What was saved may be a result: it is saved with the history that it has now.
  FunctionContext.seal(ctx);
  fn.custom = customOf(
    definition,
    ctx,
    fn,
    args,
    outputs.map((t) => (isTensor(t) ? { dtype: t.element, shape: t.shape } : undefined)),
    materialize,
  );
  return several ? results : results[0];
}

/** A transform differentiates the graph that forward records, and would pass over the backward that its author wrote. */
function refuseTransforms(definition: Definition): void {
  const trace = currentTrace();
  if (trace === undefined) return;
  if (definition.setupContext === undefined)
    throw new AutogradError('a Function under a transform needs setupContext, with a forward that takes no context', {
      op: definition.name,
    });
  throw new AutogradError(`a Function with a backward of its own is not supported under ${trace.op} in this version`, {
    op: definition.name,
    fix: 'use backward() or autograd.grad(), or plain operations',
  });
}

function demandDirty(name: string, dirty: ReadonlySet<Tensor>): void {
  for (const t of dirty) {
    if (!isTensor(t)) throw new ArgumentError('markDirty takes tensors', { op: name });
    const base = t.via?.base ?? t;
    if (isGradEnabled() && base.wantsGrad && base.edge === undefined)
      throw new AutogradError('a leaf tensor that requires grad has been used in an in-place operation', { op: name });
  }
}

function customOf(
  definition: Definition,
  ctx: FunctionContext,
  fn: GradFn,
  args: readonly unknown[],
  outputs: readonly (Aval | undefined)[],
  materialize: boolean,
): Custom {
  return {
    run(gradOutputs) {
      if (FunctionContext.isFreed(ctx)) throw freed(fn.name);
      if (typeof definition.backward !== 'function')
        throw new AutogradError('you must implement the backward method for your Function to use it with backward()', { op: fn.name });
      const given = outputs.map((aval, i) => gradOutputs[i] ?? (materialize && aval !== undefined ? zerosOf(aval) : null));
      const returned = definition.backward(ctx as unknown as Context, ...(given as never[]));
      return checked(fn.name, args, Array.isArray(returned) ? returned : [returned]);
    },
    release: () => FunctionContext.release(ctx),
    saved: () => ctx.savedTensors,
  };
}

const zerosOf = (aval: Aval): Tensor => newTensor(storageOf(recording(() => full(0, aval))));

/** Gradients of the arguments that are tensors. Throws AutogradError for a wrong number or shape, ArgumentError for what is no tensor. */
function checked(name: string, args: readonly unknown[], returned: readonly unknown[]): (Tensor | null)[] {
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

/**
 * Wraps a backward that is not itself differentiable: differentiating its result throws AutogradError.
 * `static backward = onceDifferentiable((ctx, g) => ...)`.
 */
export function onceDifferentiable<A extends readonly unknown[], R>(backward: (ctx: Context, ...gradOutputs: A) => R): typeof backward {
  return (ctx, ...gradOutputs) => {
    const outer = isGradEnabled();
    const returned = noGrad(() => backward(ctx, ...gradOutputs) as object) as unknown;
    if (!outer) return returned as R;
    const operands = [...gradOutputs, ...ctx.savedTensors].filter(isTensor).map(edgeOf);
    if (operands.every((e) => e === null)) return returned as R;
    const list = Array.isArray(returned) ? returned : [returned];
    const fn = new GradFn('OnceDifferentiableBackward', operands, undefined);
    fn.custom = {
      run: () => {
        throw new AutogradError('trying to differentiate twice a function that was marked with onceDifferentiable', { op: fn.name });
      },
      release: () => {},
      saved: () => [],
    };
    const blocked = list.map((t, index) => {
      if (!isTensor(t)) return t;
      const own = snapshot(t);
      own.edge = { fn, index };
      return own;
    });
    return (Array.isArray(returned) ? blocked : blocked[0]) as R;
  };
}
