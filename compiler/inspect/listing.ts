// A graph as lines of tokens, in which every mention of a value knows which value it is, also across the border of a kernel.
import { avalText } from '../ir/aval.ts';
import { idsOf, type ValueIds } from '../ir/names.ts';
import { avalOf, codecsOf, type Graph, locationText, type Node, nodesOf, type Value } from '../ir/node.ts';
import { opset } from '../ir/opset.ts';

/**
 * A mention of a value: its id in this graph, and what it is. A parameter of a kernel or composite is its operand, a result is that of its
 * body. What a body makes is a value of its own wherever the body stands, as nodes may share one.
 */
export type Mention = { readonly id: string; readonly value: Value };
export type Token = string | Mention;

export type Line = {
  readonly depth: number;
  readonly tokens: readonly Token[];
  /** The line without ids and location: what makes two lines alike in different graphs. */
  readonly key: string;
  /** What it reads and makes; nothing for a node that is seen through. */
  readonly operands: readonly Value[];
  readonly defines: readonly Value[];
  /** The user's line. */
  readonly line: string | undefined;
};

export const textOf = ({ depth, tokens, line }: Line): string =>
  `${'  '.repeat(depth)}${tokens.map((t) => (typeof t === 'string' ? t : `%${t.id}`)).join('')}${line === undefined ? '' : ` loc("${line}")`}`;

/** What the values of a graph are, where it stands. */
type Scope = { readonly graph: Graph; readonly ids: ValueIds; readonly meaning: Map<Value, Value>; readonly depth: number };

/** All lines of a graph, its header first. */
export function listingOf(graph: Graph, name: string): Line[] {
  const scope: Scope = { graph, ids: idsOf(graph), meaning: new Map(graph.inputs.map((v) => [v, v])), depth: 0 };
  const body = bodyOf(scope);
  const header: Token[] = [
    `graph @${name}(`,
    ...mentions(scope, graph.inputs, true),
    ') -> (',
    ...mentions(scope, graph.outputs, true),
    ') {',
  ];
  return [lineOf(0, header), ...body, lineOf(0, ['}'])];
}

const isSeenThrough = (node: Node): boolean => node.op === 'kernel' || node.op === 'composite';

function bodyOf(scope: Scope): Line[] {
  const { graph, meaning, depth } = scope;
  const lines: Line[] = [];
  for (const node of nodesOf(graph)) {
    const inner = node.regions.map((region): Scope => {
      const first = node.inputs.length - region.inputs.length; // the condition of a cond goes into no region
      const params = region.inputs.map((v, i) => [v, isSeenThrough(node) ? meaning.get(node.inputs[first + i]!)! : own(v)] as const);
      return { graph: region, ids: idsOf(region), meaning: new Map(params), depth: depth + 1 };
    });
    const bodies = inner.map(bodyOf);
    node.values.forEach((v, i) => {
      meaning.set(v, isSeenThrough(node) ? inner[0]!.meaning.get(inner[0]!.graph.outputs[i]!)! : depth === 0 ? v : own(v));
    });
    let tokens: Token[] = [...mentions(scope, node.values), `: ${node.outputs.map(avalText).join(', ')} = ${node.op}(`];
    tokens.push(...mentions(scope, node.inputs), `)${attributes(node)}`);
    inner.forEach((region, i) => {
      tokens.push(` ${(opset[node.op].regions as readonly string[])[i]}(`, ...mentions(region, region.graph.inputs, true), ') -> (');
      tokens.push(...mentions(region, region.graph.outputs), ') {');
      lines.push(lineOf(depth + 1, tokens, i === 0 ? node : undefined, meaning));
      for (const line of bodies[i]!) lines.push(line);
      tokens = ['}'];
    });
    lines.push(lineOf(depth + 1, tokens, inner.length === 0 ? node : undefined, meaning));
  }
  return lines;
}

const own = ({ node, index }: Value): Value => ({ node, index });

function mentions({ ids, meaning }: Scope, values: readonly Value[], isTyped = false): Token[] {
  return values.flatMap((v, i) => [
    ...(i === 0 ? [] : [', ']),
    { id: ids.get(v)!, value: meaning.get(v)! },
    ...(isTyped ? [`: ${v.node.op === 'slot' ? `slot ${avalOf(v).dtype}` : avalText(avalOf(v))}`] : []),
  ]);
}

function lineOf(depth: number, tokens: readonly Token[], node?: Node, meaning?: ReadonlyMap<Value, Value>): Line {
  const isPlain = node !== undefined && !isSeenThrough(node);
  return {
    depth,
    tokens,
    key: tokens.map((t) => (typeof t === 'string' ? t : '%')).join(''),
    operands: isPlain ? node.inputs.map((v) => meaning!.get(v)!) : [],
    defines: isPlain ? node.values.map((v) => meaning!.get(v)!) : [],
    line: locationText(node?.loc),
  };
}

function attributes(node: Node): string {
  // A kernel is called after what it holds, which its body says too.
  if (node.op === 'kernel') return ` {name: ${JSON.stringify(node.attrs.name)}, form: ${node.attrs.form}}`;
  const codecs = codecsOf(node.op);
  const attrs = node.attrs as Readonly<Record<string, unknown>>;
  const texts = Object.keys(codecs).map((key) => `${key}: ${codecs[key]!.print(attrs[key])}`);
  return texts.length === 0 ? '' : ` {${texts.join(', ')}}`;
}
