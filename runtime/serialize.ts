// A Program as text or bytes and back. Both carry the format's version and a hash of the content, so damage is found before anything runs.
import { checkProgram } from './check.ts';
import { ProgramError } from './errors.ts';
import { type Program, programVersion } from './program.ts';

const format = 'fluxion program';

/** The Program as JSON text, the same bytes for the same Program. */
export function printProgram(program: Program): string {
  const body = JSON.stringify(program);
  return `{"format":${JSON.stringify(format)},"version":${programVersion},"hash":"${contentHash(body)}","program":${body}}`;
}

/** Reads what `printProgram` wrote; throws ProgramError on anything else. */
export function parseProgram(text: string): Program {
  let data: { readonly format?: unknown; readonly version?: unknown; readonly hash?: unknown; readonly program?: unknown } | null;
  try {
    data = JSON.parse(text) as typeof data;
  } catch (cause) {
    throw refuse('the text is no JSON', cause);
  }
  if (data === null || typeof data !== 'object' || data.format !== format) throw refuse('the text is no Fluxion program');
  if (data.version !== programVersion)
    throw refuse(`the program is of version ${String(data.version)}, this runtime reads version ${programVersion}`);
  if (data.hash !== contentHash(JSON.stringify(data.program))) throw refuse('the content does not have the hash that stands beside it');
  return checkProgram(data.program);
}

const magic = [0x00, 0x66, 0x6c, 0x78, 0x70, 0x0d, 0x0a, 0x1a]; // as PNG's: a transfer that rewrites line ends or strips bits is noticed
const headerBytes = 24;

/** The Program as bytes: magic, version, length and hash of the content, then the content in UTF-8. Numbers are little-endian. */
export function encodeProgram(program: Program): Uint8Array {
  const text = JSON.stringify(program);
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(headerBytes + body.length);
  const header = new DataView(bytes.buffer);
  bytes.set(magic);
  header.setUint32(8, programVersion, true);
  header.setUint32(12, body.length, true);
  header.setBigUint64(16, BigInt(`0x${contentHash(text)}`), true);
  bytes.set(body, headerBytes);
  return bytes;
}

/** Reads what `encodeProgram` wrote; throws ProgramError on anything else. */
export function decodeProgram(bytes: Uint8Array): Program {
  if (bytes.length < headerBytes || magic.some((b, i) => bytes[i] !== b)) throw refuse('the bytes are no Fluxion program');
  const header = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const version = header.getUint32(8, true);
  if (version !== programVersion) throw refuse(`the program is of version ${version}, this runtime reads version ${programVersion}`);
  const length = header.getUint32(12, true);
  if (bytes.length !== headerBytes + length) throw refuse(`the content has ${bytes.length - headerBytes} bytes, the header says ${length}`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(headerBytes));
  } catch (cause) {
    throw refuse('the content is no UTF-8', cause);
  }
  if (header.getBigUint64(16, true) !== BigInt(`0x${contentHash(text)}`))
    throw refuse('the content does not have the hash that stands before it');
  return checkProgram(JSON.parse(text));
}

const refuse = (what: string, cause?: unknown): ProgramError =>
  new ProgramError(what, { op: 'load', fix: 'build the program again with this version', ...(cause === undefined ? {} : { cause }) });

/** 64 bits in hexadecimal, against damage and not against malice: two lanes of 32-bit multiply-xor over the UTF-16 units. */
function contentHash(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c ^ text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
    b ^= b >>> 13;
  }
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d) ^ (b >>> 11);
  const hex = (x: number): string => (x >>> 0).toString(16).padStart(8, '0');
  return hex(a ^ (a >>> 15)) + hex(b);
}
