// Tensor methods about gradients.
import { AutogradError } from '../../../runtime/errors.ts';
import { type BackwardOptions, backward } from '../autograd/backward.ts';
import type { GradFn, HookHandle, TensorHook } from '../autograd/graph.ts';
import { type PostAccumulateHook, registerPostAccumulateGradHook, registerTensorHook } from '../autograd/hooks.ts';
import { isInferenceModeEnabled } from '../autograd/mode.ts';
import { demandGradDType, edgeOf, Handle, placeOf, requiresGradOf, stopped } from '../handle.ts';
import { historyChanged, newTensor } from '../op.ts';
import { currentInterval, currentTrace, gradientRead, recording } from '../record.ts';
import { write } from '../storage.ts';
import type { Tensor } from '../tensor.ts';

export type { HookHandle };

export abstract class AutogradMethods extends Handle {
  /** Whether gradients flow into this tensor. Setting it on a result of an op is an error, as in PyTorch. */
  get requiresGrad(): boolean {
    return requiresGradOf(this as unknown as Tensor);
  }
  set requiresGrad(on: boolean) {
    if (!this.isLeaf) throw notOfResults();
    (this as unknown as Tensor).requiresGrad_(on);
  }

  /** Sets `requiresGrad` and gives the tensor itself. Throws AutogradError for integer tensors, and for `false` on a result of an op. */
  requiresGrad_(this: Tensor, on = true): Tensor {
    if (on) demandGradDType(this, 'requiresGrad_');
    if (!on && !this.isLeaf) throw notOfResults();
    if (on && this.inference && !isInferenceModeEnabled())
      throw new AutogradError('setting requiresGrad on an inference tensor outside of inference mode is not allowed', {
        op: 'requiresGrad_',
        fix: 'clone() it first',
      });
    if (this.isLeaf && this.wantsGrad !== on) {
      this.wantsGrad = on;
      historyChanged(this);
    }
    return this;
  }

  /** True unless the tensor is the result of an op that is recorded for differentiation. */
  get isLeaf(): boolean {
    const edge = edgeOf(this as unknown as Tensor);
    return edge === null || edge.fn.variable === (this as unknown);
  }

  /** The function that made the tensor, or null for leaves; walk on by its `nextFunctions`. */
  get gradFn(): GradFn | null {
    const edge = edgeOf(this as unknown as Tensor);
    return edge === null || edge.fn.variable !== undefined ? null : edge.fn;
  }

  /** The gradient that backward() accumulated, or null. */
  get grad(): Tensor | null {
    gradientRead(this);
    // Whoever has the gradient may keep it: the next step of compiled code must not write into it.
    if (this.gradient !== null) this.gradient.storage.owned = false;
    return this.gradient;
  }
  set grad(gradient: Tensor | null) {
    if (gradient !== null) {
      if (gradient === (this as unknown)) throw new AutogradError("can't assign a tensor as its own grad", { op: 'grad' });
      if (gradient.shape.join() !== this.layout.shape.join())
        throw new AutogradError(`attempting to assign a gradient of size [${gradient.shape}] to a tensor of size [${this.layout.shape}]`, {
          op: 'grad',
        });
      if (gradient.element !== this.element)
        throw new AutogradError(`attempting to assign a gradient of dtype ${gradient.element} to a tensor of dtype ${this.element}`, {
          op: 'grad',
        });
    }
    this.gradient = gradient;
    currentInterval().touched.add(this);
  }

  /** Keeps `.grad` of a result of an op; nothing for leaves. Throws AutogradError if it does not require grad. */
  retainGrad(this: Tensor): void {
    const edge = placeOf(this);
    if (edge === null) throw new AutogradError("can't retain grad on a tensor that has requiresGrad=false", { op: 'retainGrad' });
    if (edge.fn.variable !== undefined) return;
    edge.fn.retained ??= new Map();
    edge.fn.retained.set(edge.index, this);
  }

  /** Whether `.grad` of this result of an op is kept. */
  get retainsGrad(): boolean {
    const edge = edgeOf(this as unknown as Tensor);
    return edge !== null && edge.fn.retained?.get(edge.index) === (this as unknown);
  }

  /** Calls `hook` with each gradient that arrives here; what it returns replaces the gradient. */
  registerHook(this: Tensor, hook: TensorHook): HookHandle {
    return registerTensorHook(this, hook);
  }

  /** Calls `hook` with this leaf whenever backward() has added to its `.grad`. Throws AutogradError for results of ops. */
  registerPostAccumulateGradHook(this: Tensor, hook: PostAccumulateHook): HookHandle {
    return registerPostAccumulateGradHook(this, hook);
  }

  /** Whether it was made in inference mode. */
  isInference(): boolean {
    return this.inference;
  }

  /** The same storage without history: what is written here is seen there, and no gradient flows. */
  detach(this: Tensor): Tensor {
    const view = this.via;
    const root = newTensor(this.storage, undefined, view?.base.layout);
    root.stop = 'detach';
    if (view === undefined) return root;
    const detached = newTensor(this.storage, { ...view, base: root }, this.layout);
    detached.stop = 'detach';
    return detached;
  }

  /** Forgets this tensor's history in place. Throws AutogradError on views. */
  detach_(this: Tensor): Tensor {
    if (this.via !== undefined) throw new AutogradError("can't detach views in place", { op: 'detach_', fix: 'use detach() instead' });
    this.edge = undefined;
    this.wantsGrad = false;
    if (currentTrace() !== undefined)
      write(
        this.storage,
        recording(() => stopped(this.value(), 'detach')),
      );
    historyChanged(this);
    return this;
  }

  /**
   * Accumulates gradients into the leaves that this tensor was computed from, as `Tensor.backward`.
   * Only a tensor of one element needs no `gradient`. Throws AutogradError without a graph, or a second time without `retainGraph`.
   */
  backward(this: Tensor, gradient?: Tensor, options: BackwardOptions = {}): void {
    backward([this], gradient === undefined ? undefined : [gradient], options);
  }
}

const notOfResults = (): AutogradError =>
  new AutogradError('you can only change requiresGrad of leaf tensors', {
    op: 'requiresGrad_',
    fix: 'use detach() to take a computed value out of the graph',
  });
