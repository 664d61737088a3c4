// vmap: a function of one example becomes a function of a batch.
import { readSync } from '../../../runtime/buffer.ts';
import { allocate, type TypedArray } from '../../../runtime/dtype.ts';
import { ArgumentError, ShapeError } from '../../../runtime/errors.ts';
import { batched } from '../../autodiff/batch.ts';
import type { Aval } from '../../ir/aval.ts';
import { b, full } from '../../ir/builder.ts';
import { avalOf, shapeOf, type Value } from '../../ir/node.ts';
import { inFront, moveAxis } from '../../ops/batching.ts';
import { wantsGradient } from '../autograd/wanted.ts';
import { newTensor } from '../op.ts';
import { flatten, type Rest, unflatten } from '../pytree.ts';
import { nextStream } from '../random.ts';
import { type LeafRecord, leafOf, leafRecordOf, slotRecordOf } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { inChunks } from './chunks.ts';
import { type AnyFunction, applyTraced, type Traced, trace } from './trace.ts';

/** A dimension for all tensors below, null where they are not mapped, or a tree that goes on like the arguments. */
export type Dims = number | null | readonly Dims[] | { readonly [key: string]: Dims };

export type VmapOptions = {
  /** The dimension that is mapped over; one for all, or one for each argument. Default 0. */
  readonly inDims?: Dims;
  /** Where it stands in the results. Default 0. */
  readonly outDims?: Dims;
  /** What random functions do: refuse (the default), give every example the same numbers, or each its own. */
  readonly randomness?: 'error' | 'same' | 'different';
  /** Examples computed at a time; default all. Fewer take less memory. */
  readonly chunkSize?: number;
};

/**
 * A function that does for all examples along a dimension of its arguments what `f` does for one; `f` sees its arguments without that
 * dimension. As `torch.func.vmap`. Throws where the sizes differ, where a dimension is out of range, and where `f` looks at a value.
 */
export function vmap<A extends readonly unknown[], R>(f: (...args: A) => R, options: VmapOptions = {}): (...args: A) => R {
  return (...args) => map(f, args, options) as R;
}

function map(f: AnyFunction, args: readonly unknown[], { inDims = 0, outDims = 0, randomness = 'error', chunkSize }: VmapOptions): unknown {
  if (!['error', 'same', 'different'].includes(randomness))
    throw new ArgumentError(`randomness is 'error', 'same' or 'different', got ${String(randomness)}`, { op: 'vmap' });
  const { tensors, rest } = flatten(args);
  const dims = inputDims(rest, inDims, tensors);
  const size = batchSize(tensors, dims);
  const examples = tensors.map((t, i): Aval => ({ dtype: t.element, shape: t.shape.filter((_, axis) => axis !== dims[i]) }));
  const shared = trace('vmap', f, rest, examples, { differentiates: false, wanted: tensors.map(wantsGradient) });
  if (randomness === 'error') demandNoDraws(shared);
  const traced = randomness === 'different' ? drawnAnew(shared, size) : shared;
  const isBatched = [
    ...dims.map((d) => d !== null),
    ...traced.captures.map((t, i) => t !== shared.captures[i]),
    ...traced.slots.map((v) => randomness === 'different' && isStream(v)),
  ];
  const targets = outputDims(traced.result, outDims, traced.graph.outputs.map(avalOf));
  const found = whileRandomnessIs(randomness, () =>
    applyTraced('vmap', traced, tensors, [], (inputs) => {
      const front = inputs.map((v, i) => {
        const dim = dims[i];
        if (dim != null) return moveAxis(v, dim, 0);
        return isBatched[i] && i >= inputs.length - traced.slots.length ? streams(v, size) : v;
      });
      let mapped: readonly boolean[] = [];
      const all = inChunks(
        'vmap',
        size,
        chunkSize,
        (start, count) => {
          const piece = front.map((v, i) => (isBatched[i] ? members(v, start, count) : v));
          const { values, isBatched: many } = batched(traced.graph, piece, isBatched, count);
          mapped = many;
          return values;
        },
        (i) => mapped[i]!,
      );
      return all.map((v, i) => placed(v, mapped[i]!, targets[i]!, size));
    }),
  );
  return unflatten(traced.result, found);
}

let randomnessNow: NonNullable<VmapOptions['randomness']> = 'error';
/** What random functions do in the batch that is being made, for functions that bring a rule of their own. */
export const currentRandomness = (): typeof randomnessNow => randomnessNow;
function whileRandomnessIs<T>(randomness: typeof randomnessNow, f: () => T): T {
  const before = randomnessNow;
  randomnessNow = randomness;
  try {
    return f();
  } finally {
    randomnessNow = before;
  }
}

function placed(v: Value, isMapped: boolean, dim: number | null, size: number): Value {
  if (dim !== null) return moveAxis(inFront(v, isMapped, size), 0, dim);
  if (isMapped) throw new ArgumentError('outDims is null for a result that depends on the mapped arguments', { op: 'vmap' });
  return v;
}

/** Members `start` to `start + count` of a batch. */
function members(v: Value, start: number, count: number): Value {
  const shape = shapeOf(v) as readonly number[];
  if (count === shape[0]) return v;
  const along = (first: number, others: (size: number) => number): number[] => shape.map((n, i) => (i === 0 ? first : others(n)));
  return b.slice(v, { start: along(start, () => 0), stop: along(start + count, (n) => n), step: along(1, () => 1) });
}

/** The mapped dimension of each tensor, counted from the front. */
function inputDims(args: Rest, inDims: Dims, tensors: readonly Tensor[]): readonly (number | null)[] {
  const found = new Array<number | null>(tensors.length).fill(null);
  spread(args, inDims, 'inDims', 'the arguments', (leaf, dim) => {
    if (leaf.kind === 'static') {
      if (dim !== null && leaf.value != null)
        throw new ArgumentError(`got inDims ${dim} for an argument that is no tensor but a ${typeof leaf.value}`, {
          op: 'vmap',
          fix: 'use null as its dimension',
        });
      return;
    }
    if (leaf.kind === 'tensor') found[leaf.index] = dim === null ? null : axisOf(dim, tensors[leaf.index]!.ndim, 'inDims', 'a tensor');
  });
  return found;
}

function outputDims(result: Rest, outDims: Dims, avals: readonly Aval[]): readonly (number | null)[] {
  const found = new Array<number | null>(avals.length).fill(null);
  spread(result, outDims, 'outDims', 'the results', (leaf, dim) => {
    if (leaf.kind === 'tensor')
      found[leaf.index] = dim === null ? null : axisOf(dim, avals[leaf.index]!.shape.length + 1, 'outDims', 'a result');
  });
  return found;
}

function axisOf(dim: number, rank: number, which: string, of: string): number {
  if (!Number.isInteger(dim) || dim < -rank || dim >= rank)
    throw new ShapeError(`got ${which} ${dim} for ${of} of dimensionality ${rank}, so it must satisfy -${rank} <= dim < ${rank}`, {
      op: 'vmap',
    });
  return dim < 0 ? dim + rank : dim;
}

/** Walks a tree beside the tree of its dimensions; a number or null there is for all that lies below. */
function spread(rest: Rest, dims: Dims, which: string, of: string, leaf: (rest: Rest, dim: number | null) => void): void {
  const mismatch = (): ArgumentError => new ArgumentError(`${which} is not compatible with the structure of ${of}`, { op: 'vmap' });
  if (dims !== null && typeof dims !== 'number' && typeof dims !== 'object') throw mismatch();
  switch (rest.kind) {
    case 'tensor':
    case 'static':
      if (typeof dims === 'object' && dims !== null) throw mismatch();
      leaf(rest, dims);
      return;
    case 'list':
      if (typeof dims === 'object' && dims !== null && !(Array.isArray(dims) && dims.length === rest.items.length)) throw mismatch();
      for (const [i, item] of rest.items.entries())
        spread(item, Array.isArray(dims) ? (dims as readonly Dims[])[i]! : dims, which, of, leaf);
      return;
    case 'record': {
      const named = typeof dims === 'object' && dims !== null ? (dims as { readonly [key: string]: Dims }) : undefined;
      if (named !== undefined && (Array.isArray(dims) || rest.keys.some((key) => !Object.hasOwn(named, key)))) throw mismatch();
      for (const [i, item] of rest.items.entries()) spread(item, named === undefined ? dims : named[rest.keys[i]!]!, which, of, leaf);
    }
  }
}

function batchSize(tensors: readonly Tensor[], dims: readonly (number | null)[]): number {
  const sizes = tensors.flatMap((t, i) => (dims[i] === null ? [] : [t.shape[dims[i]!]!]));
  if (sizes.length === 0)
    throw new ArgumentError('got no tensor to map over', { op: 'vmap', fix: 'give at least one of them a dimension in inDims' });
  if (sizes.some((n) => n !== sizes[0]))
    throw new ShapeError(`expected all tensors to have the same size in the mapped dimension, got sizes [${sizes.join(', ')}]`, {
      op: 'vmap',
    });
  return sizes[0]!;
}

/** The number of a counter-based draw, as dropout makes them. */
const isStream = (slot: Value): boolean => slotRecordOf(slot.node).source === nextStream;
/** The leaf of numbers that the host drew inside of the function. */
function drawnLeaf(t: Tensor): Value | undefined {
  const { value } = t.storage;
  return value.node.op === 'input' && leafRecordOf(value.node).draw !== undefined ? value : undefined;
}

function demandNoDraws({ captures, slots, made }: Traced): void {
  if (!slots.some(isStream) && !captures.some((t) => made.has(t) && drawnLeaf(t) !== undefined)) return;
  throw new ArgumentError('called random operation while in randomness error mode', {
    op: 'vmap',
    fix: "use the 'same' or 'different' randomness on vmap, or draw outside of it",
  });
}

/** A stream of its own for each example. */
function streams(stream: Value, size: number): Value {
  const spreadOut = inFront(stream, false, size);
  return b.threefry(full(0, avalOf(spreadOut)), spreadOut, b.iota({ dtype: 'i32', shape: [size], axis: 0 }));
}

/** What the host drew once in the function, drawn for each example: the first is the one that was drawn. */
function drawnAnew(traced: Traced, size: number): Traced {
  const captures = traced.captures.map((t) => {
    const one = traced.made.has(t) ? drawnLeaf(t) : undefined;
    if (one === undefined) return t;
    const { dtype, shape } = avalOf(one);
    const record = leafRecordOf(one.node);
    const joined = (first: () => TypedArray): TypedArray => {
      const out = allocate(dtype, size * record.buffer!.length);
      for (let i = 0; i < size; i++) out.set((i === 0 ? first() : record.draw!()) as never, i * record.buffer!.length);
      return out;
    };
    const value = leafOf(
      joined(() => readSync(record.buffer!)),
      { dtype, shape: [size, ...shape] },
    );
    (value.node.record as LeafRecord).draw = () => joined(record.draw!);
    return newTensor(storageOf(value));
  });
  return { ...traced, captures };
}
