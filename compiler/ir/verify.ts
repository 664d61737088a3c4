// Checks that a graph obeys the rules of the IR; the tests run it after every pass.
import { FluxionError, IRError } from '../../runtime/errors.ts';
import type { Target } from '../../runtime/target.ts';
import { type Aval, aval, avalText, sameAval } from './aval.ts';
import { numel } from './dim.ts';
import { broken } from './names.ts';
import { avalOf, type Graph, isLeaf, maxNesting, type Node, type NodeOf, nodesOf, type Value } from './node.ts';
import { opset } from './opset.ts';
import { verifyKernel } from './verify-kernel.ts';

/**
 * Throws IRError naming the value that breaks a rule, and the rule. Limits are checked where a target is given.
 * Linear in the number of nodes; a region that several nodes share is looked at once.
 */
export function verify(graph: Graph, target?: Target): void {
  const seen = new Set<Graph>([graph]);
  const pending = [{ graph, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { graph, depth } = next;
    if (depth > maxNesting) throw new IRError(`regions are nested more than ${maxNesting} deep`, { op: 'verify' });
    verifyInputs(graph);
    for (const node of nodesOf(graph)) {
      verifyNode(graph, node, target);
      for (const region of node.regions) {
        if (seen.has(region)) continue;
        seen.add(region);
        pending.push({ graph: region, depth: depth + 1 });
      }
    }
    for (const v of graph.outputs) verifyValue(graph, v);
  }
}

function verifyInputs(graph: Graph): void {
  const seen = new Set<Value>();
  for (const v of graph.inputs) {
    if (!isLeaf(v.node.op)) throw broken(graph, v.node, 'is an input of the graph, but neither input nor slot');
    if (seen.has(v)) throw broken(graph, v.node, 'is twice an input of the graph');
    seen.add(v);
    verifyValue(graph, v);
    verifyResults(graph, v.node);
  }
}

function verifyNode(graph: Graph, node: Node, target: Target | undefined): void {
  const { operands, regions } = opset[node.op];
  if (isLeaf(node.op)) throw broken(graph, node, 'is reached but is no input of its graph');
  if (operands !== 'many' && node.inputs.length !== operands.length) {
    throw broken(graph, node, `has ${node.inputs.length} operands instead of ${operands.length}`);
  }
  if (node.regions.length !== regions.length) throw broken(graph, node, `has ${node.regions.length} regions instead of ${regions.length}`);
  for (const v of node.inputs) verifyValue(graph, v);
  verifyResults(graph, node);
  verifyRegionInputs(graph, node);
  if (node.op === 'kernel') verifyKernel(graph, node, target);
}

/** Values are compared by identity, so there may be one object for each result. */
function verifyValue(graph: Graph, v: Value): void {
  if (v.node.values[v.index] !== v) throw broken(graph, v.node, `has no result ${v.index}, or it is used through a copy of its value`);
}

function verifyResults(graph: Graph, node: Node): void {
  const inferred = infer(graph, node);
  const same = inferred.length === node.outputs.length && inferred.every((a, i) => sameAval(a, node.outputs[i]!));
  if (!same) throw broken(graph, node, `is stored as ${listText(node.outputs)}, but inferred as ${listText(inferred)}`);
  for (const a of node.outputs) {
    const n = numel(a.shape);
    const counts = [...a.shape, n].every((d) => typeof d !== 'number' || (Number.isSafeInteger(d) && d >= 0));
    if (!counts) throw broken(graph, node, `has the shape of ${avalText(a)}, whose sizes are no counts`);
  }
}

type LooseInfer = (inputs: readonly Aval[], attrs: object, regions: readonly (readonly Aval[])[]) => Aval | readonly Aval[];

function infer(graph: Graph, node: Node): readonly Aval[] {
  const regions = node.regions.map((r) => r.outputs.map(avalOf));
  try {
    return [(opset[node.op].infer as LooseInfer)(node.inputs.map(avalOf), node.attrs, regions)].flat();
  } catch (cause) {
    if (cause instanceof FluxionError) throw broken(graph, node, `is refused by its signature: ${cause.what}`);
    throw cause;
  }
}

/** What goes into a region has the types of its inputs; what comes out is checked by inference. */
function verifyRegionInputs(graph: Graph, node: Node): void {
  if (node.regions.length === 0) return;
  const given = regionOperands(node);
  const labels = opset[node.op].regions as readonly string[];
  node.regions.forEach((region, i) => {
    const wanted = region.inputs.map(avalOf);
    const same = wanted.length === given.length && wanted.every((a, j) => sameAval(a, given[j]!));
    if (!same) throw broken(graph, node, `gives ${listText(given)} to its region ${labels[i]}, which takes ${listText(wanted)}`);
  });
}

/** Types of what a node hands to each of its regions. */
function regionOperands(node: Node): readonly Aval[] {
  const operands = node.inputs.map(avalOf);
  switch (node.op) {
    case 'cond':
      return operands.slice(1);
    case 'scan':
      return operands.map((a, i) => (i < (node as NodeOf<'scan'>).attrs.carries ? a : aval(a.dtype, a.shape.slice(1))));
    default:
      return operands;
  }
}

const listText = (avals: readonly Aval[]): string => `(${avals.map(avalText).join(', ')})`;
