// Checkpointing: what backward would read of a function is not saved but computed again, from the function's arguments, when it is needed.
import { AutogradError } from '../../../runtime/errors.ts';
import { b } from '../../ir/builder.ts';
import { avalOf, type Value } from '../../ir/node.ts';
import { type DrawTape, withTape } from '../drawTape.ts';
import { type AnyFunction, applyTraced, avalsOf, demandFunction, trace } from '../func/trace.ts';
import { edgeOf } from '../handle.ts';
import { flatten, isTensor, unflatten } from '../pytree.ts';
import { currentTrace, repeating } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { enableGrad, isGradEnabled } from './mode.ts';
import { currentBackward, currentGradient } from './running.ts';
import { packOne, savedHooks, savedTensorsHooks, unpackOne } from './savedHooks.ts';
import { wantsGradient } from './wanted.ts';

/** What to do with a value that backward reads, made by the op of that name. */
export type CheckpointPolicy = (op: string | undefined) => 'mustSave' | 'preferRecompute';

export type CheckpointOptions = {
  /** Values that are worth their memory; default: everything is computed again. */
  readonly policy?: CheckpointPolicy;
  /** Draw the same random numbers the second time; default true. */
  readonly preserveRandomState?: boolean;
};

/**
 * `f(...args)`, whose backward pass runs `f` again instead of having saved anything. As `torch.utils.checkpoint` with
 * `use_reentrant=False`: it works with grad(), `retainGraph` (one more run for each backward) and frozen arguments.
 * Throws AutogradError if the second run saves other values than the first.
 */
export function checkpoint<A extends readonly unknown[], R>(f: (...args: A) => R, ...args: A): R {
  return checkpointWith({}, f, ...args);
}

/** The same with options. */
export function checkpointWith<A extends readonly unknown[], R>(
  { policy = () => 'preferRecompute', preserveRandomState = true }: CheckpointOptions,
  f: (...args: A) => R,
  ...args: A
): R {
  demandFunction('checkpoint', f);
  if (!isGradEnabled()) return f(...args);
  if (currentTrace() !== undefined) return asOneOp(f, args);
  const tape: DrawTape | undefined = preserveRandomState ? { draws: [] } : undefined;
  const outer = savedHooks();
  const again = args.map((arg) => (isTensor(arg) ? kept(arg, edgeOf(arg)?.fn.op, outer) : () => arg));
  const run = (): R => f(...(again.map((arg) => arg()) as unknown as A));
  const expected: string[] = [];
  const computed = new WeakMap<object, readonly Tensor[]>();
  const saved = (): readonly Tensor[] => {
    const token = currentBackward()?.token;
    const known = token === undefined ? undefined : computed.get(token);
    if (known !== undefined) return known;
    const found = recompute(run, tape, currentGradient());
    demandSame(expected, found.map(typeOf));
    if (token !== undefined) computed.set(token, found);
    return found;
  };
  return savedTensorsHooks(
    (t, { madeBy }): (() => Tensor) => {
      const at = expected.push(typeOf(t)) - 1;
      return policy(madeBy) === 'mustSave' ? kept(t, madeBy, outer) : () => saved()[at]!;
    },
    (give) => give(),
    () => (tape === undefined ? f(...args) : withTape(tape, false, () => f(...args))) as object,
  ) as R;
}

/** Under a transform: one op whose derivative computes its body again. */
function asOneOp<A extends readonly unknown[], R>(f: (...args: A) => R, args: A): R {
  const name = 'checkpoint';
  const { tensors, rest } = flatten(args);
  const traced = trace(name, f as AnyFunction, rest, avalsOf(tensors), { differentiates: false, wanted: tensors.map(wantsGradient) });
  const results = applyTraced(name, traced, tensors, [], (inputs) => b.composite(inputs, { name, params: {} }, [traced.graph]));
  return unflatten(traced.result, results) as R;
}

/** Gives a tensor that is kept for the second run; hooks around the checkpoint are handed it, as they are what any op saves. */
function kept(t: Tensor, madeBy: string | undefined, hooks: ReturnType<typeof savedHooks>): () => Tensor {
  if (hooks === undefined) return () => t;
  const like = avalOf(t.value());
  const handed = packOne(hooks, t, 'checkpoint', madeBy);
  const { requiresGrad } = t;
  return () => {
    const given = unpackOne({ name: 'checkpoint' }, hooks.unpack, handed, like).detach();
    return requiresGrad ? given.requiresGrad_() : given;
  };
}

/** What `f` saves when it runs once more, computed after the gradient that asks for it: else it would be one with the first run. */
function recompute(f: () => unknown, tape: DrawTape | undefined, gradient: Value | undefined): readonly Tensor[] {
  const found: Tensor[] = [];
  const run = (): void => void (tape === undefined ? f() : withTape(tape, true, f));
  enableGrad(() =>
    savedTensorsHooks(
      (t) => {
        found.push(t);
        return t;
      },
      (t: Tensor) => t,
      gradient === undefined ? run : () => repeating(gradient, run),
    ),
  );
  return found;
}

const typeOf = (t: Tensor): string => `${t.element}[${t.shape}]`;

function demandSame(first: readonly string[], second: readonly string[]): void {
  if (first.length !== second.length)
    throw new AutogradError(
      `a different number of tensors was saved during the original forward and recomputation: ${first.length} and ${second.length}`,
      { op: 'checkpoint', fix: 'make the function do the same each time' },
    );
  const at = first.findIndex((type, i) => type !== second[i]);
  if (at >= 0)
    throw new AutogradError(
      `recomputed values have different types than those of the forward pass: tensor ${at} was ${first[at]!}, now ${second[at]!}`,
      {
        op: 'checkpoint',
      },
    );
}

/** Runs layers one after the other, in `segments` parts each of which is checkpointed, but for the last. */
export function checkpointSequential(
  layers: readonly ((x: Tensor) => Tensor)[],
  segments: number,
  x: Tensor,
  options: CheckpointOptions = {},
): Tensor {
  if (!Number.isInteger(segments) || segments < 1 || segments > layers.length)
    throw new AutogradError(`cannot make ${segments} segments of ${layers.length} layers`, { op: 'checkpointSequential' });
  const size = Math.floor(layers.length / segments);
  const run = (part: readonly ((x: Tensor) => Tensor)[], from: Tensor): Tensor => part.reduce((now, layer) => layer(now), from);
  let now = x;
  for (let i = 0; i < segments - 1; i++) {
    const part = layers.slice(i * size, (i + 1) * size);
    now = checkpointWith(options, (t: Tensor) => run(part, t), now);
  }
  return run(layers.slice((segments - 1) * size), now);
}
