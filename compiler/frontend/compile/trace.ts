// Runs the user's function once and tells what it did. What a replay has computed already is compared with the recording and not run again.
import { type Buffer, readSync } from '../../../runtime/buffer.ts';
import { isFloat } from '../../../runtime/dtype.ts';
import { deepStack, userLine } from '../../../runtime/errors.ts';
import { avalOf, type Node, type Value } from '../../ir/node.ts';
import type { Structure, ValueId } from '../../jit/structure.ts';
import { GradFn } from '../autograd/graph.ts';
import { boundary, compute, type Known, observedBy } from '../boundary.ts';
import { newCall } from '../call.ts';
import { flatten } from '../pytree.ts';
import { bufferOf, currentInterval, leafOfBuffer, leaveCall, startInterval } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { recordBackward } from './backward.ts';
import { addSegment, endingOf, guardsOf, leavesOf, needed, type Recording, Refusal, sameLeaves, sameSource, sourceOf } from './describe.ts';
import { shownBy, type Walked } from './sources.ts';
import type { End, Segment, Source } from './tree.ts';

export type TraceOptions = {
  /** Told of the structure of a call of one segment before it runs. */
  readonly recorded?: (structure: Structure) => void;
  /** What a replay of this call has run already, the last one up to where it left the tree. */
  readonly walked: readonly Walked[];
  /** Whether it left the tree because the rest is ordinary recording. */
  readonly isOpen: boolean;
  /** Asked before a look at a number becomes a branch: why it must not, if so. `segment` is known already where it is part of the tree. */
  readonly refuse: (depth: number, segment: Segment | undefined, value: number) => Refusal | undefined;
  /** Told of every look at values: throws where none is allowed. */
  readonly looked: (what: string, at: string | undefined) => void;
};

export type Traced<R> = {
  readonly result: R;
  /** The way through the tree. The first `known` segments are part of it already. */
  readonly path: readonly Segment[];
  readonly known: number;
  readonly found: readonly Tensor[];
  readonly recording: Recording;
  readonly values: readonly number[];
};

const placeNow = (): string | undefined => userLine(deepStack().stack);

/** Runs `run` on `tensors`, recording it. What it throws is thrown, after everything is as it would be without compile. */
export function trace<R>(run: () => R, tensors: readonly Tensor[], { walked, isOpen, refuse, looked, recorded }: TraceOptions): Traced<R> {
  boundary();
  const views = viewsAmong(tensors);
  const call = newCall(new Set(views.keys()), walked.length === 0);
  startInterval(call);
  const recording: Recording = {
    call,
    found: [...tensors],
    views,
    path: [],
    slots: new Map(),
    depths: new Map(),
    guarded: { gradients: 0, state: 0, tensors: new Set(), modules: new Set() },
    since: new GradFn('CompiledFunctionBackward', [], undefined).sequence,
  };
  const { path } = recording;
  const values: number[] = [];
  let known = 0;
  let listening = true;

  /** From here on all is as in ordinary code. */
  const stop = (end?: Extract<End, { kind: 'open' }>): void => {
    listening = false;
    if (end !== undefined) addSegment(recording, undefined, [], end);
    observedBy(undefined);
    leaveCall();
  };
  const number = (v: Value): number | bigint | undefined => {
    if (isFloat(avalOf(v).dtype) || v.node.op === 'slot') {
      const at = placeNow();
      looked('a floating number', at);
      const fix = 'compare on the device and look at the boolean, or return the tensor';
      return void stop({ kind: 'open', why: 'it looks at a floating number', at, fix });
    }
    const depth = path.length;
    const before = known === depth ? walked[depth] : undefined;
    const observed = sourceOf(recording, v);
    const { actions } = currentInterval();
    const guards = guardsOf(recording);
    const memory = memoryOf(recording, before, observed);
    const ended = boundary([v], memory.known);
    let value: number;
    if (memory.isRight()) {
      known++;
      path.push(before!.segment);
      value = before!.value;
      if (isOpen && known === walked.length) stop();
    } else {
      const at = placeNow();
      looked('a number', at);
      addSegment(recording, ended, actions, { kind: 'branch', observed, at, branches: [] }, guards);
      needed(recording, observed);
      value = Number(readSync(bufferOf(v)!)[0]!);
    }
    values.push(value);
    if (listening && (known < path.length || known === walked.length)) {
      const refusal = refuse(depth, known === path.length ? before!.segment : undefined, value);
      if (refusal !== undefined) stop({ kind: 'open', why: refusal.why, at: placeNow(), fix: refusal.fix });
    }
    return value;
  };
  const other = (): void => {
    const at = placeNow();
    looked('an array', at);
    stop({ kind: 'open', why: 'it looks at an array', at, fix: 'return the tensor and look at it outside' });
  };

  observedBy({ number, other });
  try {
    const result = run();
    if (listening && typeof (result as { then?: unknown } | null | undefined)?.then === 'function')
      stop({ kind: 'open', why: 'it is async', at: undefined, fix: 'compile the part between two awaits' });
    if (listening) finishTrace(recording, result, path.length === 0 ? recorded : undefined);
    return { result, path, known, found: recording.found, recording, values };
  } finally {
    observedBy(undefined);
    leaveCall();
    for (const interval of call.intervals) interval.call = undefined;
  }
}

/** Compares the interval that ends with the segment that a replay has run in its place. `isRight` tells once the interval has ended. */
function memoryOf(r: Recording, before: Walked | undefined, observed: Source): { known: Known | undefined; isRight: () => boolean } {
  if (before?.segment.end.kind !== 'branch' || !sameSource(observed, before.segment.end.observed))
    return { known: undefined, isRight: () => false };
  const { segment } = before;
  // Where nothing was recorded, nothing is compared.
  let isRight = segment.structure === undefined;
  const known: Known = ({ leaves }, structure) => {
    const sources = leaves.map((leaf) => sourceOf(r, leaf));
    isRight = structure === segment.structure && sameLeaves(sources, segment.leaves);
    if (!isRight) return undefined;
    leavesOf(r, leaves, segment.depth);
    return computedBy(before);
  };
  return { known, isRight: () => isRight };
}

/** Arguments that are views count as what they show: where it lies in a storage is nothing to specialise on. */
function viewsAmong(tensors: readonly Tensor[]): Map<Node, number> {
  const views = new Map<Node, number>();
  tensors.forEach((t, i) => {
    if (t.via === undefined || tensors.indexOf(t) < i) return;
    const leaf = leafOfBuffer(shownBy(t), { dtype: t.element, shape: t.shape });
    t.sawValue(leaf);
    views.set(leaf.node, i);
  });
  return views;
}

function computedBy({ segment, outputs }: Walked): ReadonlyMap<ValueId, Buffer> {
  return new Map(segment.plan!.roots.map((id, i) => [id, outputs[i]!]));
}

function finishTrace(r: Recording, result: unknown, recorded: TraceOptions['recorded']): void {
  const results = flatten(result).tensors;
  const values = results.map((t) => t.value());
  const { actions } = currentInterval();
  observedBy(undefined);
  const guards = guardsOf(r);
  const ended = boundary(values, (_, structure) => void recorded?.(structure));
  const open = ({ why, fix }: Refusal): End => ({ kind: 'open', why, at: undefined, fix });
  const segment = addSegment(r, ended, actions, open(new Refusal('')), guards);
  const described = endingOf(r, result);
  if (described instanceof Refusal) {
    segment.end = open(described);
    return;
  }
  const { ending, outputs } = described;
  // State that a segment wrote which did not run in this recording.
  compute(
    [...r.call.written].map((s) => s.value).filter((v) => bufferOf(v) === undefined && v.node.op !== 'slot' && v.node.op !== 'input'),
  );
  const backward = outputs.length === 0 ? undefined : recordBackward(r, outputs);
  if (backward instanceof Refusal) {
    segment.end = open(backward);
    return;
  }
  for (const { value } of ending.stored) needed(r, value);
  segment.end = { kind: 'finish', finish: { ...ending, backward } };
}
