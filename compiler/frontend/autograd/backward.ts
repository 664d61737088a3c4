// backward() and grad() as users call them: checks of roots and gradients, then the engine.
import { ArgumentError, AutogradError, ShapeError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { sameShape, shapeText } from '../../ir/dim.ts';
import { edgeOf } from '../handle.ts';
import { newTensor } from '../op.ts';
import { beginOp, currentInterval, gradientRead, recording } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { gradientSet, gradientTensor, implicitGradient, type Root, runBackward } from './engine.ts';
import type { Edge } from './graph.ts';

export type BackwardOptions = {
  /** Keep what backward needs, so that it can run again; default: `createGraph`. */
  readonly retainGraph?: boolean;
  /** Record the gradients' own computation, so that they can be differentiated. */
  readonly createGraph?: boolean;
  /** Accumulate into these only. */
  readonly inputs?: readonly Tensor[];
};

export type GradOptions = Omit<BackwardOptions, 'inputs'> & {
  readonly gradOutputs?: readonly (Tensor | undefined)[];
  /** Give null for inputs that the outputs do not depend on, instead of an error. */
  readonly allowUnused?: boolean;
  /** Give zeros for them. */
  readonly materializeGrads?: boolean;
};

function rootsOf(op: string, outputs: readonly Tensor[], gradients: readonly (Tensor | undefined)[] | undefined): Root[] {
  return outputs.map((t, i) => {
    const edge = edgeOf(t);
    if (edge === null)
      throw new AutogradError(`element ${i} of tensors does not require grad and does not have a gradFn`, {
        op,
        fix: 'set requiresGrad on what it is computed from',
      });
    const gradient = gradients?.[i];
    if (gradient === undefined) {
      if (t.numel() !== 1)
        throw new AutogradError(`grad can be implicitly created only for scalar outputs, not for shape ${shapeText(t.shape)}`, {
          op,
          fix: 'pass a gradient of that shape, or reduce with sum() or mean()',
        });
      return { edge, gradient: implicitGradient(t) };
    }
    if (!sameShape(gradient.shape, t.shape))
      throw new ShapeError(
        `mismatch in shape: gradient ${i} has a shape of ${shapeText(gradient.shape)} and output ${i} has a shape of ${shapeText(t.shape)}`,
        { op },
      );
    if (gradient.element === t.element) return { edge, gradient };
    return { edge, gradient: newTensor(storageOf(recording(() => b.cast(gradient.value(), { to: t.element })))) };
  });
}

/** As `torch.autograd.backward`: gradients of `outputs` accumulate into leaves. */
export function backward(outputs: readonly Tensor[], gradients?: readonly (Tensor | undefined)[], options: BackwardOptions = {}): void {
  beginOp();
  const createGraph = options.createGraph ?? false;
  const task = { roots: rootsOf('backward', outputs, gradients), createGraph, retainGraph: options.retainGraph ?? createGraph };
  for (const t of outputs) currentInterval().roots.push(t.value());
  if (options.inputs === undefined) return void runBackward({ ...task, inputs: undefined });
  if (options.inputs.length === 0) throw new ArgumentError('`inputs` must not be empty', { op: 'backward' });
  const edges = edgesOf('backward', options.inputs);
  const found = runBackward({ ...task, inputs: edges });
  options.inputs.forEach((t, i) => {
    const ct = found[i];
    if (ct == null) return;
    const gradient = gradientTensor(ct);
    gradientRead(t);
    t.gradient = t.gradient === null ? gradient : t.gradient.add(gradient);
    gradientSet(t);
  });
}

function edgesOf(op: string, inputs: readonly Tensor[]): Edge[] {
  return inputs.map((t) => {
    const edge = edgeOf(t);
    if (edge === null)
      throw new AutogradError('one of the differentiated tensors does not require grad', { op, fix: 'set requiresGrad before it is used' });
    return edge;
  });
}

/** As `torch.autograd.grad`: gradients of `outputs` by `inputs`, touching no `.grad`. Null only with `allowUnused`. */
export function grad(outputs: Tensor | readonly Tensor[], inputs: readonly Tensor[], options: GradOptions = {}): (Tensor | null)[] {
  beginOp();
  const list = Array.isArray(outputs) ? (outputs as readonly Tensor[]) : [outputs as Tensor];
  const createGraph = options.createGraph ?? false;
  if (options.materializeGrads && options.allowUnused === false)
    throw new ArgumentError('materializeGrads implies allowUnused', { op: 'grad' });
  const edges = edgesOf('grad', inputs);
  const found = runBackward({
    roots: rootsOf('grad', list, options.gradOutputs),
    createGraph,
    retainGraph: options.retainGraph ?? createGraph,
    inputs: edges,
  });
  return found.map((ct, i) => {
    if (ct !== null) return gradientTensor(ct);
    if (options.materializeGrads)
      return newTensor(storageOf(recording(() => full(0, { dtype: inputs[i]!.element, shape: inputs[i]!.shape }))));
    if (options.allowUnused) return null;
    throw new AutogradError(`the differentiated tensor at index ${i} appears to not have been used in the graph`, {
      op: 'grad',
      fix: 'set allowUnused: true if this is the desired behavior',
    });
  });
}
