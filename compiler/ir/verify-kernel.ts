// The rules of `kernel` nodes: what each form of region may hold, so that lowering can rely on it.
import type { Target } from '../../runtime/target.ts';
import { type Shape, sameShape, shapeText } from './dim.ts';
import { broken } from './names.ts';
import { type Graph, type Node, type NodeOf, nodesOf, shapeOf, storedAs, type Value } from './node.ts';
import { isScalarName, type OpName, type StructuralName } from './opset.ts';

/**
 * What an op is within a kernel. elementwise: its element p is made of its operands' elements at p. moving: from elements elsewhere.
 * generated: from its position alone.
 */
type Role = 'leaf' | 'generated' | 'elementwise' | 'moving' | 'reduction' | 'contraction' | 'library' | 'barrier' | 'region';
const roles = {
  input: 'leaf',
  slot: 'leaf',
  literal: 'generated',
  size: 'generated',
  iota: 'generated',
  randomBits: 'generated',
  sum: 'reduction',
  prod: 'reduction',
  amax: 'reduction',
  amin: 'reduction',
  argmax: 'reduction',
  argmin: 'reduction',
  reshape: 'moving',
  permute: 'moving',
  expand: 'moving',
  pad: 'moving',
  slice: 'moving',
  flip: 'moving',
  concat: 'moving',
  gather: 'moving',
  cast: 'elementwise',
  bitcast: 'elementwise',
  dot: 'contraction',
  conv: 'contraction',
  convInputGrad: 'contraction',
  convWeightGrad: 'contraction',
  scatterAdd: 'library',
  scatterSet: 'library',
  cumsum: 'library',
  cumprod: 'library',
  sort: 'library',
  topk: 'library',
  cholesky: 'library',
  lu: 'library',
  triangularSolve: 'library',
  qr: 'library',
  eigh: 'library',
  svd: 'library',
  barrier: 'barrier',
  cond: 'region',
  whileLoop: 'region',
  scan: 'region',
  composite: 'region',
  kernel: 'region',
} as const satisfies Record<StructuralName, Role>;
const roleOf = (op: OpName): Role => (isScalarName(op) ? 'elementwise' : roles[op]);

type Kernel = NodeOf<'kernel'>;
type Form = Kernel['attrs']['form'];
/** A kernel in its graph, and the graph within it. */
type Region = { readonly outer: Graph; readonly kernel: Kernel; readonly graph: Graph; readonly nodes: readonly Node[] };

const forms: Readonly<Record<Form, (r: Region) => void>> = {
  pointwise: verifyPointwise,
  rows: verifyRows,
  contraction: verifyContraction,
  members: verifyMembers,
  library: verifyLibrary,
};

/** The region of a kernel has been checked to take what the kernel gives it; its own nodes are checked as those of any region. */
export function verifyKernel(graph: Graph, kernel: Kernel, target: Target | undefined): void {
  const region = kernel.regions[0]!;
  kernel.inputs.forEach((outer, i) => {
    const isSlot = region.inputs[i]!.node.op === 'slot';
    if (isSlot !== (outer.node.op === 'slot')) throw broken(graph, kernel, `takes operand ${i} once as a slot and once as a buffer`);
  });
  const axes = kernel.attrs.reduce;
  const fits = new Set(axes).size === axes.length && axes.every((a) => a >= 0 && a < kernel.attrs.space.length);
  if (!fits) throw broken(graph, kernel, `reduces axes [${axes}] of the space ${shapeText(kernel.attrs.space)}`);
  if (region.outputs.length === 0) throw broken(graph, kernel, 'computes nothing');
  forms[kernel.attrs.form]({ outer: graph, kernel, graph: region, nodes: nodesOf(region) });
  if (target !== undefined) verifyLimits(graph, kernel, target);
}

function verifyLimits(graph: Graph, kernel: Kernel, target: Target): void {
  const buffers = buffersOf(kernel);
  if (kernel.attrs.form === 'members' || buffers <= target.maxBuffersPerKernel) return; // members find theirs in a table
  throw broken(graph, kernel, `binds ${buffers} buffers, ${target.name} allows ${target.maxBuffersPerKernel}`);
}

/** Distinct buffers that a kernel binds: an alias is the same buffer, and slots have none. */
function buffersOf(kernel: Kernel): number {
  const read = new Set<Value>();
  for (const v of kernel.inputs) {
    const base = storedAs(v);
    if (base.node.op !== 'slot') read.add(base);
  }
  return read.size + kernel.outputs.length;
}

function demandRoles(r: Region, ...allowed: readonly Role[]): void {
  for (const node of r.nodes) {
    if (!allowed.includes(roleOf(node.op))) throw broken(r.graph, node, `does not belong into a kernel of the form ${r.kernel.attrs.form}`);
  }
}

function demandOutputs(r: Region, ...shapes: readonly Shape[]): void {
  for (const v of r.graph.outputs) {
    if (shapes.some((s) => sameShape(s, shapeOf(v)))) continue;
    throw broken(r.graph, v.node, `is a result of the shape ${shapeText(shapeOf(v))}, not ${shapes.map(shapeText).join(' or ')}`);
  }
}

function demandNoReduction(r: Region): void {
  if (r.kernel.attrs.reduce.length > 0)
    throw broken(r.outer, r.kernel, `names axes to reduce, which the form ${r.kernel.attrs.form} does not`);
}

function verifyPointwise(r: Region): void {
  demandNoReduction(r);
  demandRoles(r, 'generated', 'elementwise', 'moving');
  demandOutputs(r, r.kernel.attrs.space);
}

/** Marks what depends on a reduction: `full` in the shape of the space, `row` in that without the reduced axes. All else is free. */
function verifyRows(r: Region): void {
  const { space, reduce } = r.kernel.attrs;
  const aligned = new Map<Value, 'full' | 'row'>();
  demandRoles(r, 'generated', 'elementwise', 'moving', 'reduction');
  for (const node of r.nodes) {
    const of = node.inputs.map((v) => aligned.get(v));
    const dependent = of.find((a) => a !== undefined);
    if (roleOf(node.op) === 'reduction') {
      if (!sameShape(shapeOf(node.inputs[0]!), space))
        throw broken(r.graph, node, `reduces another shape than the space ${shapeText(space)}`);
      if (!sameAxes(reducedAxes(node), reduce)) throw broken(r.graph, node, `reduces other axes than [${reduce}]`);
      aligned.set(node.values[0]!, 'row');
    } else if (dependent !== undefined) {
      if (!isAlignedUse(node, dependent, r.kernel))
        throw broken(r.graph, node, 'uses what depends on a reduction elsewhere than where it was made');
      aligned.set(node.values[0]!, node.op === 'expand' ? 'full' : dependent);
    }
  }
  if (!r.nodes.some((n) => roleOf(n.op) === 'reduction')) throw broken(r.outer, r.kernel, 'has the form rows, but reduces nothing');
  demandOutputs(
    r,
    space,
    space.filter((_, i) => !reduce.includes(i)),
  );
}

/** Elementwise ops keep the position; the one other way on is from a row back over its own reduced axes. */
function isAlignedUse(node: Node, operand: 'full' | 'row', kernel: Kernel): boolean {
  if (roleOf(node.op) === 'elementwise') return true;
  return (
    node.op === 'expand' &&
    operand === 'row' &&
    sameAxes(node.attrs.at, kernel.attrs.reduce) &&
    sameShape(node.attrs.shape, kernel.attrs.space)
  );
}

function reducedAxes(node: Node): readonly number[] {
  switch (node.op) {
    case 'argmax':
    case 'argmin':
      return [node.attrs.axis];
    case 'sum':
    case 'prod':
    case 'amax':
    case 'amin':
      return node.attrs.axes;
    default:
      return [];
  }
}
const sameAxes = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((axis) => b.includes(axis));

function verifyContraction(r: Region): void {
  demandRoles(r, 'generated', 'elementwise', 'moving', 'contraction');
  const contractions = r.nodes.filter((n) => roleOf(n.op) === 'contraction');
  if (contractions.length !== 1) throw broken(r.outer, r.kernel, `has ${contractions.length} contractions instead of one`);
  demandNoReduction(r);
  const epilogue = new Set(contractions);
  for (const node of r.nodes) {
    if (epilogue.has(node) || !node.inputs.some((v) => epilogue.has(v.node))) continue;
    if (roleOf(node.op) !== 'elementwise')
      throw broken(r.graph, node, 'uses what depends on the contraction elsewhere than where it was made');
    epilogue.add(node);
  }
  if (!sameShape(contractions[0]!.outputs[0]!.shape, r.kernel.attrs.space)) {
    throw broken(r.graph, contractions[0]!, `contracts to another shape than the space ${shapeText(r.kernel.attrs.space)}`);
  }
  demandOutputs(r, r.kernel.attrs.space);
}

/** Members share only what has no axes or is generated; the results of one member have one shape and stand side by side. */
function verifyMembers(r: Region): void {
  demandNoReduction(r);
  demandRoles(r, 'generated', 'elementwise', 'moving');
  const member = components(r.nodes);
  const lastOf = new Map<Node, number>();
  let run = 0; // neighbours of one shape: two members of one shape may be fused, and so mixed
  for (const [i, v] of r.graph.outputs.entries()) {
    const previous = r.graph.outputs[i - 1];
    if (previous !== undefined && !sameShape(shapeOf(previous), shapeOf(v))) run++;
    const root = member(v.node);
    if ((lastOf.get(root) ?? run) !== run)
      throw broken(r.graph, v.node, 'stands apart from the other results of its member, or has another shape');
    lastOf.set(root, run);
  }
}

/** Union-find over the nodes that have axes and are computed. */
function components(nodes: readonly Node[]): (node: Node) => Node {
  const parent = new Map<Node, Node>();
  const find = (node: Node): Node => {
    let root = node;
    for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) {
      parent.set(root, parent.get(up) ?? up);
      root = up;
    }
    return root;
  };
  const joins = (node: Node): boolean => node.outputs[0]!.shape.length > 0 && roleOf(node.op) !== 'generated' && roleOf(node.op) !== 'leaf';
  for (const node of nodes) {
    if (!joins(node)) continue;
    for (const v of node.inputs) if (joins(v.node)) parent.set(find(v.node), node);
  }
  return find;
}

/** Operands are buffers, or views of slots and generated values, which have none. */
function verifyLibrary(r: Region): void {
  demandRoles(r, 'generated', 'moving', 'library');
  const count = r.nodes.filter((n) => roleOf(n.op) === 'library').length;
  if (count !== 1) throw broken(r.outer, r.kernel, `has ${count} library ops instead of one`);
}
