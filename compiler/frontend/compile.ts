// compile(fn): records fn once per argument signature, and afterwards replays the Program without running fn.

import { type Buffer, hostBuffer } from '../../runtime/buffer.ts';
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import { ArgumentError } from '../../runtime/errors.ts';
import type { OutputPort } from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';
import type { Aval } from '../ir/aval.ts';
import { sameShape } from '../ir/dim.ts';
import { avalOf, type Value } from '../ir/node.ts';
import { type Part, partOf, type ValueId, valueId } from '../jit/structure.ts';
import { isGradEnabled } from './autograd/mode.ts';
import { boundary, deferSteps, type Ended, realise } from './boundary.ts';
import { convert } from './creation.ts';
import { defaultTarget } from './device.ts';
import { requiresGradOf, type View } from './handle.ts';
import { newTensor } from './op.ts';
import { flatten, type Rest, sameRest, unflatten } from './pytree.ts';
import {
  bufferOf,
  currentInterval,
  currentTrace,
  type Guard,
  type HostAction,
  type Interval,
  leafOfBuffer,
  leafRecordOf,
  leaveCall,
  newCall,
  recordedOf,
  slotRecordOf,
  startInterval,
} from './record.ts';
import { commit, type Storage, storageOf, succeed } from './storage.ts';
import type { Tensor } from './tensor.ts';
import type { Layout } from './view.ts';

/** Where a replay finds the buffer of an input. */
type InputSource =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'capture'; readonly storage: Storage }
  | { readonly kind: 'draw'; readonly draw: () => TypedArray; readonly dtype: DType }
  | { readonly kind: 'constant'; readonly buffer: Buffer };
/** A number of the user's, or one that the library reads anew. */
type NumberSource = number | (() => number);

/** Where a replay puts an output. */
type OutputTarget =
  | { readonly kind: 'result'; readonly slot: number }
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'capture'; readonly storage: Storage };

/** Who alone holds an output in the end: then the buffer that its value before last left behind can take the next one. */
type Keeper = { readonly storage: Storage } | { readonly gradientOf: Owner };

/** A tensor that fn returned or left behind: in a storage that existed, or in the `slot`-th new one, seen through a view. */
type Produced = {
  readonly storage: { readonly old: Storage } | { readonly argument: number } | { readonly slot: number };
  readonly via: View | undefined;
  readonly layout: Layout;
  readonly same: Tensor | undefined;
  readonly argument: number | undefined;
};

/** A tensor that fn found: the `argument`-th, or one that it captured. */
type Owner = { readonly argument: number } | { readonly tensor: Tensor };
/** A `.grad` that fn looked at before it wrote it: one that is there counts as one argument more. */
type GradientRead = { readonly of: Owner; readonly present: boolean };

type Specialisation = {
  readonly target: Target;
  readonly rest: Rest;
  /** Of the arguments, and after them of the gradients that fn found. */
  readonly avals: readonly Signature[];
  readonly grad: boolean;
  readonly gradients: readonly GradientRead[];
  readonly guards: readonly Guard[];
  /** Undefined: fn looks at values, or its results need gradients, so it runs on every call as ordinary recording. */
  readonly replay: Replay | undefined;
};
type Replay = {
  readonly part: Part;
  /** Of the Program's inputs, and after them of leaves that fn returned as they are. */
  readonly inputs: readonly InputSource[];
  readonly leaves: readonly StoredLeaf[];
  readonly numbers: readonly NumberSource[];
  readonly outputs: readonly (readonly OutputTarget[])[];
  readonly keepers: readonly (Keeper | undefined)[];
  readonly gradients: readonly { readonly of: Owner; readonly gradient: Produced | null }[];
  readonly results: readonly Produced[];
  readonly result: Rest;
  readonly actions: readonly HostAction[];
};
/** An input, or a number, that a storage holds at the end as it is. */
type StoredLeaf = {
  readonly from: { readonly input: number } | { readonly number: NumberSource };
  readonly target: OutputTarget;
  readonly aval: Aval;
};
type Signature = { readonly dtype: string; readonly shape: readonly number[]; readonly requiresGrad: boolean; readonly alias: number };

export type Compiled<A extends readonly unknown[], R> = ((...args: A) => R) & {
  /** How often fn was run to record it; for tests and curiosity. */
  readonly traces: () => number;
};

/** Specialisations kept per function; the oldest goes first. */
const maxVariants = 64;

/**
 * A function with the meaning of `fn` that runs as one Program: recorded once for each signature of its arguments
 * (shapes, dtypes, requiresGrad, shared storage, structure, and the values of everything that is no tensor), replayed afterwards.
 * A module's mode (training or not) is checked before each replay; other captures that are no tensors keep the value they had.
 * State that fn writes (parameters, gradients, optimiser state) is written by the replay too. A function that observes a value,
 * or returns a tensor that requires grad, runs as ordinary recording on every call: right, and no faster than without `compile`.
 * As `torch.compile`. Throws ArgumentError if fn is no function.
 */
export function compile<A extends readonly unknown[], R>(fn: (...args: A) => R): Compiled<A, R> {
  if (typeof fn !== 'function') throw new ArgumentError(`expected a function, got ${typeof fn}`, { op: 'compile' });
  const known: Specialisation[] = [];
  let traces = 0;
  const compiled = (...args: A): R => {
    // A transform wants the graph of fn, which becomes a part of its own.
    if (currentTrace() !== undefined) return fn(...args);
    const { tensors, rest } = flatten(args);
    const found = known.find((s) => matches(s, tensors, rest));
    if (found?.replay !== undefined) return replay(found.replay, withGradients(tensors, found.gradients)!) as R;
    if (found !== undefined) return fn(...args);
    traces++;
    const target = defaultTarget();
    const grad = isGradEnabled();
    const avals = tensors.map(signature);
    const { result, gradients, found: all, guards, replay: recorded } = trace(fn, args, tensors);
    if (known.length >= maxVariants) known.shift();
    known.push({ target, rest, avals: [...avals, ...all.map(signature).slice(avals.length)], grad, gradients, guards, replay: recorded });
    return result;
  };
  return Object.assign(compiled, { traces: () => traces });
}

const signature = (t: Tensor, i: number, all: readonly Tensor[]): Signature => ({
  dtype: t.element,
  shape: t.shape,
  requiresGrad: requiresGradOf(t),
  alias: all.findIndex((u, j) => j <= i && u.storage === t.storage),
});

function matches(s: Specialisation, args: readonly Tensor[], rest: Rest): boolean {
  if (
    s.target !== defaultTarget() ||
    s.grad !== isGradEnabled() ||
    !sameRest(s.rest, rest) ||
    !s.guards.every((g) => Object.is(g.read(), g.value))
  )
    return false;
  const tensors = withGradients(args, s.gradients);
  if (tensors?.length !== s.avals.length) return false;
  for (let i = 0; i < tensors.length; i++) {
    const t = tensors[i]!;
    const a = s.avals[i]!;
    if (
      t.element !== a.dtype ||
      !sameShape(t.shape, a.shape) ||
      requiresGradOf(t) !== a.requiresGrad ||
      tensors[a.alias]!.storage !== t.storage ||
      t.via !== undefined
    )
      return false;
  }
  return true;
}

/** The arguments and, after them, the gradients that are there; undefined where one is missing, or there and was not. */
function withGradients(args: readonly Tensor[], gradients: readonly GradientRead[]): readonly Tensor[] | undefined {
  if (gradients.length === 0) return args;
  const all = [...args];
  for (const { of, present } of gradients) {
    const { gradient } = owned(of, all);
    if ((gradient !== null) !== present) return undefined;
    if (gradient !== null) all.push(gradient);
  }
  return all;
}

const owned = (of: Owner, args: readonly Tensor[]): Tensor => ('argument' in of ? args[of.argument]! : of.tensor);
const ownerOf = (tensor: Tensor, args: readonly Tensor[]): Owner =>
  args.includes(tensor) ? { argument: args.indexOf(tensor) } : { tensor };

/** Runs fn once, recording it as an interval of its own; what it did is described so that it can be done again. */
function trace<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  args: A,
  tensors: readonly Tensor[],
): { result: R; gradients: readonly GradientRead[]; found: readonly Tensor[]; guards: readonly Guard[]; replay: Replay | undefined } {
  boundary();
  const call = newCall(new Set());
  startInterval(call);
  const interval = currentInterval();
  const reads = interval.gradients;
  const { guards } = call;
  let result: R;
  try {
    result = deferSteps(() => fn(...args));
  } catch (error) {
    leaveCall();
    throw error;
  }
  const { gradients, found } = gradientsFound(reads, tensors);
  const { tensors: results, rest } = flatten(result);
  const whole = currentInterval() === interval && !(result instanceof Promise) && interval.repeatable;
  const detached = results.every((t) => !requiresGradOf(t)) && found.every((t) => t.via === undefined);
  const described = whole && detached ? describe(interval, found, results) : undefined;
  const ended = boundary(results.map((t) => t.value()));
  startInterval(undefined);
  if (described === undefined || ended === undefined) return { result, gradients, found, guards, replay: undefined };
  return { result, gradients, found, guards, replay: { ...described(ended), result: rest } };
}

function gradientsFound(
  reads: Interval['gradients'],
  args: readonly Tensor[],
): { gradients: readonly GradientRead[]; found: readonly Tensor[] } {
  const found = [...args];
  const gradients: GradientRead[] = [];
  for (const [t, gradient] of reads) {
    gradients.push({ of: ownerOf(t as Tensor, found), present: gradient !== null });
    if (gradient !== null) found.push(gradient as Tensor);
  }
  return { gradients, found };
}

/** Everything about the interval that its end forgets, as a function of what the end finds out. */
function describe(interval: Interval, args: readonly Tensor[], results: readonly Tensor[]): (ended: Ended) => Omit<Replay, 'result'> {
  const { sources } = interval.call!;
  const written = [...interval.written.keys()];
  const touched = [...interval.touched] as Tensor[];
  const actions = [...interval.actions];
  const argumentOf = (storage: Storage): number => args.findIndex((t) => t.storage === storage);
  const fresh: Storage[] = [];
  const produced = (t: Tensor): Produced => {
    const { storage } = t;
    const index = argumentOf(storage);
    const old = storage.born !== interval;
    if (!old && !fresh.includes(storage)) fresh.push(storage);
    const argument = args.indexOf(t);
    return {
      storage: index >= 0 ? { argument: index } : old ? { old: storage } : { slot: fresh.indexOf(storage) },
      via: t.via,
      layout: t.layout,
      same: old && index < 0 ? t : undefined,
      argument: argument >= 0 ? argument : undefined,
    };
  };
  const resultOf = results.map(produced);
  const gradients = touched.map((of) => ({ of: ownerOf(of, args), gradient: of.gradient === null ? null : produced(of.gradient) }));
  const stored = new Map<Storage, Value>([...written, ...fresh].map((s) => [s, s.value]));
  return ({ stretch, structure, roots }) => {
    const part = partOf(structure, roots);
    const read = part.reads.map((i) => stretch.leaves[i]!);
    const outputs = roots.map((): OutputTarget[] => []);
    const at = new Map<ValueId, number>(roots.map((id, i) => [id, i]));
    const given = read.filter((v) => v.node.op === 'input');
    const leaves: StoredLeaf[] = [];
    for (const [storage, value] of stored) {
      const index = argumentOf(storage);
      const target: OutputTarget = fresh.includes(storage)
        ? { kind: 'result', slot: fresh.indexOf(storage) }
        : index >= 0
          ? { kind: 'argument', index }
          : { kind: 'capture', storage };
      if (value.node.op === 'input') {
        if (!given.includes(value)) given.push(value);
        leaves.push({ from: { input: given.indexOf(value) }, target, aval: avalOf(value) });
        continue;
      }
      if (value.node.op === 'slot') {
        leaves.push({ from: { number: numberOf(value) }, target, aval: avalOf(value) });
        continue;
      }
      const r = recordedOf(value.node);
      const i = at.get(valueId(r.position, value.index));
      if (i !== undefined) outputs[i]!.push(target);
    }
    const inputs = given.map((v): InputSource => {
      const storage = sources.get(v.node);
      const { draw } = leafRecordOf(v.node);
      if (draw !== undefined && (storage === undefined || storage.born === interval || written.includes(storage)))
        return { kind: 'draw', draw, dtype: avalOf(v).dtype };
      if (storage === undefined || storage.born === interval) return { kind: 'constant', buffer: bufferOf(v)! };
      const index = argumentOf(storage);
      return index >= 0 ? { kind: 'argument', index } : { kind: 'capture', storage };
    });
    const numbers = read.filter((v) => v.node.op === 'slot').map(numberOf);
    const keepers = keepersOf(part.executable.program.outputs, outputs, gradients, resultOf);
    return { part, inputs, leaves, numbers, outputs, keepers, gradients, results: resultOf, actions };
  };
}

/** An output is kept by one alone if no other output has its buffer, and one target takes it: a captured storage, or a gradient that is not returned. */
function keepersOf(
  ports: readonly OutputPort[],
  outputs: readonly (readonly OutputTarget[])[],
  gradients: Replay['gradients'],
  results: readonly Produced[],
): (Keeper | undefined)[] {
  const isShared = new Set(ports.flatMap(({ alias }, i) => (alias === undefined ? [] : alias.space === 'output' ? [i, alias.index] : [i])));
  const made = [...results, ...gradients.map((g) => g.gradient)].flatMap((p) =>
    p !== null && 'slot' in p.storage ? [p.storage.slot] : [],
  );
  const uses = new Map<number, number>();
  for (const slot of made) uses.set(slot, (uses.get(slot) ?? 0) + 1);
  const ownerOfSlot = new Map<number, Owner>();
  for (const { of, gradient } of gradients)
    if (gradient?.via === undefined && gradient !== null && 'slot' in gradient.storage) ownerOfSlot.set(gradient.storage.slot, of);
  return outputs.map(([target, ...others], i) => {
    if (target === undefined || others.length > 0 || isShared.has(i)) return undefined;
    if (target.kind === 'capture') return { storage: target.storage };
    const of = target.kind === 'result' && uses.get(target.slot) === 1 ? ownerOfSlot.get(target.slot) : undefined;
    return of && { gradientOf: of };
  });
}

const numberOf = ({ node }: Value): NumberSource => slotRecordOf(node).source ?? slotRecordOf(node).value;
const currentNumber = (n: NumberSource): number => (typeof n === 'number' ? n : n());

function bufferAt(source: InputSource, args: readonly Tensor[]): Buffer {
  switch (source.kind) {
    case 'argument':
      return realise(args[source.index]!.storage.value);
    case 'capture':
      return realise(source.storage.value);
    case 'draw':
      return hostBuffer(source.dtype, source.draw());
    case 'constant':
      return source.buffer;
  }
}

function replay(r: Replay, args: readonly Tensor[]): unknown {
  const inputs = r.inputs.map((source) => bufferAt(source, args));
  const undo = r.actions.map((action) => action());
  const numbers = Float64Array.from(r.numbers, currentNumber);
  const { executable } = r.part;
  const kept = r.keepers.map((k) => k && ('storage' in k ? k.storage : owned(k.gradientOf, args).gradient?.storage));
  let outputs: readonly Buffer[];
  try {
    outputs = executable.execute(
      inputs.slice(0, executable.program.inputs.length),
      numbers,
      kept.map((s) => s?.spare),
    );
  } catch (error) {
    for (const back of undo.reverse()) back?.();
    throw error;
  }
  const fresh: Storage[] = [];
  const put = (target: OutputTarget, buffer: Buffer, aval: Aval, isKept: boolean, before?: Storage): void => {
    const value = leafOfBuffer(buffer, aval);
    if (target.kind === 'result') {
      const storage = storageOf(value);
      fresh[target.slot] = storage;
      if (isKept) succeed(storage, before);
    } else commit(target.kind === 'argument' ? args[target.index]!.storage : target.storage, value, isKept);
  };
  r.outputs.forEach((targets, i) => {
    const { dtype, shape } = executable.program.outputs[i]!;
    for (const target of targets) put(target, outputs[i]!, { dtype, shape }, r.keepers[i] !== undefined, kept[i]);
  });
  for (const { from, target, aval } of r.leaves) {
    const buffer = 'input' in from ? inputs[from.input]! : hostBuffer(aval.dtype, convert([currentNumber(from.number)], aval.dtype));
    put(target, buffer, aval, false);
  }
  const make = (p: Produced): Tensor => {
    if (p.argument !== undefined) return args[p.argument]!;
    if (p.same !== undefined) return p.same;
    const storage =
      'slot' in p.storage ? fresh[p.storage.slot]! : 'argument' in p.storage ? args[p.storage.argument]!.storage : p.storage.old;
    return newTensor(storage, p.via === undefined ? undefined : { ...p.via, base: newTensor(storage) }, p.layout);
  };
  for (const { of, gradient } of r.gradients) owned(of, args).gradient = gradient === null ? null : make(gradient);
  return unflatten(r.result, r.results.map(make));
}
