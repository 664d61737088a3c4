// backward() and grad() as users call them: checks of roots and gradients, then the engine.
import { ArgumentError, AutogradError, ShapeError } from '../../../runtime/errors.ts';
import { b, full } from '../../ir/builder.ts';
import { sameShape, shapeText } from '../../ir/dim.ts';
import { at, placeNow } from '../device.ts';
import { edgeOf, placeOf } from '../handle.ts';
import { enter, newTensor } from '../op.ts';
import { isTensor } from '../pytree.ts';
import { beginOp, currentInterval, currentTrace, recording } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { gradientTensor, implicitGradient } from './accumulate.ts';
import { batchedGradients } from './batched.ts';
import { type Root, runBackward, type Task } from './engine.ts';
import { type Edge, GradFn } from './graph.ts';

export type BackwardOptions = {
  /** Keep what backward needs, so that it can run again; default: `createGraph`. */
  readonly retainGraph?: boolean;
  /** Record the gradients' own computation, so that they can be differentiated. */
  readonly createGraph?: boolean;
  /** Accumulate into these only; those that are no leaves keep their gradients from then on. */
  readonly inputs?: Tensor | readonly Tensor[];
};

export type GradOptions = Omit<BackwardOptions, 'inputs'> & {
  readonly gradOutputs?: readonly (Tensor | undefined)[];
  /** Give null for inputs that the outputs do not depend on, instead of an error. */
  readonly allowUnused?: boolean;
  /** Give zeros for them. */
  readonly materializeGrads?: boolean;
  /** `gradOutputs` have a dimension in front, along which they are gradients of their own; so have the results. One program computes all. */
  readonly isGradsBatched?: boolean;
};

/** What gradients can be taken by: a tensor, or the place of one in the graph. */
export type Differentiated = Tensor | Edge;

/** The place of a tensor in the graph of gradients, which outlives in-place changes. As `torch.autograd.graph.get_gradient_edge`. */
export function getGradientEdge(t: Tensor): Edge {
  const edge = isTensor(t) ? edgeOf(t) : null;
  if (edge === null)
    throw new AutogradError('cannot get the gradient edge of a tensor that does not require gradients', { op: 'getGradientEdge' });
  return edge;
}

const isEdge = (x: unknown): x is Edge => typeof x === 'object' && x !== null && (x as Partial<Edge>).fn instanceof GradFn;

type Gradients = readonly (Tensor | undefined)[] | undefined;

function rootsOf(op: string, outputs: readonly Differentiated[], gradients: Gradients): Root[] {
  if (gradients !== undefined && gradients.length !== outputs.length)
    throw new ArgumentError(`got ${outputs.length} tensors and ${gradients.length} gradients`, { op });
  return outputs.map((t, i) => {
    const gradient = gradients?.[i];
    if (gradient != null && !isTensor(gradient)) throw new ArgumentError(`gradient ${i} is no tensor but ${typeof gradient}`, { op });
    if (isEdge(t)) {
      if (gradient == null) throw new AutogradError('the gradient of a graph edge cannot be created implicitly', { op, fix: 'pass it' });
      return { edge: t, gradient };
    }
    if (!isTensor(t)) throw new ArgumentError(`output ${i} is no tensor but ${t === null ? 'null' : typeof t}`, { op });
    const edge = edgeOf(t);
    if (edge === null)
      throw new AutogradError(`element ${i} of tensors does not require grad and does not have a gradFn`, {
        op,
        fix: 'set requiresGrad on what it is computed from',
      });
    return { edge, gradient: gradient == null ? onesFor(op, t) : fitting(op, t, gradient, i) };
  });
}

function onesFor(op: string, t: Tensor): Tensor {
  if (t.numel() !== 1)
    throw new AutogradError(`grad can be implicitly created only for scalar outputs, not for shape ${shapeText(t.shape)}`, {
      op,
      fix: 'pass a gradient of that shape, or reduce with sum() or mean()',
    });
  return implicitGradient(t);
}

function fitting(op: string, t: Tensor, gradient: Tensor, i: number): Tensor {
  if (!sameShape(gradient.shape, t.shape))
    throw new ShapeError(
      `mismatch in shape: gradient ${i} has a shape of ${shapeText(gradient.shape)} and output ${i} has a shape of ${shapeText(t.shape)}`,
      { op },
    );
  if (gradient.element === t.element) return gradient;
  return newTensor(storageOf(recording(() => b.cast(gradient.value(), { to: t.element }))));
}

function demandOutside(op: string): void {
  const trace = currentTrace();
  if (trace !== undefined)
    throw new AutogradError(`${op}() was called inside of a function under the transform ${trace.op}, where nothing is recorded for it`, {
      op,
      fix: 'use grad or vjp of the functional transforms instead',
    });
}

const listOf = <T>(x: T | readonly T[]): readonly T[] => (Array.isArray(x) ? (x as readonly T[]) : [x as T]);

/** As `torch.autograd.backward`: gradients of `outputs` accumulate into leaves. */
export function backward(outputs: Tensor | readonly Tensor[], gradients?: Tensor | Gradients, options: BackwardOptions = {}): void {
  const op = 'backward';
  beginOp();
  demandOutside(op);
  const list = listOf(outputs);
  const place = enter(op, list.filter(isTensor));
  at(place ?? placeNow(), () => backwardFrom(op, list, gradients, options));
}

function backwardFrom(op: string, list: readonly Tensor[], gradients: Tensor | Gradients | undefined, options: BackwardOptions): void {
  const createGraph = options.createGraph ?? false;
  const inputs = options.inputs === undefined ? undefined : edgesOf(op, listOf(options.inputs));
  if (inputs?.length === 0) throw new ArgumentError('`inputs` must not be empty', { op });
  const given = isTensor(gradients) ? [gradients] : (gradients as Gradients);
  const task: Task = {
    roots: rootsOf(op, list, given),
    createGraph,
    retainGraph: options.retainGraph ?? createGraph,
    inputs,
    accumulates: true,
  };
  if (options.inputs !== undefined) for (const t of listOf(options.inputs)) t.retainGrad();
  for (const t of list) currentInterval().roots.push(t.value());
  runBackward(task);
}

function edgesOf(op: string, inputs: readonly Differentiated[]): Edge[] {
  return inputs.map((t, i) => {
    if (isEdge(t)) return t;
    if (!isTensor(t)) throw new ArgumentError(`input ${i} is no tensor but ${t === null ? 'null' : typeof t}`, { op });
    const edge = placeOf(t);
    if (edge === null)
      throw new AutogradError('one of the differentiated tensors does not require grad', { op, fix: 'set requiresGrad before it is used' });
    return edge;
  });
}

/** As `torch.autograd.grad`: gradients of `outputs` by `inputs`, touching no `.grad`. Null only with `allowUnused`. */
export function grad(
  outputs: Differentiated | readonly Differentiated[],
  inputs: Differentiated | readonly Differentiated[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const op = 'grad';
  beginOp();
  demandOutside(op);
  const by = listOf(inputs);
  const createGraph = options.createGraph ?? false;
  if (options.materializeGrads && options.allowUnused === false)
    throw new ArgumentError('expected allowUnused to be true or not passed when materializeGrads is true', { op });
  const edges = edgesOf(op, by);
  const retainGraph = options.retainGraph ?? createGraph;
  const place = enter(op, listOf(outputs).filter(isTensor)) ?? placeNow();
  const run = (gradOutputs: Gradients): (Tensor | null)[] =>
    at(place, () =>
      runBackward({
        roots: rootsOf(op, listOf(outputs), gradOutputs),
        createGraph,
        retainGraph,
        inputs: edges,
        accumulates: false,
      }),
    ).map((ct) => (ct === null ? null : gradientTensor(ct)));
  const batch = options.isGradsBatched ?? false;
  const found = batch ? batchedGradients(options.gradOutputs ?? [], run, createGraph) : run(options.gradOutputs);
  return found.map((t, i) => {
    const input = by[i]!;
    if (t !== null) return t;
    if (options.materializeGrads && isTensor(input)) {
      const lead = batch ? options.gradOutputs![0]!.shape.slice(0, 1) : [];
      return newTensor(storageOf(recording(() => full(0, { dtype: input.element, shape: [...lead, ...input.shape] }))));
    }
    if (options.allowUnused) return null;
    throw new AutogradError(`the differentiated tensor at index ${i} appears to not have been used in the graph`, {
      op,
      fix: 'set allowUnused: true if this is the desired behavior',
    });
  });
}
