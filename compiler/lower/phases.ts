// The order of work in a kernel of the form `rows`: which reductions share a loop, and which values a later loop keeps instead of computing again.
import { type Shape, sameShape } from '../ir/dim.ts';
import { dtypeOf, type Graph, type Node, nodesOf, shapeOf, type Value } from '../ir/node.ts';
import { rules } from '../ops/table.ts';
import { costOf } from '../passes/fuse/cost.ts';
import { isPointwise } from '../passes/fuse/role.ts';

/** One loop over the reduced axes, and what can be computed once it is done. Outputs are given by index. */
export type Phase = {
  readonly reductions: Node[];
  /** Outputs in the shape of the space, stored in the loop. */
  readonly full: number[];
  /** Outputs without the reduced axes, stored after the loop. */
  readonly row: number[];
  /** Values stored to scratch in the loop. */
  readonly keep: Value[];
};

export type Phases = {
  readonly phases: readonly Phase[];
  /** Kept values that lie in an output until it is written itself: by value, the output's index. */
  readonly inOutput: ReadonlyMap<Value, number>;
  /** Number of reductions on the longest path to a value: the phase in which a full value can be computed first. */
  readonly depth: ReadonlyMap<Node, number>;
};

/** An element that costs more than this is kept for later phases, if there is room. */
const recomputeCost = 8;
/** Costs add up along every path; a cap keeps them numbers. */
const dearest = 1e6;

export const isReduction = (node: Node): boolean => {
  const { kind } = rules[node.op].lower;
  return kind === 'reduction' || kind === 'argReduction';
};

export function phasesOf(graph: Graph, space: Shape): Phases {
  const depth = new Map<Node, number>();
  const phases: Phase[] = [];
  const phase = (p: number): Phase => {
    while (phases.length <= p) phases.push({ reductions: [], full: [], row: [], keep: [] });
    return phases[p]!;
  };
  for (const node of nodesOf(graph)) {
    let d = 0;
    for (const v of node.inputs) d = Math.max(d, depth.get(v.node) ?? 0);
    if (isReduction(node)) phase(d++).reductions.push(node);
    depth.set(node, d);
  }
  graph.outputs.forEach((value, i) => {
    const d = depth.get(value.node) ?? 0;
    if (sameShape(shapeOf(value), space)) phase(d).full.push(i);
    else phase(Math.max(0, d - 1)).row.push(i);
  });
  for (const value of keptValues(graph, phases, space)) phases[value.phase]!.keep.push(value.value);
  return { phases, depth, inOutput: outputsThatKeep(graph, phases) };
}

/** An output of the last phase can hold a kept value of its dtype: each element is read for the last time when it is overwritten. */
function outputsThatKeep(graph: Graph, phases: readonly Phase[]): Map<Value, number> {
  const free = [...(phases.at(-1)?.full ?? [])];
  const held = new Map<Value, number>();
  for (const { keep } of phases)
    for (const value of keep) {
      const at = free.findIndex((i) => dtypeOf(graph.outputs[i]!) === dtypeOf(value));
      if (at >= 0) held.set(value, free.splice(at, 1)[0]!);
    }
  return held;
}

/** Values in the shape of the space that are wanted in several phases and dear to compute: the last such on each path. */
function keptValues(graph: Graph, phases: readonly Phase[], space: Shape): readonly { readonly value: Value; readonly phase: number }[] {
  const given = new Set(graph.inputs);
  const isFull = (value: Value): boolean => sameShape(shapeOf(value), space) && !given.has(value);
  const rootsOf = ({ reductions, full }: Phase): Value[] => [...reductions.map((n) => n.inputs[0]!), ...full.map((i) => graph.outputs[i]!)];
  const first = new Map<Value, number>();
  for (const [p, phase] of phases.entries())
    visit(rootsOf(phase), (value) => {
      if (!first.has(value)) first.set(value, p);
      return isFull(value);
    });
  const kept = new Set<Value>();
  const costs = coneCosts(graph);
  for (const [p, phase] of phases.entries())
    visit(rootsOf(phase), (value) => {
      const earlier = first.get(value)! < p && isFull(value);
      if (earlier && costs.get(value.node)! > recomputeCost) kept.add(value);
      return !kept.has(value) && isFull(value);
    });
  return [...kept].map((value) => ({ value, phase: first.get(value)! }));
}

/** Walks from the roots to operands at the same place, as long as `enter` says so. */
function visit(roots: readonly Value[], enter: (value: Value) => boolean): void {
  const seen = new Set<Value>();
  const stack = [...roots];
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (seen.has(value)) continue;
    seen.add(value);
    if (!enter(value) || !isPointwise(value.node)) continue;
    for (const v of value.node.inputs as readonly Value[]) stack.push(v);
  }
}

/** What computing one element of a row costs, with reductions, inputs and all that is the same along the row at hand. */
function coneCosts(graph: Graph): ReadonlyMap<Node, number> {
  const costs = new Map<Node, number>();
  for (const node of nodesOf(graph)) {
    let cost = costOf(node.op);
    if (!isReduction(node) && node.op !== 'expand') for (const v of node.inputs) cost += costs.get(v.node) ?? 0;
    costs.set(node, Math.min(cost, dearest));
  }
  return costs;
}
