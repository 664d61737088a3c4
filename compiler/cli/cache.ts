// `fluxion cache`: what is kept on disk for later processes, whether it is sound, and how to be rid of it.
import { decodeEntry } from '../jit/cache.ts';
import { cacheFolder, type EntryFile, listEntries, peekEntry, removeEntry } from '../jit/store.ts';
import { decodeTile } from '../jit/tile.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { dataText } from './json.ts';

type Listed = { readonly file: string; readonly kind: string; readonly bytes: number; readonly used: string; readonly holds: string };

/** What an action has to say, as data and as lines, and its exit code. */
type Outcome = { readonly data: object; readonly lines: readonly string[]; readonly code: number };
type Action = (folder: string, entries: readonly EntryFile[]) => Outcome;

export async function cache({ file: action, options }: Invocation): Promise<number> {
  const folder = cacheFolder();
  if (folder === undefined) throw new UsageError('the cache is off, as FLUXION_CACHE says');
  const { data, lines, code } = actions[action as keyof typeof actions](folder, listEntries());
  console.log(options.has('json') ? dataText({ folder, ...data }) : lines.join('\n'));
  return code;
}

const ls: Action = (folder, entries) => {
  const listed = entries.map(listedOf);
  const bytes = entries.reduce((sum, e) => sum + e.bytes, 0);
  const rows = listed.map((e) => `${e.used}  ${size(e.bytes).padStart(9)}  ${e.file.slice(0, 20).padEnd(20)}  ${e.holds}`);
  return { data: { bytes, entries: listed }, lines: [...rows, `${counted(entries.length)}, ${size(bytes)} in ${folder}`], code: 0 };
};

const clear: Action = (folder, entries) => {
  const removed = entries.filter(({ name }) => removeEntry(name)).length;
  const left = entries.length - removed;
  const line = `${counted(removed)} removed from ${folder}${left === 0 ? '' : `; ${left} cannot be removed`}`;
  return { data: { removed, left }, lines: [line], code: left === 0 ? 0 : 1 };
};

const verify: Action = (_, entries) => {
  const damaged = entries.filter(({ name }) => isDamaged(name)).map(({ name }) => name);
  const verdict =
    damaged.length === 0
      ? `${counted(entries.length)}: all sound`
      : `${damaged.length} of ${counted(entries.length)} damaged or of another version: replaced when asked for`;
  return { data: { entries: entries.length, damaged }, lines: [...damaged, verdict], code: damaged.length === 0 ? 0 : 1 };
};

export const actions = { ls, clear, verify };

const counted = (n: number): string => `${n} ${n === 1 ? 'entry' : 'entries'}`;
const size = (bytes: number): string => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

function listedOf({ name, bytes, usedMs }: EntryFile): Listed {
  const kind = name.endsWith('.part') ? 'half written' : name.startsWith('tile-') ? 'tile' : 'program';
  return { file: name, kind, bytes, used: new Date(usedMs).toISOString().slice(0, 16).replace('T', ' '), holds: contentsOf(kind, name) };
}

function contentsOf(kind: string, name: string): string {
  if (kind !== 'program') return kind === 'tile' ? 'the register tile of a machine' : kind;
  const program = programIn(name);
  if (program === undefined) return 'damaged, or of another version';
  const [first, second, ...rest] = program.kernels.map((k) => k.name);
  const kernels = [first, second].filter((k) => k !== undefined).join(', ');
  return `${program.target}: ${kernels || 'no kernel'}${rest.length === 0 ? '' : ` and ${rest.length} more`}`;
}

function programIn(name: string) {
  const bytes = peekEntry(name);
  return bytes === undefined ? undefined : decodeEntry(bytes)?.program;
}

/** What a process left half written is no entry yet, and is swept up. */
function isDamaged(name: string): boolean {
  if (name.endsWith('.part')) return false;
  if (name.startsWith('program-')) return programIn(name) === undefined;
  const bytes = peekEntry(name);
  return bytes === undefined || (decodeTile(bytes, 'madd') ?? decodeTile(bytes, 'mul+add')) === undefined;
}
