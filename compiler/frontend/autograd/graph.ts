// The graph that backward() walks: one GradFn for each logical op, whatever primitives it was made of and whatever was fused.
import type { Value } from '../../ir/node.ts';
import type { Tensor } from '../tensor.ts';

/** Where a gradient goes: into the `index`-th output of `fn`. Null where none is needed. */
export type Edge = { readonly fn: GradFn; readonly index: number };

/** What a hook returns replaces the gradient; undefined leaves it. */
export type TensorHook = (gradient: Tensor) => Tensor | undefined;

/**
 * One op of the user's, as recorded. Its derivative is that of the graph between `inputs` and `outputs`.
 * Shapes and names follow PyTorch's `grad_fn`.
 */
export class GradFn {
  readonly name: string;
  /** One per operand of the op. */
  readonly next: readonly (Edge | null)[];
  /** Later-made functions run first in backward(); accumulation into leaves runs as soon as it can. */
  readonly sequence: number;
  /** Values at the op's border; undefined once backward() has released them. */
  saved: { readonly inputs: readonly Value[]; readonly outputs: readonly Value[] } | undefined;
  /** Whether the derivative reads values: if not, a second backward needs nothing that was released. */
  readonly outputAvals: readonly Value['node']['outputs'][number][];
  /** The leaf whose `.grad` this function writes, for `AccumulateGrad` only. */
  readonly variable: Tensor | undefined;
  /** Hooks on the outputs' gradients, by output. */
  readonly hooks = new Map<number, TensorHook[]>();
  /** Tensors whose gradient is kept (`retainGrad`), by output. */
  readonly retained = new Map<number, Tensor>();

  constructor(name: string, next: readonly (Edge | null)[], saved: GradFn['saved'], variable?: Tensor) {
    this.name = name;
    this.next = next;
    this.saved = saved;
    this.outputAvals = saved === undefined ? [] : saved.outputs.map((v) => v.node.outputs[v.index]!);
    this.variable = variable;
    this.sequence = variable === undefined ? ++made : Number.POSITIVE_INFINITY;
  }

  /** `[function, output]` for each operand, null where no gradient flows; as PyTorch's `next_functions`. */
  get nextFunctions(): readonly (readonly [GradFn | null, number])[] {
    return this.next.map((e) => (e === null ? ([null, 0] as const) : ([e.fn, e.index] as const)));
  }

  toString(): string {
    return `<${this.name}>`;
  }
}

let made = 0;
