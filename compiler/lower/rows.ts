// Kernels of the form `rows`: reductions, what they are made of and what is made of them, in phases under one loop over the rows.
//
// Where the reduced axes are the innermost, a row is walked at a time and its accumulators are scalars. Where axes of the grid lie inside of
// them (sums over columns), these rows are walked side by side, so that memory is read in order; their accumulators are arrays in scratch.
import type { Expr, Position } from '../../kernels/loop.ts';
import { add, linearize, sub, zero } from '../../kernels/position.ts';
import { mostOf } from '../../kernels/size.ts';
import { bytesPerElement } from '../../runtime/dtype.ts';
import { sameShape } from '../ir/dim.ts';
import { dtypeOf, type Node, nodesOf, shapeOf, type Value } from '../ir/node.ts';
import { type Accumulator, accumulate, accumulatorFor, fold, longestRun, partOf, resultOf } from './accumulator.ts';
import { expressions, type Known } from './expression.ts';
import { identifier } from './names.ts';
import { type Axis, axesFor, blocks, declare, emit, loop, loops, type Nest, type Place, placeOf } from './nest.ts';
import { isReduction, type Phase, type Phases, phasesOf } from './phases.ts';
import { elements, type Region, store } from './region.ts';

/** Dimensions of the space by their part: `outer` and `side` make up the grid. */
type Layout = { readonly outer: readonly number[]; readonly reduced: readonly number[]; readonly side: readonly number[] };

/** The rows that are walked side by side, and what is known of them so far. */
type Rows = {
  readonly nest: Nest;
  readonly region: Region;
  readonly layout: Layout;
  readonly plan: Phases;
  /** Values that are constant along a row, dear to compute in every iteration, and made once where rows are walked side by side. */
  readonly temporaries: readonly Value[];
  readonly axes: readonly Axis[];
  readonly outerAt: readonly Position[];
  /** Extents and start of the block of rows side by side, by dimension in `layout.side`. */
  readonly side: readonly { readonly axis: Axis; readonly start: Position }[];
  readonly finished: Map<Node, Accumulator>;
  /** Scratch that holds a value of each row, or of each element. */
  readonly ofRow: Map<Value, string>;
  readonly ofElement: Map<Value, string>;
  /** The element that is computed now. */
  here: Place | undefined;
};

export function lowerRows(nest: Nest, region: Region): void {
  const { space, reduce } = region;
  if (elements(space.filter((_, d) => !reduce.includes(d))) === 0) return;
  const kept = phasesOf(region.graph, region.dims);
  const plan = blockOfRows(region, kept, layoutOf(region, kept)) > 0 ? kept : withoutKept(kept);
  const layout = layoutOf(region, plan);
  const block = Math.max(fewestRows, blockOfRows(region, plan, layout));
  const axes = axesFor(nest, space);
  const base = { nest, region, layout, plan, axes, temporaries: layout.side.length === 0 ? [] : temporariesOf(region, plan) };
  loops(
    nest,
    layout.outer.map((d) => axes[d]!),
    'par',
    (outerAt) => {
      const walk = (side: Rows['side']): void =>
        walkRows({ ...base, outerAt, side, finished: new Map(), ofRow: new Map(), ofElement: new Map(), here: undefined });
      const last = layout.side.at(-1);
      if (last === undefined) return walk([]);
      const whole = layout.side.slice(0, -1).map((d) => ({ axis: axes[d]!, start: zero }));
      return blocks(nest, axes[last]!, block, 'par', (axis, start) => walk([...whole, { axis, start }]));
    },
  );
}

/** Grid axes behind the last reduced one are walked side by side, as many of them as scratch has room for; at least the last. */
function layoutOf(region: Region, plan: Phases): Layout {
  const { space, reduce, target } = region;
  const lastReduced = Math.max(...reduce);
  const grid = space.map((_, d) => d).filter((d) => !reduce.includes(d));
  let side = grid.filter((d) => d > lastReduced && space[d] !== 1);
  while (side.length > 1 && scratchFor(region, plan, elements(side.map((d) => space[d]!))) > target.maxScratchBytes) side = side.slice(1);
  return { outer: grid.filter((d) => !side.includes(d)), reduced: [...reduce].sort((a, b) => a - b), side };
}

/** Bytes of scratch that `width` rows side by side take. A single row has scalars; only kept values take scratch. */
function scratchFor({ space, reduce }: Region, { phases, inOutput }: Phases, width: number): number {
  const row = elements(reduce.map((d) => space[d]!));
  let bytes = 0;
  for (const { reductions, keep } of phases) {
    if (width > 1) bytes += reductions.length * largestAccumulator;
    for (const value of keep) if (!inOutput.has(value)) bytes += row * bytesPerElement[dtypeOf(value)];
  }
  return bytes * width;
}

const largestAccumulator = 16;
/** Fewer rows side by side than this do not repay the arrays. */
const fewestRows = 16;

/** How many rows of the last axis go side by side; 0 where there is no room for what would be kept of them. */
function blockOfRows(region: Region, plan: Phases, { side }: Layout): number {
  const budget = region.target.maxScratchBytes;
  const last = side.at(-1);
  if (last === undefined) return scratchFor(region, plan, 1) <= budget ? 1 : 0;
  const extent = mostOf(region.space[last]!);
  const perRow = scratchFor(region, plan, 2 * elements(side.slice(0, -1).map((d) => region.space[d]!))) / 2;
  const room = perRow === 0 ? extent : Math.floor(budget / perRow);
  return room >= extent ? extent : room - (room % fewestRows);
}

const withoutKept = (plan: Phases): Phases => ({ ...plan, phases: plan.phases.map((phase) => ({ ...phase, keep: [] })) });

/** What is computed from finished reductions and used along the rows, but is no bare reduction. */
function temporariesOf({ graph, dims, reduce }: Region, { depth }: Phases): Value[] {
  const rowShape = dims.filter((_, d) => !reduce.includes(d));
  const found = new Set<Value>();
  for (const node of nodesOf(graph)) {
    if (node.op !== 'expand') continue;
    const [row] = node.inputs;
    if (sameShape(shapeOf(row), rowShape) && (depth.get(row.node) ?? 0) > 0 && !isReduction(row.node)) found.add(row);
  }
  return [...found];
}

// ---- one block of rows

function walkRows(rows: Rows): void {
  rows.plan.phases.forEach((phase, p) => {
    if (phase.reductions.length + phase.full.length > 0) walkElements(rows, phase);
    finishRows(rows, phase, p);
  });
}

/** The loop over the reduced axes. */
function walkElements(rows: Rows, phase: Phase): void {
  const { nest, region } = rows;
  const width = elements(rows.side.map((s) => s.axis.extent));
  const count = elements(region.reduce.map((d) => region.space[d]!));
  const accumulators = phase.reductions.map((node) => accumulatorFor(nest, node, region.target, width, count));
  const keeps = new Map(phase.keep.map((value) => [value, keepIn(rows, value, width)]));
  reducedLoops(rows, accumulators, (reducedAt, into) => {
    sideLoops(rows, (sideAt) => {
      const at = coordinates(rows, reducedAt, sideAt);
      rows.here = placeOf(nest, at);
      walkElement(rows, phase, at, reducedAt, sideAt, into, keeps);
      rows.here = undefined;
    });
  });
  for (const a of accumulators) rows.finished.set(a.node, a);
  for (const [value, name] of keeps) rows.ofElement.set(value, name);
}

function walkElement(
  rows: Rows,
  phase: Phase,
  at: readonly Position[],
  reducedAt: readonly Position[],
  sideAt: readonly Position[],
  into: readonly Accumulator[],
  keeps: ReadonlyMap<Value, string>,
): void {
  const { nest, region, layout } = rows;
  const kept = [...keeps];
  const stored = phase.full.map((i) => region.graph.outputs[i]!);
  const severalStores = stored.length > 1;
  const values = expressions(nest, knownTo(rows), [
    ...phase.reductions.map((node) => ({ value: node.inputs[0]!, at })),
    ...kept.map(([value]) => ({ value, at, bind: true })),
    ...stored.map((value) => ({ value, at, bind: severalStores })),
  ]);
  let next = 0;
  const row = linearInBlock(
    rows,
    sideAt.map((p, s) => sub(p, rows.side[s]!.start)),
  );
  const place = linearize(
    reducedAt,
    layout.reduced.map((d) => region.space[d]!),
  );
  for (const a of into) accumulate(nest, a, row, values[next++]!, place);
  for (const [value, name] of kept) emit(nest, { kind: 'store', buffer: name, at: keptAt(rows, value, at), value: values[next++]! });
  for (const i of phase.full)
    emit(nest, { kind: 'store', buffer: region.writes[i]!.name, at: linearize(at, region.space, nest.extents), value: values[next++]! });
}

/** What follows the loop: results without the reduced axes, and temporaries of the next phase. */
function finishRows(rows: Rows, phase: Phase, p: number): void {
  const { nest, region, plan } = rows;
  const made = rows.temporaries.filter((value) => plan.depth.get(value.node) === p + 1);
  const width = elements(rows.side.map((s) => s.axis.extent));
  const names = made.map((value) => {
    const name = declare(nest, identifier(value.node.name || value.node.op));
    emit(nest, { kind: 'scratch', name, dtype: dtypeOf(value), length: width });
    return name;
  });
  if (phase.row.length + made.length === 0) return;
  const shape = region.space.filter((_, d) => !region.reduce.includes(d));
  sideLoops(rows, (sideAt) => {
    const at = coordinates(
      rows,
      rows.layout.reduced.map(() => zero),
      sideAt,
    ).filter((_, d) => !region.reduce.includes(d));
    const known = knownTo(rows);
    const values = expressions(
      nest,
      known,
      made.map((value) => ({ value, at, bind: true })),
    );
    const row = linearInBlock(
      rows,
      sideAt.map((position, s) => sub(position, rows.side[s]!.start)),
    );
    for (const [i, value] of values.entries()) emit(nest, { kind: 'store', buffer: names[i]!, at: row, value });
    store(
      nest,
      known,
      phase.row.map((i) => ({ value: region.graph.outputs[i]!, into: region.writes[i]!, at, shape })),
    );
  });
  for (const [i, value] of made.entries()) rows.ofRow.set(value, names[i]!);
}

function knownTo(rows: Rows): Known {
  const { region, layout } = rows;
  const rowDims = region.space.map((_, d) => d).filter((d) => !region.reduce.includes(d));
  const rowAt = (at: Place): Position =>
    linearInBlock(
      rows,
      layout.side.map((d, s) => sub(at[rowDims.indexOf(d)]!, rows.side[s]!.start)),
    );
  return (value, at): Expr | undefined => {
    const accumulator = rows.finished.get(value.node);
    if (accumulator !== undefined) return resultOf(accumulator, rowAt(at));
    const dtype = dtypeOf(value);
    const temporary = rows.ofRow.get(value);
    if (temporary !== undefined) return { kind: 'load', dtype, buffer: temporary, at: rowAt(at) };
    const kept = at === rows.here ? rows.ofElement.get(value) : undefined;
    if (kept !== undefined) return { kind: 'load', dtype, buffer: kept, at: keptAt(rows, value, at) };
    return region.known(value, at);
  };
}

// ---- places

/** Coordinates in the space. */
function coordinates({ layout, outerAt }: Rows, reducedAt: readonly Position[], sideAt: readonly Position[]): Position[] {
  const at: Position[] = [];
  for (const [i, d] of layout.outer.entries()) at[d] = outerAt[i]!;
  for (const [i, d] of layout.reduced.entries()) at[d] = reducedAt[i]!;
  for (const [i, d] of layout.side.entries()) at[d] = sideAt[i]!;
  return at;
}

const linearInBlock = ({ nest, side }: Rows, within: readonly Position[]): Position =>
  linearize(
    within,
    side.map((s) => s.axis.extent),
    nest.extents,
  );

/** Where an element lies in scratch that holds whole rows of the block. */
function elementInBlock({ nest, region, layout, side }: Rows, at: readonly Position[]): Position {
  const positions = [...layout.reduced.map((d) => at[d]!), ...layout.side.map((d, s) => sub(at[d]!, side[s]!.start))];
  return linearize(positions, [...layout.reduced.map((d) => region.space[d]!), ...side.map((s) => s.axis.extent)], nest.extents);
}

/** Where an element of a kept value lies. */
const keptAt = (rows: Rows, value: Value, at: readonly Position[]): Position =>
  rows.plan.inOutput.has(value) ? linearize(at, rows.region.space, rows.nest.extents) : elementInBlock(rows, at);

function keepIn({ nest, region, plan }: Rows, value: Value, width: number): string {
  const output = plan.inOutput.get(value);
  if (output !== undefined) return region.writes[output]!.name;
  const name = declare(nest, identifier(value.node.name || value.node.op));
  emit(nest, { kind: 'scratch', name, dtype: dtypeOf(value), length: width * elements(region.reduce.map((d) => region.space[d]!)) });
  return name;
}

// ---- loops

/** `body` gets coordinates in the space: the block's start is added. */
const sideLoops = ({ nest, side }: Rows, body: (at: readonly Position[]) => void): void =>
  loops(
    nest,
    side.map((s) => s.axis),
    'par',
    (at) => body(at.map((p, s) => add(side[s]!.start, p))),
  );

/** A long run for lanes to share; else about the square root of the number, which takes the error bound from n roundings to 2 sqrt(n). */
const runOf = (count: number, longest: number): number => (longest > 128 ? longest : 2 ** Math.ceil(Math.log2(Math.sqrt(count))));

function reducedLoops(
  rows: Rows,
  wholes: readonly Accumulator[],
  body: (at: readonly Position[], into: readonly Accumulator[]) => void,
): void {
  const { nest, layout, axes } = rows;
  const reduced = layout.reduced.map((d) => axes[d]!);
  if (wholes.every((whole) => whole.partDType === undefined)) {
    loops(nest, reduced, wholes.length === 0 ? 'par' : 'serial', (at) => body(at, wholes));
    return;
  }
  // The axes inside of the one that is cut belong to a block as a whole.
  let run = runOf(elements(reduced.map((a) => a.extent)), longestRun(rows.region.target, wholes[0]!.width));
  let c = reduced.length - 1;
  while (c > 0 && mostOf(reduced[c]!.extent) < run) run = Math.ceil(run / mostOf(reduced[c--]!.extent));
  const cut = reduced[c]!;
  loops(nest, reduced.slice(0, c), 'serial', (before) => {
    blocks(nest, cut, run, 'serial', (within, start) => {
      const parts = wholes.map((whole) => partOf(nest, whole));
      loop(nest, within, 'serial', (p) =>
        loops(nest, reduced.slice(c + 1), 'serial', (after) => body([...before, add(start, p), ...after], parts)),
      );
      parts.forEach((part, i) => {
        if (part !== wholes[i]) fold(nest, part, wholes[i]!);
      });
    });
  });
}
