// backward(): walks the functions from the roots to the leaves, and records each one's pullback. Nothing is computed here.
import { AutogradError } from '../../../runtime/errors.ts';
import { pullback } from '../../autodiff/reverse.ts';
import { b, build, full } from '../../ir/builder.ts';
import { sameShape, shapeText } from '../../ir/dim.ts';
import { avalOf, isLeaf, makeNode, nodesOf, type Value } from '../../ir/node.ts';
import { rules } from '../../ops/table.ts';
import { flushBefore } from '../boundary.ts';
import { edgeOf } from '../handle.ts';
import { distinct, newTensor } from '../op.ts';
import { beginOp, currentInterval, gradientRead, type Recorded, recordedOf, recording, resolve } from '../record.ts';
import { storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';
import { type Edge, GradFn } from './graph.ts';
import { noGrad, setGradEnabled } from './mode.ts';

/** A gradient on its way: its value, and under `createGraph` the function that made it. */
type Cotangent = { readonly value: Value; readonly edge: Edge | null };

export type Root = { readonly edge: Edge; readonly gradient: Tensor };

type Task = {
  readonly roots: readonly Root[];
  readonly createGraph: boolean;
  readonly retainGraph: boolean;
  /** Only gradients that reach these are wanted; undefined: all leaves accumulate. */
  readonly inputs: readonly Edge[] | undefined;
};

/** Functions reachable from the roots that lie on a way to something wanted, with the number of gradients each will get. */
function plan(task: Task): Map<GradFn, number> {
  const wanted = task.inputs === undefined ? undefined : new Set(task.inputs.map((e) => e.fn));
  const isWanted = (fn: GradFn): boolean => wanted?.has(fn) ?? (fn.variable !== undefined || fn.retained.size > 0 || fn.hooks.size > 0);
  const waiting = new Map<GradFn, number>();
  // A function is made after all that it leads to, so by ascending sequence (leaves first) one sweep finds what is useful.
  for (const fn of reachable(task).sort((x, y) => rank(x) - rank(y)))
    if (isWanted(fn) || fn.next.some((e) => e !== null && waiting.has(e.fn))) waiting.set(fn, 0);
  for (const fn of waiting.keys()) for (const e of fn.next) if (e !== null && waiting.has(e.fn)) waiting.set(e.fn, waiting.get(e.fn)! + 1);
  return waiting;
}

function reachable(task: Task): GradFn[] {
  const seen = new Set(task.roots.map((r) => r.edge.fn));
  // A set iterates over what is added while it is walked.
  for (const fn of seen) for (const e of fn.next) if (e !== null) seen.add(e.fn);
  return [...seen];
}
const rank = (fn: GradFn): number => (fn.variable === undefined ? fn.sequence : -1);

/** Gradients on their way, and what has arrived. */
type Run = {
  readonly task: Task;
  /** For each useful function, the gradients it still waits for. */
  readonly waiting: Map<GradFn, number>;
  readonly pending: Map<GradFn, (Cotangent | null)[]>;
  readonly ready: ReadyQueue;
  /** Gradients of `task.inputs`, in the inputs' places. */
  readonly found: (Cotangent | null)[];
};

/**
 * Runs backward. Gradients of `task.inputs` are given in their order (null: not reached); without inputs, leaves accumulate into `.grad`.
 * Throws AutogradError where a function was already released.
 */
export function runBackward(task: Task): (Cotangent | null)[] {
  return setGradEnabled(task.createGraph, () => {
    const run: Run = { task, waiting: plan(task), pending: new Map(), ready: new ReadyQueue(), found: (task.inputs ?? []).map(() => null) };
    const roots = task.roots.filter((r) => run.waiting.has(r.edge.fn));
    for (const { edge, gradient } of roots) send(run, edge, { value: gradient.value(), edge: edgeOf(gradient) });
    for (const fn of new Set(roots.map((r) => r.edge.fn))) if (run.waiting.get(fn) === 0) run.ready.add(fn);
    for (let fn = run.ready.take(); fn !== undefined; fn = run.ready.take()) visit(run, fn);
    return run.found;
  });
}

/** Lets one function, all of whose gradients have come, pass gradients on. */
function visit(run: Run, fn: GradFn): void {
  const { task, waiting } = run;
  const cts = hooked(fn, run.pending.get(fn) ?? []);
  run.pending.delete(fn);
  task.inputs?.forEach((e, i) => {
    if (e.fn === fn) run.found[i] = cts[e.index] ?? null;
  });
  if (fn.variable !== undefined) {
    if (task.inputs === undefined && cts[0] != null) accumulate(fn.variable, cts[0], task.createGraph);
    return;
  }
  const useful = fn.next.map((e) => e !== null && waiting.has(e.fn));
  const grads = useful.includes(true) && cts.some((c) => c != null) ? differentiate(fn, cts, useful, task) : [];
  fn.next.forEach((e, i) => {
    if (e === null || !useful[i]) return;
    const gradient = grads[i];
    if (gradient != null) send(run, e, gradient);
    const left = waiting.get(e.fn)! - 1;
    waiting.set(e.fn, left);
    if (left === 0) run.ready.add(e.fn);
  });
}

function send({ pending, task }: Run, e: Edge, ct: Cotangent): void {
  const into = pending.get(e.fn) ?? [];
  pending.set(e.fn, into);
  const before = into[e.index];
  into[e.index] = before == null ? ct : sum(before, ct, task.createGraph);
}

/** Ready functions, the latest-made first; accumulation into a leaf before anything else. A binary heap. */
class ReadyQueue {
  private readonly heap: GradFn[] = [];
  add(fn: GradFn): void {
    const { heap } = this;
    let i = heap.push(fn) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.sequence >= heap[i]!.sequence) break;
      [heap[parent], heap[i]] = [heap[i]!, heap[parent]!];
      i = parent;
    }
  }
  take(): GradFn | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      let largest = i;
      for (const child of [left, left + 1]) if (child < heap.length && heap[child]!.sequence > heap[largest]!.sequence) largest = child;
      if (largest === i) return top;
      [heap[largest], heap[i]] = [heap[i]!, heap[largest]!];
      i = largest;
    }
  }
}

function sum(x: Cotangent, y: Cotangent, createGraph: boolean): Cotangent {
  beginOp();
  return recording(() => {
    const [l, r] = distinct([resolve(x.value), resolve(y.value)]) as [Value, Value];
    const value = b.add(l, r);
    return { value, edge: derived('AddBackward0', createGraph, [x.edge, y.edge], [l, r], [value], 0) };
  });
}

function derived(
  name: string,
  createGraph: boolean,
  next: readonly (Edge | null)[],
  inputs: readonly Value[],
  outputs: readonly Value[],
  index: number,
): Edge | null {
  if (!createGraph || next.every((e) => e === null)) return null;
  return { fn: new GradFn(name, next, { inputs, outputs }), index };
}

/** Gradients of a function's operands. Under `createGraph` they are functions of the incoming gradients and of the operands in turn. */
function differentiate(
  fn: GradFn,
  cts: readonly (Cotangent | null | undefined)[],
  useful: readonly boolean[],
  task: Task,
): (Cotangent | null)[] {
  const { saved } = fn;
  if (saved === undefined)
    throw new AutogradError(
      'trying to backward through the graph a second time: its saved values were freed when backward() or grad() ran',
      {
        op: fn.name,
        fix: 'specify retainGraph: true the first time',
      },
    );
  flushBefore(fn.name);
  beginOp();
  // A graph that was recorded before is another one each time.
  if (saved.outputs.some((v) => (v.node.record as Partial<Recorded> | undefined)?.interval !== currentInterval()))
    currentInterval().repeatable = false;
  const grads = recording(() => {
    const { inputs, outputs } = task.createGraph ? current(saved) : saved;
    const given = outputs.map((_, i) => cts[i] ?? null);
    // Gradients that are one value with an operand are told apart from it, as operands are from one another.
    const present = given.filter((c) => c !== null);
    const names = task.createGraph
      ? distinct([...inputs, ...present.map((c) => resolve(c.value))]).slice(inputs.length)
      : present.map((c) => c.value);
    let at = 0;
    const values = given.map((c) => (c === null ? null : names[at++]!));
    const found = pullback(
      outputs,
      values,
      inputs.filter((_, i) => useful[i]),
      // An operand without gradient may be computed from one that has one: detach() shares its value.
      inputs.filter((_, i) => !useful[i]),
    );
    at = 0;
    const grads = inputs.map((_, i) => (useful[i] ? (found[at++] ?? null) : null));
    const computed = grads.filter((v) => v !== null);
    const next = [...fn.next, ...present.map((c) => c.edge)];
    const again =
      task.createGraph && next.some((e) => e !== null)
        ? new GradFn(`${fn.name}Backward`, next, { inputs: [...inputs, ...names], outputs: computed })
        : undefined;
    return grads.map((value) =>
      value === null ? null : { value, edge: again === undefined ? null : { fn: again, index: computed.indexOf(value) } },
    );
  });
  if (!task.retainGraph) fn.saved = readsValues(saved) ? undefined : shapesOnly(saved);
  return grads;
}

/**
 * The function's graph as recorded in the current interval. A gradient that is to be differentiated again must be connected to the operands,
 * so a graph of an earlier interval, whose values are leaves here, is recorded once more.
 */
function current(saved: NonNullable<GradFn['saved']>): NonNullable<GradFn['saved']> {
  const nodes = nodesOf(saved);
  if (nodes.every((n) => recordedOf(n).interval === currentInterval())) return saved;
  const twin = new Map<Value, Value>();
  const inputs = distinct(saved.inputs.map(resolve));
  saved.inputs.forEach((v, i) => void twin.set(v, inputs[i]!));
  for (const n of nodes) {
    const copy = isLeaf(n.op)
      ? n
      : build(
          n.op,
          n.inputs.map((v) => twin.get(v) ?? v),
          n.attrs,
          n.regions,
        );
    n.values.forEach((v, i) => void twin.set(v, copy.values[i]!));
  }
  return { inputs, outputs: saved.outputs.map((v) => twin.get(v) ?? v) };
}

/** Whether the derivative needs values of the forward pass: sums and views do not, and PyTorch lets those be walked twice. */
function readsValues(saved: NonNullable<GradFn['saved']>): boolean {
  return nodesOf(saved).some((n) => {
    const { derivative } = rules[n.op];
    return derivative.kind !== 'none' && !(derivative.kind === 'linear' && derivative.in === 'jointly');
  });
}

/** The same graph over leaves without data: enough for a derivative that reads no values, and it keeps no buffer alive. */
function shapesOnly(saved: NonNullable<GradFn['saved']>): NonNullable<GradFn['saved']> {
  const twin = new Map<Value, Value>();
  const bare = (v: Value): Value => {
    const { dtype, shape } = avalOf(v);
    return makeNode('input', [], { dtype, shape }, [], [avalOf(v)]).values[0]!;
  };
  for (const v of saved.inputs) twin.set(v, bare(v));
  for (const n of nodesOf(saved)) {
    const values = isLeaf(n.op)
      ? n.values.map(bare)
      : makeNode(
          n.op,
          n.inputs.map((v) => twin.get(v)!),
          n.attrs,
          n.regions,
          n.outputs,
        ).values;
    n.values.forEach((v, i) => void twin.set(v, values[i]!));
  }
  return { inputs: saved.inputs.map((v) => twin.get(v)!), outputs: saved.outputs.map((v) => twin.get(v)!) };
}

/** Hooks in order of registration, then `retainGrad`. */
function hooked(fn: GradFn, cts: readonly (Cotangent | null)[]): (Cotangent | null)[] {
  return cts.map((ct, i) => {
    if (ct == null) return null;
    let now = ct;
    for (const hook of fn.hooks.get(i) ?? []) {
      const before = tensorOf(now);
      const after = hook(before);
      if (after === undefined) continue;
      if (!sameShape(avalOf(after.value()).shape, avalOf(now.value).shape))
        throw new AutogradError(
          `a hook has changed the size of the gradient from ${shapeText(avalOf(now.value).shape)} to ${shapeText(after.shape)}`,
          { op: fn.name },
        );
      now = { value: after.value(), edge: edgeOf(after) };
    }
    const keeper = fn.retained.get(i);
    if (keeper !== undefined) setGrad(keeper, tensorOf(now));
    return now;
  });
}

function tensorOf({ value, edge }: Cotangent): Tensor {
  const t = newTensor(storageOf(recording(() => resolve(value))));
  t.edge = edge ?? undefined;
  return t;
}
export const gradientTensor = tensorOf;

/** Adds into the leaf's `.grad`: in place where there is one, unless the sum must itself be differentiable. */
function accumulate(leaf: Tensor, ct: Cotangent, createGraph: boolean): void {
  gradientRead(leaf);
  const before = leaf.gradient;
  if (before === null) setGrad(leaf, tensorOf(ct));
  else if (createGraph) setGrad(leaf, before.add(tensorOf(ct)));
  else {
    noGrad(() => void before.add_(tensorOf(ct)));
    gradientSet(leaf);
  }
}

function setGrad(t: Tensor, gradient: Tensor): void {
  t.gradient = gradient;
  gradientSet(t);
}

/** A `.grad` that was written is stored at the boundary, if it is still there. */
export function gradientSet(t: Tensor): void {
  currentInterval().grads.set(t, () => t.gradient?.storage);
  currentInterval().touched.add(t);
}

/** A gradient of ones for a root of one element. */
export function implicitGradient(root: Tensor): Tensor {
  return newTensor(storageOf(recording(() => full(1, avalOf(root.value())))));
}
