// Elements on their way from a device that must be waited for to the processor.
import { type Block, type Buffer, emptyBuffer, hostBuffer } from './buffer.ts';
import type { TypedArray } from './dtype.ts';
import { DeviceError } from './errors.ts';

type Arriving = Block & { readonly elements: Promise<TypedArray> };

const home: Block['home'] = {
  name: 'webgpu',
  read: (block) => (block as Arriving).elements.then((elements) => elements.slice()),
  readSync: () => {
    throw new DeviceError('the elements are on their way from webgpu', {
      op: 'to',
      fix: 'await data() of the tensor, or await synchronize(), before they are used',
    });
  },
  release: () => {},
};

/** What has not arrived yet, whether or not it ever will. */
const underWay = new Set<Promise<unknown>>();

/** The elements of a device's buffer for the processor. They are read at once, and there when the device has come so far. */
export function fetched(buffer: Buffer): Buffer {
  const { dtype, length, block } = buffer;
  const host = buffer.host ?? block?.spilled;
  if (host !== undefined) return hostBuffer(dtype, host);
  if (block === undefined) throw new DeviceError('the elements are gone', { op: 'to' });
  const elements = block.home.read(block);
  const copy = emptyBuffer(dtype, length);
  const arriving: Arriving = { home, isCopied: false, spilled: undefined, elements };
  copy.block = arriving;
  const arrival = elements.then((array) => {
    copy.host = array;
    if (copy.block === arriving) copy.block = undefined;
  });
  underWay.add(arrival);
  // Who uses the copy is told of a failure; here it only ends the waiting.
  void arrival.catch(() => {}).finally(() => underWay.delete(arrival));
  return copy;
}

/** Waits for everything that is under way, and throws what went wrong with it. */
export async function arrivals(): Promise<void> {
  await Promise.all([...underWay]);
}
