// Records a call that never runs: on placeholders without data, for Programs that are compiled ahead of time. All state is put back after it.
import type { Buffer } from '../../../runtime/buffer.ts';
import { CompileError } from '../../../runtime/errors.ts';
import type { HostExpr } from '../../../runtime/host.ts';
import type { Aval } from '../../ir/aval.ts';
import { avalOf, type Graph, isLeaf, makeNode, type Node, postorder, type Value } from '../../ir/node.ts';
import { survey, templateOf, valueAt, valueId } from '../../jit/structure.ts';
import { boundary, carryClaims, observedBy, realise } from '../boundary.ts';
import { type Ahead, type Call, type HostCounter, newCall } from '../call.ts';
import { defaultTarget } from '../device.ts';
import { newTensor } from '../op.ts';
import { flatten, type Rest } from '../pytree.ts';
import { markStream } from '../random.ts';
import { bufferOf, currentInterval, type Interval, type LeafRecord, recordedOf, slotRecordOf, startInterval } from '../record.ts';
import { type Storage, storageOf } from '../storage.ts';
import type { Tensor } from '../tensor.ts';

/** What an input of the recorded graph stands for. */
export type AheadSource =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'state'; readonly storage: Storage }
  | { readonly kind: 'constant'; readonly buffer: () => Buffer }
  /** A number; `expr` where the library owns it. */
  | { readonly kind: 'slot'; readonly value: number; readonly expr: HostExpr<HostCounter> | undefined };

export type AheadCall = {
  /** Its outputs are the tensors of the result in order, then the new values of `written`. */
  readonly graph: Graph;
  /** By input of the graph. */
  readonly sources: readonly AheadSource[];
  /** The result, with holes where tensors were. */
  readonly rest: Rest;
  readonly results: readonly Aval[];
  readonly written: readonly Storage[];
  readonly counts: readonly { readonly counter: HostCounter; readonly times: number }[];
  /** Modules that were called, the outermost first. */
  readonly modules: readonly object[];
  /** Whose state decided what was recorded: optimisers, and what else was asked. */
  readonly deciders: readonly object[];
};

export type AheadOptions = {
  /** What messages call the call. */
  readonly op?: string;
  readonly openRates?: boolean;
};

type Refuse = Ahead['refuse'];

/** Records what `run` does with tensors of such dtypes and shapes. Throws CompileError for what only a running program could do. */
export function recordAhead(
  run: (placeholders: readonly Tensor[]) => unknown,
  avals: readonly Aval[],
  { op = 'aot', openRates = false }: AheadOptions = {},
): AheadCall {
  boundary();
  const placeholders = avals.map(placeholderOf);
  /** Why the call cannot be compiled ahead of time, said at the user's line. */
  const refuse: Refuse = (what, fix) => {
    throw new CompileError(what, { op, fix });
  };
  const ahead: Ahead = { refuse, counts: new Map(), openRates, back: [] };
  const restoreStreams = markStream();
  const call = newCall(new Set(), true, ahead);
  startInterval(call);
  const interval = currentInterval();
  const look = (): never => refuse('it looks at a value, which is not there yet', 'choose with where() or cond(), or return the tensor');
  const before = observedBy({ number: look, other: look });
  try {
    const result = run(placeholders);
    if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function')
      refuse('it is async', 'declare the part between two awaits');
    return describe(call, interval, placeholders, result);
  } finally {
    observedBy(before);
    startInterval(undefined);
    carryClaims(interval);
    for (const [storage, value] of interval.written) storage.value = value;
    for (const undo of interval.undo.reverse()) undo();
    for (const back of ahead.back.reverse()) back();
    restoreStreams();
    for (const t of call.touched) t.gradient = call.gradients.get(t) ?? null;
    interval.call = undefined;
  }
}

function placeholderOf(aval: Aval): Tensor {
  const leaf = makeNode('input', [], { dtype: aval.dtype, shape: aval.shape }, [], [aval]);
  leaf.record = { buffer: undefined, claim: undefined } satisfies LeafRecord;
  return newTensor(storageOf(leaf.values[0]!));
}

function describe(call: Call, interval: Interval, placeholders: readonly Tensor[], result: unknown): AheadCall {
  const { tensors, rest } = flatten(result);
  const results = tensors.map((t) => t.value());
  const given = new Map(placeholders.map((t, index) => [t.storage, index]));
  const written = [...call.written].filter((s) => s.born !== interval);
  demandRepeatable(call, interval, placeholders, written);
  const values = [...results, ...written.map((s) => s.value)];
  const { graph, leaves } = graphOf(interval.nodes, values, call.ahead!.refuse);
  const sources = leaves.map((leaf) => sourceOf(call, interval, leaf, given));
  return {
    graph,
    sources,
    rest,
    results: results.map(avalOf),
    written,
    counts: [...call.ahead!.counts.values()],
    modules: [...call.modules.keys()],
    deciders: [...new Set(call.guards.map((g) => g.owner))],
  };
}

/** What the next call would find otherwise than this one. */
function demandRepeatable(call: Call, interval: Interval, placeholders: readonly Tensor[], written: readonly Storage[]): void {
  const { refuse } = call.ahead!;
  if (!interval.repeatable)
    refuse('it changes the history of a tensor that it did not make, or writes elements from the host', 'do that outside of it');
  for (const [module, properties] of call.modules)
    for (const [name, value] of properties)
      if ((module as Record<string, unknown>)[name] !== value && typeof value !== 'number')
        refuse(`it assigns the property ${name} of a module`, 'return the tensor, or write into it with copy_()');
  if (placeholders.some((t) => written.includes(t.storage))) refuse('it writes into its argument', 'return the new value instead');
  for (const [of, found] of call.gradients)
    if (of.gradient !== found) refuse('it goes on from gradients that an earlier call left', 'call zeroGrad() before backward()');
}

/** The graph of values over leaves of its own, and the leaves that it reads, in the order of its inputs. */
function graphOf(nodes: readonly Node[], values: readonly Value[], refuse: Refuse): { graph: Graph; leaves: readonly Value[] } {
  const stretch = survey(nodes);
  const { nodes: copies, leaves: templates } = templateOf(stretch, defaultTarget());
  const known = new Map<Value, Value>(stretch.leaves.map((v, i) => [v, templates[i]!.values[0]!]));
  const own = (v: Value): Value => {
    if (!isLeaf(v.node.op)) {
      const { position } = recordedOf(v.node);
      return valueAt(copies, valueId(position, v.index));
    }
    if (v.node.op === 'slot') return refuse('it gives back a number as a tensor', 'return the number itself');
    const { dtype, shape } = avalOf(v);
    const leaf = known.get(v) ?? makeNode('input', [], { dtype, shape }, [], [{ dtype, shape }]).values[0]!;
    known.set(v, leaf);
    return leaf;
  };
  const outputs = values.map(own);
  const reached = new Set(postorder(outputs));
  const read = [...known].filter(([, leaf]) => reached.has(leaf.node));
  return { graph: { inputs: read.map(([, leaf]) => leaf), outputs }, leaves: read.map(([v]) => v) };
}

function sourceOf(call: Call, interval: Interval, leaf: Value, given: ReadonlyMap<Storage, number>): AheadSource {
  const { node } = leaf;
  if (node.op === 'slot') {
    const { value, source, expr } = slotRecordOf(node);
    if (source !== undefined && expr === undefined) call.ahead!.refuse('it computes with state of the host', 'pass it in as a number');
    return { kind: 'slot', value, expr };
  }
  const storage = call.sources.get(node);
  const index = storage && given.get(storage);
  if (index !== undefined) return { kind: 'argument', index };
  for (const [s, i] of given) if (s.value === leaf) return { kind: 'argument', index: i };
  if (storage !== undefined && storage.born !== interval) return { kind: 'state', storage };
  return { kind: 'constant', buffer: () => bufferOf(leaf) ?? realise(leaf) };
}
