// ARCHITECTURE.md as data: its generated blocks, its edits, and the files that it names.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const path = `${root}/ARCHITECTURE.md`;
export const document = readFileSync(path, 'utf8');

const block = /<!-- generated: (\w+) -->\n```(\w*)\n([\s\S]*?)\n```/g;

/** Blocks that the system itself printed, by name. */
export const generated = (): ReadonlyMap<string, string> =>
  new Map([...document.matchAll(block)].map(([, name, , text]) => [name!, text!]));

/** Puts fresh texts into the generated blocks. */
export function update(fresh: ReadonlyMap<string, string>): void {
  const text = document.replaceAll(block, (old, name: string, language: string) => {
    const made = fresh.get(name);
    return made === undefined ? old : `<!-- generated: ${name} -->\n\`\`\`${language}\n${made}\n\`\`\``;
  });
  writeFileSync(path, text);
}

/** Lines to add to a file below one that is there. */
export type Edit = { readonly file: string; readonly below: string; readonly added: readonly string[] };

/** The edits of a section: blocks of the language `diff`, whose first line names the file, the next an existing line. */
export function editsOf(heading: string): Edit[] {
  const section = document.split(/^## /m).find((s) => s.startsWith(heading)) ?? '';
  return [...section.matchAll(/```diff\n([\s\S]*?)\n```/g)].map(([, text]) => {
    const [file = '', below = '', ...added] = text!.split('\n');
    return { file: file.replace(/^# /, ''), below: below.slice(1), added: added.map((line) => line.slice(1)) };
  });
}

/** Files and folders that the text names in backticks: what has a slash, or ends in `.ts` or `.md`. */
export const namedPaths = (): string[] => {
  const prose = document.replaceAll(/```[\s\S]*?```/g, '');
  const names = [...prose.matchAll(/`([\w./-]+)`/g)].map(([, name]) => name!);
  return [...new Set(names.filter((name) => /^(compiler|kernels|runtime|samples|test)\//.test(name)))].sort();
};
