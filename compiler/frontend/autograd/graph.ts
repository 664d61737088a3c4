// The graph that backward() walks: one GradFn for each logical op, whatever primitives it was made of and whatever was fused.
import { AutogradError } from '../../../runtime/errors.ts';
import type { Location, Value } from '../../ir/node.ts';
import { avalOf } from '../../ir/node.ts';
import type { Tensor } from '../tensor.ts';
import { type Shown, shownAs } from './names.ts';

/** Where a gradient goes: into the `index`-th output of `fn`. Null where none is needed. As PyTorch's `GradientEdge`. */
export type Edge = { readonly fn: GradFn; readonly index: number };

/** What a hook returns replaces the gradient; undefined leaves it. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
export type TensorHook = (gradient: Tensor) => Tensor | undefined | void;
/** Called before a function runs, with the gradients of its outputs. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
export type PreHook = (gradOutputs: readonly (Tensor | null)[]) => readonly (Tensor | null)[] | undefined | void;
/** Called after it ran, with the gradients of its operands and of its outputs. */
export type PostHook = (gradInputs: readonly (Tensor | null)[], gradOutputs: readonly (Tensor | null)[]) => ReturnType<PreHook>;

/** Undoes a registration. */
export type HookHandle = { remove(): void };

/** Hooks run in order of registration; one that is registered twice is two. */
export type Hooks<T> = { readonly hook: T }[];
export function register<T>(hooks: Hooks<T>, hook: T): HookHandle {
  const own = { hook };
  hooks.push(own);
  return {
    remove: () => {
      const at = hooks.indexOf(own);
      if (at >= 0) hooks.splice(at, 1);
    },
  };
}

/** The values between which the derivative is taken. */
export type SavedGraph = { readonly inputs: readonly Value[]; readonly outputs: readonly Value[] };

/** What saved-tensor hooks were given, in the operands' and results' places; undefined where the derivative reads nothing. */
export type Packed = {
  readonly inputs: readonly (Handed | undefined)[];
  readonly outputs: readonly (Handed | undefined)[];
  readonly unpack: (packed: unknown) => Tensor;
};
/** What `pack` returned. */
export type Handed = { readonly packed: unknown };

/** The derivative of a function that users wrote, or that is no op: gradients of the operands from those of the outputs. */
export type Custom = {
  /** Gradients by operand. May throw where it was released. */
  run(gradOutputs: readonly (Tensor | null)[]): readonly (Tensor | null)[];
  /** Lets go of what it saved. */
  release(): void;
  saved(): readonly Tensor[];
};

/**
 * One op of the user's, as recorded. Its derivative is that of the graph between `saved.inputs` and `saved.outputs`, or `custom`.
 * Shapes and names follow PyTorch's `grad_fn`.
 */
export class GradFn {
  /** The op as its user calls it; or a name that ends in Backward. */
  readonly op: string;
  /** One per operand of the op. */
  readonly next: readonly (Edge | null)[];
  /** Later-made functions run first in backward(); accumulation into leaves runs as soon as it can. */
  readonly sequence: number;
  /** Values at the op's border; undefined once backward() has released them. */
  saved: SavedGraph | undefined;
  /** Where saved-tensor hooks were at work: `saved` has types only then. */
  packed: Packed | undefined;
  custom: Custom | undefined;
  /** The leaf whose `.grad` this function writes, for `AccumulateGrad` only. */
  readonly variable: Tensor | undefined;
  /** Hooks on the outputs' gradients, by output. */
  hooks: Map<number, Hooks<TensorHook>> | undefined;
  preHooks: Hooks<PreHook> | undefined;
  postHooks: Hooks<PostHook> | undefined;
  /** Tensors whose gradient is kept (`retainGrad`), by output. */
  retained: Map<number, Tensor> | undefined;
  /** Where the op was called, under anomaly detection. */
  site: Location | undefined;
  private facts: Record<string, unknown> | undefined;
  private shown: Shown | undefined;
  private shownNext: readonly (readonly [GradFn | null, number])[] | undefined;

  constructor(op: string, next: readonly (Edge | null)[], saved: SavedGraph | undefined, variable?: Tensor) {
    this.op = op;
    this.next = next;
    this.saved = saved;
    this.packed = undefined;
    this.custom = undefined;
    this.variable = variable;
    this.hooks = undefined;
    this.preHooks = undefined;
    this.postHooks = undefined;
    this.retained = undefined;
    this.site = undefined;
    this.facts = undefined;
    this.shown = undefined;
    this.shownNext = undefined;
    this.sequence = variable === undefined ? ++made : Number.POSITIVE_INFINITY;
  }

  /** PyTorch's name of the function. */
  get name(): string {
    return this.look().name;
  }

  /** `[function, output]` for each operand, null where no gradient flows; as PyTorch's `next_functions`. */
  get nextFunctions(): readonly (readonly [GradFn | null, number])[] {
    this.shownNext ??= this.walk();
    return this.shownNext;
  }

  /** Anything that users keep with the function. */
  get metadata(): Record<string, unknown> {
    this.facts ??= {};
    return this.facts;
  }

  /** Every function is here because something that it leads to requires gradients. */
  get requiresGrad(): boolean {
    return true;
  }

  /** Calls `hook` whenever the function has run; what it returns replaces the gradients of the operands. */
  registerHook(hook: PostHook): HookHandle {
    this.postHooks ??= [];
    return register(this.postHooks, hook);
  }

  /** Calls `hook` before the function runs; what it returns replaces the gradients of the outputs. */
  registerPrehook(hook: PreHook): HookHandle {
    this.preHooks ??= [];
    return register(this.preHooks, hook);
  }

  toString(): string {
    return `<${this.name}>`;
  }

  /** Decides the name while the types of operands and results are known. */
  look(): Shown {
    this.shown ??= shownAs(this.op, {
      inputs: this.saved?.inputs.map(avalOf) ?? [],
      outputs: this.saved?.outputs.map(avalOf) ?? [],
    });
    return this.shown;
  }

  private walk(): readonly (readonly [GradFn | null, number])[] {
    if (this.custom !== undefined) return this.next.map(pair);
    // A view of one position is made in two steps, which PyTorch's graph shows as one.
    const behind = this.op === 'select' || this.op === 'unbind' ? this.next[0]?.fn : undefined;
    if (behind?.op === this.op) return behind.next.map(pair);
    return this.look().next.map((of) => this.follow(of));
  }

  private follow(of: number | null | Shown): readonly [GradFn | null, number] {
    if (of === null) return [null, 0];
    if (typeof of === 'number') return pair(this.next[of] ?? null);
    const next = of.next.map((inner) => this.follow(inner));
    return next.every(([fn]) => fn === null) ? [null, 0] : [new Between(of.name, next, this), 0];
  }
}

const pair = (e: Edge | null): readonly [GradFn | null, number] => (e === null ? [null, 0] : [e.fn, e.index]);

/** A function that PyTorch has between two of ours: it can be looked at, but it runs as part of another. */
class Between extends GradFn {
  readonly part: string;
  private readonly behind: readonly (readonly [GradFn | null, number])[];
  constructor(name: string, behind: readonly (readonly [GradFn | null, number])[], whole: GradFn) {
    super(name, [], undefined);
    this.part = whole.name;
    this.behind = behind;
  }
  override get nextFunctions(): readonly (readonly [GradFn | null, number])[] {
    return this.behind;
  }
  override registerHook(): HookHandle {
    throw this.noHooks();
  }
  override registerPrehook(): HookHandle {
    throw this.noHooks();
  }
  private noHooks(): AutogradError {
    return new AutogradError(`${this.name} runs as a part of ${this.part} and takes no hooks`, {
      op: 'registerHook',
      fix: `register it on ${this.part}, or on the tensor`,
    });
  }
}

let made = 0;
