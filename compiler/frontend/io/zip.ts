// Zip archives, as far as npz and .pt files are: entries stored or deflated, found by the central directory, each checked against its sum.
import { FormatError } from '../../../runtime/errors.ts';

/** An entry of an archive. Its name is a key and nothing else: no file is ever written by it. */
export type ZipEntry = {
  readonly name: string;
  /** Bytes once inflated, as the directory claims. */
  readonly bytes: number;
  /** The content, of which at most the first `atMost` bytes are inflated; whole, it is checked. */
  readonly read: (atMost?: number) => Promise<Uint8Array>;
};

const signature = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 } as const;
const mostComment = 65_535;

/** The entries by name. Throws FormatError. */
export function readZip(op: string, file: Uint8Array): ReadonlyMap<string, ZipEntry> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const refuse = (what: string, offset: number): FormatError => new FormatError(what, { op, offset });
  const { count, at: directory } = findDirectory(view, refuse);
  const entries = new Map<string, ZipEntry>();
  for (let i = 0, at = directory; i < count; i++) {
    if (at + 46 > file.length || view.getUint32(at, true) !== signature.central) throw refuse(`entry ${i} of the directory is damaged`, at);
    const nameEnd = at + 46 + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const end = extraEnd + view.getUint16(at + 32, true);
    if (end > file.length) throw refuse(`entry ${i} of the directory is cut short`, at);
    const name = new TextDecoder().decode(file.subarray(at + 46, nameEnd));
    if (entries.has(name)) throw refuse(`the entry '${name}' stands twice`, at);
    entries.set(name, entryOf(op, name, file, view, wideFields(view, at, nameEnd, extraEnd), at));
    at = end;
  }
  return entries;
}

type Refuse = (what: string, offset: number) => FormatError;

function findDirectory(view: DataView, refuse: Refuse): { readonly count: number; readonly at: number } {
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - mostComment); at--) {
    if (view.getUint32(at, true) !== signature.end) continue;
    const [count, start] = [view.getUint16(at + 10, true), view.getUint32(at + 16, true)];
    const locator = at - 20;
    if ((count !== 0xffff && start !== 0xffffffff) || locator < 0 || view.getUint32(locator, true) !== signature.locator64)
      return { count, at: start };
    const end64 = Number(view.getBigUint64(locator + 8, true));
    if (end64 + 56 > view.byteLength || view.getUint32(end64, true) !== signature.end64)
      throw refuse('the zip64 directory is missing', locator);
    return { count: Number(view.getBigUint64(end64 + 32, true)), at: Number(view.getBigUint64(end64 + 48, true)) };
  }
  throw refuse('the file is no zip archive: it has no directory', 0);
}

type Fields = {
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly packed: number;
  readonly bytes: number;
  readonly local: number;
};

/** Sizes and place of an entry: where 32 bits do not do, they stand in the extra field. */
function wideFields(view: DataView, at: number, extra: number, extraEnd: number): Fields {
  const narrow = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  for (let p = extra; p + 4 <= extraEnd; p += 4 + view.getUint16(p + 2, true)) {
    if (view.getUint16(p, true) !== 1) continue;
    let next = p + 4;
    for (let i = 0; i < 3 && next + 8 <= extraEnd; i++)
      if (narrow[i] === 0xffffffff) {
        narrow[i] = Number(view.getBigUint64(next, true));
        next += 8;
      }
  }
  const [bytes, packed, local] = narrow as [number, number, number];
  return {
    method: view.getUint16(at + 10, true),
    flags: view.getUint16(at + 8, true),
    crc: view.getUint32(at + 16, true),
    packed,
    bytes,
    local,
  };
}

const encrypted = 1;
function entryOf(op: string, name: string, file: Uint8Array, view: DataView, fields: Fields, offset: number): ZipEntry {
  const { method, flags, crc, packed, bytes, local } = fields;
  const refuse = (what: string): FormatError => new FormatError(`'${name}': ${what}`, { op, offset });
  if (flags & encrypted) throw refuse('it is encrypted');
  if (method !== 0 && method !== 8) throw refuse(`its compression (method ${method}) is neither stored nor deflated`);
  if (method === 0 && packed !== bytes) throw refuse('it is stored, yet its two sizes differ');
  if (local + 30 > file.length || view.getUint32(local, true) !== signature.local) throw refuse('its content is missing');
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packed > file.length) throw refuse(`its content ends at ${start + packed} of ${file.length} bytes`);
  const content = file.subarray(start, start + packed);
  async function read(atMost = Infinity): Promise<Uint8Array> {
    const found = method === 0 ? content.subarray(0, Math.min(atMost, bytes)) : await inflate(content, Math.min(atMost, bytes), refuse);
    if (found.length < Math.min(atMost, bytes)) throw refuse(`it inflates to ${found.length} bytes, the directory says ${bytes}`);
    if (atMost >= bytes && crcOf(found) !== crc) throw refuse('its content does not have the sum that stands beside it');
    return found;
  }
  return { name, bytes, read };
}

/** The first `atMost` bytes: an archive may claim less than it holds, so more are never made. */
async function inflate(content: Uint8Array, atMost: number, refuse: (what: string) => FormatError): Promise<Uint8Array> {
  const reader = new Blob([content as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    while (bytes < atMost) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      bytes += value.length;
    }
  } catch {
    throw refuse('it cannot be inflated');
  } finally {
    await reader.cancel().catch(() => {});
  }
  const whole = new Uint8Array(Math.min(bytes, atMost));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece.subarray(0, whole.length - at), at);
    at += piece.length;
  }
  return whole;
}

/** An archive of stored entries, all of the same date: the same bytes for the same content. */
export function writeZip(entries: Iterable<readonly [name: string, content: Uint8Array]>): Uint8Array {
  const pieces: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, content] of entries) {
    const text = new TextEncoder().encode(name);
    const [local, central] = [new Uint8Array(30 + text.length), new Uint8Array(46 + text.length)];
    const common = (header: Uint8Array, from: number): void => {
      const view = new DataView(header.buffer, from);
      view.setUint16(0, 20, true);
      view.setUint16(2, utf8, true);
      view.setUint16(8, 33, true);
      view.setUint32(10, crcOf(content), true);
      view.setUint32(14, content.length, true);
      view.setUint32(18, content.length, true);
      view.setUint16(22, text.length, true);
    };
    new DataView(local.buffer).setUint32(0, signature.local, true);
    common(local, 4);
    local.set(text, 30);
    const view = new DataView(central.buffer);
    view.setUint32(0, signature.central, true);
    view.setUint16(4, 20, true);
    common(central, 6);
    view.setUint32(42, at, true);
    central.set(text, 46);
    pieces.push(local, content);
    directory.push(central);
    at += local.length + content.length;
    if (at > 0xffffffff) throw new FormatError('an archive of more than 4 GiB is not written', { op: 'zip' });
  }
  const end = new Uint8Array(22);
  const view = new DataView(end.buffer);
  view.setUint32(0, signature.end, true);
  view.setUint16(8, directory.length, true);
  view.setUint16(10, directory.length, true);
  view.setUint32(
    12,
    directory.reduce((sum, d) => sum + d.length, 0),
    true,
  );
  view.setUint32(16, at, true);
  const all = [...pieces, ...directory, end];
  const file = new Uint8Array(all.reduce((sum, p) => sum + p.length, 0));
  let to = 0;
  for (const piece of all) {
    file.set(piece, to);
    to += piece.length;
  }
  return file;
}

/** Flag: names are UTF-8. */
const utf8 = 0x800;

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});
function crcOf(bytes: Uint8Array): number {
  let c = -1;
  for (let i = 0; i < bytes.length; i++) c = crcTable[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
