// Prints a graph as text that `parse` reads back: print(parse(s)) === s for every printed s.
import { IRError } from '../../runtime/errors.ts';
import { avalText } from './aval.ts';
import { quote } from './codec.ts';
import { hintFromIds, idsOf, type ValueIds } from './names.ts';
import { avalOf, codecsOf, type Graph, isLeaf, locationText, maxNesting, type Node, nodesOf, type Value } from './node.ts';
import { opset } from './opset.ts';

export type PrintOptions = {
  /** The graph's name in the header; `main` if not given. */
  readonly name?: string;
  /** Whether source locations are printed; they are unless this is false. */
  readonly locations?: boolean;
};

/** Regions that several nodes share are printed once for each, so nesting can multiply them: this many nodes are the end of it. */
const mostNodes = 1 << 24;

type Printer = { readonly lines: string[]; readonly locations: boolean; nodes: number };

/** The text of a graph, without a newline at its end. Throws IRError on a leaf that is no input of its graph. */
export function print(graph: Graph, options: PrintOptions = {}): string {
  const printer: Printer = { lines: [], locations: options.locations ?? true, nodes: 0 };
  const name = options.name ?? 'main';
  const ids = idsOf(graph);
  const results = graph.outputs.map((v) => `%${ids.get(v)}: ${avalText(avalOf(v))}`);
  const header = `graph @${/^[A-Za-z_]\w*$/.test(name) ? name : quote(name)}(${params(printer, graph, ids)}) -> (${results.join(', ')})`;
  const last = block(printer, header, graph, ids, '', 0);
  printer.lines.push(last);
  return printer.lines.join('\n');
}

/** Pushes all lines of `header { ... }` but the last, which it returns, for more may follow on it. */
function block(printer: Printer, header: string, graph: Graph, ids: ValueIds, indent: string, depth: number): string {
  if (depth > maxNesting) throw new IRError(`regions are nested more than ${maxNesting} deep`, { op: 'print' });
  const nodes = nodesOf(graph);
  if (nodes.length === 0) return `${header} {}`;
  printer.nodes += nodes.length;
  if (printer.nodes > mostNodes) throw new IRError(`a graph of more than ${mostNodes} nodes is not printed`, { op: 'print' });
  printer.lines.push(`${header} {`);
  for (const node of nodes) statement(printer, node, ids, `${indent}  `, depth);
  return `${indent}}`;
}

function statement(printer: Printer, node: Node, ids: ValueIds, indent: string, depth: number): void {
  if (isLeaf(node.op))
    throw new IRError(`%${ids.get(node.values[0]!)} (${node.op}) is reached but is no input of its graph`, { op: 'print' });
  const types = node.outputs.map(avalText).join(', ');
  const operands = node.inputs.map((v) => `%${ids.get(v)}`).join(', ');
  let line = `${indent}${results(node.values, ids)}: ${types} = ${node.op}(${operands})${attributes(node)}`;
  node.regions.forEach((region, i) => {
    const inner = idsOf(region);
    const label = (opset[node.op].regions as readonly string[])[i];
    line = block(
      printer,
      `${line} ${label}(${params(printer, region, inner)}) -> (${results(region.outputs, inner)})`,
      region,
      inner,
      indent,
      depth + 1,
    );
  });
  printer.lines.push(line + trailer(printer, node, ids));
}

const results = (values: readonly Value[], ids: ValueIds): string => values.map((v) => `%${ids.get(v)}`).join(', ');

function params(printer: Printer, graph: Graph, ids: ValueIds): string {
  const texts = graph.inputs.map((v) => {
    const type = v.node.op === 'slot' ? `slot ${avalOf(v).dtype}` : avalText(avalOf(v));
    return `%${ids.get(v)}: ${type}${trailer(printer, v.node, ids)}`;
  });
  return texts.join(', ');
}

function attributes(node: Node): string {
  const codecs = codecsOf(node.op);
  const attrs = node.attrs as Readonly<Record<string, unknown>>;
  const texts = Object.keys(codecs).map((key) => `${key}: ${codecs[key]!.print(attrs[key])}`);
  return texts.length === 0 ? '' : ` {${texts.join(', ')}}`;
}

/** Location, and the name hint where the ids do not say it already. */
function trailer(printer: Printer, node: Node, ids: ValueIds): string {
  const place = printer.locations ? locationText(node.loc) : undefined;
  const loc = place === undefined ? '' : ` loc(${quote(place)})`;
  const said = hintFromIds(node.values.map((v) => ids.get(v)!));
  return node.name === undefined || node.name === '' || node.name === said ? loc : `${loc} ${quote(node.name)}`;
}
