// Named arrays in one file: the safetensors format, read with all of its rules checked before the data are looked at, and written.
import { bytesPerElement, type DType, type TypedArray, viewOf } from './dtype.ts';
import { FormatError } from './errors.ts';

/** Bytes of an element of each kind that the format has; those of less than a byte are not supported. */
export const storedBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const;
export type StoredDType = keyof typeof storedBytes;

/** A tensor as it lies in a file: row-major, little-endian. `data` is a window into the file. */
export type StoredTensor = { readonly dtype: StoredDType; readonly shape: readonly number[]; readonly data: Uint8Array };

/** What a file holds, in the order of its header. Keys are whatever the file says, which is why these are Maps. */
export type Safetensors = { readonly tensors: ReadonlyMap<string, StoredTensor>; readonly metadata: ReadonlyMap<string, string> };

const ours = { f32: 'F32', f64: 'F64', f16: 'F16', i32: 'I32', i64: 'I64', u8: 'U8', bool: 'BOOL' } as const satisfies Record<
  DType,
  StoredDType
>;
const dtypeOfStored = new Map<string, DType>(Object.entries(ours).map(([dtype, stored]) => [stored, dtype as DType]));

/** The elements as one of our dtypes; undefined for kinds that have none. They are a window into the file where its alignment allows. */
export function elementsOf({ dtype: stored, data }: StoredTensor): { readonly dtype: DType; readonly elements: TypedArray } | undefined {
  const dtype = dtypeOfStored.get(stored);
  if (dtype === undefined) return undefined;
  const size = bytesPerElement[dtype];
  const { buffer, byteOffset } = data.byteOffset % size === 0 ? data : new Uint8Array(data);
  return { dtype, elements: viewOf(dtype, buffer, byteOffset, data.length / size) };
}

/** An array of ours as the file has it, without a copy. */
export const storedOf = (dtype: DType, shape: readonly number[], { buffer, byteOffset, byteLength }: TypedArray): StoredTensor => ({
  dtype: ours[dtype],
  shape,
  data: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength),
});

const lengthBytes = 8;
/** As the reference implementation has it. */
const maximumHeader = 100_000_000;

const refuse = (what: string, offset: number, cause?: unknown): FormatError => new FormatError(what, { op: 'safetensors', offset, cause });

/** Where the tensors of a file lie, counted from `dataAt`. */
export type Contents = { readonly dataAt: number; readonly places: readonly Place[]; readonly metadata: ReadonlyMap<string, string> };

/** The length of the part of a file that `readHeader` wants, from its first eight bytes; `bytes` is that of the whole file. */
export function headLength(beginning: Uint8Array, bytes: number): number {
  if (beginning.length < lengthBytes) throw refuse(`a file of ${bytes} bytes has no header`, 0);
  const length = new DataView(beginning.buffer, beginning.byteOffset, lengthBytes).getBigUint64(0, true);
  if (length > maximumHeader) throw refuse(`the header claims ${length} bytes, at most ${maximumHeader} are allowed`, 0);
  const dataAt = lengthBytes + Number(length);
  if (dataAt > bytes) throw refuse(`the header claims ${length} bytes, the file has ${bytes - lengthBytes} behind its length`, 0);
  return dataAt;
}

/** What a file of `bytes` bytes holds, by its `head`, which ends where the data begin. */
export function readHeader(head: Uint8Array, bytes: number): Contents {
  const dataAt = head.length;
  const header = parseHeader(head.subarray(lengthBytes));
  const places: Place[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [key, value] of Object.entries(header.fields)) {
    if (key === '__metadata__') metadata = metadataOf(value, header);
    else places.push(placeOf(key, value, header));
  }
  checkLayout(places, bytes - dataAt, dataAt, header);
  return { dataAt, places, metadata };
}

/** Reads a whole file. Throws FormatError, which names the rule that is broken and the byte where, on anything that is none. */
export function readSafetensors(file: Uint8Array): Safetensors {
  const { dataAt, places, metadata } = readHeader(file.subarray(0, headLength(file, file.length)), file.length);
  const data = file.subarray(dataAt);
  return {
    tensors: new Map(places.map(({ key, dtype, shape, begin, end }) => [key, { dtype, shape, data: data.subarray(begin, end) }])),
    metadata,
  };
}

/** `offsetOf` tells where in the file the value of a key begins. */
type Header = { readonly fields: object; readonly offsetOf: (key: string) => number };

function parseHeader(bytes: Uint8Array): Header {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw refuse('the header is no UTF-8', lengthBytes, cause);
  }
  if (text[0] !== '{') throw refuse("the header does not begin with '{'", lengthBytes);
  let fields: object;
  try {
    fields = JSON.parse(text) as object;
  } catch (cause) {
    throw refuse('the header is no JSON', lengthBytes, cause);
  }
  const byteAt = (at: number): number => lengthBytes + new TextEncoder().encode(text.slice(0, at)).length;
  const keys = uniqueKeys(text, byteAt);
  return { fields, offsetOf: (key) => byteAt(keys.get(key)!) };
}

/** The keys of the outermost object of a JSON text, with their places; a key that stands twice in one object is refused, which `JSON.parse` does not do. */
function uniqueKeys(text: string, byteAt: (at: number) => number): ReadonlyMap<string, number> {
  const open: Map<string, number>[] = [];
  let outermost = new Map<string, number>();
  for (const { 0: token, 1: isKey, index } of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g)) {
    if (token === '{') open.push(new Map());
    else if (token === '}') outermost = open.pop()!;
    else if (isKey !== undefined) {
      const key = JSON.parse(token.slice(0, token.length - isKey.length)) as string;
      if (open.at(-1)!.has(key)) throw refuse(`the key ${JSON.stringify(key)} stands twice`, byteAt(index));
      open.at(-1)!.set(key, index);
    }
  }
  return outermost;
}

function metadataOf(value: unknown, { offsetOf }: Header): ReadonlyMap<string, string> {
  const entries = isFields(value) ? Object.entries(value) : undefined;
  if (entries === undefined || entries.some(([, v]) => typeof v !== 'string'))
    throw refuse('the metadata are no texts by name', offsetOf('__metadata__'));
  return new Map(entries as [string, string][]);
}

export type Place = {
  readonly key: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
};

function placeOf(key: string, value: unknown, header: Header): Place {
  const fail = (what: string): FormatError => refuse(`tensor ${JSON.stringify(key)}: ${what}`, header.offsetOf(key));
  if (!isFields(value)) throw fail('it is not described by a record');
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(storedBytes, dtype)) throw fail(`the dtype ${JSON.stringify(dtype)} is unknown`);
  if (!isSizes(shape)) throw fail('its shape is no list of sizes');
  if (!isSizes(offsets) || offsets.length !== 2) throw fail('its data_offsets are not two sizes');
  const [begin, end] = offsets as [number, number];
  if (end < begin) throw fail(`it ends at ${end}, before it begins at ${begin}`);
  let bytes: number = storedBytes[dtype as StoredDType];
  // A zero behind sizes whose product overflows does not make them right.
  for (const size of shape) if (size > 0) bytes *= size;
  if (!Number.isSafeInteger(bytes)) throw fail(`the product of its shape [${shape}] overflows`);
  if (shape.includes(0)) bytes = 0;
  if (bytes !== end - begin) throw fail(`${dtype} [${shape}] takes ${bytes} bytes, its data_offsets span ${end - begin}`);
  return { key, dtype: dtype as StoredDType, shape, begin, end };
}

const isFields = (x: unknown): x is { readonly [name: string]: unknown } => typeof x === 'object' && x !== null && !Array.isArray(x);
const isSizes = (x: unknown): x is readonly number[] => Array.isArray(x) && x.every((n) => Number.isSafeInteger(n) && n >= 0);

/** Tensors fill the data from the first byte to the last, one behind the other. */
function checkLayout(places: readonly Place[], bytes: number, dataAt: number, { offsetOf }: Header): void {
  let at = 0;
  for (const { key, begin, end } of [...places].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > bytes) throw refuse(`tensor ${JSON.stringify(key)} ends at ${end} of ${bytes} bytes of data`, offsetOf(key));
    if (begin > at) throw refuse(`there is a hole of ${begin - at} bytes before tensor ${JSON.stringify(key)}`, dataAt + at);
    if (begin < at) throw refuse(`tensor ${JSON.stringify(key)} overlaps the one before it by ${at - begin} bytes`, dataAt + begin);
    at = end;
  }
  if (at < bytes) throw refuse(`${bytes - at} bytes stand behind the last tensor`, dataAt + at);
}

/** A file of these tensors, the same bytes for the same content: larger elements first, so that all lie aligned, else in the order given. */
export function writeSafetensors(
  tensors: Iterable<readonly [key: string, tensor: StoredTensor]>,
  metadata: Iterable<readonly [key: string, text: string]> = [],
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort(([, a], [, b]) => storedBytes[b.dtype] - storedBytes[a.dtype]);
  const seen = new Set(['__metadata__']);
  const texts = [...metadata].map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
  const fields = texts.length > 0 ? [`"__metadata__":{${texts.join()}}`] : [];
  let bytes = 0;
  for (const [key, { dtype, shape, data }] of sorted) {
    if (seen.has(key))
      throw new FormatError(`the key ${JSON.stringify(key)} cannot be used ${key === '__metadata__' ? '' : 'twice'}`.trimEnd(), {
        op: 'safetensors',
      });
    if (/\p{Surrogate}/u.test(key)) throw new FormatError(`the key ${JSON.stringify(key)} is no Unicode text`, { op: 'safetensors' });
    seen.add(key);
    const wanted = shape.reduce((n, size) => n * size, storedBytes[dtype]);
    if (wanted !== data.length)
      throw new FormatError(`${JSON.stringify(key)}: ${dtype} [${shape}] takes ${wanted} bytes, got ${data.length}`, { op: 'safetensors' });
    fields.push(`${JSON.stringify(key)}:${JSON.stringify({ dtype, shape, data_offsets: [bytes, bytes + data.length] })}`);
    bytes += data.length;
  }
  const text = new TextEncoder().encode(`{${fields.join()}}`);
  // Spaces up to a multiple of eight, so that the data begin aligned.
  const header = Math.ceil(text.length / lengthBytes) * lengthBytes;
  const file = new Uint8Array(lengthBytes + header + bytes).fill(0x20, lengthBytes, lengthBytes + header);
  new DataView(file.buffer).setBigUint64(0, BigInt(header), true);
  file.set(text, lengthBytes);
  let at = lengthBytes + header;
  for (const [, { data }] of sorted) {
    file.set(data, at);
    at += data.length;
  }
  return file;
}
