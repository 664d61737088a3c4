// Saved-tensor hooks: what the backward pass will read is handed to `pack` when it is recorded, and asked back of `unpack` when it is needed.
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import { sameAval } from '../../ir/aval.ts';
import { full } from '../../ir/builder.ts';
import { avalOf, postorder, type Value } from '../../ir/node.ts';
import { isTensor } from '../pytree.ts';
import { recording } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import type { GradFn, Handed, Packed, SavedGraph } from './graph.ts';
import { noGrad, type Sync, scoped } from './mode.ts';
import { bare, copyInto, derive, freed, outside, residualsOf, withoutData } from './residuals.ts';

/** Takes a tensor that the backward pass of the op `savedBy` will read, made by the op `madeBy`; what it returns is kept instead. */
export type Pack = (t: Tensor, facts: { readonly savedBy: string; readonly madeBy: string | undefined }) => unknown;
/** Gives an equal tensor for what `pack` returned, as often as it is asked. */
export type Unpack = (packed: never) => Tensor;

type Pair = { readonly pack: Pack; readonly unpack: (packed: unknown) => Tensor };
let active: Pair | undefined;
let refusal: string | undefined;

export const savedHooks = (): Pair | undefined => active;

/**
 * Runs `f`; every tensor that its backward pass would save goes through the hooks, without gradients being recorded. The innermost pair
 * counts. As `torch.autograd.graph.saved_tensors_hooks`. Throws AutogradError if `f` is async, or where hooks are disabled.
 */
export function savedTensorsHooks<P, T>(
  pack: (t: Tensor, facts: Parameters<Pack>[1]) => P,
  unpack: (packed: P) => Tensor,
  f: () => Sync<T>,
): T {
  const op = 'savedTensorsHooks';
  for (const hook of [pack, unpack])
    if (typeof hook !== 'function') throw new ArgumentError(`a hook is a function, not ${typeof hook}`, { op });
  if (refusal !== undefined) throw new AutogradError(refusal, { op });
  const before = active;
  active = { pack, unpack: unpack as (packed: unknown) => Tensor };
  return scoped(op, f, () => {
    active = before;
  });
}

/** Runs `f`, in which saved-tensor hooks are refused with `message`. Throws AutogradError if `f` is async, or where hooks are at work. */
export function disableSavedTensorsHooks<T>(message: string, f: () => Sync<T>): T {
  const op = 'disableSavedTensorsHooks';
  if (active !== undefined) throw new AutogradError(message, { op });
  const before = refusal;
  refusal = message;
  return scoped(op, f, () => {
    refusal = before;
  });
}

/** Hands over what `fn` saves, and leaves the types of it. */
export function packSaved(fn: GradFn, hooks: Pair, tensorOf: (v: Value) => Tensor): void {
  const saved = fn.saved!;
  const read = residualsOf(
    saved,
    fn.next.map((e) => e !== null),
  );
  const hand = (v: Value, madeBy: string | undefined): Handed => packOne(hooks, tensorOf(v), fn.op, madeBy);
  const packed: Packed = {
    inputs: saved.inputs.map((v, i) => (read.inputs[i] ? hand(v, fn.next[i]?.fn.op) : undefined)),
    outputs: saved.outputs.map((v, i) => (read.outputs[i] ? hand(v, fn.op) : undefined)),
    unpack: hooks.unpack,
  };
  fn.look();
  fn.saved = withoutData(saved);
  fn.packed = packed;
}

export const packOne = ({ pack }: Pair, t: Tensor, savedBy: string, madeBy: string | undefined): Handed => ({
  packed: noGrad(() => pack(t, { savedBy, madeBy }) as object),
});

/** What `unpack` gives. Throws ArgumentError if that is no tensor, AutogradError if it is of another shape or dtype. */
export function unpackOne(
  fn: { readonly name: string },
  unpack: Packed['unpack'],
  handed: Handed,
  like: Value['node']['outputs'][number],
): Tensor {
  const t = noGrad(() => unpack(handed.packed) as Tensor & object) as unknown;
  if (!isTensor(t))
    throw new ArgumentError(`the unpack hook returned ${t === null ? 'null' : typeof t} instead of a tensor`, { op: fn.name });
  const { shape, dtype } = like;
  if (!sameAval(avalOf(t.value()), like))
    throw new AutogradError(`the unpack hook gave a tensor ${t.element}[${t.shape}] where ${dtype}[${shape}] was saved`, { op: fn.name });
  return t;
}

/** A function's border over what `unpack` gives, the results among it, and the pullback that reads these. */
type Unpacked = {
  readonly border: SavedGraph;
  /** The same with the results in their places, as far as they were saved. */
  readonly full: SavedGraph;
  readonly results: readonly { readonly value: Value; readonly index: number }[];
  derive(seeds: readonly (Value | null)[], useful: readonly boolean[]): (Value | null)[];
};

export function unpacked(fn: GradFn, packed: Packed): Unpacked {
  const graph = fn.saved;
  if (graph === undefined) throw freed(fn.name);
  const ask = (h: Handed | undefined, v: Value): Value | undefined =>
    h === undefined ? undefined : unpackOne(fn, packed.unpack, h, avalOf(v)).value();
  // An operand that is not read still has a place; nothing will depend on what stands there.
  const inputs = graph.inputs.map((v, i) => ask(packed.inputs[i], v) ?? recording(() => full(0, avalOf(v))));
  const results = graph.outputs.flatMap((v, index) => {
    const value = ask(packed.outputs[index], v);
    return value === undefined ? [] : [{ value, index }];
  });
  const resultAt = new Map(results.map((r) => [r.index, r.value]));
  return {
    border: { inputs, outputs: graph.outputs },
    full: { inputs, outputs: graph.outputs.map((v, i) => resultAt.get(i) ?? v) },
    results,
    derive(seeds, useful) {
      const bareSeeds = seeds.map((v) => (v === null ? null : bare(v)));
      const grads = outside(() => derive(graph, bareSeeds, useful));
      const twin = new Map<Value, Value>();
      for (const { value, index } of results) twin.set(graph.outputs[index]!, value);
      graph.inputs.forEach((v, i) => void twin.set(v, inputs[i]!));
      bareSeeds.forEach((v, i) => void (v !== null && twin.set(v, seeds[i]!)));
      copyInto(
        postorder(
          grads.filter((v) => v !== null),
          [...twin.keys()],
        ),
        twin,
      );
      return grads.map((v) => (v === null ? null : (twin.get(v) ?? v)));
    },
  };
}
