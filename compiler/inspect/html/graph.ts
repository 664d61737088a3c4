// A graph of kernels as SVG: a box for each kernel, input and output, laid out by a library that the caller brings.

import type { Drawing } from '../drawing.ts';
import { bytesText } from '../style.ts';
import { escaped } from './text.ts';

/** As much of dagre (@dagrejs/dagre) as is used. */
export type LayoutLibrary = {
  readonly graphlib: { readonly Graph: new (options: { multigraph: boolean }) => LayoutGraph };
  readonly layout: (graph: LayoutGraph) => unknown;
};
type Point = { readonly x: number; readonly y: number };
type LayoutGraph = {
  setGraph(label: object): unknown;
  setNode(id: string, label: object): unknown;
  setEdge(from: string, to: string, label: object, name: string): unknown;
  graph(): { readonly width?: number; readonly height?: number };
  node(id: string): Point;
  edge(from: string, to: string, name: string): { readonly points: readonly Point[] };
};

type Part = { readonly id: string; readonly lines: readonly string[]; readonly kernel: string | undefined };
type Link = { readonly from: string; readonly to: string; readonly types: string; readonly bytes: number };

/** Boxes beyond which laying out takes many seconds and the picture shows nothing. */
const mostBoxes = 400;

export function graphHtml(drawing: Drawing, library: LayoutLibrary): string {
  const { parts, links } = collapsed(drawing);
  if (parts.length > mostBoxes)
    return `<p>${parts.length} boxes are too many to draw here; <code>fluxion ir --stage fuse --format model-explorer</code> writes them for a viewer that folds.</p>`;
  const graph = new library.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'TB', nodesep: 24, ranksep: 36, marginx: 8, marginy: 8 });
  for (const part of parts) graph.setNode(part.id, sizeOf(part));
  links.forEach((link, i) => void graph.setEdge(link.from, link.to, {}, String(i)));
  library.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const edges = links.map(({ from, to, types, bytes }, i) => {
    const points = graph.edge(from, to, String(i)).points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`);
    return `<polyline class="edge" points="${points.join(' ')}" stroke-width="${widthOf(bytes)}"><title>${escaped(types)}, ${bytesText(bytes)}</title></polyline>`;
  });
  const boxes = parts.map((part) => boxSvg(part, graph.node(part.id)));
  return [
    '<div class="tools"><button type="button" data-zoom="0.8">zoom in</button> <button type="button" data-zoom="1.25">zoom out</button> <button type="button" data-zoom="fit">fit</button></div>',
    `<svg class="graph" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}">`,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
    ...edges,
    ...boxes,
    '</svg>',
  ].join('\n');
}

/** Each kernel as one box, whatever it holds. */
function collapsed({ boxes, arrows, groups }: Drawing): { readonly parts: readonly Part[]; readonly links: readonly Link[] } {
  const kernels = groups.map(({ id, label, line }): Part => ({ id, lines: [label, ...(line === undefined ? [] : [line])], kernel: label }));
  const single = boxes.filter((box) => box.group === undefined);
  const others = single.map(({ id, op, types }): Part => ({ id, lines: [op, ...types], kernel: undefined }));
  const outer = new Map(boxes.map(({ id, group }) => [id, group ?? id]));
  const links = new Map<string, Link>();
  for (const { from, output, to, type, bytes } of arrows) {
    const [a, b] = [outer.get(from)!, outer.get(to)!];
    // A value that a kernel reads in several places is one arrow.
    if (a !== b) links.set(`${from} ${output} ${b}`, { from: a, to: b, types: type, bytes });
  }
  return { parts: [...kernels, ...others], links: [...links.values()] };
}

const lineHeight = 15;
const sizeOf = ({ lines }: Part) => ({
  width: 14 + 6.7 * lines.reduce((most, line) => Math.max(most, line.length), 0),
  height: 10 + lineHeight * lines.length,
});

function boxSvg(part: Part, { x, y }: Point): string {
  const { width, height } = sizeOf(part);
  const kernel = part.kernel === undefined ? '' : ` data-kernel="${escaped(part.kernel)}" tabindex="0"`;
  const text = part.lines.map((line, i) => `<text x="7" y="${(i + 1) * lineHeight}">${escaped(line)}</text>`);
  return `<g class="box${part.kernel === undefined ? '' : ' kernel'}"${kernel} transform="translate(${(x - width / 2).toFixed(1)} ${(y - height / 2).toFixed(1)})"><rect width="${width.toFixed(1)}" height="${height}" rx="4"/>${text.join('')}</g>`;
}

const widthOf = (bytes: number): number => 1 + Math.max(0, Math.log10(Math.max(1, bytes)) - 3) / 2;
