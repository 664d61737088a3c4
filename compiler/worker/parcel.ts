// What travels between threads: a value with its tensors taken out, and the buffers that are handed over rather than copied.
//
// The library's tensors are loaded when the first one travels: a page that sends and gets plain arrays has none of the compiler in it.
import type { Packed } from '../frontend/data/message.ts';

export type Parcel = Packed;
/** A parcel and what is moved with it. */
export type Sealed = { readonly parcel: Parcel; readonly transfer: readonly Transferable[] };

const given = new WeakSet<object>();

/**
 * Marks a typed array, a buffer or another transferable object to be moved to the other thread with the next message that it is part of; this
 * side then has it no more. Without it, arrays are copied. Tensors need no mark: their values do not change, so both sides have them.
 */
export function handOver<T extends ArrayBufferView | Transferable>(what: T): T {
  given.add(what);
  return what;
}

/** Makes a value ready to be posted; at once, unless there are tensors in it. */
export function seal(value: unknown): Sealed | Promise<Sealed> {
  const found = search(value);
  return found.mayHoldTensors
    ? import('./tensors.ts').then(async ({ packAll }) => sealed(await packAll(value), found.transfer))
    : sealed({ value, tensors: [] }, found.transfer);
}
const sealed = (parcel: Parcel, transfer: readonly Transferable[]): Sealed => ({
  parcel,
  transfer: [...new Set([...transfer, ...parcel.tensors.map(({ array }) => array.buffer as ArrayBuffer)])],
});

/** The value that came; at once, unless there are tensors in it. */
export const open = (parcel: Parcel): unknown =>
  parcel.tensors.length === 0 ? parcel.value : import('./tensors.ts').then(({ unpack }) => unpack(parcel));

/** Walks lists and plain objects, each once, so that a circle is walked too. */
function search(value: unknown): { readonly mayHoldTensors: boolean; readonly transfer: readonly Transferable[] } {
  const transfer: Transferable[] = [];
  const seen = new Set<unknown>();
  const stack = [value];
  let mayHoldTensors = false;
  while (stack.length > 0) {
    const x = stack.pop();
    if (typeof x !== 'object' || x === null || seen.has(x)) continue;
    seen.add(x);
    if (given.has(x)) {
      given.delete(x);
      transfer.push((ArrayBuffer.isView(x) ? x.buffer : x) as Transferable);
    } else if (Array.isArray(x)) for (const part of x) stack.push(part);
    else if (isPlain(x)) for (const part of Object.values(x)) stack.push(part);
    else mayHoldTensors ||= isOfUser(x);
  }
  return { mayHoldTensors, transfer };
}

function isPlain(x: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(x);
  return prototype === null || prototype === Object.prototype;
}

/** Whether the object is of no class of the language or the platform. */
const isOfUser = (x: object): boolean => Object.prototype.toString.call(x) === '[object Object]';
