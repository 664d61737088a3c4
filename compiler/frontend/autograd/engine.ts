// backward(): walks the functions from the roots to the leaves, and records each one's pullback. Nothing is computed here.
import { b } from '../../ir/builder.ts';
import type { Value } from '../../ir/node.ts';
import { edgeOf } from '../handle.ts';
import { distinct } from '../op.ts';
import { beginOp, recording, resolve } from '../record.ts';
import type { Tensor } from '../tensor.ts';
import { accumulate, type Cotangent, gradientTensor } from './accumulate.ts';
import { demandNoNaN, isAnomalyEnabled } from './anomaly.ts';
import { pullbackOf, release } from './differentiate.ts';
import { type Edge, GradFn } from './graph.ts';
import { setGradEnabled } from './mode.ts';
import { ReadyQueue } from './queue.ts';
import { runPostAccumulate, runPostHooks, runPreHooks, runTensorHooks } from './runHooks.ts';
import { duringBackward, withGradient } from './running.ts';

export type Root = { readonly edge: Edge; readonly gradient: Tensor };

export type Task = {
  readonly roots: readonly Root[];
  readonly createGraph: boolean;
  readonly retainGraph: boolean;
  /** Only gradients that reach these are wanted; undefined: those of all leaves. */
  readonly inputs: readonly Edge[] | undefined;
  /** Whether gradients end in `.grad`, as in backward(), or are given back, as in grad(). */
  readonly accumulates: boolean;
};

/** Gradients on their way, and what has arrived. */
type Run = {
  readonly task: Task;
  /** For each useful function, the gradients it still waits for. */
  readonly waiting: Map<GradFn, number>;
  readonly pending: Map<GradFn, (Cotangent | null)[]>;
  readonly ready: ReadyQueue;
  /** Functions that end the walk: whose gradients are wanted. Undefined: all leaves. */
  readonly wanted: ReadonlySet<GradFn> | undefined;
  /** Gradients of `task.inputs`, in the inputs' places. */
  readonly found: (Cotangent | null)[];
};

/**
 * Runs backward. For grad() the gradients of `task.inputs` are given in their order (null: not reached).
 * Throws AutogradError where a function was already released.
 */
export function runBackward(task: Task): (Cotangent | null)[] {
  const wanted = task.inputs === undefined ? undefined : new Set(task.inputs.map((e) => e.fn));
  const run: Run = {
    task,
    waiting: plan(task, wanted),
    pending: new Map(),
    ready: new ReadyQueue(),
    wanted,
    found: (task.inputs ?? []).map(() => null),
  };
  const backward = { token: run, reaches: (fn: GradFn) => run.waiting.has(fn) };
  return duringBackward(backward, () =>
    setGradEnabled(task.createGraph, () => {
      const roots = task.roots.filter((r) => run.waiting.has(r.edge.fn));
      for (const { edge, gradient } of roots) send(run, edge, { value: gradient.value(), edge: edgeOf(gradient) });
      for (const fn of new Set(roots.map((r) => r.edge.fn))) if (run.waiting.get(fn) === 0) run.ready.add(fn);
      for (let fn = run.ready.take(); fn !== undefined; fn = run.ready.take()) visit(run, fn);
      return run.found;
    }),
  );
}

/** Functions reachable from the roots that lie on a way to something wanted, with the number of gradients each will get. */
function plan(task: Task, wanted: ReadonlySet<GradFn> | undefined): Map<GradFn, number> {
  const waiting = new Map<GradFn, number>();
  const reached = reachable(task);
  if (wanted === undefined) for (const fn of reached) waiting.set(fn, 0);
  else {
    // A function is made after all that it leads to, so by ascending sequence (leaves first) one sweep finds what is useful.
    for (const fn of reached.sort((x, y) => rank(x) - rank(y)))
      if (wanted.has(fn) || fn.next.some((e) => e !== null && waiting.has(e.fn))) waiting.set(fn, 0);
  }
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

/** Lets one function, all of whose gradients have come, pass gradients on. Hooks run in PyTorch's order. */
function visit(run: Run, fn: GradFn): void {
  const { task, waiting, wanted } = run;
  const arrived = runTensorHooks(fn, run.pending.get(fn) ?? []);
  run.pending.delete(fn);
  task.inputs?.forEach((e, i) => {
    if (e.fn === fn) run.found[i] = arrived[e.index] ?? null;
  });
  const useful = fn.next.map((e) => e !== null && waiting.has(e.fn));
  // What is wanted only as a gradient need not run, unless it ends in a `.grad`.
  if (fn.variable !== undefined ? !task.accumulates : !useful.includes(true) && !(task.accumulates && wanted?.has(fn))) return;
  const cts = runPreHooks(fn, arrived);
  if (fn.variable !== undefined) {
    if (cts[0] != null) {
      accumulate(fn.variable, cts[0], task.createGraph);
      runPostAccumulate(fn.variable);
    }
    runPostHooks(fn, [], cts);
    return;
  }
  const grads = runPostHooks(fn, differentiate(fn, cts, useful, task), cts);
  fn.next.forEach((e, i) => {
    if (e === null || !useful[i]) return;
    const gradient = grads[i];
    if (gradient != null) send(run, e, gradient);
    const left = waiting.get(e.fn)! - 1;
    waiting.set(e.fn, left);
    if (left === 0) run.ready.add(e.fn);
  });
}

/** Gradients of a function's operands, by its own rule or by that of its graph. */
function differentiate(fn: GradFn, cts: readonly (Cotangent | null)[], useful: readonly boolean[], task: Task): (Cotangent | null)[] {
  const grads = withGradient(cts.find((ct) => ct != null)?.value, () =>
    fn.custom !== undefined ? runCustom(fn, cts) : pullbackOf(fn, cts, useful, task.createGraph),
  );
  if (isAnomalyEnabled())
    demandNoNaN(
      fn,
      grads.map((ct) => (ct === null ? null : gradientTensor(ct))),
    );
  if (!task.retainGraph) release(fn);
  return grads;
}

function runCustom(fn: GradFn, cts: readonly (Cotangent | null)[]): (Cotangent | null)[] {
  const given = Array.from(cts, (ct) => (ct == null ? null : gradientTensor(ct)));
  return fn.custom!.run(given).map((t) => (t === null ? null : { value: t.value(), edge: edgeOf(t) }));
}

function send({ pending, task }: Run, e: Edge, ct: Cotangent): void {
  const into = pending.get(e.fn) ?? [];
  pending.set(e.fn, into);
  const before = into[e.index];
  into[e.index] = before == null ? ct : sum(before, ct, task.createGraph);
}

function sum(x: Cotangent, y: Cotangent, createGraph: boolean): Cotangent {
  beginOp();
  return recording(() => {
    const [l, r] = distinct([resolve(x.value), resolve(y.value)]) as [Value, Value];
    const value = b.add(l, r);
    const isFunction = createGraph && (x.edge !== null || y.edge !== null);
    return { value, edge: isFunction ? { fn: new GradFn('add', [x.edge, y.edge], { inputs: [l, r], outputs: [value] }), index: 0 } : null };
  });
}
