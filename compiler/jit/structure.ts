// Finds a compiled graph by structure: recorded nodes in order, leaves numbered by first visit; a hash hit is confirmed by equality.

import { InternalError, userLine } from '../../runtime/errors.ts';
import type { Program } from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';
import { mix } from '../ir/codec.ts';
import { type Graph, isLeaf, makeNode, type Node, postorder, sameLocally, type Value } from '../ir/node.ts';
import { compileGraph } from '../lower/compile.ts';
import { cachedProgram, type Options } from './cache.ts';
import { environment } from './environment.ts';
import { type Executable, load } from './executable.ts';
import { isWanted, logProgram, logStage } from './log.ts';

/**
 * What a stretch of recording looks like, whatever tensors it ran on. `nodes` is a copy over fresh leaves, so that no user's buffer stays alive.
 * `learned` are values that turned out to be needed after the stretch had run; from then on it stores them.
 */
export type Structure = {
  readonly hash: number;
  readonly target: Target;
  readonly nodes: readonly Node[];
  /** For each operand of each node in turn: the value's id, or for leaf number i the id `-1 - i`. */
  readonly operands: Int32Array;
  readonly leaves: readonly Node[];
  readonly learned: Set<ValueId>;
  readonly compiled: Map<string, Part>;
  /** Set where structures that differ in a size share Programs (open.ts): the part of such a one, unless there can be none. */
  open: ((roots: readonly ValueId[]) => Part | undefined) | undefined;
};

/** A value by its place in a structure: node position and output index in one integer. */
export type ValueId = number;
const width = 1024;
export function valueId(position: number, index: number): ValueId {
  if (index >= width) throw new InternalError(`structure: a node with more than ${width} results was recorded`);
  return position * width + index;
}
/** The value of an id, among the nodes of its stretch. */
export const valueAt = (nodes: readonly Node[], id: ValueId): Value => nodes[Math.floor(id / width)]!.values[id % width]!;

/** A stretch of nodes, inputs before users, as it is looked up: `leaves` are what it reads, in order of first visit. */
export type Stretch = {
  readonly nodes: readonly Node[];
  readonly leaves: readonly Value[];
  readonly operands: Int32Array;
  readonly hash: number;
};

/** Says of an operand whether it counts as given: a leaf, or a value that has a buffer. */
export type IsGiven = (operand: Value) => boolean;

const given: IsGiven = (v) => isLeaf(v.node.op);

/** Numbers nodes and leaves of a stretch, and hashes it. Linear in the number of operands. */
export function survey(nodes: readonly Node[], isGiven: IsGiven = given): Stretch {
  const number = new Map<Node, number>();
  const leafNumber = new Map<Value, number>();
  const leaves: Value[] = [];
  let count = 0;
  for (const node of nodes) count += node.inputs.length;
  const operands = new Int32Array(count);
  let hash = nodes.length;
  let at = 0;
  for (let position = 0; position < nodes.length; position++) {
    const node = nodes[position]!;
    hash = mix(hash, node.localHash);
    for (const v of node.inputs) {
      let id: number;
      const inside = number.get(v.node);
      if (inside !== undefined && !isGiven(v)) id = valueId(inside, v.index);
      else {
        let leaf = leafNumber.get(v);
        if (leaf === undefined) {
          leaf = leaves.length;
          leafNumber.set(v, leaf);
          leaves.push(v);
          hash = mix(hash, leafHash(v));
        }
        id = -1 - leaf;
      }
      hash = mix(hash, id);
      operands[at++] = id;
    }
    number.set(node, position);
  }
  return { nodes, leaves, operands, hash };
}

/** A slot or a buffer of some dtype and shape. */
function leafHash(v: Value): number {
  const { dtype, shape } = v.node.outputs[v.index]!;
  let h = v.node.op === 'slot' ? 1 : 2;
  h = mix(h, dtype.charCodeAt(0) * 256 + dtype.charCodeAt(1));
  for (const d of shape) h = mix(h, typeof d === 'number' ? d | 0 : d.text.length);
  return h;
}

const sameLeaf = (template: Node, v: Value): boolean => {
  if ((template.op === 'slot') !== (v.node.op === 'slot')) return false;
  const a = template.outputs[0]!;
  const c = v.node.outputs[v.index]!;
  return a.dtype === c.dtype && a.shape.length === c.shape.length && a.shape.every((d, i) => d === c.shape[i]);
};

function sameStretch(structure: Structure, s: Stretch): boolean {
  if (structure.hash !== s.hash || structure.nodes.length !== s.nodes.length || structure.leaves.length !== s.leaves.length) return false;
  for (let i = 0; i < s.nodes.length; i++) if (!sameLocally(structure.nodes[i]!, s.nodes[i]!)) return false;
  if (structure.operands.length !== s.operands.length) return false;
  for (let i = 0; i < s.operands.length; i++) if (structure.operands[i] !== s.operands[i]) return false;
  return s.leaves.every((v, i) => sameLeaf(structure.leaves[i]!, v));
}

const known = new Map<number, Structure[]>();
/** Hashes whose structures are kept before those that were not looked up for longest go; a training program has a handful. */
const capacity = 512;
/** Structures of one hash that are kept: more than one is chance already. */
const alikeByHash = 8;

/** The structure of a stretch: an equal one met before, or a new one. */
export function structureOf(s: Stretch, target: Target): Structure {
  const bucket = known.get(s.hash) ?? [];
  const found = bucket.find((c) => c.target === target && sameStretch(c, s));
  // What is set anew stands last.
  if (!known.delete(s.hash) && known.size >= capacity) known.delete(known.keys().next().value!);
  if (found !== undefined) {
    known.set(s.hash, bucket);
    return found;
  }
  const made = templateOf(s, target);
  known.set(s.hash, [...bucket.slice(1 - alikeByHash), made]);
  return made;
}

/** A copy of the stretch over leaves of its own; here locations become text and their stacks are dropped. */
export function templateOf(s: Stretch, target: Target): Structure {
  const leaves = s.leaves.map((v) => {
    const { dtype, shape } = v.node.outputs[v.index]!;
    const leaf =
      v.node.op === 'slot'
        ? makeNode('slot', [], { dtype }, [], [{ dtype, shape }])
        : makeNode('input', [], { dtype, shape }, [], [{ dtype, shape }]);
    leaf.name = v.node.name;
    return leaf;
  });
  const nodes: Node[] = [];
  let at = 0;
  for (const node of s.nodes) {
    const inputs = node.inputs.map(() => {
      const id = s.operands[at++]!;
      return id < 0 ? leaves[-1 - id]!.values[0]! : valueAt(nodes, id);
    });
    const copy = makeNode(node.op, inputs, node.attrs, node.regions, node.outputs);
    const site = node.loc?.site;
    const line = site instanceof Error ? userLine(site.stack) : site;
    if (node.loc !== undefined) node.loc.site = line;
    if (line !== undefined) copy.loc = { ...node.loc, site: line };
    copy.name = node.name;
    nodes.push(copy);
  }
  return { hash: s.hash, target, nodes, operands: s.operands, leaves, learned: new Set(), compiled: new Map(), open: undefined };
}

/** A compiled part of a structure. `reads` are the leaves that it is given, by number and in order: what else was recorded costs it nothing. */
export type Part = { readonly executable: Executable; readonly reads: readonly number[] };

/** The leaves that computing `outputs` reads, by number. */
function leavesRead(leaves: readonly Node[], outputs: readonly Value[]): number[] {
  const reached = new Set(postorder(outputs));
  return [...leaves.keys()].filter((i) => reached.has(leaves[i]!));
}

/** Told of every compilation: inspection lists the graphs, tests count them. */
export type CompileListener = (executable: Executable, graph: Graph, target: Target) => void;
const listeners = new Set<CompileListener>();
export function onCompile(listener: CompileListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Makes what was compiled ready to run. */
export type Loader = (program: Program, graph: Graph, target: Target) => Executable;
let loader: Loader = load;
/** Lets another loader take the place of `load`, until the function that is returned is called: profiles and checks run Programs their own way. */
export function loadBy(other: Loader): () => void {
  const before = loader;
  loader = other;
  return () => {
    loader = before;
  };
}

/** The part of a structure that computes `roots`, compiled at first use; for compiled functions one that serves several sizes, if there is one. */
export function partOf(structure: Structure, roots: readonly ValueId[], isCompiled = false): Part {
  const shared = isCompiled ? structure.open?.(roots) : undefined;
  if (shared !== undefined) return shared;
  const key = roots.join();
  const found = structure.compiled.get(key);
  if (found !== undefined) return found;
  const part = compilePart(structure, roots, { disable: environment('FLUXION_DISABLE') });
  structure.compiled.set(key, part);
  return part;
}

/** Compiles what computes `roots`. */
export function compilePart(of: Pick<Structure, 'nodes' | 'leaves' | 'target'>, roots: readonly ValueId[], options: Options): Part {
  const { nodes, leaves, target } = of;
  const outputs = roots.map((id) => valueAt(nodes, id));
  const reads = leavesRead(leaves, outputs);
  const graph: Graph = { inputs: reads.map((i) => leaves[i]!.values[0]!), outputs };
  const program = programOf(graph, target, options);
  logProgram(program);
  const part: Part = { executable: loader(program, graph, target), reads };
  for (const listener of listeners) listener(part.executable, graph, target);
  return part;
}

/** Read from disk if an earlier process compiled it; who wants to see the passes has them run. */
function programOf(graph: Graph, target: Target, options: Options): Program {
  const compile = (): Program => compileGraph(graph, target, { ...options, onStage: logStage });
  return isWanted('passes') ? compile() : cachedProgram(graph, target, options, compile);
}

/** Forgets all structures and what they learned; for tests, and to free memory. */
export const forgetStructures = (): void => known.clear();
