// gradcheck: gradients as backward() gives them, compared with central differences.
import { isFloat } from '../../../runtime/dtype.ts';
import { ArgumentError, AutogradError } from '../../../runtime/errors.ts';
import { fromTypedArray, randn } from '../creation.ts';
import { jvp } from '../func/forward.ts';
import { jacfwd, jacrev } from '../func/jacobian.ts';
import { vjp } from '../func/reverse.ts';
import { isTensor } from '../pytree.ts';
import { Generator } from '../random.ts';
import type { Tensor } from '../tensor.ts';
import { grad } from './backward.ts';
import { noGrad } from './mode.ts';

/** A gradient that is not that of the function, or not the same twice. */
export class GradcheckError extends AutogradError {
  override readonly code: string = 'GRADCHECK';
}

export type GradcheckOptions = {
  /** Half the distance of the two points of a difference. */
  readonly eps?: number;
  readonly atol?: number;
  readonly rtol?: number;
  /** Throw on a mismatch (the default), or give false. */
  readonly raiseException?: boolean;
  /** How far two runs at the same point may differ. */
  readonly nondetTol?: number;
  /** Compare one random projection of each Jacobian instead of every element: two evaluations for each input. */
  readonly fastMode?: boolean;
  /** Check reverse mode: default true. */
  readonly checkBackwardAd?: boolean;
  /** Check forward mode as well. */
  readonly checkForwardAd?: boolean;
  /** Check the gradient of a batch of cotangents as well. */
  readonly checkBatchedGrad?: boolean;
  /** Check tangents of a batch of directions as well; asks for `checkForwardAd`. */
  readonly checkBatchedForwardGrad?: boolean;
  /** Check that gradients are none or zero where those of all outputs are: default true. */
  readonly checkUndefinedGrad?: boolean;
  /** Check that gradients have the dtypes of their inputs. */
  readonly checkGradDtypes?: boolean;
};
export type GradgradcheckOptions = Omit<GradcheckOptions, 'checkForwardAd' | 'checkBackwardAd' | 'checkBatchedForwardGrad'> & {
  /** Check the gradient of the gradient in forward mode. */
  readonly checkFwdOverRev?: boolean;
  /** Check it in reverse mode: default true. */
  readonly checkRevOverRev?: boolean;
};
type Settings = Required<GradcheckOptions>;
const defaults: Settings = {
  eps: 1e-6,
  atol: 1e-5,
  rtol: 1e-3,
  raiseException: true,
  nondetTol: 0,
  fastMode: false,
  checkBackwardAd: true,
  checkForwardAd: false,
  checkBatchedGrad: false,
  checkBatchedForwardGrad: false,
  checkUndefinedGrad: true,
  checkGradDtypes: false,
};

/** What is checked: the function on lists, its arguments, and which of these take part. */
type Check = {
  readonly op: string;
  readonly f: (...inputs: Tensor[]) => Tensor[];
  readonly inputs: readonly Tensor[];
  readonly by: readonly number[];
  readonly settings: Settings;
};

/** A Jacobian as a list of rows, one for each element of the output. */
type Matrix = { readonly rows: number; readonly columns: number; readonly data: Float64Array };

/**
 * Compares the gradients of `f` by all inputs that require grad with central differences; true if they agree. As `torch.autograd.gradcheck`,
 * with its tolerances, which are made for float64: other inputs get a warning. Throws GradcheckError with both Jacobians where they differ,
 * and where the function or its gradient is not deterministic.
 */
export function gradcheck(
  f: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  return checked('gradcheck', f, inputs, options);
}

/**
 * The same for the gradients as functions of the inputs and of `gradOutputs` (random ones if left out): whether second derivatives are right.
 * As `torch.autograd.gradgradcheck`.
 */
export function gradgradcheck(
  f: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  gradOutputs?: Tensor | readonly Tensor[],
  { checkFwdOverRev = false, checkRevOverRev = true, ...options }: GradgradcheckOptions = {},
): boolean {
  const list = listOf('gradgradcheck', inputs);
  const outputs = differentiable(listed('gradgradcheck', f)(...list));
  const generator = new Generator().manualSeed(seed);
  const seeds =
    gradOutputs === undefined
      ? outputs.map((y) => randn(y.shape, { dtype: y.dtype, generator, requiresGrad: true }))
      : listOf('gradgradcheck', gradOutputs);
  const first = (...args: Tensor[]): Tensor[] => {
    const xs = args.slice(0, list.length);
    const wanted = xs.filter((x) => x.requiresGrad);
    const found = grad(differentiable(listed('gradgradcheck', f)(...xs)), wanted, {
      gradOutputs: args.slice(list.length),
      createGraph: true,
      allowUnused: true,
    });
    return found.filter((g): g is Tensor => g !== null);
  };
  if (!checkRevOverRev && !checkFwdOverRev)
    throw new ArgumentError('expects at least one of checkRevOverRev and checkFwdOverRev', { op: 'gradgradcheck' });
  const all = [...list, ...seeds];
  if (checkRevOverRev && !checked('gradgradcheck', first, all, options)) return false;
  if (!checkFwdOverRev) return true;
  // A transform records nothing for grad(), so what it differentiates takes the gradient by a transform too.
  const wanted = list.flatMap((t, i) => (t.requiresGrad ? [i] : []));
  const places = listed('gradgradcheck', f)(...list).flatMap((y, i) => (y.requiresGrad ? [i] : []));
  const transformed = (...args: Tensor[]): Tensor[] => {
    const of = (...xs: Tensor[]): Tensor[] => {
      const ys = listed('gradgradcheck', f)(...list.map((_, i) => (wanted.includes(i) ? xs[wanted.indexOf(i)]! : args[i]!)));
      return places.map((i) => ys[i]!);
    };
    const [, pull] = vjp(
      of,
      wanted.map((i) => args[i]!),
    );
    return pull(args.slice(list.length));
  };
  return checked('gradgradcheck', transformed, all, { ...options, checkForwardAd: true, checkBackwardAd: false, checkBatchedGrad: false });
}

/** Projections must be the same on every run. */
const seed = 2147483647;

const listOf = (op: string, given: Tensor | readonly Tensor[]): Tensor[] => {
  const list = isTensor(given) ? [given] : given;
  if (!Array.isArray(list) || !list.every(isTensor)) throw new ArgumentError('expected a tensor or a list of tensors', { op });
  return [...(list as Tensor[])];
};
const listed =
  (op: string, f: (...inputs: Tensor[]) => Tensor | readonly Tensor[]) =>
  (...inputs: Tensor[]): Tensor[] =>
    listOf(op, f(...inputs));
const differentiable = (outputs: readonly Tensor[]): Tensor[] => outputs.filter((y) => y.requiresGrad);

function checked(
  op: string,
  f: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  given: Tensor | readonly Tensor[],
  options: GradcheckOptions,
): boolean {
  if (typeof f !== 'function') throw new ArgumentError(`expected a function, got ${typeof f}`, { op });
  const settings = { ...defaults, ...options };
  if (!settings.checkBackwardAd && !settings.checkForwardAd)
    throw new ArgumentError('expects at least one of backward and forward mode to be checked', { op });
  if (settings.checkBatchedForwardGrad && !settings.checkForwardAd)
    throw new ArgumentError('checkBatchedForwardGrad needs checkForwardAd', { op });
  if (settings.checkBatchedGrad && !settings.checkBackwardAd) throw new ArgumentError('checkBatchedGrad needs checkBackwardAd', { op });
  const inputs = listOf(op, given);
  const by = inputs.flatMap((t, i) => (t.requiresGrad ? [i] : []));
  if (by.length === 0)
    throw new ArgumentError('expects at least one input tensor to require gradient, but none of them does', {
      op,
      fix: 'set requiresGrad on the inputs',
    });
  for (const i of by)
    if (inputs[i]!.element !== 'f64')
      console.warn(
        `${op}: input #${i} requires gradient and is not float64, for which the tolerances are made; the check will likely fail`,
      );
  try {
    compare({ op, f: listed(op, f), inputs, by, settings });
    return true;
  } catch (error) {
    if (error instanceof GradcheckError && !settings.raiseException) return false;
    throw error;
  }
}

function compare(check: Check): void {
  const { f, inputs, settings } = check;
  demandDeterministic(check);
  for (const [o, y] of f(...inputs).entries()) {
    if (!isFloat(y.element)) continue;
    if (settings.checkBackwardAd || !y.requiresGrad) {
      if (settings.fastMode) compareProjections(check, o);
      else compareJacobians(check, o, y.requiresGrad);
    }
    if (!y.requiresGrad) continue;
    if (settings.checkForwardAd) compareForward(check, o);
    if (settings.checkBatchedForwardGrad) compareTransform(check, o, 'a batch of tangents', jacfwd);
    if (settings.checkBatchedGrad) compareTransform(check, o, 'a batch of cotangents', jacrev);
  }
  if (!settings.checkBackwardAd) return;
  if (settings.checkGradDtypes) demandDTypes(check);
  if (settings.checkUndefinedGrad) demandLinear(check);
}

/** Gradients by all inputs, for the cotangents given. */
const gradientsOf = ({ inputs, by }: Check, outputs: readonly Tensor[], gradOutputs: readonly Tensor[]): (Tensor | null)[] =>
  grad(
    outputs,
    by.map((i) => inputs[i]!),
    { gradOutputs, allowUnused: true },
  );

/** Backward is linear: where all gradients of the outputs are zero, so is what it gives. That some may be missing, Jacobians have shown row by row. */
function demandLinear(check: Check): void {
  const { op, f, inputs, by } = check;
  const outputs = differentiable(f(...inputs));
  if (outputs.length === 0) return;
  const zeros = outputs.map((y) => likeOf(y, new Float64Array(y.numel())));
  for (const [i, g] of gradientsOf(check, outputs, zeros).entries())
    if (g !== null && elementsOf(g).some((v) => v !== 0))
      throw new GradcheckError(
        `backward is not multiplied by the gradients of the outputs: all of them are zero, and the gradient of input ${by[i]} is ${g}`,
        { op },
      );
}

/** Gradients as backward hands them on, before accumulation casts them. */
function demandDTypes(check: Check): void {
  const { op, f, inputs, by } = check;
  const outputs = differentiable(f(...inputs));
  if (outputs.length === 0) return;
  for (const [i, g] of gradientsOf(check, outputs, outputs.map(ones)).entries()) {
    const x = inputs[by[i]!]!;
    if (g !== null && g.dtype !== x.dtype)
      throw new GradcheckError(`the gradient of input ${by[i]} is ${g.dtype}, where the input is ${x.dtype}`, { op });
  }
}

/** Two runs at one point must agree, and two backward passes too. */
function demandDeterministic({ op, f, inputs, by, settings }: Check): void {
  const [one, other] = [f(...inputs), f(...inputs)];
  for (const [i, y] of one.entries())
    if (!near(elementsOf(y), elementsOf(other[i]!), settings.nondetTol, 0))
      throw new GradcheckError(`the function is not deterministic: output ${i} differs between two runs with the same inputs`, { op });
  const outputs = differentiable(one);
  if (outputs.length === 0) return;
  const back = (): (Tensor | null)[] =>
    grad(
      outputs,
      by.map((i) => inputs[i]!),
      { gradOutputs: outputs.map(ones), retainGraph: true, allowUnused: true },
    );
  const [first, second] = [back(), back()];
  for (const [i, g] of first.entries())
    if (g !== null && !near(elementsOf(g), elementsOf(second[i]!), settings.nondetTol, 0))
      throw new GradcheckError(
        `backward is not reentrant: running it twice with the same input and gradient gives different values for input ${by[i]} (tolerance for nondeterminism ${settings.nondetTol})`,
        { op },
      );
}

function compareJacobians(check: Check, output: number, requiresGrad: boolean): void {
  const { op, by, settings } = check;
  const analytical = requiresGrad ? analyticalJacobians(check, output) : undefined;
  for (const [i, input] of by.entries()) {
    const numerical = numericalJacobian(check, output, input);
    if (analytical === undefined) {
      if (!near(new Float64Array(numerical.data.length), numerical.data, settings.atol, 0))
        throw new GradcheckError(`numerical gradient for function expected to be zero: output ${output} does not require grad`, { op });
      continue;
    }
    demandNear(check, output, input, numerical, analytical[i]!, '');
  }
}

function compareTransform(check: Check, output: number, what: string, transform: typeof jacrev): void {
  const pick = (...args: Tensor[]): Tensor => check.f(...args)[output]!;
  const blocks = transform(pick, { argnums: check.by })(...check.inputs) as readonly Tensor[];
  for (const [i, input] of check.by.entries()) {
    const numerical = numericalJacobian(check, output, input);
    demandNear(check, output, input, numerical, { ...numerical, data: elementsOf(blocks[i]!) }, ` for ${what}`);
  }
}

/** Forward mode column by column, as one call of jvp for each; in fast mode along one random direction. */
function compareForward(check: Check, output: number): void {
  const { f, inputs, by, settings } = check;
  const generator = new Generator().manualSeed(seed);
  for (const input of by) {
    const x = inputs[input]!;
    const along = (direction: Float64Array): Float64Array => {
      const tangents = by.map((i) => likeOf(inputs[i]!, i === input ? direction : new Float64Array(inputs[i]!.numel())));
      const moving = (...xs: Tensor[]): Tensor => f(...inputs.map((t, i) => (by.includes(i) ? xs[by.indexOf(i)]! : t)))[output]!;
      return elementsOf(
        jvp(
          moving,
          by.map((i) => inputs[i]!),
          tangents,
        )[1],
      );
    };
    const columns = settings.fastMode ? [unitVector(x.numel(), generator)] : units(x.numel());
    demandNear(
      check,
      output,
      input,
      matrixOf(columns.map((direction) => difference(check, output, input, direction))),
      matrixOf(columns.map(along)),
      ' in forward mode',
    );
  }
}

const units = (n: number): Float64Array[] =>
  Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (__, j) => Number(i === j)));
function matrixOf(columns: readonly Float64Array[]): Matrix {
  const rows = columns[0]?.length ?? 0;
  const data = new Float64Array(rows * columns.length);
  for (const [j, column] of columns.entries()) for (const [i, v] of column.entries()) data[i * columns.length + j] = v;
  return { rows, columns: columns.length, data };
}

function demandNear({ op, settings }: Check, output: number, input: number, numerical: Matrix, analytical: Matrix, what: string): void {
  if (near(analytical.data, numerical.data, settings.atol, settings.rtol)) return;
  throw new GradcheckError(
    `Jacobian mismatch${what} for output ${output} with respect to input ${input},\nnumerical:${textOf(numerical)}\nanalytical:${textOf(analytical)}\n${worst(numerical, analytical)}\n`,
    { op },
  );
}

/** Where the two are furthest apart. */
function worst(numerical: Matrix, analytical: Matrix): string {
  const { columns, data } = numerical;
  const distance = (i: number): number => {
    const d = Math.abs(data[i]! - analytical.data[i]!);
    return Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
  };
  let at = 0;
  for (let i = 1; i < data.length; i++) if (distance(i) > distance(at)) at = i;
  return `furthest apart at [${Math.floor(at / columns)},${at % columns}]: numerical ${data[at]}, analytical ${analytical.data[at]}`;
}

const textOf = ({ rows, columns, data }: Matrix): string => fromTypedArray(data, [rows, columns]).toString();
const elementsOf = (t: Tensor): Float64Array => Float64Array.from(t.detach().dataSync() as Float64Array, Number);
const ones = (t: Tensor): Tensor => likeOf(t, new Float64Array(t.numel()).fill(1));
/** Numbers in the shape and dtype of a tensor. */
const likeOf = (t: Tensor, data: Float64Array): Tensor => fromTypedArray(data, t.shape).to(t.dtype);

/** |a - n| <= atol + rtol |n|, and NaN is near nothing. */
function near(analytical: Float64Array, numerical: Float64Array, atol: number, rtol: number): boolean {
  if (analytical.length !== numerical.length) return false;
  for (let i = 0; i < analytical.length; i++) {
    const [a, n] = [analytical[i]!, numerical[i]!];
    if (a !== n && !(Math.abs(a - n) <= atol + rtol * Math.abs(n))) return false;
  }
  return true;
}

/** Row by row: one backward pass for each element of the output. */
function analyticalJacobians({ f, inputs, by }: Check, output: number): Matrix[] {
  const y = f(...inputs)[output]!;
  const wanted = by.map((i) => inputs[i]!);
  const found = wanted.map((x): Matrix => ({ rows: y.numel(), columns: x.numel(), data: new Float64Array(y.numel() * x.numel()) }));
  for (let row = 0; row < y.numel(); row++) {
    const unit = new Float64Array(y.numel());
    unit[row] = 1;
    const gradients = grad(y, wanted, { gradOutputs: [likeOf(y, unit)], retainGraph: true, allowUnused: true });
    for (const [i, g] of gradients.entries()) if (g !== null) found[i]!.data.set(elementsOf(g), row * found[i]!.columns);
  }
  return found;
}

/** Column by column: two evaluations for each element of the input. */
function numericalJacobian(check: Check, output: number, input: number): Matrix {
  const columns = units(check.inputs[input]!.numel()).map((direction) => difference(check, output, input, direction));
  return columns.length > 0
    ? matrixOf(columns)
    : { rows: check.f(...check.inputs)[output]!.numel(), columns: 0, data: new Float64Array(0) };
}

/** The central difference of an output when an input moves along `direction`. */
function difference({ f, inputs, settings }: Check, output: number, input: number, direction: Float64Array): Float64Array {
  const at = (step: number): Float64Array => {
    const x = inputs[input]!;
    const data = elementsOf(x);
    for (let i = 0; i < data.length; i++) data[i]! += step * direction[i]!;
    const moved = noGrad(() => likeOf(x, data)).requiresGrad_(x.requiresGrad);
    return elementsOf(f(...inputs.map((t, i) => (i === input ? moved : t)))[output]!);
  };
  const [high, low] = [at(settings.eps), at(-settings.eps)];
  return high.map((h, i) => (h - low[i]!) / (2 * settings.eps));
}

/** vᵀJu for random u and v instead of J; the Jacobians are only computed to report a mismatch. */
function compareProjections(check: Check, output: number): void {
  const { f, inputs, by, settings } = check;
  const generator = new Generator().manualSeed(seed);
  const y = f(...inputs)[output]!;
  const v = unitVector(y.numel(), generator);
  const wanted = by.map((i) => inputs[i]!);
  const gradients = y.requiresGrad ? grad(y, wanted, { gradOutputs: [likeOf(y, v)], allowUnused: true }) : wanted.map(() => null);
  for (const [i, input] of by.entries()) {
    const u = unitVector(wanted[i]!.numel(), generator);
    const numerical = dot(v, difference(check, output, input, u));
    const g = gradients[i]!;
    const analytical = g === null ? 0 : dot(elementsOf(g), u);
    // A projection sums up what the elements may be off by.
    const atol = settings.atol * sum(u) * sum(v);
    if (Math.abs(analytical - numerical) <= atol + settings.rtol * Math.abs(numerical)) continue;
    compareJacobians(check, output, y.requiresGrad);
    throw new GradcheckError(
      `Jacobian mismatch for output ${output} with respect to input ${input} in fast mode, though element by element it is within tolerance,\nnumerical: ${numerical}\nanalytical: ${analytical}`,
      { op: check.op },
    );
  }
}

const sum = (v: Float64Array): number => v.reduce((s, x) => s + x, 0);
const dot = (x: Float64Array, y: Float64Array): number => x.reduce((s, v, i) => s + v * y[i]!, 0);

/** Of positive elements, so that errors of one sign do not cancel. */
function unitVector(n: number, generator: Generator): Float64Array {
  const v = Float64Array.from({ length: n }, () => generator.uniform53());
  const norm = Math.sqrt(dot(v, v));
  return norm === 0 ? v : v.map((x) => x / norm);
}
