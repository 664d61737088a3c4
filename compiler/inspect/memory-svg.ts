// The arena over time as SVG: a rectangle for each intermediate, with the lower bound as a line.
import { escaped } from './html/text.ts';
import type { MemoryReport } from './memory.ts';
import { bytesText } from './style.ts';

const [width, height, margin] = [960, 320, 72];

export function memorySvg({ name, arenaBytes, liveBytes, launches, blocks }: MemoryReport): string {
  const x = (launch: number): number => margin + (launch * width) / Math.max(1, launches.length);
  const y = (bytes: number): number => height - (bytes * height) / Math.max(1, arenaBytes);
  const rects = blocks.map(({ value, op, line, kernel, offset, bytes, first, last, isSaved }, i) => {
    const title = `${value}\n${op} ${line ?? ''}\n${bytesText(bytes)} at ${offset}, launches ${first + 1} to ${last + 1}, made by ${kernel}${isSaved ? '\nsaved for backward' : ''}`;
    const [left, top] = [x(first), y(offset + bytes)];
    const hue = (i * 47) % 360;
    return `<rect class="block${isSaved ? ' saved' : ''}" data-value="${escaped(value)}" x="${round(left)}" y="${round(top)}" width="${round(x(last + 1) - left)}" height="${round(y(offset) - top)}" fill="hsl(${hue} 60% 72%)"><title>${escaped(title)}</title></rect>`;
  });
  const bound = round(y(liveBytes));
  return [
    `<svg class="memory" xmlns="http://www.w3.org/2000/svg" viewBox="0 -16 ${margin + width + 8} ${height + 44}" role="img" aria-label="${escaped(`arena of ${name}`)}">`,
    `<line class="axis" x1="${margin}" y1="${height}" x2="${margin + width}" y2="${height}"/><line class="axis" x1="${margin}" y1="0" x2="${margin}" y2="${height}"/>`,
    ...rects,
    `<line class="bound" x1="${margin}" y1="${bound}" x2="${margin + width}" y2="${bound}"><title>lower bound: ${bytesText(liveBytes)}</title></line>`,
    `<text x="${margin - 6}" y="4" text-anchor="end">${bytesText(arenaBytes)}</text><text x="${margin - 6}" y="${height}" text-anchor="end">0</text>`,
    `<text x="${margin}" y="${height + 20}">launch 1</text><text x="${margin + width}" y="${height + 20}" text-anchor="end">launch ${launches.length}</text>`,
    '</svg>',
  ].join('\n');
}

const round = (n: number): string => n.toFixed(2);
