// aot(fn, { inputs }): declares a function that the build step compiles ahead of time. Called without a build it is compile(fn) with checks.
import { ArgumentError, DTypeError, ShapeError } from '../../runtime/errors.ts';
import { demandOptions, kindOf } from './arguments.ts';
import { type Compiled, compile } from './compile.ts';
import { type DTypeName, elementOf } from './dtypes.ts';
import { isTensor } from './pytree.ts';
import type { Tensor } from './tensor.ts';

/** A dimension that is open: any size of a range, or a few sizes, each with code of its own. */
export type OpenDim = { readonly name: string } & ({ readonly min: number; readonly max: number } | { readonly sizes: readonly number[] });
/** What a tensor that a caller gives looks like. */
export type TensorSpec = { readonly dtype: DTypeName; readonly shape: readonly (number | OpenDim)[] };
/** A tensor, a plain number, or a list or record of such. */
export type InputSpec = TensorSpec | 'number' | readonly InputSpec[] | { readonly [key: string]: InputSpec };

const targetNames = ['wasm', 'webgpu', 'js'] as const;
/** Where a built function can run: it carries code for each target, and takes the best that it finds. */
export type AotTarget = (typeof targetNames)[number];

export type AotOptions = {
  /** What the function takes: for each parameter, in order, its name and how it looks. */
  readonly inputs: { readonly [parameter: string]: InputSpec };
  /** All of them unless given. */
  readonly targets?: readonly AotTarget[];
  /** A .safetensors file beside the model file, whose tensors the built function has instead of those of the modules at build time. */
  readonly weights?: string;
};

/** A declaration, as the build step finds it. */
export type Declaration = {
  readonly fn: (...args: never[]) => unknown;
  readonly inputs: readonly { readonly name: string; readonly spec: InputSpec }[];
  /** Undefined: all that it can be compiled for. */
  readonly targets: readonly AotTarget[] | undefined;
  readonly weights: string | undefined;
};

const declarations = new WeakMap<object, Declaration>();
/** The declaration behind a value that `aot` gave. */
export const declarationOf = (value: unknown): Declaration | undefined =>
  typeof value === 'function' ? declarations.get(value) : undefined;

const specs = new WeakSet<object>();
const isSpec = (s: InputSpec): s is TensorSpec => typeof s === 'object' && specs.has(s);

/** Describes a tensor: `spec([dim('batch', 1, 64), 784])`, of float32 unless told otherwise. Throws ShapeError for what is no shape. */
export function spec(shape: readonly (number | OpenDim)[], options: { readonly dtype?: DTypeName } = {}): TensorSpec {
  demandOptions('spec', options, ['dtype']);
  const { dtype = 'float32' } = options;
  elementOf(dtype, 'spec');
  if (!Array.isArray(shape))
    throw new ShapeError(`a shape is a list of sizes, not ${typeof shape}`, { op: 'spec', fix: 'write spec([1, 784])' });
  for (const d of shape as readonly (number | OpenDim)[])
    if (!(typeof d === 'number' ? isSize(d) : typeof d === 'object' && d !== null && openDims.has(d)))
      throw new ShapeError(`${typeof d === 'number' ? d : kindOf(d)} is no size`, {
        op: 'spec',
        fix: "use whole numbers, and dim('name', min, max) where it is open",
      });
  const made: TensorSpec = { dtype, shape: [...shape] };
  specs.add(made);
  return made;
}

const openDims = new WeakSet<object>();
const sizeText = (n: unknown): string => (typeof n === 'number' ? String(n) : kindOf(n));
const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

/**
 * A dimension that is open, by a name that stands for one size throughout a call: `dim('batch', 1, 64)` takes every size of the range,
 * `dim('batch', { sizes: [1, 8] })` the given ones. Throws ArgumentError for an empty range.
 */
export function dim(name: string, min: number, max: number): OpenDim;
export function dim(name: string, options: { readonly sizes: readonly number[] }): OpenDim;
export function dim(name: string, range: number | { readonly sizes: readonly number[] }, max?: number): OpenDim {
  if (typeof name !== 'string' || name === '')
    throw new ArgumentError('a dimension has a name', { op: 'dim', fix: "write dim('batch', 1, 64)" });
  let made: OpenDim;
  if (typeof range === 'object' && range !== null) {
    demandOptions('dim', range, ['sizes']);
    const sizes = Array.isArray(range.sizes) && range.sizes.every(isSize) ? [...new Set(range.sizes)].sort((a, b) => a - b) : [];
    if (sizes.length === 0) throw new ArgumentError(`sizes of '${name}' are whole numbers, at least one`, { op: 'dim' });
    made = { name, sizes };
  } else {
    if (!isSize(range) || !isSize(max) || range > max)
      throw new ArgumentError(`'${name}' has no range from ${sizeText(range)} to ${sizeText(max)}`, {
        op: 'dim',
        fix: "write dim('batch', 1, 64)",
      });
    made = { name, min: range, max };
  }
  openDims.add(made);
  return made;
}

/**
 * Declares what `fluxion build` compiles: a function with the shapes that it is called with. Export it:
 *
 *     export const classify = aot((image: Tensor) => model(image).softmax(1), { inputs: { image: spec([1, 784]) } });
 *
 * Called as it is, it is `compile(fn)` that checks its arguments. Throws ArgumentError for a declaration without shapes.
 */
export function aot<A extends readonly unknown[], R>(fn: (...args: A) => R, options: AotOptions): Compiled<A, R> {
  const op = 'aot';
  if (typeof fn !== 'function') throw new ArgumentError(`expected a function, got ${typeof fn}`, { op });
  const fix = 'write { inputs: { image: spec([1, 28, 28]) } }';
  if (typeof options?.inputs !== 'object' || options.inputs === null)
    throw new ArgumentError('there are no shapes to build for', { op, fix });
  demandOptions(op, options, ['inputs', 'targets', 'weights']);
  const inputs = Object.entries(options.inputs).map(([name, given]) => ({ name, spec: given }));
  for (const input of inputs) demandSpec(input.name, input.spec, fix);
  demandOneMeaning(inputs);
  if (inputs.length < fn.length)
    throw new ArgumentError(`the function takes ${fn.length} arguments, of which ${inputs.length} are described`, { op, fix });
  const { targets, weights } = options;
  if (targets !== undefined) demandTargets(targets);
  if (weights !== undefined && typeof weights !== 'string')
    throw new ArgumentError(`weights is the path of a file, but it is ${kindOf(weights)}`, { op });
  const compiled = compile(fn);
  const checked = (...args: A): R => {
    demandArguments(inputs, args);
    return compiled(...args);
  };
  const declared = Object.assign(checked, { traces: compiled.traces, explain: compiled.explain });
  declarations.set(declared, { fn: fn as Declaration['fn'], inputs, targets: targets && [...new Set(targets)], weights });
  return declared;
}

function demandTargets(targets: readonly unknown[]): void {
  const facts = { op: 'aot', fix: `use ${targetNames.join(', ')}` };
  if (!Array.isArray(targets) || targets.length === 0) throw new ArgumentError('there are no targets to build for', facts);
  for (const t of targets as readonly unknown[])
    if (!targetNames.some((name) => name === t))
      throw new ArgumentError(`there is no target ${typeof t === 'string' ? `'${t}'` : `that is ${kindOf(t)}`}`, facts);
}

/** What lies at a place of a specification, with its path: `batch.image`. */
export type SpecLeaf = { readonly path: string; readonly spec: TensorSpec | 'number' };

/** The tensors and numbers of a specification, in order. */
export function specLeaves(path: string, given: InputSpec): SpecLeaf[] {
  if (given === 'number' || isSpec(given)) return [{ path, spec: given }];
  return Object.entries(given).flatMap(([key, inner]) => specLeaves(`${path}.${key}`, inner as InputSpec));
}

/** Specifications nest no deeper than arguments may. */
const deepest = 64;
function demandSpec(path: string, given: InputSpec, fix: string, depth = 0): void {
  if (given === 'number' || (typeof given === 'object' && given !== null && isSpec(given))) return;
  const prototype: unknown = typeof given === 'object' && given !== null ? Object.getPrototypeOf(given) : undefined;
  if ((prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) || depth > deepest)
    throw new ArgumentError(`input '${path}' is not described`, { op: 'aot', fix });
  for (const [key, inner] of Object.entries(given)) demandSpec(`${path}.${key}`, inner as InputSpec, fix, depth + 1);
}

/** One name, one dimension. */
function demandOneMeaning(inputs: Declaration['inputs']): void {
  const meanings = new Map<string, string>();
  for (const d of dimsOf(inputs)) {
    const { name, ...meaning } = d;
    const text = JSON.stringify(meaning);
    if ((meanings.get(name) ?? text) !== text)
      throw new ArgumentError(`the dimension '${name}' is described in two ways`, { op: 'aot', fix: 'make it once, and use it twice' });
    meanings.set(name, text);
  }
}

/** All open dimensions, one for each use. */
export const dimsOf = (inputs: Declaration['inputs']): OpenDim[] =>
  inputs
    .flatMap(({ name, spec: given }) => specLeaves(name, given))
    .flatMap(({ spec: leaf }) => (leaf === 'number' ? [] : leaf.shape.filter((d) => typeof d !== 'number')));

/** Throws where arguments are not as described: ArgumentError, DTypeError or ShapeError, naming the input. */
function demandArguments(inputs: Declaration['inputs'], args: readonly unknown[]): void {
  if (args.length > inputs.length) throw new ArgumentError(`takes ${inputs.length} arguments, not ${args.length}`, { op: 'aot' });
  const sizes = new Map<string, number>();
  inputs.forEach(({ name, spec: given }, i) => void demandArgument(name, given, args[i], sizes));
}

function demandArgument(path: string, given: InputSpec, value: unknown, sizes: Map<string, number>): void {
  const op = 'aot';
  if (given === 'number') {
    if (typeof value !== 'number') throw new ArgumentError(`input '${path}' is a number, not ${nameOf(value)}`, { op });
  } else if (isSpec(given)) {
    if (!isTensor(value)) throw new ArgumentError(`input '${path}' is a tensor, not ${nameOf(value)}`, { op });
    demandTensor(path, given, value, sizes);
  } else {
    if (typeof value !== 'object' || value === null)
      throw new ArgumentError(`input '${path}' is a structure, not ${nameOf(value)}`, { op });
    for (const [key, inner] of Object.entries(given))
      demandArgument(
        `${path}.${key}`,
        inner as InputSpec,
        Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined,
        sizes,
      );
  }
}

function demandTensor(path: string, { dtype, shape }: TensorSpec, t: Tensor, sizes: Map<string, number>): void {
  if (t.dtype !== dtype)
    throw new DTypeError(`input '${path}' is ${dtype}, not ${t.dtype}`, { op: 'aot', fix: `convert it by to('${dtype}')` });
  const fits = (d: number | OpenDim, size: number): boolean => {
    if (typeof d === 'number') return d === size;
    const known = sizes.get(d.name) ?? size;
    sizes.set(d.name, known);
    return known === size && ('sizes' in d ? d.sizes.includes(size) : d.min <= size && size <= d.max);
  };
  if (t.shape.length !== shape.length || !shape.every((d, i) => fits(d, t.shape[i]!)))
    throw new ShapeError(`input '${path}' is [${shape.map(dimText).join(', ')}], not [${t.shape.join(', ')}]`, { op: 'aot' });
}

const nameOf = (value: unknown): string =>
  isTensor(value) ? 'a tensor' : value === undefined ? 'missing' : value === null ? 'null' : `a ${typeof value}`;

/** A dimension in words: `batch=1..64`. */
export const dimText = (d: number | OpenDim): string =>
  typeof d === 'number' ? String(d) : `${d.name}=${'sizes' in d ? d.sizes.join('|') : `${d.min}..${d.max}`}`;
