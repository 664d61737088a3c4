// Recording: ops only make nodes; an interval holds the nodes since the last boundary. What a boundary does with them is in boundary.ts.

import { type Buffer, hostBuffer, type Place } from '../../runtime/buffer.ts';
import { bytesPerElement, type DType, type TypedArray } from '../../runtime/dtype.ts';
import { AutogradError, deepStack, InternalError } from '../../runtime/errors.ts';
import { type HostExpr, hostCall } from '../../runtime/host.ts';
import { b, type Recorder, recordWith } from '../ir/builder.ts';
import { numel } from '../ir/dim.ts';
import { isLeaf, type Location, makeNode, type Node, type Value } from '../ir/node.ts';
import { type Structure, type ValueId, valueId } from '../jit/structure.ts';
import { currentBackward } from './autograd/running.ts';
import type { Call, HostCounter } from './call.ts';
import { placeNow } from './device.ts';
import type { Generator } from './random.ts';
import type { Storage } from './storage.ts';

/** Something done on the host; what it gives takes it back, for the case that what was recorded with it fails. */
// biome-ignore lint/suspicious/noConfusingVoidType: most actions have nothing to give.
export type HostAction = () => (() => void) | void;

/** The stretch of recording between two boundaries. */
export type Interval = {
  nodes: Node[];
  /** Where it will run: where the tensors of its first op belong. */
  place: Place | undefined;
  /** Bytes that the recorded values would take. */
  bytes: number;
  /** Leaves that stand for values of earlier intervals which nobody has computed yet. */
  claims: Node[];
  /** The same of intervals that never ran, oldest first: what later ones stand for may depend on them. */
  carried: Node[];
  /** Storages written in place that existed before the interval, with the value to go back to if it fails. */
  written: Map<Storage, Value>;
  /** Values that the boundary must store whoever looks at them: roots of backward(). */
  roots: Value[];
  /** Storages of gradients that backward() wrote; stored if they are still somebody's `.grad` at the boundary. */
  grads: Map<object, () => Storage | undefined>;
  /** What the host did beside the recorded ops; replays of compiled code do it again. */
  actions: HostAction[];
  /** What takes those actions back, should the interval fail. */
  undo: (() => void)[];
  /** Tensors whose `.grad` was set or dropped. */
  touched: Set<{ gradient: unknown }>;
  /** Tensors whose `.grad` was looked at before it was written, with what was found. */
  gradients: Map<{ gradient: unknown }, unknown>;
  /** False once something happened that replaying the recorded ops would not do again, such as a new history for an older tensor. */
  repeatable: boolean;
  /** Set where it is recorded to be replayed: then every value of a storage is read from the storage. */
  call: Call | undefined;
  /** The first op: where a loop of the user's begins again. */
  head: string | undefined;
  /** Once closed: what it looked like. */
  structure: Structure | undefined;
  /** For the body of a function under a transform, which is recorded beside the running interval: never run, taken as a graph. */
  readonly trace: Trace | undefined;
};

/** A function under `vmap`, `grad` and their kind while it runs on placeholders. */
export type Trace = {
  /** The transform, for messages. */
  readonly op: string;
  /** Whether gradients were recorded when the function began: what it does under `noGrad` is then cut off. */
  readonly grad: boolean;
  /** Tensors of the outside that the function reads, and the placeholders that stand for them. */
  readonly captures: Map<Outside, Value>;
  /** Views made inside of storages outside. */
  readonly views: WeakSet<object>;
  /** A tensor must not outlive the function that it belongs to. */
  ended: boolean;
};
/** A tensor, as far as a trace must know it. */
export type Outside = { readonly storage: Storage; readonly value: () => Value };

/** Where a computed node stands, and what has been realised of it. A class as nodes are (ir/node.ts says why). */
export class Recorded {
  readonly interval: Interval;
  readonly position: number;
  buffers: (Buffer | undefined)[] | undefined;
  leaves: (Value | undefined)[] | undefined;
  /** The storage that was made for the node's first result, if any: it changes over to a leaf when the value is realised. */
  holders: Storage[] | undefined;
  constructor(interval: Interval, position: number) {
    this.interval = interval;
    this.position = position;
    this.buffers = undefined;
    this.leaves = undefined;
    this.holders = undefined;
  }
}
/** A leaf has a buffer, or stands for an unrealised `claim` until its interval's boundary. `draw` fills a random leaf anew, for replays. */
export type LeafRecord = {
  buffer: Buffer | undefined;
  claim: Value | undefined;
  draw?: () => TypedArray;
  /** For a placeholder of a trace: where it belongs, and which tensor of the outside it stands for, or whether that argument's gradient is wanted. */
  readonly placeholder?: { readonly interval: Interval; readonly of: Outside | undefined; readonly wanted: boolean };
};
/** A number of a launch. What the library owns (a learning rate, a step count) names its `source`, which replays of compiled code read anew. */
export type SlotRecord = {
  readonly value: number;
  readonly source: (() => number) | undefined;
  /** The same as an expression over counters as they were before the call; in calls that are recorded ahead of time. */
  readonly expr?: HostExpr<HostCounter> | undefined;
};

const newInterval = (trace?: Trace, call?: Call): Interval => ({
  nodes: [],
  place: undefined,
  bytes: 0,
  claims: [],
  carried: [],
  written: new Map(),
  roots: [],
  grads: new Map(),
  actions: [],
  undo: [],
  touched: call?.touched ?? new Set(),
  gradients: call?.gradients ?? new Map(),
  repeatable: true,
  call,
  head: undefined,
  structure: undefined,
  trace,
});

/** The interval that the next boundary will run; inside a trace another one is current. */
let pending = newInterval();
let current = pending;
export const currentInterval = (): Interval => current;
/** The trace that ops are recorded into at present, if any. */
export const currentTrace = (): Trace | undefined => current.trace;

/** Starts a new interval, of the same call, and gives the one that ends. */
export function nextInterval(): Interval {
  return startInterval(pending.call);
}

/** Starts a new interval as part of `call`, or of none, and gives the one that ends. */
export function startInterval(call: Call | undefined): Interval {
  const ended = pending;
  pending = newInterval(undefined, call);
  call?.intervals.push(pending);
  if (current === ended) current = pending;
  return ended;
}
/** What pends is no longer recorded to be replayed: it goes on as an ordinary interval. */
export function leaveCall(): void {
  pending.call = undefined;
}
/** The call that is being recorded to be replayed, if any. */
export const currentCall = (): Call | undefined => pending.call;

/** Runs `f` with its ops recorded into `owner`; where that is over, into what pends. */
export function within<T>(owner: Interval, f: () => T): T {
  const before = current;
  current = owner.trace === undefined || owner.trace.ended ? pending : owner;
  try {
    return f();
  } finally {
    current = before.trace === undefined ? pending : before;
  }
}

/** Runs `f` in a trace of its own. */
export function tracing<T>(op: string, grad: boolean, f: (trace: Trace) => T): T {
  const trace: Trace = { op, grad, captures: new Map(), views: new WeakSet(), ended: false };
  const [hint, place] = [expected, site];
  try {
    return within(newInterval(trace), () => f(trace));
  } finally {
    trace.ended = true;
    expected = hint;
    site = place;
  }
}

/** An input of the graph that is being traced: an argument, or what stands for a tensor of the outside. */
export function placeholder(aval: Value['node']['outputs'][number], of?: Outside, wanted = false): Value {
  const node = makeNode('input', [], { dtype: aval.dtype, shape: aval.shape }, [], [aval]);
  node.record = { buffer: undefined, claim: undefined, placeholder: { interval: current, of, wanted } } satisfies LeafRecord;
  return node.values[0]!;
}

/** Throws AutogradError for what belongs to a function under a transform that has returned. */
export function demandInside({ trace }: Interval): void {
  if (trace?.ended)
    throw new AutogradError(`a tensor of the function under ${trace.op} was used after the function had returned`, {
      op: trace.op,
      fix: 'return it from the function instead of keeping it',
    });
}

export const recordedOf = (node: Node): Recorded => node.record as Recorded;
export const leafRecordOf = (node: Node): LeafRecord => node.record as LeafRecord;
export const slotRecordOf = (node: Node): SlotRecord => node.record as SlotRecord;

/** The buffer that holds a value, if it is realised. */
export function bufferOf(v: Value): Buffer | undefined {
  if (v.node.op === 'input') return leafRecordOf(v.node).buffer;
  return v.node.op === 'slot' ? undefined : recordedOf(v.node).buffers?.[v.index];
}

/** Where a value belongs; undefined for numbers and for what stands for an argument. */
export function placeOfValue(v: Value): Place | undefined {
  for (let at = v; ; ) {
    if (at.node.op === 'slot') return undefined;
    if (at.node.op !== 'input') return recordedOf(at.node)?.interval.place;
    const { buffer, claim, placeholder } = leafRecordOf(at.node);
    if (buffer !== undefined) return buffer.place;
    if (claim === undefined) return placeholder?.of === undefined ? undefined : placeOfValue(placeholder.of.storage.value);
    at = claim;
  }
}

/** A leaf for an array that nobody writes to any more. */
export const leafOf = (array: TypedArray, aval: Value['node']['outputs'][number]): Value =>
  leafOfBuffer(hostBuffer(aval.dtype, array, placeNow()), aval);

/** A leaf filled at random on the host; replays of compiled code fill it anew, in recorded order and whether or not anything reads it. */
export function drawnLeaf(aval: Value['node']['outputs'][number], generator: Generator, draw: () => TypedArray): Value {
  pending.call?.ahead?.refuse('it draws random numbers', 'draw them outside and pass them in');
  const value = leafOf(draw(), aval);
  const record = leafRecordOf(value.node);
  record.draw = draw;
  const { call } = pending;
  call?.generators.add(generator);
  // What is drawn in a function under a transform is drawn again by what the transform makes of it.
  if (call !== undefined && current === pending) {
    let last: TypedArray;
    pending.actions.push(() => {
      last = draw();
    });
    record.draw = () => last;
  }
  return value;
}

/** A leaf for data that exist. */
export function leafOfBuffer(buffer: Buffer, aval: Value['node']['outputs'][number]): Value {
  buffer.values++;
  const node = makeNode('input', [], { dtype: aval.dtype, shape: aval.shape }, [], [aval]);
  node.record = { buffer, claim: undefined } satisfies LeafRecord;
  return node.values[0]!;
}

/** A number of the user's, whatever its value: each use is a slot of its own. */
export function slot(value: number, dtype: Value['node']['outputs'][number]['dtype']): Value {
  return slotLeaf({ value, source: undefined }, dtype);
}

/** A number that the library owns: read now, and again at each replay. `expr` says the same over counters. */
export function hostSlot(source: () => number, dtype: DType, expr?: HostExpr<HostCounter>): Value {
  return slotLeaf({ value: source(), source, expr }, dtype);
}

/** A counter that was just advanced, as an expression over what it was before the call; a mere number where nobody asks for expressions. */
export function advanced(counter: HostCounter): HostExpr<HostCounter> {
  const ahead = pending.call?.ahead;
  if (ahead === undefined) return counter.value();
  const count = ahead.counts.get(counter.owner) ?? { counter, times: 0 };
  ahead.counts.set(counter.owner, count);
  count.times++;
  return hostCall<HostCounter>('add', { counter }, count.times);
}

/** A learning rate: a number, but in calls that are recorded for a runner that has a schedule of its own. */
export const rateOf = (rate: HostCounter): HostExpr<HostCounter> => (pending.call?.ahead?.openRates ? { counter: rate } : rate.value());

/** What all slots of a dtype have in common: there is one for each number that meets a tensor. */
const slotParts = new Map<string, { readonly attrs: object; readonly outputs: Node['outputs'] }>();
const none: readonly never[] = [];

function slotLeaf(record: SlotRecord, dtype: Value['node']['outputs'][number]['dtype']): Value {
  let parts = slotParts.get(dtype);
  if (parts === undefined) {
    parts = { attrs: { dtype }, outputs: [{ dtype, shape: [] }] };
    slotParts.set(dtype, parts);
  }
  const node = makeNode('slot', none, parts.attrs, none, parts.outputs);
  node.record = record;
  return node.values[0]!;
}

/** A value as the current interval may use it: itself if recorded here, else a leaf, which claims it where it has no buffer. */
export function resolve(v: Value): Value {
  if (isLeaf(v.node.op)) {
    const owner = (v.node.record as Partial<LeafRecord> | undefined)?.placeholder?.interval;
    if (owner !== undefined && owner !== current) demandInside(owner);
    return v;
  }
  const r = v.node.record as Recorded | undefined;
  if (r === undefined) throw new InternalError(`record: a ${v.node.op} that was not recorded is used`);
  if (r.interval === current) return v;
  demandInside(r.interval);
  if (current.trace !== undefined) throw new InternalError(`record: a ${v.node.op} of another interval entered a trace uncaptured`);
  const known = r.leaves?.[v.index];
  if (known !== undefined) return known;
  const buffer = r.buffers?.[v.index];
  const aval = v.node.outputs[v.index]!;
  const node = makeNode('input', [], { dtype: aval.dtype, shape: aval.shape }, [], [aval]);
  node.name = v.node.name;
  node.record = { buffer, claim: buffer === undefined ? v : undefined } satisfies LeafRecord;
  if (buffer === undefined) {
    learn(r, v.index);
    current.claims.push(node);
  }
  r.leaves ??= [];
  r.leaves[v.index] = node.values[0]!;
  current.call?.origins.set(node, v);
  return node.values[0]!;
}

/** A value of a closed interval turned out to be needed: from now on its structure stores it. */
export function learn(r: Recorded, index: number): void {
  const id: ValueId = valueId(r.position, index);
  r.interval.structure?.learned.add(id);
}

let site: Location | undefined;
let alwaysLocate = false;
let expected: Structure | undefined;
const startsWith = new Map<number, Structure>();

/** Locations of every op, expected or not: for inspection. */
export function locateAlways(on: boolean): void {
  alwaysLocate = on;
}
/** A structure that ran: the next interval that starts like it is expected to go on like it, so its ops need no location. */
export function expect(structure: Structure): void {
  if (structure.nodes.length === 0) return;
  if (startsWith.size > 256) startsWith.clear();
  startsWith.set(structure.nodes[0]!.localHash, structure);
}

/** Ops that fusion never stores, however large what they show: they put no pressure on memory. */
const costless: ReadonlySet<Node['op']> = new Set<Node['op']>(['expand', 'reshape', 'permute', 'slice', 'flip', 'literal', 'iota']);

function made(node: Node): void {
  if (isLeaf(node.op)) return;
  const position = current.nodes.length;
  if (position === 0) expected = startsWith.get(node.localHash);
  if (alwaysLocate || current.call?.locates || expected?.nodes[position]?.localHash !== node.localHash) {
    site ??= currentBackward() === undefined ? { site: deepStack() } : { site: deepStack(), isBackward: true };
    node.loc = site;
  }
  repetition?.made.add(node);
  node.record = new Recorded(current, position);
  current.nodes.push(node);
  if (!costless.has(node.op))
    for (const { dtype, shape } of node.outputs) current.bytes += (numel(shape) as number) * bytesPerElement[dtype];
}

/** Begins a public op: its nodes share one location. */
export function beginOp(): void {
  site = undefined;
}

/** Does something on the host that belongs to the recorded step (counting it, say): once now, and once at each replay of compiled code. */
export function hostAction(action: HostAction, isCounted = false): void {
  if (!isCounted) pending.call?.ahead?.refuse('it changes state of the host, such as the step of a schedule', 'do that outside of it');
  pending.actions.push(action);
  const undo = action();
  if (undo !== undefined) pending.undo.push(undo);
}

/** Reads mutable state of the host (a module's mode) that decides what is recorded: compiled code is replayed only while it is the same. */
export function guarded<T>(owner: object, what: string, read: () => T): T {
  const value = read();
  const { call } = pending;
  if (call !== undefined && decide(call, owner, what)) call.guards.push({ owner, what, read, value });
  return value;
}

/** Assigns such state: once now, and once at each replay, where `back` undoes it if the call fails. */
export function assigned(owner: object, what: string, assign: () => void, back: () => void): void {
  assign();
  if (pending.call === undefined) return;
  decide(pending.call, owner, what);
  pending.call.ahead?.back.push(back);
  pending.actions.push(() => {
    assign();
    return back;
  });
}

/** Whether host state still is what the call began with; after this it counts as known. */
function decide({ decided }: Call, owner: object, what: string): boolean {
  const known = decided.get(owner);
  if (known === undefined) decided.set(owner, new Set([what]));
  else if (known.has(what)) return false;
  else known.add(what);
  return true;
}

/** What was recorded will depend on whether `t` has a gradient. */
export function gradientRead(t: { gradient: unknown }): void {
  const { touched, gradients } = pending;
  if (!touched.has(t) && !gradients.has(t)) gradients.set(t, t.gradient);
}

/** What is being recorded for the second time, to be computed after something else. */
type Repetition = { readonly after: Value; readonly made: WeakSet<Node>; readonly twins: Map<Value, Value> };
let repetition: Repetition | undefined;

/**
 * Runs `f` with its ops recorded as a computation of its own, made no earlier than `after`: values from before enter it through barriers,
 * so that it is not one with an equal computation that was recorded already.
 */
export function repeating<T>(after: Value, f: () => T): T {
  const outer = repetition;
  repetition = { after, made: new WeakSet(), twins: new Map() };
  try {
    return f();
  } finally {
    repetition = outer;
  }
}

/** A value as an op recorded now may use it. */
function operand(v: Value): Value {
  const own = resolve(v);
  const r = repetition;
  if (r === undefined || r.made.has(own.node) || own.node.op === 'slot') return own;
  const known = r.twins.get(own);
  if (known !== undefined && recordedOf(known.node).interval === current) return known;
  repetition = undefined;
  const twin = b.barrier(own, r.after);
  repetition = r;
  r.made.add(twin.node);
  r.twins.set(own, twin);
  return twin;
}

const recorder: Recorder = { resolve: operand, made };

/** Runs `f` with its nodes recorded. Outside of this (passes, regions) building has no effect on the recording. */
export function recording<T>(f: () => T): T {
  const before = recordWith(recorder);
  try {
    return f();
  } finally {
    recordWith(before);
  }
}

/** Nodes or bytes that may pend before a flush is looked for; at four times as much it comes anywhere. */
const flushBound = { nodes: 1024, bytes: 256 * 2 ** 20 };

/** Whether the recording should be cut before an op that is called `key`. */
export function flushDue(key: string): boolean {
  if (current.trace !== undefined) return false;
  current.head ??= key;
  const load = Math.max(current.nodes.length / flushBound.nodes, current.bytes / flushBound.bytes);
  return load >= 1 && (key === current.head || load >= 4);
}
