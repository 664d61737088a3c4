// The context of a custom function: what its forward tells about itself, and keeps for its derivatives.
import { ArgumentError } from '../../../runtime/errors.ts';
import { edgeOf } from '../handle.ts';
import { newTensor } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import type { Edge, Handed } from './graph.ts';
import { freed } from './residuals.ts';
import { packOne, savedHooks, unpackOne } from './savedHooks.ts';

/** What a custom function passes from forward to backward and jvp. Anything may be kept on it; tensors go through `saveForBackward`. */
export interface Context {
  /** Keeps operands or results of the function for backward, where `savedTensors` gives them. */
  saveForBackward(...tensors: (Tensor | null)[]): void;
  /** Keeps operands or results of the function for `jvp`, where `savedTensors` gives them; without it, those for backward. */
  saveForForward(...tensors: (Tensor | null)[]): void;
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

type Saved = {
  readonly tensor: Tensor | null;
  readonly edge: Edge | null;
  readonly handed: Handed | undefined;
  readonly unpack: ((packed: unknown) => Tensor) | undefined;
};

export class FunctionContext {
  [kept: string]: unknown;
  readonly needsInputGrad: readonly boolean[];
  readonly #name: string;
  #toSave: readonly (Tensor | null)[] = [];
  #forJvp: readonly (Tensor | null)[] | undefined;
  #saved: readonly Saved[] | undefined = [];
  #dirty = new Set<Tensor>();
  #constant = new Set<Tensor>();
  #materialize = true;

  constructor(name: string, needsInputGrad: readonly boolean[]) {
    this.#name = name;
    this.needsInputGrad = needsInputGrad;
  }
  saveForBackward(...tensors: (Tensor | null)[]): void {
    this.#toSave = this.#demandTensors('saveForBackward', tensors);
  }
  saveForForward(...tensors: (Tensor | null)[]): void {
    this.#forJvp = this.#demandTensors('saveForForward', tensors);
  }
  #demandTensors(method: string, tensors: readonly unknown[]): readonly (Tensor | null)[] {
    for (const [i, t] of tensors.entries())
      if (t !== null && !isTensor(t))
        throw new ArgumentError(`${method} can only save tensors, but argument ${i} is ${typeof t}`, { op: this.#name });
    return tensors as readonly (Tensor | null)[];
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
  /** All tensors that forward left here, saved or as properties. */
  static held(ctx: FunctionContext): Tensor[] {
    return [...ctx.#toSave, ...(ctx.#forJvp ?? []), ...Object.values(ctx)].filter(isTensor);
  }
  /** The context as backward (or `jvp`) sees it when others stand for what was held, in the order of `held`. */
  static over(ctx: FunctionContext, others: readonly Tensor[], forJvp: boolean): FunctionContext {
    let at = 0;
    const stand = <T>(t: T): T | Tensor => (isTensor(t) ? others[at++]! : t);
    const own = new FunctionContext(ctx.#name, ctx.needsInputGrad);
    const forBackward = ctx.#toSave.map(stand);
    const forForward = ctx.#forJvp?.map(stand);
    own.#toSave = forJvp ? (forForward ?? forBackward) : forBackward;
    own.#materialize = ctx.#materialize;
    for (const [name, value] of Object.entries(ctx)) own[name] = stand(value);
    return own;
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
export const snapshot = (t: Tensor): Tensor => newTensor(storageOf(t.value()));
