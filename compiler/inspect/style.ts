// How parts of a text stand out: on a terminal by colour, elsewhere not at all.
export type Style = {
  readonly heading: (text: string) => string;
  readonly aside: (text: string) => string;
  /** Lines that a pass added, and that it took away. */
  readonly added: (text: string) => string;
  readonly removed: (text: string) => string;
};

const same = (text: string): string => text;
export const plain: Style = { heading: same, aside: same, added: same, removed: same };

export const count = (n: number, what: string): string => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;

/** A number of bytes as people say it: `1.5 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let power = 0;
  while (power < units.length - 1 && bytes >= 1024 ** (power + 1)) power++;
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[power]}`;
}

/** Milliseconds, with three digits that say something. */
export const millisecondsText = (ms: number): string => `${ms.toFixed(ms < 1 ? 4 : ms < 10 ? 3 : ms < 100 ? 2 : 1)} ms`;

/** Lines of columns; the first is set to the left, the others to the right, unless `left` names them too. */
export function table(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, i) => (left.includes(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}
