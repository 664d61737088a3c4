// Values, nodes and graphs: immutable SSA with several results and regions.
import { userLine } from '../../runtime/errors.ts';
import type { Aval } from './aval.ts';
import { type Codec, hashDims, hashText, mix } from './codec.ts';
import type { Shape } from './dim.ts';
import { type AttrsOf, type OpName, type OpSet, opset, type Tuple } from './opset.ts';

export type Value = { readonly node: Node; readonly index: number };
/** What the outputs reach; walks stop at `inputs`. */
export type Graph = { readonly inputs: readonly Value[]; readonly outputs: readonly Value[] };

/** Where in the user's code a node came from: a captured stack, read lazily and then replaced by its text. `isBackward`: by a call of backward(). */
export type Location = { site: Error | string | undefined; readonly isBackward?: boolean };

/** The place as `file:line`. An `Error` is dropped once read: it would keep the receivers of its frames alive. */
export function locationText(loc: Location | undefined): string | undefined {
  if (loc?.site instanceof Error) loc.site = userLine(loc.site.stack);
  return loc?.site as string | undefined;
}

/** How deep regions may lie within regions; what recurses over regions, and never over nodes, relies on it. */
export const maxNesting = 32;

/**
 * A node is immutable but for three fields that carry no meaning: `loc`, `name` and `record` take no part in hash, equality or CSE.
 * `record` belongs to the recorder (where the node stands in its interval, and its realised buffers); no pass reads it.
 */
type NodeShape<K extends OpName> = {
  readonly op: K;
  readonly inputs: Tuple<OpSet[K]['operands'], Value>;
  readonly attrs: AttrsOf<K>;
  readonly regions: readonly Graph[];
  readonly outputs: readonly Aval[];
  /** One per output; the canonical `Value` objects, so that values compare by `===`. */
  readonly values: readonly Value[];
  /** Of op, attributes, regions and output avals, without inputs. */
  readonly localHash: number;
  /** Structural: `localHash` mixed with the inputs' hashes; a leaf's is its identity. */
  readonly hash: number;
  loc: Location | undefined;
  name: string | undefined;
  record: unknown;
};
/** Indexing a mapped type keeps `NodeOf<K>` correlated with tables `{ [P in OpName]: Rule<P> }` (TypeScript 4.6); a conditional type does not. */
export type NodeOf<K extends OpName> = { [P in K]: NodeShape<P> }[K];
export type Node = NodeOf<OpName>;

export const avalOf = (v: Value): Aval => v.node.outputs[v.index]!;
export const shapeOf = (v: Value): Shape => avalOf(v).shape;
/** The shape with all sizes known; where only fixed sizes make sense. */
export const dtypeOf = (v: Value): Aval['dtype'] => avalOf(v).dtype;

/** The attribute codecs of an op, seen without their value types. */
export const codecsOf = (op: OpName): Readonly<Record<string, Codec<unknown>>> =>
  opset[op].attrs as unknown as Record<string, Codec<unknown>>;

let leaves = 0;
/** What hashing a node of an op starts from: its name, and its attributes with their codecs. */
const hashed = new Map(
  (Object.keys(opset) as OpName[]).map((name) => [name, { name: hashText(name), attrs: Object.entries(codecsOf(name)) }]),
);

/** Leaves are equal only to themselves: `input` and `slot` stand for different things however alike they look. */
export const isLeaf = (op: OpName): boolean => op === 'input' || op === 'slot';

/** The one place where nodes are made. `outputs` must be what the signature infers; `build` in builder.ts sees to that. */
export function makeNode(op: OpName, inputs: readonly Value[], attrs: object, regions: readonly Graph[], outputs: readonly Aval[]): Node {
  const known = hashed.get(op)!;
  let local = known.name;
  for (const [key, codec] of known.attrs) local = mix(local, codec.key((attrs as Record<string, unknown>)[key]));
  for (const region of regions) local = mix(local, graphHash(region));
  for (const o of outputs) local = mix(mix(local, hashDims(o.shape)), o.dtype.charCodeAt(0) * 256 + o.dtype.charCodeAt(1));
  let hash = local;
  if (isLeaf(op)) hash = mix(local, ++leaves);
  for (const v of inputs) hash = mix(mix(hash, v.node.hash), v.index);
  return new MadeNode(op, inputs, attrs, regions, outputs, local, hash) as unknown as Node;
}

/**
 * What is made for every recorded op is made by constructors, here and in record.ts and storage.ts. Objects of a literal V8 allocates
 * in its old generation once many of that literal have stayed alive, as compiled graphs do; dead ones there would keep every later step
 * alive until a full collection.
 */
class MadeNode {
  readonly op: OpName;
  readonly inputs: readonly Value[];
  readonly attrs: object;
  readonly regions: readonly Graph[];
  readonly outputs: readonly Aval[];
  readonly values: readonly Value[];
  readonly localHash: number;
  readonly hash: number;
  loc: Location | undefined;
  name: string | undefined;
  record: unknown;
  constructor(
    op: OpName,
    inputs: readonly Value[],
    attrs: object,
    regions: readonly Graph[],
    outputs: readonly Aval[],
    localHash: number,
    hash: number,
  ) {
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.regions = regions;
    this.outputs = outputs;
    this.localHash = localHash;
    this.hash = hash;
    this.loc = undefined;
    this.name = undefined;
    this.record = undefined;
    const node = this as unknown as Node;
    this.values = outputs.length === 1 ? [new MadeValue(node, 0)] : outputs.map((_, index) => new MadeValue(node, index));
  }
}

class MadeValue {
  readonly node: Node;
  readonly index: number;
  constructor(node: Node, index: number) {
    this.node = node;
    this.index = index;
  }
}

/** Same op, attributes, regions and inputs. Leaves are equal only to themselves. */
export function sameNode(a: Node, b: Node): boolean {
  if (a === b) return true;
  if (a.hash !== b.hash || a.op !== b.op || isLeaf(a.op) || a.inputs.length !== b.inputs.length) return false;
  return a.inputs.every((v, i) => v === b.inputs[i]) && sameLocally(a, b);
}

/** Same op, attributes, regions and results, whatever the inputs. */
export function sameLocally(a: Node, b: Node): boolean {
  if (a.op !== b.op || a.localHash !== b.localHash || a.outputs.length !== b.outputs.length) return false;
  const codecs = codecsOf(a.op);
  for (const key in codecs)
    if (!codecs[key]!.equal((a.attrs as Record<string, unknown>)[key], (b.attrs as Record<string, unknown>)[key])) return false;
  return a.regions.length === b.regions.length && a.regions.every((r, i) => sameGraph(r, b.regions[i]!));
}

/**
 * Nodes that `roots` reach, inputs before users; `stop` values are not entered (another result of the same node may be).
 * An explicit stack, so a chain of any length is walked.
 */
export function postorder(roots: readonly Value[], stop: Iterable<Value> = []): Node[] {
  const stopped = new Set(stop);
  const seen = new Set<Node>();
  const order: Node[] = [];
  const stack: Node[] = [];
  const next: number[] = [];
  const enter = (v: Value): void => {
    if (seen.has(v.node) || stopped.has(v)) return;
    seen.add(v.node);
    stack.push(v.node);
    next.push(0);
  };
  for (const root of roots) {
    enter(root);
    while (stack.length > 0) {
      const node = stack[stack.length - 1]!;
      const i = next[next.length - 1]!++;
      if (i < node.inputs.length) enter(node.inputs[i]!);
      else {
        order.push(node);
        stack.pop();
        next.pop();
      }
    }
  }
  return order;
}

/** Outside kernels these compute nothing: their result is the bytes of their first operand. */
export const isAlias = (op: OpName): boolean => op === 'reshape' || op === 'barrier';

/** What is stored, seen through aliases. */
export function storedAs(value: Value): Value {
  let v = value;
  while (isAlias(v.node.op)) v = v.node.inputs[0]!;
  return v;
}

const nodesKnown = new WeakMap<Graph, readonly Node[]>();
/** Nodes of a graph without its inputs, inputs before users. Walked once: every pass asks for them, some several times. */
export function nodesOf(g: Graph): readonly Node[] {
  let nodes = nodesKnown.get(g);
  if (nodes === undefined) {
    nodes = postorder(g.outputs, g.inputs);
    nodesKnown.set(g, nodes);
  }
  return nodes;
}

const graphHashes = new WeakMap<Graph, number>();
/** Structural hash of a graph: its inputs are numbered, so that it does not depend on their identity. */
export function graphHash(g: Graph): number {
  const known = graphHashes.get(g);
  if (known !== undefined) return known;
  let h = g.inputs.length;
  const number = new Map<Node, number>();
  for (const v of g.inputs) {
    number.set(v.node, number.size);
    h = mix(h, v.node.localHash);
  }
  for (const n of nodesOf(g)) {
    number.set(n, number.size);
    h = mix(h, n.localHash);
    for (const v of n.inputs) h = mix(mix(h, number.get(v.node)!), v.index);
  }
  for (const v of g.outputs) h = mix(mix(h, number.get(v.node)!), v.index);
  graphHashes.set(g, h);
  return h;
}

/** Equal up to the identity of inputs and leaves: the confirmation of a hash hit. */
export function sameGraph(a: Graph, b: Graph): boolean {
  if (a === b) return true;
  if (a.inputs.length !== b.inputs.length || a.outputs.length !== b.outputs.length) return false;
  const twin = new Map<Node, Node>();
  const an = [...a.inputs.map((v) => v.node), ...nodesOf(a)];
  const bn = [...b.inputs.map((v) => v.node), ...nodesOf(b)];
  if (an.length !== bn.length) return false;
  for (let i = 0; i < an.length; i++) {
    const m = an[i]!;
    const n = bn[i]!;
    const isInput = i < a.inputs.length;
    if (!sameLocally(m, n)) return false;
    if (
      !isInput &&
      (m.inputs.length !== n.inputs.length ||
        m.inputs.some((v, j) => twin.get(v.node) !== n.inputs[j]!.node || v.index !== n.inputs[j]!.index))
    )
      return false;
    twin.set(m, n);
  }
  return a.outputs.every((v, i) => twin.get(v.node) === b.outputs[i]!.node && v.index === b.outputs[i]!.index);
}
