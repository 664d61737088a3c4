// A buffer: the elements of a realised value, opaque to all but devices. They lie on the host, in a device's memory, or in both.
import { bytesPerElement, type DType, type TypedArray } from './dtype.ts';
import { DeviceError } from './errors.ts';

/** Elements in the memory of a device. What else there is to it, only the device knows. */
export type Block = {
  readonly home: Home;
  /** Whether the buffer has the elements on the host as well. */
  isCopied: boolean;
  /** The elements on the host, where the device had to make room: then they are nowhere else. */
  spilled: TypedArray | undefined;
};

/** How to get at the blocks of a device. */
export type Home = {
  readonly name: string;
  /** The elements, in an array of the caller's own. */
  readonly read: (block: Block) => Promise<TypedArray>;
  /** The same at once; absent where the device cannot. */
  readonly readSync?: (block: Block) => TypedArray;
  /** Gives the block's memory back. */
  readonly release: (block: Block) => void;
};

/** Where the elements of a tensor belong, wherever they happen to lie: with the processor, or with a GPU that can only be waited for. */
export type Place = 'cpu' | 'webgpu';

/** At least one of `host` and `block` is there. Elements do not change while anybody else may look. */
export type Buffer = {
  readonly place: Place;
  readonly dtype: DType;
  readonly length: number;
  host: TypedArray | undefined;
  block: Block | undefined;
  /** Of how many values it is the elements: an output that is an input under a new shape has the same buffer. */
  values: number;
};

/** A buffer whose elements a device is about to write. */
export const emptyBuffer = (dtype: DType, length: number, place: Place = 'cpu'): Buffer => ({
  place,
  dtype,
  length,
  host: undefined,
  block: undefined,
  values: 0,
});

/** A buffer over an array that nobody writes to any more. */
export const hostBuffer = (dtype: DType, host: TypedArray, place: Place = 'cpu'): Buffer => ({
  place,
  dtype,
  length: host.length,
  host,
  block: undefined,
  values: 0,
});

export const bytesOf = ({ dtype, length }: Pick<Buffer, 'dtype' | 'length'>): number => length * bytesPerElement[dtype];

/** The elements, which must not be written to. Throws DeviceError where the device can only be awaited. */
export function readSync(buffer: Buffer): TypedArray {
  const host = hostOf(buffer);
  if (host !== undefined) return host;
  const block = blockOf(buffer);
  buffer.host = fetchSync(block);
  block.isCopied = true;
  return buffer.host;
}

/** The elements in an array of the caller's own. */
export const copySync = (buffer: Buffer): TypedArray => hostOf(buffer)?.slice() ?? fetchSync(blockOf(buffer));

/** As `copySync`, for every device. */
export const copy = async (buffer: Buffer): Promise<TypedArray> => hostOf(buffer)?.slice() ?? blockOf(buffer).home.read(buffer.block!);

/** The elements, if the host has them. */
function hostOf(buffer: Buffer): TypedArray | undefined {
  const spilled = buffer.block?.spilled;
  if (spilled !== undefined) {
    buffer.host = spilled;
    buffer.block = undefined;
  }
  return buffer.host;
}

/** Gives device memory back at once. Only for those who know that nobody needs the elements any more. */
export function release(buffer: Buffer): void {
  const { block } = buffer;
  buffer.block = undefined;
  if (block !== undefined) block.home.release(block);
}

/** Drops the elements, wherever they are. Who needs them all the same gets a DeviceError. */
export function discard(buffer: Buffer): void {
  hostOf(buffer);
  buffer.host = undefined;
  release(buffer);
}

function blockOf({ block }: Buffer): Block {
  if (block === undefined)
    throw new DeviceError('a value is needed again whose tensor was disposed', { op: 'read', fix: 'dispose it later, or keep a clone()' });
  return block;
}

function fetchSync(block: Block): TypedArray {
  const { name, readSync } = block.home;
  if (readSync === undefined)
    throw new DeviceError(`elements on ${name} cannot be read at once`, { op: 'read', fix: 'await data() or item()' });
  return readSync(block);
}
