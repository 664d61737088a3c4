// Drawings as DOT, for Graphviz: kernels are clusters, arrows are as wide as what they carry.
import type { Box, Drawing } from '../drawing.ts';

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

export function dotOf({ name, boxes, arrows, groups }: Drawing): string {
  const lines = [
    `digraph ${quoted(name)} {`,
    '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=11]',
    '  edge [fontname="sans-serif", fontsize=9]',
  ];
  const put = (box: Box, indent: string): void =>
    void lines.push(
      `${indent}${box.id} [label=${quoted([box.op, ...box.types, ...(box.line === undefined ? [] : [box.line])].join('\n'))}${shapeOf(box)}]`,
    );
  const inGroup = new Map<string, Box[]>();
  for (const box of boxes) {
    if (box.group === undefined) put(box, '  ');
    else inGroup.set(box.group, [...(inGroup.get(box.group) ?? []), box]);
  }
  for (const { id, label } of groups) {
    lines.push(`  subgraph cluster_${id} {`, `    label=${quoted(label)}`, '    style=filled', '    color="#eef2f7"');
    for (const box of inGroup.get(id) ?? []) put(box, '    ');
    lines.push('  }');
  }
  for (const { from, to, type, bytes } of arrows) lines.push(`  ${from} -> ${to} [label=${quoted(type)}, penwidth=${widthOf(bytes)}]`);
  lines.push('}');
  return `${lines.join('\n')}\n`;
}

const shapeOf = ({ op }: Box): string => (op === 'input' || op === 'slot' || op === 'output' ? ', shape=ellipse' : '');

/** One point, and half a one more for each tenfold above a kilobyte. */
const widthOf = (bytes: number): number => 1 + Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) - 3)) / 2;
