// Lays a fused graph out as steps: kernels in order, branches and loops with the steps of their regions, and the buffer of every value.
import type { Kernel } from '../../kernels/loop.ts';
import { InternalError, OutOfMemoryError } from '../../runtime/errors.ts';
import type { KernelCode } from '../../runtime/program.ts';
import { avalText } from '../ir/aval.ts';
import { recordWith } from '../ir/builder.ts';
import { fixed, numel } from '../ir/dim.ts';
import { avalOf, type Graph, type NodeOf, shapeOf, storedAs, type Value } from '../ir/node.ts';
import { extentsOf, type Sizes } from '../ops/extent.ts';
import { constantCarries, copyOf } from '../passes/fuse/copies.ts';
import { schedule } from '../passes/order.ts';
import { type Buffer, type Home, holderOf, newBuffer, type Place, takeOver } from './buffers.ts';
import { inPlaceOf } from './in-place.ts';
import { elements } from './region.ts';

export type KernelNode = NodeOf<'kernel'>;
export type Lowered = { readonly node: KernelNode; readonly kernel: Kernel; readonly code: KernelCode };

/** `operands` leave out the slots. */
export type PlannedLaunch = {
  readonly kind: 'launch';
  readonly at: number;
  readonly lowered: Lowered;
  readonly operands: readonly Place[];
  readonly results: readonly Place[];
};
export type PlannedStep =
  | PlannedLaunch
  | { readonly kind: 'branch'; readonly test: Place; readonly then: readonly PlannedStep[]; readonly else: readonly PlannedStep[] }
  | { readonly kind: 'while'; readonly test: readonly PlannedStep[]; readonly holds: Place; readonly body: readonly PlannedStep[] }
  | { readonly kind: 'repeat'; readonly times: number; readonly reverse: boolean; readonly body: readonly PlannedStep[] };

export type Plan = {
  readonly steps: readonly PlannedStep[];
  readonly launches: readonly PlannedLaunch[];
  readonly buffers: readonly Buffer[];
};

/** A loop that is being laid out: buffers from outside live until its end, since every turn reads them. */
type Loop = { readonly outer: Set<Buffer> };

/** What a region is laid out with: places of its inputs, and where results go that have a place already. */
type Scope = { readonly places: Map<Value, Place>; readonly targets: ReadonlyMap<Value, Place>; readonly loops: readonly Loop[] };

/** What a loop carries: the place that is both what a turn reads and what the next one does, and what a turn makes of it. */
type Carry = { readonly place: Place; readonly next: Place };

/**
 * `homes` are the places that the caller gave: of inputs, and of stored values that are outputs. Regions are entered by recursion, no
 * deeper than regions may nest.
 */
export function planSteps(graph: Graph, homes: ReadonlyMap<Value, Home>, sizes: Sizes, lower: (node: KernelNode) => Lowered): Plan {
  const buffers: Buffer[] = [];
  const launches: PlannedLaunch[] = [];
  const makerOf = new Map<Buffer, PlannedLaunch>();
  let now = 0;

  const made = (value: Value, loops: readonly Loop[]): Place => {
    const buffer = newBuffer(value, sizes, now, loops.length, homes.get(value));
    buffers.push(buffer);
    return { buffer, rows: [] };
  };
  const read = ({ buffer }: Place, loops: readonly Loop[]): void => {
    buffer.reads.push(now);
    extend(buffer, loops);
  };
  const extend = (buffer: Buffer, loops: readonly Loop[]): void => {
    buffer.last = Math.max(buffer.last, now);
    for (let i = buffer.depth; i < loops.length; i++) loops[i]!.outer.add(buffer);
  };
  const closeLoop = (loop: Loop): void => {
    now++;
    for (const buffer of loop.outer) buffer.last = Math.max(buffer.last, now);
  };

  function layOut(region: Graph, { places, targets, loops }: Scope): PlannedStep[] {
    const steps: PlannedStep[] = [];
    const placeOf = (value: Value): Place => places.get(storedAs(value))!;
    for (const node of schedule(region)) {
      now++;
      const targetOf = (value: Value): Place => targets.get(value) ?? made(value, loops);
      switch (node.op) {
        case 'kernel': {
          const operands = node.inputs.filter((v) => v.node.op !== 'slot').map(placeOf);
          steps.push(launch(node, operands, node.values.map(targetOf), loops));
          for (const [i, v] of node.values.entries()) places.set(v, launches.at(-1)!.results[i]!);
          break;
        }
        case 'reshape':
        case 'barrier':
          break;
        case 'cond': {
          const test = placeOf(node.inputs[0]!);
          read(test, loops);
          const operands = node.inputs.slice(1).map(placeOf);
          const results = node.values.map(targetOf);
          const [then, otherwise] = node.regions.map((g) => {
            const scope = { places: inside(g, operands), targets: targetsOf(g, results), loops };
            return layOut(g, scope);
          });
          now++;
          for (const [i, v] of node.values.entries()) places.set(v, results[i]!);
          for (const { buffer } of results) extend(buffer, loops);
          steps.push({ kind: 'branch', test, then: then!, else: otherwise! });
          break;
        }
        case 'whileLoop': {
          const operands = node.inputs.map(placeOf);
          const [test, body] = node.regions as readonly [Graph, Graph];
          const loop: Loop = { outer: new Set() };
          const within = [...loops, loop];
          const tested = inside(test, operands);
          const testSteps = layOut(test, { places: tested, targets: new Map(), loops: within });
          now++;
          const holds = tested.get(storedAs(test.outputs[0]!))!;
          read(holds, within);
          const bodySteps = layOutBody(node, body, operands, operands.length, [], within);
          closeLoop(loop);
          for (const [i, v] of node.values.entries()) places.set(v, carriedOn(v, operands[i]!, loops));
          steps.push({ kind: 'while', test: testSteps, holds, body: bodySteps });
          break;
        }
        case 'scan': {
          const { carries, length, reverse } = node.attrs;
          const [body] = node.regions as readonly [Graph];
          const loop: Loop = { outer: new Set() };
          const depth = loops.length;
          const rowOf = (whole: Place, part: Value): Place => ({
            buffer: whole.buffer,
            rows: [...whole.rows, { loop: depth, length: fixed(numel(shapeOf(part))) }],
          });
          const operands = node.inputs.map((v, i) => (i < carries ? placeOf(v) : rowOf(placeOf(v), body.inputs[i]!)));
          const stacks = node.values.slice(carries).map(targetOf);
          const rows = stacks.map((whole, i) => rowOf(whole, body.outputs[carries + i]!));
          const bodySteps = layOutBody(node, body, operands, carries, rows, [...loops, loop]);
          for (const { buffer } of stacks) loop.outer.add(buffer);
          closeLoop(loop);
          for (const [i, v] of node.values.entries()) places.set(v, i < carries ? carriedOn(v, operands[i]!, loops) : stacks[i - carries]!);
          for (const { buffer } of stacks) extend(buffer, loops);
          steps.push({ kind: 'repeat', times: length, reverse, body: bodySteps });
          break;
        }
        default:
          throw new InternalError(`${node.op} ${node.outputs.map(avalText).join(', ')} was left outside of all kernels`, { op: 'lower' });
      }
    }
    return steps;
  }

  function launch(node: KernelNode, operands: readonly Place[], results: readonly Place[], loops: readonly Loop[]): PlannedLaunch {
    for (const value of node.values) demandAddressable(value, sizes);
    for (const place of operands) read(place, loops);
    for (const { buffer } of results) extend(buffer, loops);
    const planned: PlannedLaunch = { kind: 'launch', at: now, lowered: lower(node), operands, results };
    launches.push(planned);
    for (const { buffer } of results) makerOf.set(buffer, planned);
    return planned;
  }

  /** The result of a loop lies where it was carried, which is what the caller gave for it, if anything. */
  function carriedOn(value: Value, place: Place, loops: readonly Loop[]): Place {
    const home = homes.get(value);
    if (home !== undefined) holderOf(place.buffer).home = home;
    extend(place.buffer, loops);
    return place;
  }

  /** The steps of one turn. What it carries is written over what it was, at once where no step reads that any more, else by copies at the end. */
  function layOutBody(
    node: NodeOf<'whileLoop'> | NodeOf<'scan'>,
    body: Graph,
    operands: readonly Place[],
    carries: number,
    rows: readonly Place[],
    loops: readonly Loop[],
  ): PlannedStep[] {
    const start = now;
    const constant = constantCarries(node);
    for (const { buffer } of operands) extend(buffer, loops);
    const places = inside(body, operands);
    const targets = new Map(rows.map((row, i) => [storedAs(body.outputs[carries + i]!), row]));
    const steps = layOut(body, { places, targets, loops });
    const changing = operands.slice(0, carries).flatMap((place, i): (Carry & { readonly value: Value })[] => {
      if (constant[i]) return [];
      const value = body.outputs[i]!;
      return [{ place, next: places.get(storedAs(value))!, value }];
    });
    for (const carry of changing) {
      if (mayReplace(carry, start)) {
        takeOver(carry.next.buffer, carry.place.buffer);
        continue;
      }
      now++;
      steps.push(launch(copyOfNext(carry.value), [carry.next], [carry.place], loops));
    }
    return steps;
  }

  /** Whether the launch that makes the next value may write it over the one of this turn, which begins after `start`. */
  function mayReplace({ place, next }: Carry, start: number): boolean {
    const maker = makerOf.get(next.buffer)!;
    const last = place.buffer.reads.reduce((a, b) => (b > start ? Math.max(a, b) : a), 0);
    if (last < maker.at) return true;
    if (last > maker.at) return false;
    const reading = maker.operands.flatMap((o, i) => (o.buffer === place.buffer ? [i] : []));
    const result = maker.operands.length + maker.results.findIndex((r) => r.buffer === next.buffer);
    return reading.length === 1 && inPlaceOf(maker.lowered.kernel).mayOverwrite(result, reading[0]!);
  }

  const steps = layOut(graph, { places: placesOfInputs(graph, homes, sizes, buffers), targets: new Map(), loops: [] });
  for (const l of launches) shareBytes(l);
  return { steps, launches, buffers };
}

const inside = (region: Graph, operands: readonly Place[]): Map<Value, Place> => new Map(region.inputs.map((v, i) => [v, operands[i]!]));
const targetsOf = (region: Graph, results: readonly Place[]): ReadonlyMap<Value, Place> =>
  new Map(region.outputs.map((v, i) => [storedAs(v), results[i]!]));

function placesOfInputs(graph: Graph, homes: ReadonlyMap<Value, Home>, sizes: Sizes, buffers: Buffer[]): Map<Value, Place> {
  const places = new Map<Value, Place>();
  for (const v of graph.inputs) {
    if (v.node.op === 'slot') continue;
    const buffer = newBuffer(v, sizes, 0, 0, homes.get(v));
    buffers.push(buffer);
    places.set(v, { buffer, rows: [] });
  }
  return places;
}

function copyOfNext(value: Value): KernelNode {
  const recorder = recordWith(undefined);
  try {
    return copyOf(storedAs(value)).node as KernelNode;
  } finally {
    recordWith(recorder);
  }
}

/** Lets results lie where operands lay that are read for the last time, each once, where the kernel allows it. */
function shareBytes({ at, lowered, operands, results }: PlannedLaunch): void {
  const isFree = ({ buffer, rows }: Place): boolean => rows.length === 0 && holderOf(buffer).home === undefined;
  const bound = new Map<Buffer, number>();
  for (const { buffer } of operands) bound.set(holderOf(buffer), (bound.get(holderOf(buffer)) ?? 0) + 1);
  const dying = operands.flatMap((place, o) => {
    const holder = holderOf(place.buffer);
    return isFree(place) && holder.last === at && bound.get(holder) === 1 ? [o] : [];
  });
  if (dying.length === 0) return;
  const inPlace = inPlaceOf(lowered.kernel);
  const taken = new Set<number>();
  for (const [r, result] of results.entries()) {
    // A result that is older than this launch is what a branch or a loop leaves: its bytes are its own all the time.
    if (!isFree(result) || result.buffer.into !== undefined || result.buffer.first !== at) continue;
    const donor = dying.find((o) => !taken.has(o) && inPlace.mayOverwrite(operands.length + r, o));
    if (donor === undefined) continue;
    taken.add(donor);
    takeOver(result.buffer, operands[donor]!.buffer);
  }
}

/** Positions are computed in 32 bits, and arrays hold no more. */
const mostElements = 2 ** 31 - 1;

function demandAddressable(value: Value, sizes: Sizes): void {
  const count = elements(extentsOf(shapeOf(value), sizes));
  if (count <= mostElements) return;
  throw new OutOfMemoryError(
    `${value.node.name ?? 'a result'}: ${avalText(avalOf(value))} has ${count} elements, ${mostElements} are possible`,
    {
      op: 'compile',
      fix: 'split the computation, or reduce before the value is stored',
    },
  );
}
