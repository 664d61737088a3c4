// The derivative of one recorded op: its graph's pullback, recorded as more nodes.
import { full } from '../../ir/builder.ts';
import { avalOf, isLeaf, nodesOf, type Value } from '../../ir/node.ts';
import { flushBefore } from '../boundary.ts';
import { distinct } from '../op.ts';
import { beginOp, currentInterval, recordedOf, recording, resolve } from '../record.ts';
import type { Cotangent } from './accumulate.ts';
import { type Edge, GradFn, type SavedGraph } from './graph.ts';
import { copyInto, derive, freed, readBy, readsValues, withoutData } from './residuals.ts';
import { unpacked } from './savedHooks.ts';

/** Ops in place that leave nothing of what was there. */
const overwriting: ReadonlySet<string> = new Set(['fill_', 'zero_', 'copy_']);

/** Gradients of a function's operands. Under `createGraph` they are functions of the incoming gradients and of the operands in turn. */
export function pullbackOf(
  fn: GradFn,
  cts: readonly (Cotangent | null | undefined)[],
  useful: readonly boolean[],
  createGraph: boolean,
): (Cotangent | null)[] {
  const { saved, packed } = fn;
  if (saved === undefined) throw freed(fn.name);
  if (!useful.includes(true) || !cts.some((c) => c != null)) return fn.next.map(() => null);
  flushBefore(fn.op);
  beginOp();
  const handed = packed === undefined ? undefined : unpacked(fn, packed);
  // A graph that was recorded before is another one each time.
  if (saved.outputs.some((v) => isLeaf(v.node.op) || recordedOf(v.node)?.interval !== currentInterval()))
    currentInterval().repeatable = false;
  return recording(() => {
    const border = handed !== undefined ? handed.border : createGraph ? current(saved) : saved;
    const given = border.outputs.map((_, i) => cts[i] ?? null);
    // Gradients that are one value with an operand are told apart from it, as operands are from one another.
    const present = given.filter((c) => c !== null);
    const names = createGraph
      ? distinct([...border.inputs, ...present.map((c) => resolve(c.value))]).slice(border.inputs.length)
      : present.map((c) => resolve(c.value));
    let at = 0;
    const seeds = given.map((c) => (c === null ? null : names[at++]!));
    const found = handed === undefined ? derive(border, seeds, useful) : handed.derive(seeds, useful);
    // What is overwritten as a whole had no influence: its gradient is zero, and arrives as such.
    const values =
      overwriting.has(fn.op) && useful[0] && found[0] === null ? [full(0, avalOf(border.inputs[0]!)), ...found.slice(1)] : found;
    const computed = values.filter((v) => v !== null);
    const again = createGraph
      ? derivative(fn, [...border.inputs, ...names], [...fn.next, ...present.map((c) => c.edge)], computed, handed?.results)
      : undefined;
    return values.map((value) =>
      value === null ? null : { value, edge: again === undefined ? null : { fn: again, index: computed.indexOf(value) } },
    );
  });
}

/** The function by which gradients are differentiated again. Results that came out of storage are operands of it too. */
function derivative(
  fn: GradFn,
  inputs: readonly Value[],
  next: readonly (Edge | null)[],
  outputs: readonly Value[],
  results: readonly { readonly value: Value; readonly index: number }[] = [],
): GradFn | undefined {
  const name = `${fn.name.replace(/Backward\d*$/, '')}BackwardBackward0`;
  const operands = [...inputs, ...results.map((r) => r.value)];
  const read = readBy(outputs, new Set(operands));
  const edges = [...next, ...results.map(({ index }) => ({ fn, index }))].map((e, i) => (read.has(operands[i]!) ? e : null));
  // Of a linear function the gradients are no function of the operands.
  return edges.every((e) => e === null) ? undefined : new GradFn(name, edges, { inputs: operands, outputs });
}

/** Lets go of what the function saved. Where its derivative reads no values, it can run again all the same. */
export function release(fn: GradFn): void {
  fn.custom?.release();
  const { saved } = fn;
  if (saved === undefined) return;
  fn.look();
  fn.saved = readsValues(saved) ? undefined : withoutData(saved);
  fn.packed = undefined;
}

/**
 * The function's graph as recorded in the current interval. A gradient that is to be differentiated again must be connected to the operands,
 * so a graph of an earlier interval, whose values are leaves here, is recorded once more.
 */
function current(saved: SavedGraph): SavedGraph {
  const nodes = nodesOf(saved);
  if (nodes.every((n) => isLeaf(n.op) || recordedOf(n).interval === currentInterval())) return saved;
  const inputs = distinct(saved.inputs.map(resolve));
  const twin = new Map(saved.inputs.map((v, i) => [v, inputs[i]!]));
  copyInto(nodes, twin);
  return { inputs, outputs: saved.outputs.map((v) => twin.get(v) ?? v) };
}
