// Programs on disk: a graph that some process compiled for this target is read instead of compiled again.
// An entry is found by a hash of its key and believed only if it holds the whole key and is whole itself. It is code: who may write the
// folder may run code as its owner, so the folder is the owner's alone.
import { checkProgram } from '../../runtime/check.ts';
import { IRError } from '../../runtime/errors.ts';
import { type Program, programVersion } from '../../runtime/program.ts';
import type { Target } from '../../runtime/target.ts';
import type { Graph } from '../ir/node.ts';
import { print } from '../ir/print.ts';
import type { CompileOptions } from '../lower/compile.ts';
import { logged } from './log.ts';
import { cacheFolder, readEntry, writeEntry } from './store.ts';
import { version } from './version.ts';

const crypto = () => process.getBuiltinModule('node:crypto');

/** What a Program is compiled from beside a graph and a target: passes to leave out, sizes that are open. */
export type Options = Pick<CompileOptions, 'disable' | 'sizes'>;

/**
 * The Program of a graph, for a target, with these options: from the cache, else compiled and kept.
 * `nameOf` finds the file; keys that share one replace each other.
 */
export function cachedProgram(
  graph: Graph,
  target: Target,
  { disable, sizes }: Options,
  compile: () => Program,
  nameOf: (key: string) => string = entryName,
): Program {
  const graphText = cacheFolder() === undefined ? undefined : textOf(graph);
  if (graphText === undefined) return compile();
  const text = `${JSON.stringify({ compiler: compiler(), target, disable, sizes })}\n${graphText}`;
  const name = nameOf(text);
  const found = readEntry(name);
  const known = found === undefined ? undefined : decodeEntry(found);
  if (known?.key === text) {
    logged('cache', () => `cache: ${name} is used`);
    return withNotes(known.program, graphText, compile);
  }
  if (found !== undefined)
    logged('cache', () => `cache: ${name} is replaced: it ${known === undefined ? 'is damaged' : 'has another key'}`);
  const program = compile();
  writeEntry(name, encodeEntry(text, program));
  return program;
}

/** Undefined for a graph past the bounds of its text form, which compiles all the same. */
function textOf(graph: Graph): string | undefined {
  try {
    return print(graph);
  } catch (error) {
    if (error instanceof IRError) return undefined;
    throw error;
  }
}

const entryName = (key: string): string => `program-${crypto().createHash('sha256').update(key).digest('hex')}.flx`;

let identity: string | undefined;
const compiler = (): string => (identity ??= [version, programVersion, ...sources()].join(' '));

/** Compiled from sources that somebody is changing, a version says nothing: sizes and times of the files that decide what a Program is. */
function sources(): readonly string[] {
  const here = import.meta.url;
  if (!/^file:.*\/compiler\/jit\/cache\.ts$/.test(here)) return [];
  const fs = process.getBuiltinModule('node:fs');
  const hash = crypto().createHash('sha256');
  for (const folder of ['../ir/', '../ops/', '../autodiff/', '../passes/', '../lower/', './', '../../kernels/', '../../runtime/']) {
    const url = new URL(folder, here);
    for (const name of fs.readdirSync(url, { recursive: true, encoding: 'utf8' }).sort()) {
      if (!name.endsWith('.ts')) continue;
      const { size, mtimeMs } = fs.statSync(new URL(name, url));
      hash.update(`${folder}${name} ${size} ${mtimeMs}\n`);
    }
  }
  return [hash.digest('hex')];
}

/** Texts for inspection: the graph is at hand, and what the passes made of it is found by compiling again if somebody asks. */
const withNotes = (program: Program, graph: string, compile: () => Program): Program => ({
  ...program,
  notes: {
    graph,
    get fused() {
      return compile().notes.fused;
    },
    unfused: program.notes.unfused,
  },
});

const magic = [0x00, 0x66, 0x6c, 0x78, 0x63, 0x0d, 0x0a, 0x1a];
const entryVersion = 1;
/** Magic, version, bytes of the key, bytes of the payload (32 bits each, little-endian), SHA-256 of key and payload, key, payload. */
const layout = { version: 8, keyBytes: 12, payloadBytes: 16, digest: 20, body: 52 } as const;

function encodeEntry(key: string, program: Program): Uint8Array {
  const { notes, ...rest } = program;
  const [keyBytes, payload] = [key, JSON.stringify({ ...rest, notes: { graph: '', fused: '', unfused: notes.unfused } })].map((text) =>
    new TextEncoder().encode(text),
  ) as [Uint8Array, Uint8Array];
  const bytes = new Uint8Array(layout.body + keyBytes.length + payload.length);
  const header = new DataView(bytes.buffer);
  bytes.set(magic);
  header.setUint32(layout.version, entryVersion, true);
  header.setUint32(layout.keyBytes, keyBytes.length, true);
  header.setUint32(layout.payloadBytes, payload.length, true);
  bytes.set(keyBytes, layout.body);
  bytes.set(payload, layout.body + keyBytes.length);
  bytes.set(crypto().createHash('sha256').update(bytes.subarray(layout.body)).digest(), layout.digest);
  return bytes;
}

export type Entry = { readonly key: string; readonly program: Program };

/** What an entry holds; undefined unless it is of this version, whole and consistent. */
export function decodeEntry(bytes: Uint8Array): Entry | undefined {
  if (bytes.length < layout.body || magic.some((b, i) => bytes[i] !== b)) return undefined;
  const header = new DataView(bytes.buffer, bytes.byteOffset, layout.body);
  if (header.getUint32(layout.version, true) !== entryVersion) return undefined;
  const keyEnd = layout.body + header.getUint32(layout.keyBytes, true);
  if (bytes.length !== keyEnd + header.getUint32(layout.payloadBytes, true)) return undefined;
  const digest = crypto().createHash('sha256').update(bytes.subarray(layout.body)).digest();
  if (!digest.equals(bytes.subarray(layout.digest, layout.body))) return undefined;
  const text = (from: number, to: number): string => new TextDecoder().decode(bytes.subarray(from, to));
  try {
    return { key: text(layout.body, keyEnd), program: checkProgram(JSON.parse(text(keyEnd, bytes.length))) };
  } catch {
    return undefined;
  }
}
