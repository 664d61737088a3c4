// Jacobians, Hessians and their products for functions of tensors, as `torch.autograd.functional`.
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import { sameShape, shapeText } from '../../ir/dim.ts';
import { full } from '../creation.ts';
import { dependence } from '../func/dependence.ts';
import { jvp as pushAlong } from '../func/forward.ts';
import { jacfwd, jacrev } from '../func/jacobian.ts';
import { gradAndValue, vjp as pullBack } from '../func/reverse.ts';
import { avalsOf, trace } from '../func/trace.ts';
import { flatten, isTensor } from '../pytree.ts';
import type { Tensor } from '../tensor.ts';
import { noGrad } from './mode.ts';

/** One tensor, or a list of them; what is found has the same form. */
export type Tensors = Tensor | readonly Tensor[];
type Fn = (...inputs: Tensor[]) => Tensors;

export type FunctionalOptions = {
  /** Whether the answer can be differentiated further. */
  readonly createGraph?: boolean;
  /** Refuse functions whose results do not depend on an input, instead of giving zeros. */
  readonly strict?: boolean;
};
export type JacobianOptions = FunctionalOptions & {
  /** Taken for compatibility: a Jacobian is one batched program anyway. */
  readonly vectorize?: boolean;
  /** By rows, or with `vectorize` by columns. */
  readonly strategy?: 'reverse-mode' | 'forward-mode';
};

/** The inputs as a list, and the function on lists of tensors. */
type Problem = {
  readonly inputs: readonly Tensor[];
  readonly single: boolean;
  readonly call: (...inputs: Tensor[]) => Tensor[];
  readonly form: { single: boolean };
};

function problem(op: string, f: Fn, given: Tensors): Problem {
  const single = isTensor(given);
  const inputs = single ? [given] : [...(given as readonly Tensor[])];
  for (const t of inputs) if (!isTensor(t)) throw new ArgumentError('the inputs must be a tensor or a list of tensors', { op });
  const form = { single: false };
  const call = (...args: Tensor[]): Tensor[] => {
    const result = f(...args);
    form.single = isTensor(result);
    const outputs = isTensor(result) ? [result] : result;
    if (!Array.isArray(outputs) || !outputs.every(isTensor))
      throw new ArgumentError('the outputs of the user-provided function must be a tensor or a list of tensors', { op });
    return outputs;
  };
  return { inputs, single, call, form };
}

const formed = <T>(list: readonly T[], single: boolean): T | readonly T[] => (single ? list[0]! : list);

/** Without `createGraph` the answer is cut off from the inputs; inside, gradients are recorded either way. */
const answered = <T>(createGraph: boolean, f: () => T): T => (createGraph ? f() : (noGrad(f as () => object) as T));

function demandDependence(op: string, f: Fn, inputs: readonly Tensor[], what: (output: number) => string): void {
  const { rest } = flatten([...inputs]);
  for (const [i, row] of dependence(trace(op, f, rest, avalsOf(inputs), { differentiates: true })).entries()) {
    if (!row.includes(true))
      throw new AutogradError(
        `output ${i} of the user-provided function does not require gradients; the outputs must be computed in a differentiable manner from the input when running in strict mode`,
        { op },
      );
    const j = row.indexOf(false);
    if (j >= 0) throw new AutogradError(`${what(i)} is independent of input ${j}; this is not allowed in strict mode`, { op });
  }
}
const outputOf = (i: number): string => `output ${i} of the user-provided function`;

/**
 * The Jacobian of `f` at the inputs: a block for each output and input, shaped as the one and then the other; lists where outputs or
 * inputs are lists. Throws AutogradError in `strict` mode where an output does not depend on an input.
 */
export function jacobian(f: Fn, inputs: Tensors, options: JacobianOptions = {}): Tensors | readonly Tensors[] {
  const op = 'jacobian';
  const { createGraph = false, strict = false, vectorize = false, strategy = 'reverse-mode' } = options;
  if (strategy !== 'reverse-mode' && strategy !== 'forward-mode')
    throw new ArgumentError(`strategy is 'reverse-mode' or 'forward-mode', got ${String(strategy)}`, { op });
  if (strategy === 'forward-mode' && createGraph) throw new ArgumentError("createGraph is not supported with 'forward-mode'", { op });
  if (strategy === 'forward-mode' && !vectorize) throw new ArgumentError("'forward-mode' is only supported with vectorize: true", { op });
  if (strict && vectorize)
    throw new ArgumentError('strict and vectorize are not supported together', { op, fix: 'set one of them to false' });
  const p = problem(op, f, inputs);
  if (strict) demandDependence(op, p.call, p.inputs, outputOf);
  const transform = strategy === 'forward-mode' ? jacfwd : jacrev;
  const blocks = answered(createGraph, () => transform(p.call, { argnums: p.inputs.map((_, i) => i) })(...p.inputs));
  const rows = (blocks as readonly (readonly Tensor[])[]).map((row) => formed(row, p.single));
  return formed(rows, p.form.single) as Tensors | readonly Tensors[];
}

export type HessianOptions = FunctionalOptions & {
  readonly vectorize?: boolean;
  /** How the outer derivative is taken. */
  readonly outerJacobianStrategy?: 'reverse-mode' | 'forward-mode';
};

/** The Hessian of a function with one element as result: a block for each pair of inputs. Throws AutogradError for other results. */
export function hessian(f: Fn, inputs: Tensors, options: HessianOptions = {}): Tensors | readonly Tensors[] {
  const op = 'hessian';
  const { createGraph = false, strict = false, outerJacobianStrategy = 'reverse-mode' } = options;
  const p = problem(op, f, inputs);
  const by = p.inputs.map((_, i) => i);
  const gradient = gradientOf(op, p);
  if (strict) demandStrictHessian(op, p);
  const transform = outerJacobianStrategy === 'forward-mode' ? jacfwd : jacrev;
  const blocks = answered(createGraph, () => transform((...args: Tensor[]) => gradient(...args)[0], { argnums: by })(...p.inputs));
  return formed(
    (blocks as readonly (readonly Tensor[])[]).map((row) => formed(row, p.single)),
    p.single,
  ) as Tensors | readonly Tensors[];
}

function demandStrictHessian(op: string, p: Problem): void {
  demandDependence(op, p.call, p.inputs, outputOf);
  demandDependence(
    op,
    (...args) => gradientOf(op, p)(...args)[0],
    p.inputs,
    (i) => `the gradient by input ${i} of the user-provided function`,
  );
}

/** Gradients by all inputs, and the result. */
function gradientOf(op: string, p: Problem): (...args: Tensor[]) => [readonly Tensor[], Tensor] {
  const scalar = (...args: Tensor[]): [Tensor, Tensor] => {
    const y = singleElement(op, p, p.call(...args));
    return [y.reshape([]), y];
  };
  const both = gradAndValue(scalar, { argnums: p.inputs.map((_, i) => i), hasAux: true });
  return (...args) => {
    const [gradients, [, y]] = both(...args) as unknown as [Tensor[], [Tensor, Tensor]];
    return [gradients, y];
  };
}

function singleElement(op: string, p: Problem, outputs: readonly Tensor[]): Tensor {
  if (!p.form.single) throw new AutogradError(`the function given to ${op} should return a single tensor`, { op });
  const [y] = outputs as [Tensor];
  if (y.numel() !== 1)
    throw new AutogradError(`the tensor returned by the function given to ${op} should contain a single element`, { op });
  return y;
}

/** The vector as a list that fits `like`; without one, 1 for a single element. */
function vectors(op: string, v: Tensors | undefined, like: readonly Tensor[], missing: string): Tensor[] {
  if (v === undefined) {
    if (like.length !== 1 || like[0]!.numel() !== 1) throw new AutogradError(`the vector v can only be left out if ${missing}`, { op });
    return [full(like[0]!.shape, 1, { dtype: like[0]!.dtype })];
  }
  const list = isTensor(v) ? [v] : [...v];
  if (list.length !== like.length)
    throw new AutogradError(`v is a list of invalid length: should be ${like.length} but got ${list.length}`, { op });
  for (const [i, t] of list.entries())
    if (!sameShape(t.shape, like[i]!.shape))
      throw new AutogradError(
        `${list.length === 1 ? 'v' : `entry ${i} of v`} has invalid size: should be ${shapeText(like[i]!.shape)} but got ${shapeText(t.shape)}`,
        { op },
      );
  return list;
}
const oneOutput = 'the user-provided function returns a single tensor with a single element';
const oneInput = 'the input to the user-provided function is a single tensor with a single element';

/** `[outputs, vᵀJ]`. The vector may be left out where the function returns a single element. */
export function vjp(
  f: Fn,
  inputs: Tensors,
  v?: Tensors,
  { createGraph = false, strict = false }: FunctionalOptions = {},
): [outputs: Tensors, vjp: Tensors] {
  const op = 'vjp';
  const p = problem(op, f, inputs);
  if (strict) demandDependence(op, p.call, p.inputs, outputOf);
  return answered(createGraph, () => {
    const [outputs, pull] = pullBack(p.call, p.inputs);
    const cotangents = pull(vectors(op, v, outputs, oneOutput));
    return [formed(outputs, p.form.single), formed(cotangents, p.single)];
  });
}

/** `[outputs, Jv]`. The vector may be left out where the input is a single element. */
export function jvp(
  f: Fn,
  inputs: Tensors,
  v?: Tensors,
  { createGraph = false, strict = false }: FunctionalOptions = {},
): [outputs: Tensors, jvp: Tensors] {
  const op = 'jvp';
  const p = problem(op, f, inputs);
  if (strict) demandDependence(op, p.call, p.inputs, outputOf);
  const along = vectors(op, v, p.inputs, oneInput);
  return answered(createGraph, () => {
    const [outputs, tangents] = pushAlong(p.call, p.inputs, along);
    return [formed(outputs, p.form.single), formed(tangents, p.form.single)];
  });
}

/** `[output, vᵀH]` for a function with one element as result, reverse over reverse. */
export function vhp(
  f: Fn,
  inputs: Tensors,
  v?: Tensors,
  { createGraph = false, strict = false }: FunctionalOptions = {},
): [output: Tensor, vhp: Tensors] {
  const op = 'vhp';
  const p = problem(op, f, inputs);
  if (strict) demandStrictHessian(op, p);
  const along = vectors(op, v, p.inputs, oneInput);
  return answered(createGraph, () => {
    const [, pull, y] = pullBack(gradientOf(op, p), p.inputs, { hasAux: true }) as unknown as [
      Tensor[],
      (ct: Tensor[]) => Tensor[],
      Tensor,
    ];
    return [y, formed(pull(along), p.single)];
  });
}

/** `[output, Hv]` for a function with one element as result, forward over reverse. */
export function hvp(
  f: Fn,
  inputs: Tensors,
  v?: Tensors,
  { createGraph = false, strict = false }: FunctionalOptions = {},
): [output: Tensor, hvp: Tensors] {
  const op = 'hvp';
  const p = problem(op, f, inputs);
  if (strict) demandStrictHessian(op, p);
  const along = vectors(op, v, p.inputs, oneInput);
  return answered(createGraph, () => {
    const [, products, y] = pushAlong(gradientOf(op, p), p.inputs, along, { hasAux: true }) as unknown as [Tensor[], Tensor[], Tensor];
    return [y, formed(products, p.single)];
  });
}
