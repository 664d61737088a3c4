// Unroll: a reduction over a few elements that feeds another reduction is written out, since two reductions over different axes
// cannot share a kernel and what stands between them would be stored. (Inductor's unroll_reductions_threshold.)
// Afterwards no such pair is left where writing out costs only arithmetic that is cheap.
import { b } from '../ir/builder.ts';
import { fixed } from '../ir/dim.ts';
import { type Graph, type Node, nodesOf, shapeOf, type Value } from '../ir/node.ts';
import { rules } from '../ops/table.ts';
import type { Pass } from './pass.ts';
import { rebuilt } from './rebuild.ts';

/** Elements that are written out at most. */
const few = 8;

export const unroll: Pass = {
  name: 'unroll',
  after: { cse: 'uses are counted when equal nodes are one', decompose: 'bodies of composites hold reductions' },
  idempotent: true,
  optional: true,
  run: unrolled,
};

type Combine = 'add' | 'mul' | 'max' | 'min';
const combines: ReadonlyMap<string, Combine> = new Map([
  ['sum', 'add'],
  ['prod', 'mul'],
  ['amax', 'max'],
  ['amin', 'min'],
]);

function unrolled(graph: Graph): Graph {
  const nodes = nodesOf(graph);
  const chosen = choose(graph, nodes);
  if (chosen.size === 0) return graph;
  const now = new Map<Value, Value>();
  for (const node of nodes) {
    const inputs = node.inputs.map((v) => now.get(v) ?? v);
    if (chosen.has(node)) now.set(node.values[0]!, writtenOut(node, inputs[0]!));
    else for (const [i, v] of rebuilt(node, inputs).values.entries()) now.set(node.values[i]!, v);
  }
  return { inputs: graph.inputs, outputs: graph.outputs.map((v) => now.get(v) ?? v) };
}

/** Small reductions of cheap operands all of whose readers lead, element by element, to another reduction. */
function choose(graph: Graph, nodes: readonly Node[]): Set<Node> {
  const isStored = new Set<Node>(graph.outputs.map((v) => v.node));
  const users = new Map<Node, Node[]>();
  for (const node of nodes) {
    for (const v of node.inputs) {
      const known = users.get(v.node);
      if (known === undefined) users.set(v.node, [node]);
      else known.push(node);
    }
  }
  // From the outputs backwards: whether all that is made of a node, element by element, ends in reductions.
  const endsInReduction = new Set<Node>();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const readers = users.get(node) ?? [];
    if (isStored.has(node) || readers.length === 0) continue;
    if (readers.every((r) => isReduction(r) || (rules[r.op].lower.kind === 'pointwise' && endsInReduction.has(r))))
      endsInReduction.add(node);
  }
  const cheap = cheapNodes(nodes);
  return new Set(nodes.filter((n) => combines.has(n.op) && endsInReduction.has(n) && isSmall(n) && cheap.has(n.inputs[0]!.node)));
}

const isReduction = (node: Node): boolean => rules[node.op].lower.kind === 'reduction' || rules[node.op].lower.kind === 'argReduction';

function isSmall(node: Node): boolean {
  if (!('axes' in node.attrs)) return false;
  const shape = shapeOf(node.inputs[0]!);
  const sizes = node.attrs.axes.map((a) => shape[a]!);
  const count = sizes.reduce<number>((n, d) => (typeof d === 'number' ? n * d : Number.POSITIVE_INFINITY), 1);
  return count > 0 && count <= few;
}

/** What is made of inputs by views and arithmetic alone, with no reduction before it. */
function cheapNodes(nodes: readonly Node[]): ReadonlySet<Node> {
  const dear = new Set<Node>();
  for (const node of nodes) {
    const { kind } = rules[node.op].lower;
    const own =
      kind === 'view' ||
      (kind === 'pointwise' && arithmetic.has(node.op)) ||
      node.op === 'literal' ||
      node.op === 'iota' ||
      node.op === 'size' ||
      node.op === 'cast';
    if (!own || node.inputs.some((v) => dear.has(v.node))) dear.add(node);
  }
  const cheap = new Set(nodes.filter((n) => !dear.has(n)));
  for (const node of nodes) for (const v of node.inputs) if (v.node.op === 'input' || v.node.op === 'slot') cheap.add(v.node);
  return cheap;
}
const arithmetic: ReadonlySet<string> = new Set([
  'add',
  'sub',
  'mul',
  'neg',
  'abs',
  'min',
  'max',
  'select',
  'eq',
  'ne',
  'lt',
  'le',
  'and',
  'or',
  'not',
]);

/** The elements of each row by slices, combined in a balanced tree, so that rounding grows with the logarithm of their number. */
function writtenOut(node: Node, x: Value): Value {
  const { axes } = node.attrs as { readonly axes: readonly number[] };
  const shape = shapeOf(x);
  let terms: Value[] = [];
  const count = axes.reduce((n, a) => n * fixed(shape[a]!), 1);
  for (let flat = 0; flat < count; flat++) {
    let rest = flat;
    const at = new Map<number, number>();
    for (const a of [...axes].reverse()) {
      at.set(a, rest % fixed(shape[a]!));
      rest = Math.floor(rest / fixed(shape[a]!));
    }
    const start = shape.map((_, i) => at.get(i) ?? 0);
    const one = b.slice(x, { start, stop: shape.map((d, i) => (at.has(i) ? at.get(i)! + 1 : d)), step: shape.map(() => 1) });
    terms.push(b.reshape(one, { shape: shapeOf(node.values[0]!) }));
  }
  const combine = b[combines.get(node.op)!];
  while (terms.length > 1) terms = terms.flatMap((t, i) => (i % 2 === 1 ? [] : [i + 1 < terms.length ? combine(t, terms[i + 1]!) : t]));
  const [result] = terms as [Value];
  result.node.loc ??= node.loc;
  result.node.name ??= node.name;
  return result;
}
