// A boundary: what pends is compiled (or found by structure) and run. What it realises never depends on garbage collection.
import { type Buffer, hostBuffer, type Place, readSync } from '../../runtime/buffer.ts';
import { allocate, type TypedArray } from '../../runtime/dtype.ts';
import { AutogradError, DeviceError } from '../../runtime/errors.ts';
import { recordWith } from '../ir/builder.ts';
import { avalOf, isLeaf, type Node, postorder, type Value } from '../ir/node.ts';
import type { Executable } from '../jit/executable.ts';
import { partOf, type Stretch, type Structure, structureOf, survey, type ValueId, valueAt, valueId } from '../jit/structure.ts';
import { placeNow, targetOf } from './device.ts';
import {
  bufferOf,
  currentInterval,
  currentTrace,
  expect,
  flushDue,
  type Interval,
  leafRecordOf,
  learn,
  nextInterval,
  placeOfValue,
  recordedOf,
  recording,
  resolve,
  slotRecordOf,
  within,
} from './record.ts';

/** What an interval turned out to be, for those who replay it. */
export type Ended = { readonly stretch: Stretch; readonly structure: Structure; readonly roots: readonly ValueId[] };

/** Values of an interval that were computed before, by the structure that it turns out to be; undefined: it must run. */
export type Known = (stretch: Stretch, structure: Structure) => ReadonlyMap<ValueId, Buffer> | undefined;

/**
 * Ends the interval: realises `observed`, every older storage that was written in place, every gradient written and still in place,
 * every root of backward(), and what this structure learned to store. All other values become recipes. What is `known` need not run.
 * If it fails, storages go back to the value of the last boundary and the error is thrown.
 */
export function boundary(observed: readonly Value[] = [], known?: Known): Ended | undefined {
  const interval = nextInterval();
  if (interval.nodes.length === 0 && interval.claims.length === 0 && interval.carried.length === 0) {
    return undefined;
  }
  try {
    const stretch = survey(interval.nodes);
    interval.place ??= placeNow();
    const structure = structureOf(stretch, targetOf(interval.place));
    interval.structure = structure;
    expect(structure);
    const buffers = known?.(stretch, structure);
    if (buffers !== undefined) {
      for (const [id, buffer] of buffers) realised(valueAt(interval.nodes, id), buffer);
      carryClaims(interval);
      return { stretch, structure, roots: [] };
    }
    runAllClaims(interval);
    const roots = rootsOf(interval, structure, observed);
    run('interval', stretch, structure, roots, interval.nodes, interval.call !== undefined);
    return { stretch, structure, roots };
  } catch (error) {
    for (const [storage, value] of interval.written) storage.value = value;
    for (const undo of interval.undo.reverse()) undo();
    throw error;
  } finally {
    release(interval);
  }
}

/** Who records a call of a compiled function, and so must know what the function looks at. */
export type Observer = {
  /** Of one number: gives it, or undefined where looking at it is to be as in all other code. */
  readonly number: (v: Value) => number | bigint | undefined;
  /** Of anything else. */
  readonly other: () => void;
};
let observer: Observer | undefined;

/** Installs an observer, or none, and gives the one before. */
export function observedBy(next: Observer | undefined): Observer | undefined {
  const before = observer;
  observer = next;
  return before;
}

let deferring = false;

/** The boundary at the end of `optimizer.step()`; inside compiled code, whose end is the boundary, it does nothing. */
export function stepBoundary(): void {
  if (!deferring && observer === undefined) boundary();
}

/** Runs `f` with the boundaries of steps, and flushes, left to whoever calls this. */
export function deferSteps<T>(f: () => T): T {
  const before = deferring;
  deferring = true;
  try {
    return f();
  } finally {
    deferring = before;
  }
}

/**
 * Cuts a recording that has grown past its bound, before an op called `key`: preferably where the user's loop begins again,
 * past four times the bound anywhere; there the values that nothing uses yet are stored, since they are what the loop carries on.
 */
export function flushBefore(key: string): void {
  if (deferring || observer !== undefined || !flushDue(key)) return;
  const interval = currentInterval();
  if (key === interval.head) return void boundary();
  const used = new Set<Value>();
  for (const node of interval.nodes) for (const v of node.inputs) used.add(v);
  boundary(interval.nodes.flatMap((node) => node.values.filter((v) => !used.has(v))));
}

/** A closed interval keeps its structure only: nodes live on as long as somebody holds their values. */
function release(interval: Interval): void {
  interval.nodes = [];
  interval.claims = [];
  interval.carried = [];
  interval.written = new Map();
  interval.roots = [];
  interval.grads = new Map();
  interval.actions = [];
  interval.undo = [];
  interval.touched = new Set();
  interval.gradients = new Map();
}

function rootsOf(interval: Interval, structure: Structure, observed: readonly Value[]): ValueId[] {
  const ids = new Set<ValueId>(structure.learned);
  const include = (v: Value): void => {
    if (isLeaf(v.node.op)) return;
    const r = recordedOf(v.node);
    if (r.interval === interval) ids.add(valueId(r.position, v.index));
  };
  for (const v of observed) include(v);
  for (const storage of interval.written.keys()) include(storage.value);
  for (const grad of interval.grads.values()) {
    const storage = grad();
    if (storage !== undefined) include(storage.value);
  }
  for (const v of interval.roots) include(v);
  return [...ids].sort((a, b) => a - b);
}

/** Told of every Program that runs: for an interval, or to compute recipes that turned out to be needed. */
export type RunListener = (kind: 'interval' | 'claims', executable: Executable) => void;
const listeners = new Set<RunListener>();
export function onRun(listener: RunListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Runs the part of a stretch that `roots` need, and hangs the results on their nodes and storages. */
function run(
  kind: 'interval' | 'claims',
  stretch: Stretch,
  structure: Structure,
  roots: readonly ValueId[],
  nodes: readonly Node[],
  isCompiled = false,
): void {
  if (roots.length === 0) return;
  const before = recordWith(undefined);
  try {
    const { executable, reads } = partOf(structure, roots, isCompiled);
    const inputs: Buffer[] = [];
    const slots: number[] = [];
    for (const i of reads) {
      const v = stretch.leaves[i]!;
      if (v.node.op === 'slot') slots.push(slotRecordOf(v.node).value);
      else inputs.push(bufferOf(v) ?? claimed(v));
    }
    const outputs = executable.execute(inputs, Float64Array.from(slots));
    for (const listener of listeners) listener(kind, executable);
    roots.forEach((id, i) => void realised(valueAt(nodes, id), outputs[i]!));
  } finally {
    recordWith(before);
  }
}

function realised(v: Value, buffer: Buffer): void {
  const r = recordedOf(v.node);
  r.buffers ??= [];
  r.buffers[v.index] = buffer;
  buffer.values++;
  for (const storage of r.holders ?? []) if (storage.value === v) storage.value = resolve(v);
}

/** Leaves of an interval that does not run: tensors and later recordings may know them, so the running interval takes over what they claim. */
export function carryClaims({ carried, claims }: Interval): void {
  for (const list of [carried, claims])
    for (const leaf of list) if (leafRecordOf(leaf).claim !== undefined) currentInterval().carried.push(leaf);
}

/** One after another what was carried, since each may be read by what the next stands for; then the interval's own. */
function runAllClaims({ carried, claims }: Interval): void {
  for (const leaf of carried) runClaims([leaf]);
  runClaims(claims);
}

/** The buffer of a leaf whose interval failed before it had one. */
function claimed(leaf: Value): Buffer {
  runClaims([leaf.node]);
  return bufferOf(leaf)!;
}

/** Computes what leaves of this interval claim of earlier ones, by a Program of its own, so that every other Program has buffers as inputs. */
function runClaims(claims: readonly Node[]): void {
  const wanted = claims.filter((leaf) => leafRecordOf(leaf).claim !== undefined && bufferOf(leafRecordOf(leaf).claim!) === undefined);
  compute(wanted.map((leaf) => leafRecordOf(leaf).claim!));
  for (const leaf of claims) {
    const record = leafRecordOf(leaf);
    if (record.claim === undefined) continue;
    record.buffer = bufferOf(record.claim)!;
    record.claim = undefined;
  }
}

/** Realises recipes of closed intervals, by one Program for each place. */
export function compute(values: readonly Value[]): void {
  const roots = [...new Set(values)].filter((v) => bufferOf(v) === undefined);
  for (const place of ['cpu', 'webgpu'] as const) {
    const here = roots.filter((v) => (placeOfValue(v) ?? placeNow()) === place);
    if (here.length > 0) computeAt(place, here);
  }
}

function computeAt(place: Place, roots: readonly Value[]): void {
  const nodes = unrealisedBehind(roots);
  const position = new Map(nodes.map((n, i) => [n, i] as const));
  const stretch = survey(nodes, (v) => isLeaf(v.node.op) || bufferOf(v) !== undefined);
  const structure = structureOf(stretch, targetOf(place));
  run(
    'claims',
    stretch,
    structure,
    roots.map((v) => valueId(position.get(v.node)!, v.index)),
    nodes,
  );
}

/** Nodes that must run for `roots`: the walk stops at leaves and at values that have buffers. */
function unrealisedBehind(roots: readonly Value[]): Node[] {
  const seen = new Set<Node>();
  const order: Node[] = [];
  const stack: { node: Node; next: number }[] = [];
  for (const root of roots) {
    if (seen.has(root.node)) continue;
    seen.add(root.node);
    stack.push({ node: root.node, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const v = top.node.inputs[top.next++];
      if (v === undefined) {
        order.push(top.node);
        stack.pop();
      } else if (!seen.has(v.node) && !isLeaf(v.node.op) && bufferOf(v) === undefined) {
        seen.add(v.node);
        stack.push({ node: v.node, next: 0 });
      }
    }
  }
  return order;
}

/**
 * Makes the running interval one of `place`, before an op is recorded there: what pends elsewhere runs first.
 * Throws DeviceError where that cannot be, since one function is recorded to be run as a whole.
 */
export function settle(op: string, place: Place): void {
  const interval = currentInterval();
  if (interval.place === place) return;
  if (interval.place === undefined || interval.nodes.length === 0) {
    interval.place = place;
    return;
  }
  if (interval.trace !== undefined || interval.call !== undefined)
    throw new DeviceError(`the function uses tensors on ${interval.place} and on ${place}, but runs on one device as a whole`, {
      op,
      fix: 'move them with to() before the call',
    });
  boundary();
  currentInterval().place = place;
}

/** The elements of a value, which must not be written to. As `realise`; throws DeviceError where they can only be awaited. */
export function observe(v: Value): TypedArray {
  demandAtHand(v);
  return readSync(realise(v));
}

/** Throws DeviceError for what lies where it can only be waited for. */
export function demandAtHand(v: Value): void {
  if (placeOfValue(v) !== 'webgpu') return;
  const isRecorded = observer !== undefined;
  throw new DeviceError(
    `the elements of a tensor on webgpu cannot be looked at at once${isRecorded ? ', and a compiled function does not wait' : ''}`,
    {
      op: 'item',
      fix: isRecorded
        ? 'choose on the device with cond(), whileLoop() or where(), or return the tensor'
        : 'await data(), item() or tolist()',
    },
  );
}

/** The one element of a value; compiled code may branch on it. */
export function observeNumber(v: Value): number | bigint {
  demandAtHand(v);
  const known = currentTrace() === undefined ? observer?.number(v) : undefined;
  return known ?? observe(v)[0]!;
}

/** The buffer of a value; for an unrealised one this is an observation and so a boundary. */
export function realise(v: Value): Buffer {
  observer?.other();
  const known = bufferOf(v);
  if (known !== undefined) return known;
  if (v.node.op === 'slot') {
    const number = allocate(avalOf(v).dtype, 1);
    number[0] = number instanceof BigInt64Array ? BigInt(slotRecordOf(v.node).value) : slotRecordOf(v.node).value;
    return hostBuffer(avalOf(v).dtype, number, placeNow());
  }
  if (currentTrace() !== undefined) return realiseTraced(v);
  if (v.node.op === 'input') {
    const interval = currentInterval();
    try {
      runAllClaims(interval);
    } catch (error) {
      // What only this look wanted must not fail what else is recorded.
      if (!interval.nodes.some((node) => (node.inputs as readonly Value[]).includes(v)))
        interval.claims = interval.claims.filter((leaf) => leaf !== v.node);
      throw error;
    }
    return bufferOf(v) ?? claimed(v);
  }
  const r = recordedOf(v.node);
  if (r.interval === currentInterval()) boundary([v]);
  else {
    learn(r, v.index);
    compute([v]);
  }
  return bufferOf(v)!;
}

/** Inside a function under a transform only what does not depend on its arguments has a value. */
function realiseTraced(v: Value): Buffer {
  for (const { op, values } of postorder([v])) {
    if (op !== 'input') continue;
    const record = leafRecordOf(values[0]!.node);
    if (record.placeholder === undefined) continue;
    const { of } = record.placeholder;
    if (of === undefined) throw unknownValue(currentTrace()!.op);
    record.buffer ??= within(of.storage.born, () => realise(recording(() => of.value())));
  }
  if (!isLeaf(v.node.op)) compute([v]);
  return bufferOf(v)!;
}

const unknownValue = (op: string): AutogradError =>
  new AutogradError(
    "it looks like you're calling item() or data() on a tensor, or using one in data-dependent control flow; a function under a transform is recorded for all values at once, so its tensors have none",
    { op, fix: 'choose with where(), or observe outside of the function' },
  );
