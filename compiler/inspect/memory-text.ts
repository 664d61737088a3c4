// The arena over time as a picture of characters: launches from left to right, addresses from bottom to top.
import type { MemoryBlock, MemoryReport } from './memory.ts';
import { bytesText, count, plain, type Style, table } from './style.ts';

const columns = 64;
const rows = 12;
const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

export function describeMemory(report: MemoryReport, style: Style = plain): string {
  const { name, arenaBytes, liveBytes, launches, blocks, saved } = report;
  const over = liveBytes === 0 ? '' : ` (${(100 * (arenaBytes / liveBytes - 1)).toFixed(1)} % above the lower bound)`;
  const lines = [
    style.heading(
      `${name}: arena ${bytesText(arenaBytes)}, lower bound ${bytesText(liveBytes)}${over}, ${count(launches.length, 'launch')}`.replace(
        'launchs',
        'launches',
      ),
    ),
  ];
  if (blocks.length === 0) return `${lines[0]}\nno intermediate is stored\n`;
  lines.push('', ...picture(report), '', ...legend(report));
  lines.push('', ...savedText(saved, style));
  return `${lines.join('\n')}\n`;
}

const letterOf = (index: number): string => letters[index % letters.length]!;

/** Each character stands for the block that has most bytes in its band of addresses, at the first launch of its column. */
function picture({ arenaBytes, launches, blocks }: MemoryReport): string[] {
  const width = Math.min(columns, launches.length);
  const band = Math.max(64, Math.ceil(arenaBytes / rows / 64) * 64);
  const height = Math.ceil(arenaBytes / band);
  const grid = Array.from({ length: height }, () => new Array<string>(width).fill('.'));
  const most = Array.from({ length: height }, () => new Float64Array(width));
  blocks.forEach((block, index) => {
    const [from, to] = [columnOf(block.first, width, launches.length), columnOf(block.last, width, launches.length)];
    for (let row = Math.floor(block.offset / band); row < height && row * band < block.offset + block.bytes; row++) {
      const bytes = Math.min((row + 1) * band, block.offset + block.bytes) - Math.max(row * band, block.offset);
      for (let column = from; column <= to; column++) {
        if (bytes < most[row]![column]!) continue;
        most[row]![column] = bytes;
        grid[row]![column] = letterOf(index);
      }
    }
  });
  const marks = grid.map((_, row) => bytesText(Math.min((row + 1) * band, arenaBytes)));
  const margin = Math.max(...marks.map((mark) => mark.length));
  const picture = grid.map((cells, row) => `${marks[row]!.padStart(margin)} |${cells.join('')}|`).reverse();
  return [
    ...picture,
    `${' '.repeat(margin)} 1${'-'.repeat(Math.max(0, width - String(launches.length).length))}${launches.length} launches`,
  ];
}

const columnOf = (launch: number, width: number, launches: number): number => Math.floor((launch * width) / launches);

/** The largest blocks; a picture of hundreds has no room for all. */
const mostNamed = 20;

function legend({ blocks }: MemoryReport): string[] {
  const byBytes = [...blocks.entries()].sort(([i, a], [j, b]) => b.bytes - a.bytes || i - j);
  const named = byBytes.slice(0, mostNamed).map(([i, b]) => [letterOf(i), ...blockCells(b)]);
  const rest = byBytes.length - named.length;
  return [...table(named, [0, 1, 4, 5]), ...(rest > 0 ? [`and ${count(rest, 'smaller block')}`] : [])];
}

const blockCells = ({ value, bytes, first, last, op, line, isSaved, isInPlace }: MemoryBlock): string[] => [
  value,
  bytesText(bytes),
  first === last ? `launch ${first + 1}` : `launches ${first + 1}-${last + 1}`,
  `${op}${line === undefined ? '' : ` ${line}`}`,
  [isSaved ? 'saved for backward' : '', isInPlace ? 'in place' : ''].filter((s) => s !== '').join(', '),
];

function savedText(saved: MemoryReport['saved'], style: Style): string[] {
  if (saved.length === 0) return ['nothing of the arena is saved for backward'];
  const cells = saved.map(({ line, bytes, values }) => [line, bytesText(bytes), values.join(', ')]);
  return [style.heading('saved for backward, by line'), ...table(cells, [0, 2])];
}
