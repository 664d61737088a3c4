// Files, where there are any: Node's, found at run time, so that nothing of this stands in the way of a bundle for the browser.
import { ArgumentError, FileError } from '../../../runtime/errors.ts';

/** Where something is read from: a path or file URL (Node only), or what was fetched, dropped or read otherwise. */
export type Source = string | URL | Uint8Array | ArrayBuffer | Blob;

const builtin = () => globalThis.process?.getBuiltinModule;

function nodeFs(op: string) {
  const fs = builtin()?.('node:fs');
  if (fs !== undefined) return fs;
  throw new ArgumentError('there are no files here', { op, fix: 'pass bytes: await (await fetch(url)).arrayBuffer()' });
}

function pathOf(op: string, place: string | URL): string {
  if (typeof place === 'string') return place;
  if (!(place instanceof URL)) throw new ArgumentError('expected a path or a URL of a file', { op });
  return builtin()!('node:url').fileURLToPath(place);
}

/** The same bytes as a Uint8Array and nothing more: parts of a Node Buffer, which is one too, are no copies. */
export const plainBytes = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);

/** Bytes that can be read in parts: those of a file are read when they are asked for. */
export type Parts = {
  readonly bytes: number;
  /** Throws FileError where the file has become shorter. */
  readonly read: (from: number, to: number) => Promise<Uint8Array>;
  readonly close: () => Promise<void>;
};

export async function openSource(op: string, source: Source): Promise<Parts> {
  if (typeof source === 'string' || source instanceof URL) return openFile(op, source);
  if (typeof Blob !== 'undefined' && source instanceof Blob) {
    const read = async (from: number, to: number): Promise<Uint8Array> => new Uint8Array(await source.slice(from, to).arrayBuffer());
    return { bytes: source.size, read, close: async () => {} };
  }
  if (!(source instanceof Uint8Array || source instanceof ArrayBuffer))
    throw new ArgumentError('expected a path, a URL of a file, a Uint8Array, an ArrayBuffer or a Blob', { op });
  const bytes = source instanceof Uint8Array ? plainBytes(source) : new Uint8Array(source);
  return { bytes: bytes.length, read: async (from, to) => bytes.subarray(from, to), close: async () => {} };
}

async function openFile(op: string, place: string | URL): Promise<Parts> {
  const { open } = nodeFs(op).promises;
  const path = pathOf(op, place);
  try {
    const file = await open(path, 'r');
    const stat = await file.stat();
    if (!stat.isFile()) {
      await file.close();
      throw new Error('it is no file');
    }
    return {
      bytes: stat.size,
      close: () => file.close(),
      async read(from, to) {
        const bytes = new Uint8Array(to - from);
        // One read gives at most 2 GiB.
        for (let at = 0; at < bytes.length; ) {
          const { bytesRead } = await file.read(bytes, at, Math.min(bytes.length - at, 1 << 30), from + at);
          if (bytesRead === 0) throw new FileError(`${path} has become shorter while it was read`, { op });
          at += bytesRead;
        }
        return bytes;
      },
    };
  } catch (cause) {
    throw new FileError(`${path} cannot be read: ${messageOf(cause)}`, { op, cause });
  }
}

export async function readAll(op: string, source: Source): Promise<Uint8Array> {
  const parts = await openSource(op, source);
  try {
    return await parts.read(0, parts.bytes);
  } finally {
    await parts.close();
  }
}

/**
 * Writes a file so that at any time, whatever happens, either the old or the new one can be read: aside, to the disk, then in its place.
 * What an earlier process left aside when it ended is swept up.
 */
export async function writeFile(op: string, place: string | URL, bytes: Uint8Array): Promise<void> {
  const fs = nodeFs(op);
  const path = builtin()!('node:path').resolve(pathOf(op, place));
  const folder = builtin()!('node:path').dirname(path);
  const aside = `${path}.${process.pid}.${writes++}${asideSuffix}`;
  try {
    sweep(fs, folder, path);
    const file = await fs.promises.open(aside, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.promises.rename(aside, path);
    await syncFolder(fs, folder);
  } catch (cause) {
    await fs.promises.rm(aside, { force: true }).catch(() => {});
    throw new FileError(`${path} cannot be written (${bytes.length} bytes): ${messageOf(cause)}`, { op, cause });
  }
}

let writes = 0;
const asideSuffix = '.part';
type Fs = ReturnType<typeof nodeFs>;

/** Removes what stands aside of `path` and belongs to no process that lives. */
function sweep(fs: Fs, folder: string, path: string): void {
  const { basename, join } = builtin()!('node:path');
  const own = `${basename(path)}.`;
  for (const name of fs.readdirSync(folder)) {
    const pid = name.startsWith(own) ? /^(\d+)\.\d+\.part$/.exec(name.slice(own.length))?.[1] : undefined;
    if (pid !== undefined && !isAlive(Number(pid))) fs.rmSync(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

/** The new name is on the disk once the folder is. Where folders cannot be opened, as on Windows, the system sees to it. */
async function syncFolder(fs: Fs, folder: string): Promise<void> {
  const opened = await fs.promises.open(folder, 'r').catch(() => undefined);
  try {
    await opened?.sync().catch(() => {});
  } finally {
    await opened?.close();
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
