// Drawings as Mermaid flowcharts, which GitHub and many editors show in Markdown.
import type { Box, Drawing } from '../drawing.ts';

/** Mermaid reads entities, so that no text can end a label. */
const quoted = (text: string): string => `"${text.replaceAll(/[#"<>&]/g, (c) => `#${c.charCodeAt(0)};`).replaceAll('\n', '<br>')}"`;

export function mermaidOf({ boxes, arrows, groups }: Drawing): string {
  const lines = ['flowchart TD'];
  const put = (box: Box, indent: string): void => {
    const label = quoted([box.op, ...box.types, ...(box.line === undefined ? [] : [box.line])].join('\n'));
    const [open, close] = box.op === 'input' || box.op === 'slot' || box.op === 'output' ? ['([', '])'] : ['[', ']'];
    lines.push(`${indent}${box.id}${open}${label}${close}`);
  };
  const inGroup = new Map<string, Box[]>();
  for (const box of boxes) {
    if (box.group === undefined) put(box, '  ');
    else inGroup.set(box.group, [...(inGroup.get(box.group) ?? []), box]);
  }
  for (const { id, label } of groups) {
    lines.push(`  subgraph k_${id}[${quoted(label)}]`);
    for (const box of inGroup.get(id) ?? []) put(box, '    ');
    lines.push('  end');
  }
  for (const { from, to, type } of arrows) lines.push(`  ${from} -->|${quoted(type)}| ${to}`);
  return `${lines.join('\n')}\n`;
}
