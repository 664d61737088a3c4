// Tensors in parcels. Loaded by the first parcel that has any.
import { type Packed, pack } from '../frontend/data/message.ts';
import { Tensor } from '../frontend/tensor.ts';

export { unpack } from '../frontend/data/message.ts';

/** Takes the tensors out of lists and plain objects, once their elements are here: those of a GPU have to be awaited. */
export async function packAll(value: unknown): Promise<Packed> {
  const tensors: Tensor[] = [];
  const seen = new Set<unknown>();
  const stack = [value];
  while (stack.length > 0) {
    const x = stack.pop();
    if (typeof x !== 'object' || x === null || seen.has(x)) continue;
    seen.add(x);
    if (x instanceof Tensor) tensors.push(x);
    else if (!ArrayBuffer.isView(x)) for (const part of Object.values(x)) stack.push(part);
  }
  const elements = new Map(await Promise.all(tensors.map(async (t) => [t, await t.data()] as const)));
  return pack(value, (t) => elements.get(t)!);
}
