// The state behind a tensor: its storage, how it looks into it, and where it stands in the graph of gradients.
import { type DType, isFloat } from '../../runtime/dtype.ts';
import { AutogradError } from '../../runtime/errors.ts';
import { avalOf, isLeaf, type Value } from '../ir/node.ts';
import { composite } from '../ops/composite/table.ts';
import { type Edge, GradFn } from './autograd/graph.ts';
import { isInferenceModeEnabled } from './autograd/mode.ts';
import { bufferOf, currentInterval, currentTrace, demandInside, placeholder, recordedOf, recording, resolve, within } from './record.ts';
import { read, type Storage } from './storage.ts';
import type { Tensor } from './tensor.ts';
import { applyChain, contiguous, type Layout, type ViewStep } from './view.ts';

/** How a view looks into the storage that it shares with `base`. */
export type View = {
  readonly base: Tensor;
  readonly chain: readonly ViewStep[];
  /** Made by an op that returns several views (`split`), by one under `noGrad`, or plainly: the first two restrict in-place ops. */
  readonly origin: 'plain' | 'several' | 'noGrad';
  /** Name of the op that made it, for messages. */
  readonly op: string;
  /** The storage's version when it was made. */
  readonly version: number;
};

/** What a tensor is made of; the class in tensor.ts adds methods and nothing else. */
export abstract class Handle {
  readonly storage: Storage;
  readonly layout: Layout;
  readonly via: View | undefined;
  /** For leaves: whether gradients are wanted. */
  wantsGrad = false;
  /** For results of recorded ops: the output of the function that made the current value. */
  edge: Edge | undefined;
  /** Counts replacements of the base's edge by in-place ops: a view whose `edgeAt` lags behind derives its edge anew. */
  edgeSerial = 0;
  edgeAt = 0;
  gradient: Tensor | null = null;
  accumulator: GradFn | undefined;
  /** Where no gradient flows through this tensor though its storage would let it: only functions under a transform look at this. */
  stop: 'detach' | 'noGrad' | undefined;
  /** The view's value, as long as the storage's version stays. */
  private seen: { version: number; value: Value } | undefined;
  /** Whether it was made in inference mode: then it takes no part in gradients. */
  readonly inference: boolean;

  constructor(storage: Storage, view?: View, layout?: Layout) {
    this.storage = storage;
    this.via = view;
    this.inference = view === undefined ? isInferenceModeEnabled() : view.base.inference;
    this.layout = layout ?? contiguous(avalOf(storage.value).shape as readonly number[]);
    const interval = currentInterval();
    interval.call?.made.add(this);
    if (storage.born !== interval) interval.trace?.views.add(this);
  }

  /** Internal element type: the dtype as the IR names it. */
  get element(): DType {
    return avalOf(this.storage.value).dtype;
  }

  /** The tensor's current value, usable in the current interval. Recorded where it looks through a view. */
  value(): Value {
    const { trace, call } = currentInterval();
    call?.used.add(this);
    if (trace === undefined) return this.through(read(this.storage));
    if (this.storage.born === currentInterval()) {
      const value = this.through(read(this.storage));
      return this.stop === undefined ? value : recording(() => stopped(value, this.stop!));
    }
    return this.via !== undefined && trace.views.has(this) ? this.through(captured(this.via.base)) : captured(this);
  }

  /** What the view shows of a value of its storage. */
  private through(stored: Value): Value {
    if (this.via === undefined) return stored;
    const { chain } = this.via;
    const seen = this.seen;
    // After a boundary, a view that nobody computed is read through its base again, which costs nothing.
    if (seen?.version === this.storage.version && isAtHand(seen.value)) seen.value = resolve(seen.value);
    else this.seen = { version: this.storage.version, value: recording(() => applyChain(stored, chain)) };
    return this.seen!.value;
  }

  /** Told the view's value where it is at hand, so that it need not be read through the chain. */
  sawValue(value: Value): void {
    this.seen = { version: this.storage.version, value };
  }
}

/** The value with no gradient flowing through it; integers have none anyway. */
export const stopped = (v: Value, by: 'detach' | 'noGrad'): Value =>
  isFloat(avalOf(v).dtype) ? composite('stopGradient', [v], { forward: by === 'noGrad' })[0]! : v;

/** The placeholder of a tensor from outside of the function that is being traced. */
function captured(t: Handle): Value {
  const { captures } = currentTrace()!;
  demandInside(t.storage.born);
  const known = captures.get(t);
  if (known !== undefined) return known;
  const value = placeholder({ dtype: t.element, shape: t.layout.shape }, t);
  captures.set(t, value);
  return value;
}

/** Whether the value is recorded in the current interval, or realised. */
function isAtHand(v: Value): boolean {
  if (!isLeaf(v.node.op) && recordedOf(v.node).interval === currentInterval()) return true;
  // What is to be replayed reads the view through its storage, which may hold another value then.
  const { call } = currentInterval();
  return call === undefined ? isLeaf(v.node.op) || bufferOf(v) !== undefined : call.views.has(v.node);
}

/**
 * Whether gradients are wanted of a tensor. A view without a history of its own, made under `noGrad` or before its base wanted any,
 * requires grad as its base does, though no gradient flows through it: as in PyTorch.
 */
export function requiresGradOf(t: Tensor): boolean {
  if (t.wantsGrad) return true;
  const base = t.via?.base;
  if (base === undefined) return t.edge !== undefined;
  return base.wantsGrad || base.edge !== undefined || (t.edge !== undefined && t.edgeAt === base.edgeSerial);
}

/**
 * Where the gradient of a tensor goes: to the function that made it, to its accumulator, or nowhere.
 * Throws AutogradError for a view made under `noGrad` of what has a history and was written since: as in PyTorch, it has no defined one.
 */
export function edgeOf(t: Tensor): Edge | null {
  const base = t.via?.base;
  if (base !== undefined && t.via !== undefined) {
    const written = t.via.version !== t.storage.version && requiresGradOf(base);
    if (written && t.via.origin === 'noGrad') throw unclearHistory(t.via.op);
    if (t.edgeAt !== base.edgeSerial || (written && t.edge === undefined)) within(base.storage.born, () => deriveEdge(t, base));
  }
  if (t.edge !== undefined) return t.edge;
  if (!t.wantsGrad) return null;
  t.accumulator ??= new GradFn('AccumulateGrad', [], undefined, t);
  return { fn: t.accumulator, index: 0 };
}

/** After a write, a view is a function of the base as it is now. */
function deriveEdge(t: Tensor, base: Tensor): void {
  t.edgeAt = base.edgeSerial;
  const into = edgeOf(base);
  t.edge = undefined;
  if (into === null) return;
  const input = read(base.storage);
  const output = recording(() => applyChain(input, t.via!.chain));
  t.sawValue(output);
  t.edge = { fn: new GradFn('asStrided', [into], { inputs: [input], outputs: [output] }), index: 0 };
}

/** The same for those who look for a gradient: where one is wanted but none flows, a place that no gradient reaches. */
export const placeOf = (t: Tensor): Edge | null =>
  edgeOf(t) ?? (requiresGradOf(t) ? { fn: new GradFn('NoGradView', [], undefined), index: 0 } : null);

const unclearHistory = (op: string): AutogradError =>
  new AutogradError('a view was created in noGrad mode, and its base or another view of its base has been modified in place', {
    op,
    fix: 'move both the view and the write into noGrad, or both outside',
  });

export function demandGradDType(t: { readonly element: DType }, op: string): void {
  if (t.element !== 'f32' && t.element !== 'f64' && t.element !== 'f16')
    throw new AutogradError('only tensors of floating point dtype can require gradients', { op, fix: "convert with .to('float32') first" });
}
