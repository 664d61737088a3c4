// Two recordings of one computation at two sizes as one graph with the size as a symbol. What differs between them must be a size, or a number
// that the library made of one, and must grow in a straight line with it; whatever else differs is a misfit.
import { FluxionError } from '../../runtime/errors.ts';
import { type Aval, avalText } from './aval.ts';
import { build, recordWith } from './builder.ts';
import { dim as dimCodec, dims as dimsCodec } from './codec.ts';
import { bindDim, type Dim, dimAdd, dimMul, type Shape, sameShape, sym } from './dim.ts';
import { type Literal, literalNumber, literalOf } from './literal.ts';
import { codecsOf, type Graph, makeNode, type Node, nodesOf, sameGraph, type Value } from './node.ts';

/** Nodes in the order of their recording, inputs before users, over leaves. */
export type Recording = { readonly leaves: readonly Node[]; readonly nodes: readonly Node[] };

/** Why two recordings are no instances of one computation. */
export class Misfit {
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}

/** A line through two points: what a number is at any size, given what it is at two. */
type Line = { readonly name: string; readonly sizes: readonly [number, number] };

/**
 * The extents in which two recordings differ first: the smallest that differ between equal places of their leaves. Undefined if none do, or
 * if one of them is 0 or 1, where shapes mean something else.
 */
export function varyingSize(one: Recording, other: Recording): readonly [number, number] | undefined {
  let found: readonly [number, number] | undefined;
  for (const [i, leaf] of one.leaves.entries()) {
    const [a, c] = [leaf.outputs[0]!.shape, other.leaves[i]?.outputs[0]?.shape ?? []];
    for (const [d, x] of a.entries()) {
      const y = c[d];
      if (typeof x !== 'number' || typeof y !== 'number' || x === y) continue;
      if (found === undefined || x < found[0]) found = [x, y];
    }
  }
  return found === undefined || Math.min(...found) < 2 ? undefined : found;
}

/** The recording of which `one` and `other` are instances at `sizes` of the symbol `name`. Ids of values stay what they are. */
export function generaliseRecording(one: Recording, other: Recording, name: string, sizes: readonly [number, number]): Recording | Misfit {
  if (one.leaves.length !== other.leaves.length || one.nodes.length !== other.nodes.length) return new Misfit('they have different ops');
  const line: Line = { name, sizes };
  const twins = new Map<Value, Value>();
  const before = recordWith(undefined);
  try {
    const leaves = one.leaves.map((leaf, i) => generalLeaf(leaf, other.leaves[i]!, line, twins));
    return { leaves, nodes: generalNodes(one.nodes, other.nodes, line, twins, new Map(pairs(one.leaves, other.leaves))) };
  } catch (error) {
    if (error instanceof FluxionError || error instanceof Unlike) return new Misfit(error instanceof Unlike ? error.message : error.what);
    throw error;
  } finally {
    recordWith(before);
  }
}

/** The same for graphs: `sizes` are those at which the two were recorded. */
export function generalise([one, other]: readonly [Graph, Graph], name: string, sizes: readonly [number, number]): Graph | Misfit {
  const before = recordWith(undefined);
  try {
    return generalGraph(one, other, { name, sizes });
  } catch (error) {
    if (error instanceof FluxionError || error instanceof Unlike) return new Misfit(error instanceof Unlike ? error.message : error.what);
    throw error;
  } finally {
    recordWith(before);
  }
}

/** Whether `graph` is what `general` is at one size of its symbol. */
export function isInstance(general: Graph, name: string, size: number, graph: Graph): boolean {
  const before = recordWith(undefined);
  try {
    return sameGraph(atSize(general, new Map([[name, size]])), graph);
  } finally {
    recordWith(before);
  }
}

/** Whether nodes over leaves are what general ones are at one size. */
export function isInstanceOf(general: Recording, sizes: ReadonlyMap<string, number>, recording: Recording): boolean {
  if (general.leaves.length !== recording.leaves.length || general.nodes.length !== recording.nodes.length) return false;
  const atThis = (a: readonly Aval[], c: readonly Aval[]): boolean =>
    a.length === c.length && a.every((x, i) => x.dtype === c[i]!.dtype && sameShape(boundShape(x.shape, sizes), c[i]!.shape));
  if (!general.leaves.every((leaf, i) => leaf.op === recording.leaves[i]!.op && atThis(leaf.outputs, recording.leaves[i]!.outputs)))
    return false;
  return general.nodes.every((node, i) => {
    const found = recording.nodes[i]!;
    if (!atThis(node.outputs, found.outputs)) return false;
    const { op, attrs } = boundNode(node, sizes);
    if (op !== found.op) return false;
    const codecs = codecsOf(op);
    for (const key in codecs) if (!codecs[key]!.equal(fieldOf(attrs, key), fieldOf(found.attrs, key))) return false;
    return node.regions.length === found.regions.length && node.regions.every((r, j) => sameGraph(atSize(r, sizes), found.regions[j]!));
  });
}

class Unlike extends Error {}
const unlike = (what: string): never => {
  throw new Unlike(what);
};

const fieldOf = (attrs: object, key: string): unknown => (attrs as Readonly<Record<string, unknown>>)[key];
const pairs = (a: readonly Node[], c: readonly Node[]): (readonly [Node, Node])[] => a.map((n, i) => [n, c[i]!] as const);

// ---- from two to one

function generalDim(a: Dim, c: Dim, { name, sizes: [from, to] }: Line): Dim {
  if (a === c) return a;
  if (typeof a !== 'number' || typeof c !== 'number') return unlike('they differ in a size that is open already');
  const times = (c - a) / (to - from);
  const plus = a - times * from;
  if (!Number.isInteger(times)) return unlike(`where one has ${a} and the other ${c}, no straight line goes through ${from} and ${to}`);
  return dimAdd(dimMul(sym(name), times), plus);
}

function generalShape(a: Shape, c: Shape, line: Line): Shape {
  if (a.length !== c.length) return unlike('they have values of different rank');
  return a.map((d, i) => generalDim(d, c[i]!, line));
}

function generalLeaf(a: Node, c: Node, line: Line, twins: Map<Value, Value>): Node {
  const [x, y] = [a.outputs[0]!, c.outputs[0]!];
  if (a.op !== c.op || x.dtype !== y.dtype) return unlike('they read different things');
  const aval = { dtype: x.dtype, shape: generalShape(x.shape, y.shape, line) };
  const leaf = makeNode(a.op, [], a.op === 'slot' ? { dtype: x.dtype } : aval, [], [aval]);
  leaf.name = a.name;
  twins.set(a.values[0]!, leaf.values[0]!);
  return leaf;
}

/** `partners`: the node of the other recording that stands where one of the first does. */
function generalNodes(
  one: readonly Node[],
  other: readonly Node[],
  line: Line,
  twins: Map<Value, Value>,
  partners: Map<Node, Node>,
): readonly Node[] {
  if (one.length !== other.length) return unlike('they have different ops');
  return one.map((a, i) => {
    const c = other[i]!;
    const reads = a.inputs.every((v, j) => partners.get(v.node) === c.inputs[j]?.node && v.index === c.inputs[j]!.index);
    if (a.op !== c.op || a.inputs.length !== c.inputs.length || !reads) return unlike(`where one has ${a.op}, the other has ${c.op}`);
    partners.set(a, c);
    const node = generalNode(a, c, line, twins);
    node.loc = a.loc;
    node.name = a.name;
    for (const [j, v] of a.values.entries()) twins.set(v, node.values[j]!);
    return node;
  });
}

function generalNode(a: Node, c: Node, line: Line, twins: ReadonlyMap<Value, Value>): Node {
  if (a.op === 'literal' && c.op === 'literal' && !codecsOf('literal').value!.equal(a.attrs.value, c.attrs.value))
    return build('size', [], { dtype: a.attrs.value.dtype, size: generalLiteral(a.attrs.value, c.attrs.value, line) });
  const attrs: Record<string, unknown> = {};
  for (const [key, codec] of Object.entries(codecsOf(a.op))) {
    const [x, y] = [fieldOf(a.attrs, key), fieldOf(c.attrs, key)];
    if (codec.equal(x, y)) attrs[key] = x;
    else if (codec === dimsCodec) attrs[key] = generalShape(x as Shape, y as Shape, line);
    else if (codec === dimCodec) attrs[key] = generalDim(x as Dim, y as Dim, line);
    else return unlike(`'${key}' of ${a.op} is ${codec.print(x)} in one and ${codec.print(y)} in the other`);
  }
  const regions = a.regions.map((r, i) => generalGraph(r, c.regions[i]!, line));
  const inputs = a.inputs.map((v) => twins.get(v)!);
  const node = build(a.op, inputs, attrs, regions);
  for (const [i, x] of a.outputs.entries()) {
    const wanted = generalShape(x.shape, c.outputs[i]!.shape, line);
    if (!sameShape(wanted, node.outputs[i]!.shape)) return unlike(`${a.op} gives ${avalText(node.outputs[i]!)} for an open size`);
  }
  return node;
}

/** Integers alone: what is computed from sizes in another way is computed by ops of the graph, or is a misfit. */
function generalLiteral(a: Literal, c: Literal, line: Line): Dim {
  const isSize = (x: Literal): boolean => {
    const value = literalNumber(x);
    return x.dtype !== 'bool' && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
  };
  if (a.dtype !== c.dtype || !isSize(a) || !isSize(c)) return unlike('they have different constants');
  return generalDim(literalNumber(a), literalNumber(c), line);
}

function generalGraph(one: Graph, other: Graph, line: Line): Graph {
  if (one.inputs.length !== other.inputs.length || one.outputs.length !== other.outputs.length)
    return unlike('they take or give different numbers of values');
  const twins = new Map<Value, Value>();
  const partners = new Map<Node, Node>();
  const inputs = one.inputs.map((v, i) => {
    const w = other.inputs[i]!;
    partners.set(v.node, w.node);
    return generalLeaf(v.node, w.node, line, twins).values[0]!;
  });
  generalNodes(nodesOf(one), nodesOf(other), line, twins, partners);
  const outputs = one.outputs.map((v, i) => {
    const w = other.outputs[i]!;
    return partners.get(v.node) === w.node && v.index === w.index ? twins.get(v)! : unlike('they give different values');
  });
  return { inputs, outputs };
}

// ---- from one to an instance

const boundShape = (shape: Shape, sizes: ReadonlyMap<string, number>): Shape => shape.map((d) => bindDim(d, sizes));

/** What a node is at given sizes: its op and attributes. */
function boundNode(node: Node, sizes: ReadonlyMap<string, number>): { readonly op: Node['op']; readonly attrs: object } {
  if (node.op === 'size' && typeof node.attrs.size !== 'number')
    return { op: 'literal', attrs: { value: literalOf(bindDim(node.attrs.size, sizes), node.attrs.dtype) } };
  const attrs: Record<string, unknown> = { ...node.attrs };
  for (const [key, codec] of Object.entries(codecsOf(node.op))) {
    if (codec === dimsCodec) attrs[key] = boundShape(fieldOf(node.attrs, key) as Shape, sizes);
    else if (codec === dimCodec) attrs[key] = bindDim(fieldOf(node.attrs, key) as Dim, sizes);
  }
  return { op: node.op, attrs };
}

/** The graph at given sizes. */
export function atSize(general: Graph, sizes: ReadonlyMap<string, number>): Graph {
  const twins = new Map<Value, Value>();
  const inputs = general.inputs.map((v) => {
    const { dtype, shape } = v.node.outputs[v.index]!;
    const aval = { dtype, shape: boundShape(shape, sizes) };
    const leaf = makeNode(v.node.op, [], v.node.op === 'slot' ? { dtype } : aval, [], [aval]);
    twins.set(v, leaf.values[0]!);
    return leaf.values[0]!;
  });
  for (const node of nodesOf(general)) {
    const { op, attrs } = boundNode(node, sizes);
    const made = build(
      op,
      node.inputs.map((v) => twins.get(v)!),
      attrs,
      node.regions.map((r) => atSize(r, sizes)),
    );
    for (const [j, v] of node.values.entries()) twins.set(v, made.values[j]!);
  }
  return { inputs, outputs: general.outputs.map((v) => twins.get(v)!) };
}
