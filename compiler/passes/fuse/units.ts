// Cuts a graph into units: values that are computed once, each with the cone of cheap values that is recomputed wherever it is needed.
import type { Target } from '../../../runtime/target.ts';
import { bindDim, numel, type Shape, sameShape } from '../../ir/dim.ts';
import { type Graph, type Node, nodesOf, shapeOf, type Value } from '../../ir/node.ts';
import { broadcastBudget, costOf, launchCost, recomputeBudget, recomputeReads, rereadBudget } from './cost.ts';
import { isPointwise, roleOf } from './role.ts';

/**
 * How the elements of a value are reached from the place of iteration: through an expand that inserts these axes
 * (none: the element at the same place), or in any other way.
 */
export type Access = readonly number[] | 'other';
const aligned: Access = [];

export type Form = 'pointwise' | 'rows' | 'contraction' | 'library' | 'barrier';

/** What one unit reads: stored values and graph inputs, never constants or slots. */
export type Read = { readonly value: Value; readonly base: Value; readonly access: Access };

export type Unit = {
  readonly index: number;
  /** The node whose results may be stored. */
  readonly root: Node;
  readonly form: Form;
  /** The space that is iterated, and the axes of it that are reduced. */
  readonly space: Shape;
  readonly reduce: readonly number[];
  /** The cone, inputs before users, the root last. */
  readonly nodes: readonly Node[];
  readonly reads: readonly Read[];
  /** Units that read the root. */
  readonly readers: Unit[];
  /** A graph output, or wanted in memory by something that is no kernel. */
  readonly required: boolean;
};

/** What is known of a node before units are chosen. */
type Facts = {
  /** Additions that one element takes, with all that is recomputed for it. */
  cost: number;
  /** Nodes that are recomputed for it, counted with repetition. */
  ops: number;
  /** Distinct stored values that it is made from; capped. */
  reads: readonly Value[];
  /** Made of slots and literals alone: the same at every element, computed before the loop. */
  uniform: boolean;
};

export type Units = {
  readonly units: readonly Unit[];
  /** The unit whose root leaves a value; none for leaves. */
  readonly unitOf: (value: Value) => Unit | undefined;
  /** Follows reshapes of stored values, which are aliases, to what is stored. */
  readonly baseOf: (value: Value) => Value;
};

/** Values of unknown size count as large. */
const large = 1024;
const elements = (shape: Shape): number => {
  const n = numel(shape);
  return typeof n === 'number' ? n : bindDim(n, new Map(n.terms.flatMap((t) => t.names.map((name) => [name, large] as const))));
};

export function cutIntoUnits(graph: Graph, target: Target): Units {
  const reached = nodesOf(graph);
  const required = requiredOf(graph, reached);
  // A slot that is an output is copied into memory.
  const nodes = [...graph.inputs.map((v) => v.node).filter((n) => n.op === 'slot' && required.has(n)), ...reached];
  const users = usersOf(nodes);
  const ends = reserveEpilogues(nodes, users, required, target);
  const chained = new Set<Node>();
  for (const [node, end] of ends) for (let n: Node = node; n !== end; n = users.get(n)![0]!) chained.add(n);
  const rereads = operandRereads(nodes);
  const roots = chooseRoots(nodes, users, required, ends, chained, rereads, target);

  const baseOf = (value: Value): Value => {
    let v = value;
    while (v.node.op === 'reshape' && !roots.has(v.node)) v = v.node.inputs[0]!;
    return v;
  };
  const isStored = (value: Value): boolean => {
    const { node } = baseOf(value);
    // A slot that is an output as well is copied for the caller; kernels read the number itself.
    return node.op !== 'slot' && (roots.has(node) || node.op === 'input');
  };

  const anchors = new Map<Node, Node>();
  for (const [anchor, end] of ends) anchors.set(end, anchor);
  const units: Unit[] = [];
  const byRoot = new Map<Node, Unit>();
  for (const node of nodes) {
    if (!roots.has(node)) continue;
    const unit = unitAt(node, anchors.get(node), units.length, required.has(node), isStored, baseOf);
    units.push(unit);
    byRoot.set(node, unit);
  }
  for (const unit of units) {
    for (const read of unit.reads) {
      const readers = byRoot.get(read.base.node)?.readers;
      if (readers !== undefined && readers.at(-1) !== unit) readers.push(unit);
    }
  }
  return { units, baseOf, unitOf: (value) => byRoot.get(value.node) };
}

/** Distinct users of each node, in order. */
function usersOf(nodes: readonly Node[]): Map<Node, Node[]> {
  const users = new Map<Node, Node[]>();
  for (const node of nodes) {
    users.set(node, []);
    for (const { node: input } of node.inputs) {
      const list = users.get(input);
      if (list !== undefined && list.at(-1) !== node) list.push(node);
    }
  }
  return users;
}

const peelReshapes = (value: Value): Node => {
  let node = value.node;
  while (node.op === 'reshape') node = node.inputs[0]!.node;
  return node;
};

const isSplatLiteral = (value: Value): boolean => {
  let node = value.node;
  while (node.op === 'expand' || node.op === 'reshape') node = node.inputs[0]!.node;
  return node.op === 'literal';
};

/** What a repeated value is made of. A loop nest reads it as it is; a routine must find it in memory. */
function beforeExpand(value: Value): Value {
  let before = value;
  while (before.node.op === 'expand') before = before.node.inputs[0]!;
  return before;
}

/** Nodes whose values must lie in memory: graph outputs and operands of what is no loop nest. Reshapes are aliases of what they reshape. */
function requiredOf(graph: Graph, nodes: readonly Node[]): Set<Node> {
  const required = new Set<Node>();
  const require = (value: Value): void => {
    const node = peelReshapes(value);
    if (node.op !== 'input' && node.op !== 'slot') required.add(node);
  };
  for (const value of graph.outputs) {
    require(value);
    if (peelReshapes(value).op === 'slot') required.add(peelReshapes(value));
  }
  for (const node of nodes) {
    const role = roleOf(node);
    if (role !== 'library' && role !== 'barrier') continue;
    const isNest = node.op === 'scatterAdd' || node.op === 'scatterSet';
    for (const value of node.inputs) if (role === 'barrier' || !isSplatLiteral(value)) require(isNest ? beforeExpand(value) : value);
  }
  return required;
}

/** For each contraction, the end of the chain of pointwise nodes that alone use its result: it is computed as an epilogue. */
function reserveEpilogues(
  nodes: readonly Node[],
  users: ReadonlyMap<Node, readonly Node[]>,
  required: ReadonlySet<Node>,
  target: Target,
): Map<Node, Node> {
  const ends = new Map<Node, Node>();
  const claimed = new Set<Node>();
  for (const node of nodes) {
    if (roleOf(node) !== 'contraction') continue;
    let end = node;
    for (let length = 0; length < target.maxOpsPerKernel / 4 && !required.has(end); length++) {
      const [user, ...others] = users.get(end)!;
      if (user === undefined || others.length > 0 || claimed.has(user) || !isPointwise(user)) break;
      claimed.add(user);
      end = user;
    }
    ends.set(node, end);
  }
  return ends;
}

/** How often an element of a node is read when it is an operand of contractions, seen through views. */
function operandRereads(nodes: readonly Node[]): Map<Node, number> {
  const rereads = new Map<Node, number>();
  for (const node of nodes) {
    if (roleOf(node) !== 'contraction') continue;
    const [x, y] = node.inputs as readonly [Value, Value];
    const contracted = node.op === 'dot' ? node.attrs.contract.reduce((n, [l]) => n * elements([shapeOf(x)[l]!]), 1) : 0;
    const work = node.op === 'dot' ? elements(node.outputs[0]!.shape) * contracted : Number.POSITIVE_INFINITY;
    for (const operand of [x, y]) {
      let n = operand.node;
      while (n.op === 'permute' || n.op === 'reshape' || n.op === 'slice' || n.op === 'flip' || n.op === 'expand') n = n.inputs[0]!.node;
      const times = work / Math.max(1, elements(n.outputs[0]!.shape));
      rereads.set(n, Math.max(times, rereads.get(n) ?? 0));
    }
  }
  return rereads;
}

/** Decides which nodes are computed once. All others are recomputed where they are needed. */
function chooseRoots(
  nodes: readonly Node[],
  users: ReadonlyMap<Node, readonly Node[]>,
  required: ReadonlySet<Node>,
  ends: ReadonlyMap<Node, Node>,
  chained: ReadonlySet<Node>,
  rereads: ReadonlyMap<Node, number>,
  target: Target,
): Set<Node> {
  const roots = new Set<Node>();
  const chainEnds = new Set(ends.values());
  const facts = new Map<Node, Facts>();
  const mostOps = Math.max(1, target.maxOpsPerKernel / 4);
  const mostReads = Math.max(2, Math.floor(target.maxBuffersPerKernel / 2));

  const isRoot = (node: Node, f: Facts): boolean => {
    const role = roleOf(node);
    if (required.has(node) || chainEnds.has(node)) return true;
    if (role === 'leaf' || role === 'constant' || chained.has(node)) return false;
    if (role !== 'elementwise') return true;
    if (f.uniform || node.op === 'reshape') return false;
    const { length } = users.get(node)!;
    if (length > 1 && ((length - 1) * f.cost > recomputeBudget || f.reads.length > recomputeReads)) return true;
    if (f.ops > mostOps || f.reads.length > mostReads) return true;
    const times = rereads.get(node);
    if (times !== undefined && f.cost > 0 && (times * f.cost > rereadBudget || f.reads.length > 2)) return true;
    return f.cost > broadcastBudget && users.get(node)!.some((user) => repeats(user, node, f.cost));
  };

  const makeRoot = (node: Node): void => {
    roots.add(node);
    facts.set(node, { cost: 0, ops: 0, reads: [node.values[0]!], uniform: false });
  };
  for (const node of nodes) {
    let f = factsOf(node, facts, roots, target);
    // An op of many operands may be made of more than a kernel can read: then its operands are computed first.
    for (const { node: input } of f.reads.length < target.maxBuffersPerKernel ? [] : node.inputs) {
      if (roleOf(input) !== 'elementwise' || chained.has(input) || facts.get(input)!.reads.length < 2) continue;
      makeRoot(input);
      f = factsOf(node, facts, roots, target);
      if (f.reads.length < target.maxBuffersPerKernel) break;
    }
    facts.set(node, f);
    if (isRoot(node, f)) makeRoot(node);
  }
  return roots;
}

/** Whether `user` evaluates an operand several times for each element of it, and at a price. */
function repeats(user: Node, operand: Node, cost: number): boolean {
  if (user.op === 'reshape') return false;
  if (user.op !== 'expand' && !(user.op === 'gather' && user.inputs[0].node === operand)) return false;
  const evaluations = elements(user.outputs[0]!.shape);
  return evaluations > elements(operand.outputs[0]!.shape) && evaluations * cost > launchCost;
}

function factsOf(node: Node, facts: ReadonlyMap<Node, Facts>, roots: ReadonlySet<Node>, target: Target): Facts {
  if (node.op === 'input') return { cost: 0, ops: 0, reads: [node.values[0]!], uniform: false };
  const own = roots.has(node) ? 0 : costOf(node.op);
  let cost = own;
  let ops = 1;
  let uniform = node.op !== 'iota' && node.op !== 'randomBits';
  let reads: readonly Value[] = [];
  for (const { node: input } of node.inputs) {
    const f = facts.get(input) ?? { cost: 0, ops: 0, reads: input.op === 'input' ? [input.values[0]!] : [], uniform: input.op === 'slot' };
    cost += f.cost;
    ops += f.ops;
    uniform &&= f.uniform;
    if (reads.length === 0) reads = f.reads;
    else if (f.reads.length > 0) reads = [...new Set([...reads, ...f.reads])].slice(0, target.maxBuffersPerKernel);
  }
  return { cost: uniform ? 0 : Math.min(cost, 1e9), ops: Math.min(ops, 1e9), reads, uniform };
}

function unitAt(
  root: Node,
  anchor: Node | undefined,
  index: number,
  required: boolean,
  isStored: (value: Value) => boolean,
  baseOf: (value: Value) => Value,
): Unit {
  const role = anchor === undefined ? roleOf(root) : 'contraction';
  const shape = root.outputs[0]?.shape ?? [];
  const unit = { index, root, required, readers: [] };
  if (role === 'barrier') return { ...unit, form: 'barrier', space: shape, reduce: [], nodes: [root], reads: root.inputs.map(other) };
  const { nodes, reads } = coneOf(root, isStored, baseOf);
  if (role === 'library') return { ...unit, form: 'library', space: shape, reduce: [], nodes, reads };
  if (role === 'contraction') return { ...unit, form: 'contraction', space: shape, reduce: [], nodes, reads };
  if (role === 'reduction') {
    const axes =
      root.op === 'argmax' || root.op === 'argmin' ? [root.attrs.axis] : (root.attrs as { readonly axes: readonly number[] }).axes;
    return { ...unit, form: 'rows', space: shapeOf(root.inputs[0]!), reduce: [...axes].sort((a, b) => a - b), nodes, reads };
  }
  return { ...unit, form: 'pointwise', space: shape, reduce: [], nodes, reads };

  function other(value: Value): Read {
    return { value, base: baseOf(value), access: 'other' };
  }
}

const sameAccess = (a: Access, b: Access): boolean =>
  a === b || (a !== 'other' && b !== 'other' && a.length === b.length && a.every((axis, i) => axis === b[i]));

/** Access to the operands of a node that is itself reached by `access`. */
function through(node: Node, access: Access): Access {
  if (access === 'other') return 'other';
  if (isPointwise(node)) return access;
  if (node.op === 'expand' && access.length === 0) return node.attrs.at;
  return roleOf(node) === 'reduction' ? access : 'other';
}

/** Everything between a root and what is stored. */
function coneOf(root: Node, isStored: (v: Value) => boolean, baseOf: (v: Value) => Value): { nodes: Node[]; reads: Read[] } {
  const reached = new Map<Node, Access[]>([[root, [aligned]]]);
  const readBy = new Map<Value, Access[]>();
  const reads: Read[] = [];
  const stack: { readonly node: Node; readonly access: Access }[] = [{ node: root, access: aligned }];
  const isNew = <K>(seen: Map<K, Access[]>, key: K, access: Access): boolean => {
    const known = seen.get(key);
    if (known === undefined) seen.set(key, [access]);
    else if (known.some((a) => sameAccess(a, access))) return false;
    else known.push(access);
    return true;
  };
  while (stack.length > 0) {
    const { node, access } = stack.pop()!;
    const inner = through(node, access);
    for (let i = node.inputs.length - 1; i >= 0; i--) {
      const value = node.inputs[i]!;
      if (value.node.op === 'slot') continue;
      if (isStored(value)) {
        // A reshaped value has another shape than what is stored: within a kernel it is out of place.
        const base = baseOf(value);
        if (isNew(readBy, value, inner)) reads.push({ value, base, access: inner });
      } else if (isNew(reached, value.node, inner)) stack.push({ node: value.node, access: inner });
    }
  }
  return { nodes: sortCone(root, reached), reads };
}

/** The nodes of a cone, inputs before users. */
function sortCone(root: Node, cone: ReadonlyMap<Node, unknown>): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>([root]);
  const stack: Node[] = [root];
  const next: number[] = [0];
  while (stack.length > 0) {
    const node = stack.at(-1)!;
    const i = next[next.length - 1]!++;
    if (i < node.inputs.length) {
      const input = node.inputs[i]!.node;
      if (cone.has(input) && !seen.has(input)) {
        seen.add(input);
        stack.push(input);
        next.push(0);
      }
    } else {
      order.push(node);
      stack.pop();
      next.pop();
    }
  }
  return order;
}

/** Whether a value read by a unit is at hand there when both lie in one kernel of this space. */
export function isAtHand(reader: Unit, read: Read, space: Shape, reduce: readonly number[]): boolean {
  if (read.access === 'other' || read.value !== read.base) return false;
  const shape = shapeOf(read.value);
  if (read.access.length === 0) return sameShape(shape, space) || isRow(shape, space, reduce);
  return (
    sameShape(reader.space, space) &&
    read.access.length === reduce.length &&
    [...read.access].sort((a, b) => a - b).every((a, i) => a === reduce[i])
  );
}

/** Whether `shape` is `space` without its reduced axes. */
export function isRow(shape: Shape, space: Shape, reduce: readonly number[]): boolean {
  return (
    reduce.length > 0 &&
    sameShape(
      shape,
      space.filter((_, i) => !reduce.includes(i)),
    )
  );
}
