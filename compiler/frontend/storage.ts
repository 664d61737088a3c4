// A storage holds the current value of a tensor and of all its views, and counts how often it was written.
import type { Buffer } from '../../runtime/buffer.ts';
import type { DType, TypedArray } from '../../runtime/dtype.ts';
import { ArgumentError, AutogradError } from '../../runtime/errors.ts';
import type { Value } from '../ir/node.ts';
import { bufferOf, currentInterval, type Interval, leafOf, nextInterval, recordedOf, resolve } from './record.ts';

/** Storages made since each scope that is open began (dispose.ts), the innermost last. */
const scopes: Set<Storage>[] = [];

/** Runs `f` and gives the storages that were made by it. */
export function collecting<T>(f: () => T): { readonly result: T; readonly made: Set<Storage> } {
  const made = new Set<Storage>();
  scopes.push(made);
  try {
    return { result: f(), made };
  } finally {
    scopes.pop();
  }
}

/** The storage belongs to the scope around the one that it was made in, if any. */
export function handOut(storage: Storage): void {
  scopes.at(-1)?.add(storage);
}

/** The storage outlives all scopes. */
export function outlive(storage: Storage): void {
  for (const made of scopes) made.delete(storage);
}

/** Values are immutable; a write in place replaces the storage's value and bumps its version. A class as nodes are (ir/node.ts says why). */
export class Storage {
  value: Value;
  version: number;
  /** The interval in which it was made: a write to an older storage must be stored at the boundary. */
  born: Interval;
  /** Whether compiled code made the current buffer and nothing but this storage has seen it. */
  owned: boolean;
  /** An owned buffer that the current one replaced: compiled code may write the next value into it. */
  spare: Buffer | undefined;
  /** Where the last check of guards met it first, and which check that was. */
  met: number;
  check: number;
  /** Whether its memory was given back. */
  isDisposed: boolean;
  constructor(value: Value) {
    this.value = value;
    this.version = 0;
    this.born = currentInterval();
    this.owned = false;
    this.spare = undefined;
    this.met = 0;
    this.check = 0;
    this.isDisposed = false;
    if (scopes.length > 0) scopes[scopes.length - 1]!.add(this);
  }
}

/** A storage for a value that was just recorded (or a leaf). */
export function storageOf(value: Value): Storage {
  const storage = new Storage(value);
  hold(storage);
  return storage;
}

/** An interval before all others. */
const beginning = nextInterval();

/** Counts the storage as older than everything recorded: state is stored from the first write on, which is then recorded as all later ones are. */
export function keep(storage: Storage): void {
  storage.born = beginning;
}

/** Whether it is state: somebody besides its holder is likely to know it. */
export const isKept = (storage: Storage): boolean => storage.born === beginning;

/** A storage for data that exist. */
export const storageOfData = (array: TypedArray, dtype: DType, shape: readonly number[]): Storage =>
  storageOf(leafOf(array, { dtype, shape }));

/** Lets the value's node know who holds it, so that the storage lets go of the graph when the value is realised. */
function hold(storage: Storage): void {
  if (storage.value.node.op === 'input' || storage.value.node.op === 'slot') return;
  const r = recordedOf(storage.value.node);
  r.holders ??= [];
  r.holders.push(storage);
}

/** The current value, usable in the current interval. */
export function read(storage: Storage): Value {
  if (storage.isDisposed) throw disposedError();
  const value = resolve(storage.value);
  storage.value = value;
  storage.owned = false;
  storage.spare = undefined;
  const { call } = currentInterval();
  if (call !== undefined && value.node.op === 'input' && !call.sources.has(value.node) && !call.written.has(storage))
    call.sources.set(value.node, storage);
  return value;
}

const disposedError = (): ArgumentError =>
  new ArgumentError('a tensor was used after it was disposed', { op: 'dispose', fix: 'return it from the scope, or dispose it later' });

/** Replaces the value. `value` has the storage's dtype and shape. */
export function write(storage: Storage, value: Value): void {
  const interval = currentInterval();
  if (interval.trace !== undefined && storage.born !== interval)
    throw new AutogradError(
      `during a ${interval.trace.op} transform, the function attempted to call an in-place operation that would mutate a captured tensor`,
      { op: interval.trace.op, fix: 'pass the tensor to the function as an argument, and return what it becomes' },
    );
  if (storage.born !== interval && !interval.written.has(storage)) interval.written.set(storage, storage.value);
  interval.call?.written.add(storage);
  storage.value = value;
  storage.version++;
  storage.owned = false;
  storage.spare = undefined;
  hold(storage);
}

/** A storage that compiled code made in the place of another, and that nobody has seen: it inherits the other's buffer, if nobody has seen that one. */
export function succeed(storage: Storage, before: Storage | undefined): void {
  storage.spare = before?.owned ? bufferOf(before.value) : undefined;
  storage.owned = true;
}

/** State written by a replay: final at once, so no failure of what pends takes it back. `owned`: nobody else has its buffer. */
export function commit(storage: Storage, value: Value, owned: boolean): void {
  storage.spare = owned && storage.owned ? bufferOf(storage.value) : undefined;
  storage.value = value;
  storage.version++;
  storage.owned = owned;
}
