// Source maps of version 3: from lines of a written file to places in one source.

/** A place of the source, from 0 on, for the beginning of a line of the written file; undefined for lines that come from nowhere. */
export type Mapping = { readonly line: number; readonly column: number } | undefined;

export function sourceMap(file: string, source: { readonly path: string; readonly text: string }, lines: readonly Mapping[]): string {
  let [line, column] = [0, 0];
  const mappings = lines.map((mapping) => {
    if (mapping === undefined) return '';
    const fields = [0, 0, mapping.line - line, mapping.column - column].map(vlq).join('');
    ({ line, column } = mapping);
    return fields;
  });
  return `${JSON.stringify({ version: 3, file, sources: [source.path], sourcesContent: [source.text], names: [], mappings: mappings.join(';') })}\n`;
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Five bits a digit, the lowest first; the lowest of all is the sign, the highest of each says that more follow. */
function vlq(value: number): string {
  let rest = value < 0 ? -2 * value + 1 : 2 * value;
  let text = '';
  do {
    const more = rest >= 32 ? 32 : 0;
    text += digits[(rest % 32) + more];
    rest = Math.floor(rest / 32);
  } while (rest > 0);
  return text;
}
